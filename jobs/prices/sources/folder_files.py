"""The files of a folder by ticker: which names are tickers, which clash, and which are no regular files.

Every name that is not read is stated: as a line for people, or as the reason why its ticker fails.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tickercast.jobs.exchanges.symbols import SymbolRefused, parse_symbol
from tickercast.jobs.prices.sources.base import BadSourceData, SourceUnavailable
from tickercast.jobs.terminal.text import first_names, printable
from tickercast.storage.files import unquote_ticker

FILE_TYPES = (".csv", ".parquet")
EVENT_STEM = "events"  # a file of this name has company events, not the prices of a ticker
LONGEST_SHOWN = 40
LARGEST_CSV_BYTES = 200_000_000  # a century of days has 3 MB


@dataclass(slots=True)
class Names:
    """The names of a source by symbol, as they are written.

    refused: by symbol, why its ticker fails. left_out: a line for each name that is no symbol.
    """

    by_symbol: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def names_of(written: Mapping[str, str]) -> Names:
    """Return names by symbol. written: the ticker's name in each, by the name to show; two of one symbol are both refused."""
    names = Names()
    claims: dict[str, list[str]] = {}
    for shown, name in written.items():
        try:
            claims.setdefault(parse_symbol(name), []).append(shown)
        except SymbolRefused as error:
            names.left_out.append(f"{_short(shown)} is not read: {error}")
    for symbol, claimants in claims.items():
        if len(claimants) == 1:
            names.by_symbol[symbol] = claimants[0]
        else:
            names.refused[symbol] = f"{first_names([_short(name) for name in claimants])} all mean {symbol}; keep one of them"
    return names


def _short(name: str) -> str:
    return printable(name if len(name) <= LONGEST_SHOWN else name[:LONGEST_SHOWN] + "...")


def price_files(path: Path) -> list[Path]:
    """Return a file, or the files of a folder that by their name have prices, in order of name. Raises SourceUnavailable."""
    if not path.is_dir():
        return [path] if path.suffix.lower() in FILE_TYPES else []
    return [file for file in _files_of(path) if file.stem.lower() != EVENT_STEM]


def event_file_of(path: Path) -> Path | None:
    """Return a folder's file of company events, CSV before Parquet; None without one. Raises SourceUnavailable."""
    found = [file for file in _files_of(path) if file.stem.lower() == EVENT_STEM] if path.is_dir() else []
    return found[0] if found else None


def _files_of(folder: Path) -> list[Path]:
    try:
        return [file for file in sorted(folder.iterdir()) if file.suffix.lower() in FILE_TYPES]
    except OSError as error:
        raise SourceUnavailable(f"{folder}: cannot be read: {error.strerror}") from error


def names_of_files(files: Iterable[Path]) -> Names:
    """Return the names of files by symbol. What is not a regular file, or a link to one, is refused: reading it could hang."""
    names = names_of({file.name: unquote_ticker(file.stem) for file in files})
    folders = {file.name: file for file in files}
    for symbol, name in list(names.by_symbol.items()):
        if not folders[name].is_file():
            names.refused[symbol] = f"{printable(str(folders[name]))} is not a regular file"
            del names.by_symbol[symbol]
    return names


def content_of(path: Path) -> bytes:
    """Return the bytes of a regular file, or of a link to one. Raises BadSourceData for anything else, without waiting."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise BadSourceData(f"{path}: not a regular file")
            if path.suffix.lower() == ".csv" and status.st_size > LARGEST_CSV_BYTES:
                raise BadSourceData(f"{path}: larger than {LARGEST_CSV_BYTES // 10**6} MB, so it is not the prices of one ticker")
            with os.fdopen(handle, "rb", closefd=False) as file:
                return file.read()
        finally:
            os.close(handle)
    except OSError as error:
        raise BadSourceData(f"{path}: cannot be read: {error.strerror}") from error
