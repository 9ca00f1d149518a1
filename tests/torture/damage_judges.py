"""Whether damage is noticed. A judge reads damaged files as the program does, and knows what they hold when they are whole.

A judge returns `correct` where all that is read is as it was, `found` where `verify --deep` names a problem, and `refused` where
an error with a documented exit code says so. It raises Unnoticed for anything else.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path

from tests.torture.codes import DOCUMENTED
from tests.torture.damage_homes import DATABASE, TICKERS
from tickercast.jobs.analysis.recompute import wrong_figures
from tickercast.jobs.cli.exit_codes import exit_code_of
from tickercast.jobs.errors import ExitCode
from tickercast.jobs.prices.event_files import read_event_file
from tickercast.jobs.prices.sources.folder import FolderSource
from tickercast.jobs.runs import bundle
from tickercast.jobs.runs.restore import restore
from tickercast.jobs.workspace.place import open_place
from tickercast.storage.bar_files import read_bars
from tickercast.storage.database import Connection, reading
from tickercast.storage.schema import Base
from tickercast.storage.verify import all_problems

CORRECT, FOUND, REFUSED = "correct", "found", "refused"
NOW = datetime(2026, 2, 1, tzinfo=UTC)
FILES = "SELECT path, sha256 FROM price_files WHERE superseded_at IS NULL ORDER BY path"

Signature = Mapping[str, str]


class Unnoticed(Exception):
    """Damage that the program did not notice, or that it failed at."""


def judged(read: Callable[[], str]) -> str:
    """Return what a judge returns, or `refused` for an error that users are told in one line. Raises Unnoticed."""
    try:
        return read()
    except Unnoticed:
        raise
    except Exception as error:
        code = exit_code_of(error)
        if code not in DOCUMENTED or code == ExitCode.DONE:
            raise Unnoticed(f"an internal error: {type(error).__name__}: {error}") from error
        return REFUSED


def record(home: Path, truths: Collection[Signature]) -> str:
    """Judge a home by `verify --deep`, and by all rows of its tables. truths: what they may be."""
    with reading(home / DATABASE) as connection:
        if all_problems(connection, home / "prices") or list(wrong_figures(connection)):
            return FOUND
        found = signature(connection)
    if found in truths:
        return CORRECT
    nearest = min(truths, key=lambda truth: len(different(found, truth)))
    raise Unnoticed(f"verify --deep finds nothing, and other rows are in {', '.join(different(found, nearest))}")


def price_files(home: Path, files: Mapping[str, str], truth: Mapping[str, bytes]) -> str:
    """Judge the price files of a home by reading each of them. files: the sha256 by path. truth: their bars by path."""
    outcomes = set()
    for path, sha256 in files.items():
        outcomes.add(judged(lambda path=path, sha256=sha256: _price_file(home / "prices", path, sha256, truth[path])))
    return REFUSED if REFUSED in outcomes else CORRECT


def _price_file(prices: Path, path: str, sha256: str, truth: bytes) -> str:
    if bars_bytes(prices, path, sha256) != truth:
        raise Unnoticed(f"{path} is read with other bars")
    return CORRECT


def bars_bytes(prices: Path, path: str, sha256: str) -> bytes:
    """Return all bars of a price file as bytes that differ for different bars."""
    bars = read_bars(prices, path, sha256).bars
    return b"".join(getattr(bars, name).tobytes() for name in bars.__dataclass_fields__)


def backup(source: Path, folder: Path, truths: Collection[Signature]) -> str:
    """Judge a backup by restoring it to a folder that does not exist."""
    try:
        restore(folder, source, now=NOW, wait_seconds=0)
        return record(folder, truths)
    finally:
        for left in folder.parent.glob(f"{folder.name}*"):
            shutil.rmtree(left)


def prior(folder: Path, one: bundle.BundledPrior, truth: bytes) -> str:
    """Judge a weight file of the program that is read from another folder."""
    sound, bundle.FOLDER = bundle.FOLDER, folder
    bundle._bytes_of.cache_clear()
    try:
        if one.content() != truth:
            raise Unnoticed(f"{one.file} is read with other weights")
        return CORRECT
    finally:
        bundle.FOLDER = sound
        bundle._bytes_of.cache_clear()


def settings(home: Path) -> str:
    """Judge a settings file by resolving it. A changed value that is valid is another setting, not a fault."""
    open_place(home, {})
    return CORRECT


def source(folder: Path) -> str:
    """Judge the folder of a source by reading all prices and events. Its files have no checksum: what they say counts."""
    read_event_file(folder / "events.csv", NOW)
    prices = FolderSource(str(folder), "as_traded")
    outcomes = {judged(lambda symbol=symbol: _fetched(prices, symbol)) for symbol in TICKERS}
    return REFUSED if REFUSED in outcomes else CORRECT


def _fetched(prices: FolderSource, symbol: str) -> str:
    prices.version(symbol)
    prices.fetch(symbol, None)
    return CORRECT


def signature(connection: Connection) -> Signature:
    """Return a hash of the rows of each table. Digests are compared by `verify --deep`."""
    return {
        table.name: _hash_of(sorted(repr(tuple(row)) for row in connection.exec_driver_sql(f"SELECT * FROM {table.name}")))
        for table in Base.metadata.sorted_tables
        if table.name != "digests"
    }


def different(one: Signature, other: Signature) -> list[str]:
    """Return the tables whose rows differ."""
    return [table for table in one if one[table] != other[table]]


def signature_of(home: Path) -> Signature:
    """Return the signature of a home."""
    with reading(home / DATABASE) as connection:
        return signature(connection)


def current_files(home: Path) -> dict[str, str]:
    """Return the sha256 of each current price file by its path."""
    with reading(home / DATABASE) as connection:
        return {row[0]: row[1] for row in connection.exec_driver_sql(FILES)}


def _hash_of(texts: list[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()
