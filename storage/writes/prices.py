"""Write price files, copies of bars, restatements and gate verdicts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Connection

from tickercast.storage import digests
from tickercast.storage.bar_files import WrittenFile
from tickercast.storage.bars import SAME_WITHIN, Bars, ChangedValue, Merge, as_known, log_returns
from tickercast.storage.schema import (
    GateVerdict,
    PriceFile,
    Restatement,
)
from tickercast.storage.writes.inserts import Row, insert_mappings, insert_undigested
from tickercast.storage.writes.tickers import rescore

BAR_VALUES = ("open", "high", "low", "close", "volume", "dividend", "split")
BAR_COLUMNS = ("session", *BAR_VALUES, "adjusted_return", "adjusted_open_return", "recorded_at")
# The table without types: thousands of rows a ticker are written and compared as they are stored.
BARS_AT_ONCE = 10_000
_BARS = sa.table("bars", *(sa.column(name) for name in ("ticker_id", *BAR_COLUMNS)))


@dataclass(frozen=True, slots=True)
class WrittenMerge:
    """A ticker's merged history and the file that it was written to."""

    ticker_id: int
    file: WrittenFile
    merge: Merge


def record_price_file(
    connection: Connection,
    ticker_id: int,
    file: WrittenFile,
    restated: Sequence[ChangedValue],
    *,
    price_basis: str,
    at: datetime,
) -> None:
    """Record a written file as a ticker's current one, and the stored values that it changed."""
    _record_files(connection, [(ticker_id, file, price_basis)], at)
    _record_restated(connection, ticker_id, restated, at)


def record_merges(connection: Connection, written: Sequence[WrittenMerge], *, at: datetime) -> None:
    """Record merged histories that were written to files: each file as its ticker's current one, what it restated, its copy."""
    _record_files(connection, [(one.ticker_id, one.file, one.merge.history.listing.price_basis) for one in written], at)
    for one in written:
        _record_restated(connection, one.ticker_id, one.merge.restated, at)
    since: dict[date | None, dict[int, Bars]] = {}
    for one in written:
        since.setdefault(one.merge.changed_from, {})[one.ticker_id] = as_known(one.merge.history)
    for first, bars in since.items():
        copy_all_bars(connection, bars, since=first)


def _record_files(connection: Connection, files: Sequence[tuple[int, WrittenFile, str]], at: datetime) -> None:
    """Record written files as the current ones of their tickers. files: with the ticker's id and the basis of the prices."""
    if not files:
        return
    current = PriceFile.ticker_id.in_([ticker_id for ticker_id, _, _ in files]) & PriceFile.superseded_at.is_(None)
    connection.execute(sa.update(PriceFile).where(current).values(superseded_at=at))
    rows = [
        {
            "ticker_id": ticker_id, "path": file.path, "rows": file.rows, "first_session": file.first_session,
            "last_session": file.last_session, "price_basis": basis, "sha256": file.sha256, "recorded_at": at,
            "superseded_at": None,
        }
        for ticker_id, file, basis in files
    ]  # fmt: skip
    connection.execute(sa.insert(PriceFile), rows)
    digests.add_mappings(connection, PriceFile.__tablename__, rows)


def _record_restated(connection: Connection, ticker_id: int, restated: Sequence[ChangedValue], at: datetime) -> None:
    values = [
        {"session": r.session, "field": r.field, "old_value": r.old, "new_value": r.new} for r in restated
    ]  # fmt: skip
    insert_mappings(connection, Restatement, [{"ticker_id": ticker_id, **row, "recorded_at": at} for row in values])


def copy_bars(connection: Connection, ticker_id: int, bars: Bars, *, since: date | None = None) -> int:
    """Make the table of bars equal to a ticker's bars as known, one a session, and return how many rows were written."""
    return copy_all_bars(connection, {ticker_id: bars}, since=since)


def copy_all_bars(connection: Connection, bars: Mapping[int, Bars], *, since: date | None = None) -> int:
    """Make the table of bars equal to the bars of some tickers as known, and return how many rows were written.

    bars: one a session, by ticker id. since: the first session whose bar may have changed; earlier rows are not read. Only bars
    that differ are written: a day costs one row, a restatement those it changed and their next return. Scores from the first
    changed bar on are owed a revision.
    """
    of_tickers = _BARS.c.ticker_id.in_(bars) & (_BARS.c.session >= (since or date.min).isoformat())
    found = sa.select(_BARS.c.ticker_id, *(_BARS.c[name] for name in BAR_COLUMNS)).where(of_tickers)
    stored: dict[int, set[tuple[Any, ...]]] = {}
    for ticker_id, *row in connection.execute(found):
        stored.setdefault(ticker_id, set()).add(tuple(row))
    written, added = 0, list[tuple[Any, ...]]()
    for ticker_id, own in bars.items():
        rows, before = _rows_since(own, since), stored.get(ticker_id, set())
        _remove_bars(connection, ticker_id, sorted({row[0] for row in before - set(rows)}))
        added += [(ticker_id, *row) for row in rows if row not in before]
        if len(added) >= BARS_AT_ONCE:
            written += _insert_bars(connection, added)
            added = []
    return written + _insert_bars(connection, added)


def _insert_bars(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
    insert_undigested(connection, "bars", ("ticker_id", *BAR_COLUMNS), rows)
    return len(rows)


def _rows_since(bars: Bars, since: date | None) -> list[tuple[Any, ...]]:
    """Return the rows of table `bars` from a session on."""
    first = int(np.searchsorted(bars.session, np.datetime64(since))) if since else 0
    bars = bars.select(slice(max(first - 1, 0), None))  # the bar before gives the first return
    return bar_rows(bars)[min(first, 1) :]


def _remove_bars(connection: Connection, ticker_id: int, changed: Sequence[str]) -> None:
    """Remove stored bars of some sessions that changed, and note that the scores from the first one on are owed a revision."""
    if not changed:
        return
    rescore(connection, ticker_id, date.fromisoformat(changed[0]))
    connection.exec_driver_sql("DELETE FROM bars WHERE ticker_id = ? AND session = ?", [(ticker_id, day) for day in changed])


def bar_rows(bars: Bars) -> list[tuple[Any, ...]]:
    """Return the rows of table `bars` in the order of BAR_COLUMNS, days and instants as they are stored."""
    returns = [_without_nan(log_returns(bars, name)) for name in ("close", "open")]
    days, instants = np.datetime_as_string(bars.session).tolist(), np.datetime_as_string(bars.recorded_at, unit="us").tolist()
    values = [getattr(bars, name).tolist() for name in BAR_VALUES]
    return list(zip(days, *values, *returns, [f"{instant}Z" for instant in instants], strict=True))


def _without_nan(values: NDArray[np.float64]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.tolist()]


def record_verdicts(connection: Connection, ticker_id: int, rows: Sequence[Row], *, at: datetime) -> int:
    """Add new gate verdicts, and decide known ones anew that a row changes. Returns how many were added.

    A known verdict changes when a held one is refused now, when the source gives other values of its bar, or when a finding
    without a bar that was settled is found again.
    """
    entered = [{**row, "ticker_id": ticker_id, "recorded_at": at} for row in rows]
    if not entered:
        return 0
    known = {
        (row["session"], row["code"]): dict(row)
        for row in connection.execute(sa.select(GateVerdict.__table__).where(GateVerdict.ticker_id == ticker_id)).mappings()
    }
    added = insert_mappings(connection, GateVerdict, entered)
    for row in entered:
        before = known.get((row["session"], row["code"]))
        if before is not None and _is_another_bar(before, row):
            replace_verdict(connection, ticker_id, {**row, "decided_at": at if row["state"] == "refused" else None}, at=at)
        elif before is not None and _is_decided_anew(before, row):
            decided_at = at if row["state"] == "refused" else None
            key = {name: row[name] for name in ("ticker_id", "session", "code")}
            changed = {"state": row["state"], "message": row["message"], "decided_at": decided_at}
            connection.execute(sa.update(GateVerdict).filter_by(**key).values(**changed))
    return added


def _is_another_bar(before: Row, row: Row) -> bool:
    """Return whether a row has a bar with other values than the stored one of its session and code. The volume is no matter."""
    compared = [(before[name], row.get(name)) for name in BAR_VALUES if name != "volume"]
    return row.get("close") is not None and not all(_is_same(a, b) for a, b in compared)


def _is_decided_anew(before: Row, row: Row) -> bool:
    """Return whether a row refuses a held bar, or finds again what has no bar and was settled."""
    if row["state"] == "refused":
        return bool(before["state"] == "held")
    return bool(row["state"] == "held" and before["state"] == "ok" and row.get("close") is None)


def _is_same(a: float | None, b: float | None) -> bool:
    return a == b or (a is not None and b is not None and abs(a - b) <= SAME_WITHIN * max(abs(a), abs(b)))


def replace_verdict(connection: Connection, ticker_id: int, row: Row, *, at: datetime) -> None:
    """Write a verdict in place of the stored one of its session and code, if there is one."""
    key = {"ticker_id": ticker_id, "session": row["session"], "code": row["code"]}
    connection.execute(sa.delete(GateVerdict).filter_by(**key))
    insert_mappings(connection, GateVerdict, [{**row, **key, "recorded_at": at}])


def decide_verdicts(
    connection: Connection,
    ticker_id: int,
    sessions: Sequence[date],
    *,
    state: str,
    at: datetime,
    message: str | None = None,
    code: str | None = None,
    before: str = "held",
) -> int:
    """Set the state of the verdicts of some sessions, of one code if given, and return how many there were.

    before: the state of those that are decided.
    """
    which = (GateVerdict.ticker_id == ticker_id) & GateVerdict.session.in_(sessions) & (GateVerdict.state == before)
    if code is not None:
        which &= GateVerdict.code == code
    values = {"state": state, "decided_at": at} | ({"message": message} if message else {})
    return int(connection.execute(sa.update(GateVerdict).where(which).values(**values)).rowcount)
