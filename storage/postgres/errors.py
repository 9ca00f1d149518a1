"""The errors of a PostgreSQL server as ours, by their SQLSTATE. psycopg is imported once something failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tickercast.storage.address import PostgresServer
from tickercast.storage.errors import (
    Corrupt,
    DatabaseBusy,
    DatabaseMissing,
    NotADatabase,
    ServerUnreachable,
    StorageError,
    StoreUnwritable,
)

# The beginning of a SQLSTATE, or all of it, and the error it means. The first that fits counts.
BY_STATE: tuple[tuple[tuple[str, ...], type[StorageError], str], ...] = (
    (("28",), DatabaseMissing, "nothing was changed; check the user, PGPASSWORD or the password file"),
    (("3D000",), DatabaseMissing, "create the database, or mend store.url"),
    (("3F000",), DatabaseMissing, "create the schema, or mend the search_path in store.url"),
    (("57014",), DatabaseBusy, "what is committed stays; retry later"),
    (("08", "57P", "25P03"), ServerUnreachable, "what is committed stays; retry when it is back"),
    (("25006",), ServerUnreachable, "what is committed stays; retry when the server may be written, or name the one that may"),
    (("53300", "55P03", "40001", "40P01"), DatabaseBusy, "what is committed stays; retry later"),
    (("53", "58030"), StoreUnwritable, "what is committed stays; free space or mend the server, then retry"),
    (("42501",), StoreUnwritable, "what is committed stays; grant the rights that the role lacks (docs/guides/postgresql.md)"),
    (("42P01", "42703"), NotADatabase, "the record's tables or views are not as this program made them"),
    (("XX", "58P01"), Corrupt, "restore the record from a backup"),
)
# An error of connecting has no SQLSTATE, but these words of a server that speaks English.
OF_LOGIN = ("authentication", "no password supplied", 'role "')
UNREACHABLE = "what is committed stays; retry when it is back"


@contextmanager
def server_errors(server: PostgresServer) -> Iterator[None]:
    """Raise psycopg's errors as StorageErrors, where they are about the server or the record."""
    try:
        yield
    except Exception as error:
        if (found := storage_error_of(server, error)) is not None:
            raise found from error
        raise


def storage_error_of(server: PostgresServer, error: BaseException) -> StorageError | None:
    """Return the StorageError of an error of psycopg; None of any other, and where it is not about the server or the record."""
    import psycopg

    if not isinstance(error, psycopg.Error):
        return None
    state, text = error.sqlstate or "", _first_line(error)
    for states, kind, advice in BY_STATE:
        if state.startswith(states):
            return kind(f"{server}: {text}; {advice}")
    if state or not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return None
    if any(sign in text for sign in OF_LOGIN):
        return DatabaseMissing(f"{server}: {text}; nothing was changed; check the user, PGPASSWORD or the password file")
    if "does not exist" in text:
        return DatabaseMissing(f"{server}: {text}; create the database, or mend store.url")
    return ServerUnreachable(f"{server}: {text}; {UNREACHABLE}")


def _first_line(error: BaseException) -> str:
    """Return what the server or the library said, in one line without its level."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].removeprefix("FATAL:").removeprefix("ERROR:").strip() if lines else type(error).__name__
