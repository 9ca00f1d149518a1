"""What went wrong as one line on stderr and an exit code. Imported only after something failed.

0 done · 1 our bug · 2 usage or settings · 3 some tickers failed · 4 source unavailable · 5 storage · 6 integrity ·
7 lock held · 8 query refused or over its limit · 130, 143 interrupted
"""

from __future__ import annotations

import signal
import sys
import traceback

import typer

from jobs.errors import JobError
from jobs.exchanges.symbols import SymbolRefused
from jobs.prices.sources.base import SourceError, SourceSettings
from jobs.terminal.output import printable
from storage import errors as storage_errors

CODES: tuple[tuple[type[BaseException], int], ...] = (
    (SymbolRefused, 2),
    (SourceSettings, 2),
    (SourceError, 4),
    (storage_errors.DatabaseMissing, 2),
    (storage_errors.SchemaNewer, 2),
    (storage_errors.SchemaOlder, 2),
    (storage_errors.NotADatabase, 2),
    (storage_errors.TickerSourceFixed, 2),
    (storage_errors.UnknownStoredTicker, 2),
    (storage_errors.QueryRefused, 8),
    (storage_errors.QueryOverLimit, 8),
    (storage_errors.Corrupt, 6),
    (storage_errors.StorageError, 5),
    (OSError, 5),
)


def report_failure(error: BaseException) -> int:
    """Return the exit code of a failure, after one line about it; only our own bug shows a traceback."""
    if isinstance(error, typer.TyperException):
        return _line(error.format_message(), 2)
    if isinstance(error, typer.Exit):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return _line("interrupted; what was committed stays, the same command goes on", 128 + signal.SIGINT)
    if isinstance(error, JobError):
        return _line(str(error), error.exit_code)
    for kind, code in CODES:
        if isinstance(error, kind):
            return _line(str(error), code)
    traceback.print_exception(error)
    return _line(f"a bug of ours: {type(error).__name__}: {error}; what was committed stays", 1)


def _line(message: str, code: int) -> int:
    text = printable(" ".join(message.split()))
    sys.stderr.write(f"error: {text[:600]}\n")
    return code
