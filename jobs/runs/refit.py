"""Fit the bundled priors again, from a source's bars, in a temporary home. Equal bars give equal bytes on one fingerprint."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from tickercast.jobs import clock
from tickercast.jobs.errors import UsageError
from tickercast.jobs.exchanges.references import REFERENCES
from tickercast.jobs.exchanges.symbols import kind_of_symbol, parse_symbol
from tickercast.jobs.forecasting.context import Reference
from tickercast.jobs.forecasting.prior import FAMILIES, HELPERS, Member, PriorRows, PriorTask, fit_prior
from tickercast.jobs.prices.bindings import Sources
from tickercast.jobs.prices.events import EventIngest
from tickercast.jobs.prices.ingest import Ingest
from tickercast.jobs.runs.bundle import BUNDLED, MANIFEST, bundled_priors, manifest_text
from tickercast.jobs.runs.options import RunOptions
from tickercast.jobs.runs.prior_plan import calendars_of, members_before
from tickercast.jobs.runs.record import begin_run
from tickercast.jobs.runs.stored_context import stored_events, stored_references
from tickercast.jobs.runs.workers import refuse_other_environment, worker_pool
from tickercast.jobs.terminal.progress import progress_bar, show_line
from tickercast.jobs.workspace.config import BUNDLE, PRESETS, Config
from tickercast.jobs.workspace.temporary import store_variables_ignored, temporary_folder
from tickercast.jobs.workspace.writer import open_for_writing
from tickercast.storage.bars import as_known
from tickercast.storage.files import write_atomically

# The settings of the fit. The config has no prior of its own, so its id does not depend on the version of the bundle.
FIT_CONFIG = replace(PRESETS["density"], prior="none", bundle=0)
COMMAND = "tickercast prior fit --bundled --source folder:PATH --adjustment {adjustment}"
FEWEST_OWN_BARS = 600  # of all members of a family's own kinds together
OLDEST_NEWEST_BAR = timedelta(days=60)  # before a cutoff: an older one would make a prior that is older than it says


@dataclass(frozen=True, slots=True)
class FitData:
    """What priors are fitted on: all tickers of a source but the references, and these by exchange."""

    members: tuple[Member, ...]
    references: Mapping[str, Reference]


def refit_bundled(
    out: Path,
    *,
    source: str,
    adjustment: str | None,
    cutoffs: Sequence[date] = (),
    workers: int | None = None,
    config: Config = FIT_CONFIG,
) -> str:
    """Fit a prior for each family and cutoff from all tickers of a source, write weight files and manifest, and return a line.

    cutoffs: default those of the shipped ones. Families without enough bars at a cutoff are left out. Raises UsageError where
    none has enough.
    """
    data = _data_of(source, adjustment)
    days = sorted(set(cutoffs) or {prior.cutoff for prior in bundled_priors()})
    tasks = [task for cutoff in days for family in HELPERS if (task := _task(config, family, cutoff, data))]
    without = sorted({*(cutoffs or days[-1:])} - {task.cutoff for task in tasks})
    if without:
        raise UsageError(f"cutoff {without[0]}: no tickers of one kind have enough bars just before it; nothing was written")
    fitted = _fit(tasks, workers or os.cpu_count() or 1)
    out.mkdir(parents=True, exist_ok=True)
    names = [f"{rows.prior.family}-{rows.prior.cutoff}.npz" for rows in fitted]
    text = manifest_text(zip(names, fitted, strict=True), COMMAND.format(adjustment=adjustment or "as_traded"), BUNDLE)
    for name, rows in zip(names, fitted, strict=True):
        assert rows.checkpoint is not None  # manifest_text refuses the others
        write_atomically(out / name, rows.checkpoint.content)
    write_atomically(out / MANIFEST, text.encode())
    return f"{len(fitted)} priors of {len(data.members)} tickers are in {out}; {_compared(fitted)}"


def _data_of(source: str, adjustment: str | None) -> FitData:
    """Return the bars of all tickers of a source, after the gates that stored bars pass, and what is known beside them."""
    with store_variables_ignored(), temporary_folder("prior") as folder, open_for_writing(
        folder / "home", command="prior fit", wait_seconds=0, create="density"
    ) as (home, engine):  # fmt: skip
        sources, now = Sources(home, source, adjustment), clock.now()
        record = begin_run(engine, RunOptions("backfill", now, FIT_CONFIG, 1, 1), FIT_CONFIG)
        ingest = Ingest(engine, home.prices, sources, now, home.settings.schedule.after_close_minutes, record.run_id)
        ingested, symbols = [], sources.tickers()
        with progress_bar("prices") as progress:
            for done, symbol in enumerate(symbols, start=1):
                ingested.append(ingest.fetch(parse_symbol(symbol)))
                progress(done, len(symbols))
        events = EventIngest(engine, sources, now, home.settings.schedule.after_close_minutes)
        for line in events.update([], threading.Event()):
            show_line(line)
        with engine.connect() as connection:
            members = tuple(
                Member(
                    each.ticker.key, each.ticker.exchange, as_known(each.history, known_at=now),
                    each.ticker.kind or kind_of_symbol(each.ticker.symbol), stored_events(connection, each.ticker.id, now),
                )
                for each in ingested
                if each.history is not None and each.ticker is not None and each.ticker.symbol not in REFERENCES.values()
            )  # fmt: skip
        exchanges = {member.exchange for member in members}
        return FitData(members, stored_references(engine, home.prices, exchanges, now))


def _task(config: Config, family: str, cutoff: date, data: FitData) -> PriorTask | None:
    """Return the fit of a family's prior, None where its own kinds have too few bars before the cutoff, or none just before."""
    kinds = {kind for kind, name in FAMILIES.items() if name == family}
    members = [member for member in data.members if member.kind in kinds or member.kind in HELPERS[family]]
    chosen = members_before(members, cutoff, config.prior_sessions)
    own = [member.bars for member in chosen if member.kind in kinds]
    newest = max((bars.session[-1] for bars in own), default=np.datetime64("NaT"))
    if sum(len(bars) for bars in own) < FEWEST_OWN_BARS or newest < np.datetime64(cutoff - OLDEST_NEWEST_BAR):
        return None
    return PriorTask(config, BUNDLED, family, cutoff, chosen, calendars_of(chosen), data.references)


def _fit(tasks: Sequence[PriorTask], workers: int) -> list[PriorRows]:
    """Return the fits in the order of their tasks."""
    fitted = []
    with worker_pool(min(workers, len(tasks))) as submit, progress_bar("priors") as progress:
        futures = [submit(fit_prior, task) for task in tasks]
        for done, future in enumerate(futures, start=1):
            fitted.append(future.result())
            refuse_other_environment(fitted[-1].prior.fingerprint)
            progress(done, len(tasks))
    return fitted


def _compared(fitted: Sequence[PriorRows]) -> str:
    """Return how many of some fits have the bytes of a shipped prior."""
    shipped = {prior.sha256 for prior in bundled_priors()}
    equal = sum(rows.model.checkpoint_sha256 in shipped for rows in fitted)
    return f"{equal} of them equal the shipped ones byte for byte"
