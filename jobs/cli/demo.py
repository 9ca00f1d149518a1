"""The demo: a backfill of real sample prices in a home of its own, what it leaves, and queries to try. Needs no network."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from jobs.analysis import views
from jobs.analysis.answers import write_pages
from jobs.analysis.report import require_plotly
from jobs.errors import UsageError
from jobs.prices.sources.sample import TICKERS, SampleSource
from jobs.runs.backfill import BackfillRequest, backfill_span
from jobs.terminal.tables import print_table, select_columns
from jobs.workspace.home import Home
from jobs.workspace.writer import open_for_writing
from storage.reader import Rows

SESSIONS = 250
FORECAST_TABLE = ("ticker", "origin", "target", "horizon", "last_price", "q05", "q50", "q95")
SKILL_TABLE = ("ticker", "horizon", "n", "crps", "baseline_crps", "crps_skill", "coverage_80", "verdict")
QUERIES = (
    "SELECT ticker, target, q05, q50, q95 FROM latest_forecast WHERE horizon = 1",
    "SELECT ticker, horizon, round(avg(inside_80), 3) AS coverage_80 FROM scored_forecast GROUP BY ticker, horizon",
    "SELECT ticker, origin, start, reason, epochs FROM model_lineage WHERE start = 'cold' ORDER BY ticker, origin",
)


def run_demo(keep: Path | None, *, workers: int | None) -> None:
    """Backfill the sample's last 250 sessions, print forecasts and skill, write the report, and name queries to try.

    keep: the folder of the home; None = a new folder in the system's temporary one. Raises UsageError when it is not empty.
    """
    require_plotly()
    folder = _demo_folder(keep)
    began = time.perf_counter()
    _print_line(f"Backfill of {SESSIONS} sessions of {', '.join(TICKERS)} (real prices, 2012 to 2013) ...")
    request = BackfillRequest(symbols=TICKERS, start=_first_session(), source="sample", workers=workers)
    with open_for_writing(folder, command="demo", wait_seconds=0, create="density") as (home, engine):
        _print_line(backfill_span(home, engine, request))
    _print_results(home, folder / "report")
    _print_queries(home)
    _print_line(f"Done in {time.perf_counter() - began:.1f} s. The demo's home: {folder}")


def _demo_folder(keep: Path | None) -> Path:
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="tickercast-demo-"))
    if keep.exists() and any(keep.iterdir()):
        raise UsageError(f"{keep} is not empty; the demo needs a new or empty folder")
    return keep


def _first_session() -> date:
    first: date = SampleSource().fetch("IBM", None).bars.session[-SESSIONS].item()
    return first


def _print_results(home: Home, report_folder: Path) -> None:
    from jobs.analysis.report.pages import verdict_sentences

    skill = views.view_rows(home.database, "skill", [views.ALL_TICKERS])
    _print_table(views.view_rows(home.database, "latest_forecast", None), FORECAST_TABLE)
    _print_table(skill, SKILL_TABLE)
    _print_line(verdict_sentences([dict(zip(skill.columns, row, strict=True)) for row in skill.rows])[0])
    _print_line(f"Report: {write_pages(home, report_folder, None)}")


def _print_queries(home: Home) -> None:
    _print_line(f"{len(QUERIES)} queries to try next:")
    for query in QUERIES:
        with views.answer(home.database, query, seconds=10):  # so that the demo never prints a query that fails
            pass
        _print_line(f'  {_program()} --home {home.folder} sql "{query}"')


def _print_table(found: Rows, shown: tuple[str, ...]) -> None:
    _print_line()
    print_table(*select_columns(found.columns, found.rows, shown), sys.stdout)
    _print_line()


def _program() -> str:
    """Return how the user called the program, so that the lines the demo prints can be typed."""
    called = Path(sys.argv[0])
    return os.path.relpath(called) if called.name == "tickercast" else "tickercast"


def _print_line(text: str = "") -> None:
    sys.stdout.write(text + "\n")
