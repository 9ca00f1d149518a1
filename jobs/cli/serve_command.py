"""The command `serve`: the pages as a server."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from tickercast.jobs.cli.options import existing_place

if TYPE_CHECKING:
    from tickercast.jobs.workspace.place import Place
    from tickercast.jobs.workspace.sections import WebSection

LIBRARIES = {"datasette", "jinja2", "markupsafe", "plotly", "uvicorn"}


def serve(
    context: typer.Context,
    host: Annotated[
        str | None, typer.Option("--host", metavar="ADDRESS", help="Serve on this address (default: web.host, 127.0.0.1).")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", metavar="N", min=0, max=65_535, help="Serve on this port; 0 = any (default: web.port, 8001)."),
    ] = None,
) -> None:
    """Serve the pages to browsers until SIGTERM or Ctrl-C: what the report shows, live, and every view and query.

    It only reads, and runs beside the daemon. It prints its address once it listens; log lines go to stderr. An address that
    other machines reach needs web.token, or a reverse proxy that signs in (web.user_header, web.trusted_proxies). docs/serve.md
    explains both.
    """
    from tickercast.jobs.errors import ExitCode, UsageError
    from tickercast.jobs.runs.interrupts import end_now
    from tickercast.jobs.terminal.logs import log_format_for, start_logging
    from tickercast.storage.versions import check_revision

    place = existing_place(context)
    settings = _settings(context, host, port)
    if place.database_file is None:
        place = _by_reader(place)
    check_revision(place.database)
    try:
        from tickercast.jobs.web.access import access_of
        from tickercast.jobs.web.server import serve as serve_pages
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in LIBRARIES:
            raise
        raise UsageError("the server needs further libraries: pip install 'tickercast[web]'") from error
    access = access_of(
        settings.host, settings.token.get_secret_value(), settings.user_header, settings.trusted_proxies, settings.hosts
    )
    start_logging(log_format_for(None))
    serve_pages(place, access, settings.host, settings.port, _say_address)
    end_now(ExitCode.DONE)  # a page that is still being made is not waited for


def _by_reader(place: Place) -> Place:
    """Return the place with the login that may only read as its record. Raises UsageError without one, LoginMayWrite."""
    from tickercast.jobs.analysis.views import database_for_queries
    from tickercast.jobs.errors import UsageError

    if place.reader is None:
        raise UsageError(
            "store.reader_url is not set, and serve runs what visitors write: name a login of the server that may only read; "
            "docs/guides/postgresql.md has the statements that make one; nothing was served"
        )
    database_for_queries(place)
    return replace(place, store_url=place.reader_url)


def _say_address(url: str) -> None:
    typer.echo(url)
    sys.stdout.flush()


def _settings(context: typer.Context, host: str | None, port: int | None) -> WebSection:
    """Return the settings of the server, with the options in their place. Raises SettingsError, UsageError."""
    from tickercast.jobs.cli.options import home_of
    from tickercast.jobs.errors import UsageError
    from tickercast.jobs.workspace.limits import is_address
    from tickercast.jobs.workspace.place import SETTINGS_FILE
    from tickercast.jobs.workspace.settings import read_settings

    if host is not None and not is_address(host):
        raise UsageError(f"--host {host!r}: neither an IP address nor localhost")
    given = {"host": host, "port": port}
    web = read_settings(home_of(context) / SETTINGS_FILE).web
    return web.model_copy(update={key: value for key, value in given.items() if value is not None})
