"""The address of a record: the path of a SQLite file, or a PostgreSQL server. No library, so that reading starts quickly.

Not here: how a server is reached (storage.postgres).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlencode, urlsplit

POSTGRES_PREFIXES = ("postgresql://", "postgres://")
SECRET_OPTIONS = ("password", "sslpassword")


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A record in a PostgreSQL database, in the first schema of its search path. url: for libpq; it may hold a password."""

    url: str = field(repr=False)

    def __str__(self) -> str:
        """Return the URL without a password and without the options that do not say where the record is."""
        parts = urlsplit(self.url)
        user = f"{unquote(parts.username)}@" if parts.username else ""
        host = parts.netloc.rpartition("@")[2]
        schema = self._search_path()
        return f"postgresql://{user}{host}{parts.path}" + (f" (schema {schema})" if schema else "")

    @property
    def password(self) -> str:
        """Return the password that the URL holds, "" without one."""
        parts = urlsplit(self.url)
        return unquote(parts.password or "") or dict(self._options()).get("password", "")

    @property
    def shared(self) -> PostgresServer:
        """Return the same record without a password, as others may read it."""
        parts = urlsplit(self.url)
        user, _, host = parts.netloc.rpartition("@")
        name = user.partition(":")[0]
        query = urlencode([(key, value) for key, value in self._options() if key not in SECRET_OPTIONS], quote_via=quote)
        return PostgresServer(parts._replace(netloc=f"{name}@{host}" if name else host, query=query).geturl())

    def _options(self) -> list[tuple[str, str]]:
        """Return the options of the URL as libpq reads them, for which a plus sign is no space."""
        pairs = [pair.partition("=") for pair in urlsplit(self.url).query.split("&") if pair]
        return [(unquote(key), unquote(value)) for key, _, value in pairs]

    def _search_path(self) -> str:
        options = dict(self._options()).get("options", "")
        return options.partition("search_path=")[2].split(",")[0].split(" ")[0]


Database = Path | PostgresServer
