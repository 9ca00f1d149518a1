"""Public views as Parquet files in true types, by ticker, for DuckDB, Polars, Spark and pandas. Only what changed is written.

The views with many rows of a ticker have a version (storage.ticker_versions), which their files carry in their metadata: a ticker
whose version is the same is not read at all. The files of the other views are made and compared.

Rows of no single ticker are those of ticker `*`, as in view `skill`: some readers fail on a folder for NULL. Each view has that
file, also without rows. So a reader finds the columns of a view that is empty yet, and takes tickers of digits alone as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tickercast.jobs.analysis.export_folder import ExportFolder, opened
from tickercast.jobs.analysis.typed_views import public_view
from tickercast.jobs.scoring.terms import ALL_TICKERS
from tickercast.jobs.terminal.figures import bytes_text
from tickercast.jobs.terminal.progress import ShowProgress
from tickercast.jobs.terminal.text import counted
from tickercast.jobs.terminal.typed_columns import schema_of, typed_table
from tickercast.storage.address import Database
from tickercast.storage.connection import Reader
from tickercast.storage.instants import instant_text
from tickercast.storage.reader import query_of_no_ticker, snapshot, view_query
from tickercast.storage.ticker_versions import SOURCES, TickerVersions, ticker_versions
from tickercast.storage.versions import check_revision, database_id
from tickercast.storage.views import VIEWS, View

VERSION = b"tickercast_version"


@dataclass(slots=True)
class Exported:
    """What an export did: numbers of files, and the bytes that it wrote."""

    written: int = 0
    unchanged: int = 0
    removed: int = 0
    bytes: int = 0

    def summary(self, path: Path) -> str:
        """Return the closing line."""
        removed = f", {self.removed} removed" if self.removed else ""
        found = f"{counted(self.written, 'file')} written ({bytes_text(self.bytes)}), {self.unchanged} unchanged{removed}"
        return f"export: {path}: {found}"


def export(database: Database, path: Path, names: Sequence[str], *, now: datetime, show: ShowProgress) -> Exported:
    """Write views into a folder, all of them where none are named, as they are in one transaction.

    Raises UsageError for an unknown view and a folder that is something else, LockHeld, StoreUnwritable, Corrupt. What was
    written stays, and the same call resumes.
    """
    views = [public_view(name) for name in dict.fromkeys(names)] or VIEWS
    check_revision(database)
    exported = Exported()
    with opened(path.absolute(), whose := database_id(database)) as folder, snapshot(database) as connection:
        versions = ticker_versions(connection)
        steps = sum(len(versions.symbols) if view.name in SOURCES else 1 for view in views)
        show(0, steps)
        done = 0
        for view in views:
            for _ in _export_view(folder, connection, view, versions, exported):
                done += 1
                show(done, steps)
        if not names:
            folder.note(database=whose, exported_at=instant_text(now))
    return exported


def _export_view(
    folder: ExportFolder, connection: Reader, view: View, versions: TickerVersions, exported: Exported
) -> Iterator[None]:
    """Write the files of a view that changed and remove those of tickers that are gone; yield after each step."""
    if "ticker" not in view.names:
        _write_if_other(folder, folder.file(view.name), _content(_rows(connection, view)), exported)
        yield
        return
    kept: set[Path] = set()
    if view.name in SOURCES:
        for symbol in versions.symbols:
            kept |= _export_ticker(folder, connection, view, symbol, versions.version(view, symbol), exported)
            yield
    else:
        tables = {ALL_TICKERS: schema_of(view.columns).empty_table()} | dict(_by_ticker(_rows(connection, view)))
        for symbol, table in tables.items():
            file = folder.file(view.name, symbol)
            _write_if_other(folder, file, _content(table), exported)
            kept.add(file)
        yield
    exported.removed += folder.remove_others(view.name, kept)


def _export_ticker(
    folder: ExportFolder, connection: Reader, view: View, symbol: str | None, version: str, exported: Exported
) -> set[Path]:
    """Write the file of a ticker, None = of no ticker, unless it has that version. Returns its path, nothing without rows."""
    file = folder.file(view.name, symbol or ALL_TICKERS)
    if _version_of(file) == version:
        exported.unchanged += 1
        return {file}
    table = _rows_of(connection, view, symbol)
    if symbol is not None and not table.num_rows:
        return set()
    _write(folder, file, _content(table, {VERSION: version.encode()}), exported)
    return {file}


def _rows(connection: Reader, view: View) -> pa.Table:
    return typed_table(connection.execute(view_query(view)), view.columns)


def _rows_of(connection: Reader, view: View, symbol: str | None) -> pa.Table:
    """Return a ticker's rows, None = those of no ticker."""
    if symbol is None:
        return typed_table(connection.execute(query_of_no_ticker(view)), view.columns)
    return typed_table(connection.execute(view_query(view, [symbol]), (symbol,)), view.columns)


def _by_ticker(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """Yield each ticker with its rows."""
    symbols = pc.fill_null(table.column("ticker"), ALL_TICKERS)
    for symbol in symbols.unique().to_pylist():
        yield symbol, table.filter(pc.equal(symbols, symbol))


def _content(table: pa.Table, metadata: dict[bytes, bytes] | None = None) -> bytes:
    """Return a table as the bytes of a Parquet file, the same bytes for the same rows. The name of its folder says the ticker."""
    if "ticker" in table.column_names:
        table = table.drop_columns("ticker")
    sink = pa.BufferOutputStream()
    pq.write_table(table.combine_chunks().replace_schema_metadata(metadata), sink, compression="zstd", write_page_checksum=True)
    return bytes(sink.getvalue())


def _version_of(file: Path) -> str:
    """Return the version that a file carries, "" for a missing one and for one that cannot be read."""
    try:
        with file.open("rb") as stream:  # pyarrow takes no name that is not UTF-8
            metadata = pq.read_metadata(stream).metadata
    except (OSError, pa.ArrowException):
        return ""
    version: bytes = (metadata or {}).get(VERSION, b"")
    return version.decode(errors="replace")


def _write_if_other(folder: ExportFolder, file: Path, content: bytes, exported: Exported) -> None:
    """Write a file unless it has that content."""
    try:
        same = file.read_bytes() == content
    except OSError:
        same = False
    if same:
        exported.unchanged += 1
    else:
        _write(folder, file, content, exported)


def _write(folder: ExportFolder, file: Path, content: bytes, exported: Exported) -> None:
    folder.write(file, content)
    exported.written += 1
    exported.bytes += len(content)
