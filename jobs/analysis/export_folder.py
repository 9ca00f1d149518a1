"""The folder of an export: whose it is, its files, each of which appears whole, and what is no longer in the record.

    DIR/_tickercast.json                         whose record it is, and when it was last exported in full
    DIR/forecast_history/ticker=MSFT/data.parquet
    DIR/run_summary/data.parquet                 a view without tickers

Names that begin with a dot or an underscore are no data to any reader of such folders. Not here: what is in the files (export).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tickercast.jobs.errors import LockHeld, UsageError
from tickercast.jobs.workspace.locks import try_lock
from tickercast.jobs.workspace.place import refuse_store
from tickercast.storage.errors import StoreUnwritable
from tickercast.storage.files import make_folder, quote_ticker, rename_durably, write_atomically

FORMAT = 1
NOTE = "_tickercast.json"
LOCK = ".lock"
PARTIAL = ".partial"  # in the folder itself, so that a rename moves no bytes
DATA = "data.parquet"
PARTITION = "ticker="


class ExportFolder:
    """A folder that exports of one record are written to. Use it within `opened`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def file(self, view: str, ticker: str | None = None) -> Path:
        """Return the path of a view's rows, or of those of one ticker."""
        folder = self.path / view
        return (folder if ticker is None else folder / f"{PARTITION}{quote_ticker(ticker)}") / DATA

    def write(self, path: Path, content: bytes) -> None:
        """Write a file: it has its old content or the new one at any instant."""
        try:
            partial = self.path / PARTIAL
            partial.write_bytes(content)
            make_folder(path.parent)
            rename_durably(partial, path)
        except OSError as error:
            raise _unwritable(path, error) from error

    def remove_others(self, view: str, kept: set[Path]) -> int:
        """Remove the files of a view's tickers that are not among some paths, and return how many."""
        removed = 0
        for folder in sorted((self.path / view).glob(f"{PARTITION}*")):
            if folder / DATA in kept:
                continue
            try:
                (folder / DATA).unlink(missing_ok=True)
                removed += 1
                with suppress(OSError):  # a user keeps something else there
                    folder.rmdir()
            except OSError as error:
                raise _unwritable(folder / DATA, error) from error
        return removed

    def note(self, **facts: str) -> None:
        """Write whose record it is and when it was exported."""
        content = json.dumps({"format": FORMAT, **facts}, indent=1) + "\n"
        write_atomically(self.path / NOTE, content.encode())


@contextmanager
def opened(path: Path, database_id: str) -> Iterator[ExportFolder]:
    """Yield the folder of an export, made if it is missing, while no other export writes to it.

    Raises UsageError for a folder that holds something else, the export of another record, or a part of a home's store; LockHeld
    while another export writes to it; StoreUnwritable.
    """
    try:
        refuse_store(path / DATA)
        _refuse_others(path, database_id)
        make_folder(path)
        with try_lock(path / LOCK) as free:
            if not free:
                raise LockHeld(f"{path}: another export is writing to it; nothing was changed; retry when it ends")
            folder = ExportFolder(path)
            if not (path / NOTE).exists():
                folder.note(database=database_id)
            try:
                yield folder
            finally:
                (path / PARTIAL).unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def _refuse_others(path: Path, database_id: str) -> None:
    """Raise UsageError for a folder that is not the export of a record, or of another one."""
    try:
        note = json.loads((path / NOTE).read_bytes())
        whose, form = note.get("database", ""), note.get("format")
    except (FileNotFoundError, NotADirectoryError):
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path} is not a folder; nothing was written; name another one") from None
        if path.exists() and any(entry.name not in (LOCK, PARTIAL) for entry in path.iterdir()):
            raise UsageError(f"{path} is not empty and not an export; nothing was written; name another folder") from None
        return
    except (ValueError, AttributeError) as error:
        raise UsageError(f"{path / NOTE} cannot be read; nothing was written; name another folder") from error
    if form != FORMAT:
        raise UsageError(f"{path} was exported by another version of Tickercast; nothing was written; name another folder")
    if whose and database_id and whose != database_id:
        raise UsageError(f"{path} is the export of another record; nothing was written; name another folder")


def _unwritable(path: Path, error: OSError) -> StoreUnwritable:
    return StoreUnwritable(f"{path}: {error.strerror}; finished files stay; free space or mend permissions, then repeat")
