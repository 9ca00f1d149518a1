"""Company events in files: reads a CSV or Parquet file with ticker, date, kind and recorded_at, and stores what is new.

Only reports (kind `earnings`) are used. A row without recorded_at is known from the import on. Rows that are no events are
refused and counted by reason.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tickercast.jobs.exchanges.symbols import SymbolRefused, parse_symbol
from tickercast.jobs.prices.company_events import Reports, is_plausible, new_reports
from tickercast.jobs.prices.sources.base import BadSourceData
from tickercast.jobs.prices.sources.folder_files import content_of
from tickercast.jobs.prices.sources.price_columns import ALIASES
from tickercast.jobs.terminal.text import counted, printable
from tickercast.storage import queries, writes
from tickercast.storage.database import Connection
from tickercast.storage.files import sha256_of

if TYPE_CHECKING:
    import pandas as pd

EARNINGS = "earnings"
LONGEST_SHOWN = 40
DATED = 10  # characters of an ISO date


class RefusedRow(Exception):
    """A row that is no event. The message is the reason, the same for rows of one kind of fault; value: what is wrong.

    is_early: a later import may accept the row.
    """

    def __init__(self, reason: str, value: str, *, is_early: bool = False) -> None:
        super().__init__(reason)
        self.value, self.is_early = value, is_early


@dataclass(frozen=True, slots=True)
class EventFile:
    """The reports in a file by symbol, each with the instant it was recorded, None where it has none.

    problems: a line for each kind of refused row. sha256: of the file. is_final: a later reading can say nothing else.
    """

    path: Path
    sha256: str
    reports: dict[str, list[tuple[date, datetime | None]]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    is_final: bool = True


def read_event_file(path: Path, now: datetime) -> EventFile:
    """Return what a file says at an instant. Raises BadSourceData where it cannot be read or has no ticker or date."""
    content = content_of(path)
    table = _table(path, content)
    reports: dict[str, list[tuple[date, datetime | None]]] = {}
    refused: dict[str, list[str]] = {}
    is_final = True
    for number, row in enumerate(table.to_dict("records"), start=1):
        try:
            symbol, day, recorded_at = _report(row, now)
        except RefusedRow as error:
            refused.setdefault(str(error), []).append(f"{printable(error.value[:LONGEST_SHOWN])!r} in row {number}")
            is_final = is_final and not error.is_early
            continue
        if day is not None:
            reports.setdefault(symbol, []).append((day, recorded_at))
    problems = tuple(
        f"{path}: {counted(len(rows), 'row')} refused: {reason}, first {rows[0]}" for reason, rows in refused.items()
    )
    return EventFile(path, sha256_of(content), reports, problems, is_final)


def store_event_file(
    connection: Connection, file: EventFile, tickers: Mapping[str, queries.TickerRow], now: datetime
) -> tuple[int, int]:
    """Add what a file says of some tickers, by symbol, and return how many rows were added and how many symbols left out."""
    added = left_out = 0
    for symbol, reports in file.reports.items():
        ticker = tickers.get(symbol)
        if ticker is None:
            left_out += 1
            continue
        known = queries.company_events(connection, ticker.id, now)
        added += writes.add_reports(connection, ticker.id, _new(known, reports, now), source="file")
    return added, left_out


def _new(
    known: Sequence[tuple[date, datetime]], reports: Sequence[tuple[date, datetime | None]], now: datetime
) -> Iterator[tuple[date, datetime]]:
    """Yield the rows that say something new: at its instant for a row that has one, else a day that is nowhere stored yet."""
    rows: Reports = list(known)
    for recorded_at, day in sorted((recorded_at, day) for day, recorded_at in reports if recorded_at is not None):
        before = [row for row in rows if row[1] <= recorded_at]
        for row in new_reports(before, [day], recorded_at):
            rows.append(row)
            yield row
    stored = {day for day, _ in rows}
    for day in sorted({day for day, recorded_at in reports if recorded_at is None} - stored):
        yield day, now


def _table(path: Path, content: bytes) -> pd.DataFrame:
    """Return the rows of a file as text, under canonical names; missing values are empty. Raises BadSourceData."""
    import pandas as pd
    import pyarrow as pa

    try:
        if path.suffix.lower() == ".parquet":
            frame = pd.read_parquet(io.BytesIO(content))
        else:
            frame = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    except (ValueError, TypeError, KeyError, OverflowError, OSError, pa.ArrowException) as error:
        raise BadSourceData(f"{path}: cannot be read: {' '.join(str(error).split())[:200]}") from error
    names = [str(name).strip().lower() for name in frame.columns]
    frame.columns = pd.Index([ALIASES.get(name, name) for name in names])
    missing = [name for name in ("ticker", "date") if name not in frame]
    if missing or frame.columns.duplicated().any():
        fault = f"no column {', '.join(missing)}" if missing else "two columns have the same name"
        raise BadSourceData(f"{path}: {fault}; it needs ticker and date")
    kept = frame[[name for name in ("ticker", "date", "kind", "recorded_at") if name in frame]]
    return kept.astype("object").where(kept.notna(), "")


def _report(row: Mapping[str, Any], now: datetime) -> tuple[str, date | None, datetime | None]:
    """Return symbol, day and instant of a row; no day for one of another kind than a report. Raises RefusedRow."""
    try:
        symbol = parse_symbol(str(row["ticker"]).strip())
    except SymbolRefused as error:
        raise RefusedRow("no ticker symbol", str(row["ticker"])) from error
    if str(row.get("kind", "")).strip().lower() not in ("", EARNINGS):
        return symbol, None, None
    day = _day(row["date"])
    if not is_plausible(day, now):
        raise RefusedRow("date before 1962 or over 400 days ahead", str(day), is_early=day > now.date())
    return symbol, day, _instant(row.get("recorded_at", ""), now)


def _day(value: Any) -> date:
    """Return the day of an ISO date or instant, as written."""
    text = str(value).strip()
    try:
        return date.fromisoformat(text[:DATED])
    except ValueError as error:
        raise RefusedRow("date is not like 2024-05-02", text) from error


def _instant(value: Any, now: datetime) -> datetime | None:
    """Return the instant at which a row was recorded, None where it says none. Without a zone it is UTC."""
    text = str(value).strip()
    if not text:
        return None
    try:
        if len(text) <= DATED:
            raise ValueError("a date is no instant")
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise RefusedRow("recorded_at is not like 2024-04-01T21:00Z", text) from error
    instant = (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    if instant > now:
        raise RefusedRow("recorded_at is later than the import", text, is_early=True)
    return instant
