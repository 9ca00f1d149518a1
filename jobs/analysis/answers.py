"""What the slower reading commands show: bars and the checks. Homes are opened read-only.

Not here: views and queries (views), which are read without NumPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tickercast.jobs.analysis.known_bars import BAR_COLUMNS, BAR_TYPES, known_bars
from tickercast.jobs.terminal.progress import counted_progress, progress_bar
from tickercast.jobs.terminal.text import counted
from tickercast.jobs.workspace.home import Home
from tickercast.storage import verify
from tickercast.storage.bars import Bars, adjusted
from tickercast.storage.database import reading
from tickercast.storage.errors import Corrupt
from tickercast.storage.reader import Rows


def stored_bars(home: Home, ticker: str, *, known_at: datetime | None) -> Rows:
    """Return a ticker's bars as traded, as they were known at an instant (None = now)."""
    return _bar_rows(known_bars(home.place, ticker, known_at))


def adjusted_bars(home: Home, ticker: str, *, known_at: datetime | None) -> Rows:
    """Return a ticker's bars adjusted for splits and dividends, as they were known at an instant (None = now)."""
    return _bar_rows(adjusted(known_bars(home.place, ticker, known_at)))


def record_hash(home: Home) -> str:
    """Return the hash of the record's content."""
    with reading(home.database) as connection, counted_progress("hashing rows", verify.rows_to_hash(connection)) as seen:
        return verify.content_hash(connection, seen)


def check(home: Home) -> str:
    """Return a closing line when the record is sound. Raises Corrupt with the first problem found."""
    with reading(home.database) as connection, progress_bar("checking the record"):
        _refuse(verify.find_problems(connection, home.prices))
    return (
        "the record is sound: the database's structure, its references and the order of its instants; price files and "
        "checkpoints have the bytes that were written; `verify --deep` checks every row"
    )


def check_deeply(home: Home) -> str:
    """Return a closing line when the record is sound and every row is as it was inserted, and as it is computed again.

    Raises Corrupt with the first problem found.
    """
    from tickercast.jobs.analysis.recompute import rows_to_compute, wrong_figures

    with reading(home.database) as connection:
        total = verify.rows_to_check(connection) + rows_to_compute(connection)
        with counted_progress("checking rows", total) as seen:
            problems = verify.all_problems(connection, home.prices, seen) or list(wrong_figures(connection, seen))
        _refuse(problems)
    return (
        "the record is sound: besides the database's structure, its references and its files, every forecast, score, model "
        "and loss is as it was inserted; quantiles, scores and realised returns are as computed again; bars equal their files"
    )


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        more = f"; and {counted(len(problems) - 1, 'more problem')}" if len(problems) > 1 else ""
        advice = (
            "`tickercast repair T` mends a ticker's price file; for anything else restore a backup, or backfill into a new home"
        )
        raise Corrupt(f"{problems[0]}{more}; {advice}")


def _bar_rows(bars: Bars) -> Rows:
    columns = {name: getattr(bars, name).tolist() for name in BAR_COLUMNS}
    columns["session"] = [day.isoformat() for day in columns["session"]]
    columns["recorded_at"] = [f"{instant.isoformat(timespec='microseconds')}Z" for instant in columns["recorded_at"]]
    return Rows(BAR_COLUMNS, list(zip(*columns.values(), strict=True)), BAR_TYPES)
