"""The demo: a backfill of real sample prices in a home of its own, what it leaves, and queries to try. Needs no network."""

from __future__ import annotations

import json
import sys
import time
from datetime import date
from pathlib import Path

from tickercast.jobs import clock
from tickercast.jobs.analysis import views
from tickercast.jobs.cli.command_line import called_program
from tickercast.jobs.cli.forecast_table import forecast_table
from tickercast.jobs.cli.skill_table import BEST_FIRST, skill_table, usual_mode
from tickercast.jobs.errors import UsageError
from tickercast.jobs.pages import require_libraries
from tickercast.jobs.prices.sources.sample import TICKERS, SampleSource
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.scoring.terms import ALL_TICKERS
from tickercast.jobs.terminal.tables import Table, write_table
from tickercast.jobs.workspace.home import Home
from tickercast.jobs.workspace.place import SETTINGS_FILE
from tickercast.jobs.workspace.temporary import replaced_folder, store_variables_ignored
from tickercast.jobs.workspace.writer import open_for_writing

SESSIONS = 250
SETTINGS = f"""# The sample ends before the first bundled prior serves, so a prior is fitted on its own tickers.
[source]
kind = "sample"
[model]
prior = "universe"
[prior]
universe = {json.dumps(TICKERS)}
"""
QUERIES = (
    "SELECT ticker, target, q05, q50, q95 FROM latest_forecast WHERE horizon = 1",
    "SELECT ticker, horizon, round(avg(inside_80), 3) AS coverage_80 FROM scored_forecast GROUP BY ticker, horizon",
    "SELECT ticker, origin, start, reason, epochs FROM model_lineage WHERE start = 'cold' ORDER BY ticker, origin",
)


def run_demo(keep: Path | None, *, workers: int | None) -> None:
    """Backfill the sample's last 250 sessions, print forecasts and skill, write the report, and name queries to try.

    keep: the folder of the home; None = a temporary one, which the next demo removes. Raises UsageError when it is not empty.
    """
    require_libraries()
    if keep is None:
        with replaced_folder("demo") as folder:
            _show_record(folder, workers)
            _print_line(f"The home {folder} stays until the next demo; `{called_program()} demo --keep DIR` keeps one.")
    elif keep.exists() and any(keep.iterdir()):
        raise UsageError(f"{keep} is not empty; the demo needs a new or empty folder")
    else:
        _show_record(keep, workers)
        _print_line(f"The home {keep} is yours to keep.")


def _show_record(folder: Path, workers: int | None) -> None:
    from tickercast.jobs.pages.report import write_report

    began = time.perf_counter()
    _print_line(f"Backfill of {SESSIONS} sessions of {', '.join(TICKERS)} (real prices, 2012 to 2013) ...")
    request = BackfillRequest(symbols=TICKERS, start=_first_session(), source="sample", workers=workers)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SETTINGS_FILE).write_text(SETTINGS, encoding="utf-8")
    with store_variables_ignored(), open_for_writing(folder, command="demo", wait_seconds=0, create="density") as (home, engine):
        _print_line(backfill_span(home, engine, request))
    _print_results(home)
    _print_heading("Report")
    _print_line(f"  {write_report(home.place, folder / 'report', clock.now(), lambda _done, _total: None)}")
    _print_queries(home)
    _print_line(f"\nDone in {time.perf_counter() - began:.1f} s.")


def _first_session() -> date:
    first: date = SampleSource().fetch("IBM", None).bars.session[-SESSIONS].item()
    return first


def _print_results(home: Home) -> None:
    from tickercast.jobs.pages.verdicts import verdict_sentences

    forecasts = views.view_rows(home.database, "latest_forecast", None, horizon=1)
    skill = views.view_rows(home.database, "skill", None).records()
    _print_heading("Forecasts for the next session (`forecast`)")
    _print_table(forecast_table(forecasts.records(), views.usual_widths_of(home.database, forecasts), 1))
    _print_heading("Scores against the random walk (`skill`)")
    _print_table(skill_table(skill, horizon=1, mode=usual_mode(skill), sort=BEST_FIRST, limit=None))
    _print_line(verdict_sentences([row for row in skill if row["ticker"] == ALL_TICKERS])[0])


def _print_queries(home: Home) -> None:
    _print_heading("Queries to try next")
    for query in QUERIES:
        with views.answer(home.database, query, seconds=10):  # so that the demo never prints a query that fails
            pass
        _print_line(f'  {called_program()} --home {home.folder} sql "{query}"')


def _print_heading(text: str) -> None:
    _print_line(f"\n{text}")


def _print_table(table: Table) -> None:
    write_table(table, sys.stdout)


def _print_line(text: str = "") -> None:
    sys.stdout.write(text + "\n")
