"""The priors of a run: fits those of a universe that are missing, and gives each exchange's stacks the ones that may serve."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from datetime import date

from tickercast.jobs.exchanges.calendars import ExchangeCalendar
from tickercast.jobs.forecasting.context import Reference
from tickercast.jobs.forecasting.prior import Member, PriorRows, PriorTask, fit_prior
from tickercast.jobs.forecasting.tasks import Prior
from tickercast.jobs.runs.bundle import BundledPrior, as_prior, bundled_priors, matching_priors, mismatch, used_priors
from tickercast.jobs.runs.prior_plan import cutoffs_of, due_priors, end_of_service
from tickercast.jobs.runs.record import RunRecord
from tickercast.jobs.runs.workers import Submit, refuse_other_environment
from tickercast.jobs.terminal.progress import each_with_progress
from tickercast.jobs.terminal.text import counted
from tickercast.jobs.workspace.config import Config
from tickercast.storage import queries
from tickercast.storage.database import Connection

DueSessions = Mapping[str, Sequence[date]]  # the due sessions of each exchange, oldest first


def missing_priors(
    record: RunRecord, config: Config, due: DueSessions, members: Sequence[Member], references: Mapping[str, Reference]
) -> list[PriorTask]:
    """Return the fits of the priors that a universe owes some sessions. A fit that diverged is stored and not owed again."""
    if config.prior != "universe":
        return []
    tasks: list[PriorTask] = []
    for exchange, cutoffs in owed_cutoffs(record, config, due).items():
        tasks += due_priors(config, record.calendars.of(exchange), cutoffs, members, references)
    return tasks


def owed_cutoffs(record: RunRecord, config: Config, due: DueSessions) -> dict[str, list[date]]:
    """Return, for each exchange, the cutoffs of a universe's priors that its due sessions need and that are not stored."""
    owed = {}
    for exchange, days in due.items():
        with record.engine.connect() as connection:
            stored = {prior.cutoff for prior in queries.universe_priors(connection, config.id, exchange)}
        owed[exchange] = [day for day in cutoffs_of(config, record.calendars.of(exchange), days) if day not in stored]
    return owed


def fit_priors(tasks: Sequence[PriorTask], record: RunRecord, workers: int, submit: Submit, stop: threading.Event) -> None:
    """Fit priors, at most one on each worker at a time, and commit them in order. Each is a unit of work of its own."""
    pending: deque[Future[PriorRows]] = deque()
    for task in each_with_progress("priors", tasks):
        if stop.is_set():
            break
        if len(pending) == workers:
            _commit(pending.popleft(), record)
        pending.append(submit(fit_prior, task))
    while pending:
        _commit(pending.popleft(), record)


def priors_of(connection: Connection, config: Config, calendar: ExchangeCalendar) -> tuple[Prior, ...]:
    """Return all priors that origins of an exchange may begin from: the bundled ones of the program, or the record's own."""
    if config.prior == "bundled":
        return tuple(as_prior(prior, config) for prior in matching_priors(config))
    if config.prior == "none":
        return ()
    stored = queries.universe_priors(connection, config.id, calendar.code)
    return tuple(
        Prior(p.model_id, p.cutoff, p.content, end_of_service(config, calendar, p.cutoff))
        for p in stored
        if p.content is not None
    )


def prior_line(record: RunRecord, config: Config, due: DueSessions) -> str | None:
    """Return in words which priors a run's models began from, or why there was none; None where nothing was due."""
    days = sorted({day for sessions in due.values() for day in sessions})
    if config.prior == "none" or not days:
        return None
    return _bundled_line(record, config, days) if config.prior == "bundled" else _universe_line(record, config)


def _bundled_line(record: RunRecord, config: Config, days: Sequence[date]) -> str | None:
    matching = matching_priors(config)
    if not matching:
        return f"no bundled prior for {mismatch(bundled_priors()[-1], config)}: cold starts begin from scratch"
    first, served = matching[0].serves_from, used_priors(config, record.served_priors)
    if not served:
        return f"no bundled prior before {first}: cold starts begin from scratch" if days[0] < first else None
    families = [[prior for prior in served if prior.family == name] for name in dict.fromkeys(prior.family for prior in served)]
    line = f"prior: bundled {', '.join(map(_family_span, families))}"
    return f"{line}, from scratch before {first}" if days[0] < first else line


def _family_span(served: Sequence[BundledPrior]) -> str:
    """Return a family of priors with its first and its last cutoff and the members of the newest one."""
    span = " to ".join(dict.fromkeys(str(prior.cutoff) for prior in (served[0], served[-1])))
    return f"{served[-1].family} {span} ({counted(len(served[-1].members), 'member')})"


def _universe_line(record: RunRecord, config: Config) -> str:
    """Return how many members the priors of this run's models have."""
    with record.engine.connect() as connection:
        counts = sorted({queries.counted_members(connection, prior_id) for prior_id in record.served_priors})
    found = f"{' or '.join(map(str, counts))} with enough bars" if counts else "no prior: cold starts begin from scratch"
    return f"prior: universe of {len(config.universe)}, {found}"


def _commit(future: Future[PriorRows], record: RunRecord) -> None:
    rows = future.result()
    refuse_other_environment(rows.prior.fingerprint)
    record.commit_prior(rows)
    record.heart.beat()
