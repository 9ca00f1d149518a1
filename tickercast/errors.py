"""What the Python door raises. Each message is one line: what happened, what is kept, what to do.

TickercastError
├── HomeError           no home or no record there, one of another version of the program, or settings that are not valid
├── ArgumentError       an argument that cannot be used; a ValueError too
│   └── UnknownTicker   a ticker that nothing is stored for; a KeyError too
├── QueryError          a query that would do more than read, that SQLite does not understand, or that exceeds a limit
├── Unavailable         the record or the source cannot be read at this moment; a later call may succeed
├── DamagedRecord       bytes or rows that are not what was written
└── MissingLibrary      a library of an extra is not installed; an ImportError too

Anything else that is raised is a bug in Tickercast.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class TickercastError(Exception):
    """The root of the errors of this package."""


class HomeError(TickercastError):
    """No home or no record there, one of another version of the program, or settings that are not valid."""


class ArgumentError(TickercastError, ValueError):
    """An argument that cannot be used."""


class UnknownTicker(ArgumentError, KeyError):
    """A ticker that nothing is stored for."""

    __str__ = Exception.__str__  # a KeyError shows its message in quotes


class QueryError(TickercastError):
    """A query that would do more than read, that SQLite does not understand, or that exceeds a limit."""


class Unavailable(TickercastError):
    """The record or the source cannot be read at this moment; a later call may succeed."""


class DamagedRecord(TickercastError):
    """Bytes or rows that are not what was written."""


class MissingLibrary(TickercastError, ImportError):
    """A library of an extra is not installed."""


class DataWarning(UserWarning):
    """Some tickers or rows of a frame were left out. The message names the first of them."""


@contextmanager
def public_errors(wrong_use: type[TickercastError] = ArgumentError) -> Iterator[None]:
    """Raise a public error in the place of each one that the private packages raise on purpose. Its message holds no secret.

    wrong_use: the class for what the command line calls wrong usage.
    """
    from tickercast.jobs.errors import JobError
    from tickercast.jobs.exchanges.symbols import SymbolRefused
    from tickercast.jobs.terminal.secrets import hide_secrets
    from tickercast.storage.errors import StorageError

    try:
        yield
    except (JobError, StorageError, SymbolRefused) as error:
        raise _public_class(error, wrong_use)(hide_secrets(str(error))) from error
    except OSError as error:
        raise Unavailable(hide_secrets(f"{error.filename or 'the record'}: {error.strerror or error}")) from error


def _public_class(error: Exception, wrong_use: type[TickercastError]) -> type[TickercastError]:
    """Return the public class of a private error. The first row that fits decides."""
    from tickercast.jobs import errors as jobs
    from tickercast.jobs.exchanges.symbols import SymbolRefused
    from tickercast.storage import errors as storage

    classes: tuple[tuple[type[TickercastError], tuple[type[Exception], ...]], ...] = (
        (UnknownTicker, (storage.UnknownStoredTicker,)),
        (wrong_use, (jobs.UsageError, SymbolRefused)),
        (HomeError, (jobs.SettingsError, storage.DatabaseMissing, storage.NotADatabase)),
        (HomeError, (storage.SchemaNewer, storage.SchemaOlder)),
        (QueryError, (storage.QueryRefused, storage.QueryOverLimit)),
        (DamagedRecord, (storage.Corrupt,)),
    )
    return next((public for public, private in classes if isinstance(error, private)), Unavailable)
