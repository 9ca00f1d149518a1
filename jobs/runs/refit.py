"""Fit the bundled priors again, from a source's bars, in a temporary home. Equal bars give equal bytes on one fingerprint."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from jobs import clock
from jobs.errors import UsageError
from jobs.exchanges.symbols import parse_symbol
from jobs.forecasting.prior import Member, PriorRows, PriorTask, fit_prior
from jobs.prices.bindings import Sources
from jobs.prices.ingest import Ingest
from jobs.runs.bundle import BUNDLED, MANIFEST, bundled_priors, manifest_text
from jobs.runs.options import RunOptions
from jobs.runs.prior_plan import members_before
from jobs.runs.record import begin_run
from jobs.runs.workers import refuse_other_environment, worker_pool
from jobs.terminal.progress import progress_bar
from jobs.workspace.config import BUNDLE, PRESETS, Config
from jobs.workspace.temporary import temporary_folder
from jobs.workspace.writer import open_for_writing
from storage.bars import as_known
from storage.files import write_atomically

FAMILY = "stock"
# The settings of the fit. The config has no prior of its own, so its id does not depend on the version of the bundle.
FIT_CONFIG = replace(PRESETS["density"], prior="none", bundle=0)
COMMAND = "tickercast prior fit --bundled --source folder:PATH --adjustment {adjustment}"


def refit_bundled(
    out: Path,
    *,
    source: str,
    adjustment: str | None,
    cutoffs: Sequence[date] = (),
    workers: int | None = None,
    config: Config = FIT_CONFIG,
) -> str:
    """Fit a prior for each cutoff from all tickers of a source, write weight files and manifest, and return a line to print.

    cutoffs: default those of the shipped ones. Raises UsageError where a cutoff has no member with enough bars.
    """
    members = _members_of(source, adjustment)
    tasks = [_task(config, cutoff, members) for cutoff in sorted(set(cutoffs)) or [prior.cutoff for prior in bundled_priors()]]
    fitted = _fit(tasks, workers or os.cpu_count() or 1)
    out.mkdir(parents=True, exist_ok=True)
    names = [f"{rows.prior.family}-{rows.prior.cutoff}.npz" for rows in fitted]
    text = manifest_text(zip(names, fitted, strict=True), COMMAND.format(adjustment=adjustment or "as_traded"), BUNDLE)
    for name, rows in zip(names, fitted, strict=True):
        assert rows.checkpoint is not None  # manifest_text refuses the others
        write_atomically(out / name, rows.checkpoint.content)
    write_atomically(out / MANIFEST, text.encode())
    return f"{len(fitted)} priors of {len(members)} tickers are in {out}; {_compared(fitted)}"


def _members_of(source: str, adjustment: str | None) -> list[Member]:
    """Return the bars of all tickers of a source, after the gates that stored bars pass."""
    with temporary_folder("prior") as folder, open_for_writing(
        folder / "home", command="prior fit", wait_seconds=0, create="density"
    ) as (home, engine):  # fmt: skip
        sources, now = Sources(home, source, adjustment), clock.now()
        record = begin_run(engine, RunOptions("backfill", now, FIT_CONFIG, 1, 1), FIT_CONFIG)
        ingest = Ingest(engine, home.prices, sources, now, home.settings.schedule.after_close_minutes, record.run_id)
        members, symbols = [], sources.tickers()
        with progress_bar("prices") as progress:
            for done, symbol in enumerate(symbols, start=1):
                ingested = ingest.fetch(parse_symbol(symbol))
                if ingested.history is not None and ingested.ticker is not None:
                    members.append(
                        Member(ingested.ticker.key, ingested.ticker.exchange, as_known(ingested.history, known_at=now))
                    )
                progress(done, len(symbols))
        return members


def _task(config: Config, cutoff: date, members: Sequence[Member]) -> PriorTask:
    chosen = members_before(members, cutoff, config.prior_sessions)
    if not chosen:
        raise UsageError(f"cutoff {cutoff}: no ticker of the source has enough bars before it; nothing was written")
    return PriorTask(config, BUNDLED, FAMILY, cutoff, chosen)


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
