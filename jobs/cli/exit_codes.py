"""Report a failure as one line on stderr and return its exit code. Imported only after something failed.

The codes and their meanings are in jobs.errors. This module adds the errors that other packages raise.
"""

from __future__ import annotations

import sys
import traceback
from contextlib import suppress

import typer

from tickercast.jobs.errors import ExitCode, JobError
from tickercast.jobs.exchanges.symbols import SymbolRefused
from tickercast.jobs.prices.sources.base import SourceError, SourceSettings
from tickercast.jobs.runs.interrupts import Stopped, exit_code_of_signal
from tickercast.jobs.terminal.secrets import hide_secrets
from tickercast.jobs.terminal.text import printable
from tickercast.storage import errors as storage_errors

LONGEST_LINE = 600
# How the system's loader of libraries says that memory ran out. Python makes an ImportError of it.
LOADER_WITHOUT_MEMORY = ("failed to map segment", "cannot allocate memory")

# The first row that fits decides, so a subclass stands before its base class.
EXIT_CODES: tuple[tuple[type[Exception], ExitCode], ...] = (
    (SymbolRefused, ExitCode.USAGE),
    (SourceSettings, ExitCode.USAGE),
    (SourceError, ExitCode.NOTHING_FETCHED),
    (storage_errors.DatabaseMissing, ExitCode.USAGE),
    (storage_errors.LibraryMissing, ExitCode.USAGE),
    (storage_errors.LoginMayWrite, ExitCode.USAGE),
    (storage_errors.SchemaNewer, ExitCode.USAGE),
    (storage_errors.SchemaOlder, ExitCode.USAGE),
    (storage_errors.NotADatabase, ExitCode.USAGE),
    (storage_errors.TickerSourceFixed, ExitCode.USAGE),
    (storage_errors.UnknownStoredTicker, ExitCode.USAGE),
    (storage_errors.QueryRefused, ExitCode.QUERY),
    (storage_errors.QueryOverLimit, ExitCode.QUERY),
    (storage_errors.Corrupt, ExitCode.INTEGRITY),
    (storage_errors.StorageError, ExitCode.STORAGE),
    (OSError, ExitCode.STORAGE),
)


def report_failure(error: BaseException) -> int:
    """Return the exit code of a failure, after one line about it on stderr. Only an internal error shows a traceback."""
    if isinstance(error, typer.Exit):
        return error.exit_code
    code = exit_code_of(error)
    if code == ExitCode.INTERNAL:
        traceback.print_exception(error)
    _write_line(_message_of(error, code))
    return code


def exit_code_of(error: BaseException) -> int:
    """Return the exit code of an error; ExitCode.INTERNAL for an unexpected one."""
    if isinstance(error, typer.TyperException):
        return ExitCode.USAGE
    if isinstance(error, Stopped):
        return exit_code_of_signal(error.signal_number)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return ExitCode.SIGINT
    if isinstance(error, JobError):
        return error.exit_code
    if _is_of_memory(error):
        return ExitCode.STORAGE
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), ExitCode.INTERNAL)


def _is_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    of_loader = isinstance(error, ImportError) and any(sign in text for sign in LOADER_WITHOUT_MEMORY)
    return isinstance(error, MemoryError) or of_loader


def _message_of(error: BaseException, code: int) -> str:
    if isinstance(error, typer.TyperException):
        return error.format_message()
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return "interrupted; committed results are kept; repeat the command to resume"
    if _is_of_memory(error):
        of_loader = "a library could not be loaded" if isinstance(error, ImportError) else ""
        reason = of_loader or str(error) or "no more could be allocated"
        return f"memory ran out ({reason}); what was committed stays; repeat the command to resume"
    if code == ExitCode.INTERNAL:
        return f"internal error: {type(error).__name__}: {error}; committed results are kept"
    return str(error)


def _write_line(message: str) -> None:
    text = printable(" ".join(hide_secrets(message).split()))  # before it is cut, because half a secret is not recognised
    with suppress(OSError):  # nobody reads it
        sys.stderr.write(f"error: {text[:LONGEST_LINE]}\n")
