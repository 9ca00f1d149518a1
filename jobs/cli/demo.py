"""The demo: the whole way on real sample prices, in a throw-away home, without a network."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from jobs.analysis import answers as asking
from jobs.analysis.report.pages import verdict_sentence
from jobs.errors import UsageError
from jobs.prices.sources.sample import TICKERS, SampleSource
from jobs.runs.backfill import BackfillRequest, backfill_span
from jobs.terminal.output import print_table
from jobs.workspace.writer import open_for_writing

SESSIONS = 250
QUERIES = (
    "SELECT ticker, target, q05, q50, q95 FROM latest_forecast WHERE horizon = 1",
    "SELECT ticker, horizon, round(avg(inside_80), 3) AS coverage_80 FROM scored_forecast GROUP BY ticker, horizon",
    "SELECT ticker, origin, start, reason, epochs FROM model_lineage WHERE start = 'cold' ORDER BY ticker, origin",
)


def run_demo(keep: Path | None, *, workers: int | None) -> None:
    """Backfill 250 sessions of the sample's tickers, show forecasts and skill, write the report, name queries to try."""
    folder = keep or Path(tempfile.mkdtemp(prefix="tickercast-demo-"))
    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise UsageError(f"{keep} is not empty; the demo wants a home of its own")
    began = time.perf_counter()
    start = SampleSource().fetch("IBM", None).bars.session[-SESSIONS].item()
    request = BackfillRequest(symbols=TICKERS, start=start, source="sample", workers=workers)
    print_line(f"Backfill of {SESSIONS} sessions of {', '.join(TICKERS)} (real prices, 2012 to 2013) ...")
    with open_for_writing(folder, command="demo", wait_seconds=0, create="density") as (home, engine):
        print_line(backfill_span(home, engine, request))
    show(asking.view_rows(home, "latest_forecast", None), "ticker origin target horizon last_price q05 q50 q95")
    show(asking.view_rows(home, "skill", ["*"]), "ticker horizon n crps baseline_crps crps_skill coverage_80 verdict")
    columns, rows = asking.view_rows(home, "skill", ["*"])
    print_line(verdict_sentence([dict(zip(columns, row, strict=True)) for row in rows]))
    print_line(f"Report: {asking.write_pages(home, folder / 'report', None)}")
    print_line("Three questions to try next:")
    for query in QUERIES:
        asking.answer(home, query, seconds=10)
        print_line(f'  {command()} --home {folder} sql "{query}"')
    print_line(f"Done in {time.perf_counter() - began:.1f} s. The demo's home: {folder}")


def show(answer: asking.Answer, shown: str) -> None:
    """Print some columns of an answer as a table."""
    columns, rows = answer
    keep = [list(columns).index(name) for name in shown.split()]
    print_line()
    print_table(shown.split(), [[row[i] for i in keep] for row in rows], sys.stdout)
    print_line()


def command() -> str:
    """Return how the user called the program, so that the lines it prints can be typed."""
    called = Path(sys.argv[0])
    return os.path.relpath(called) if called.name == "tickercast" else "tickercast"


def print_line(text: str = "") -> None:
    sys.stdout.write(text + "\n")
