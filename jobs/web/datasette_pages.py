"""Datasette's answers as pages. It gets a request without the visitor's headers, since its pages are the same for all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from tickercast.jobs.web.descriptions import DATABASE, DEFAULTS, parameters_of
from tickercast.jobs.web.request import Request
from tickercast.jobs.web.responses import DATASETTE_POLICY, Page, redirect
from tickercast.storage.query_pool import Pool
from tickercast.storage.reader import select_rows, snapshot

PASSED = ("location", "content-disposition")


class DatasettePages:
    """The pages of one Datasette application."""

    def __init__(self, application: Callable[..., Any], pool: Pool, executor: Executor) -> None:
        self.application, self.pool, self.executor = application, pool, executor

    async def __call__(self, request: Request) -> Page:
        """Return Datasette's answer. Raises StorageError while there is no database to read."""
        location = await asyncio.get_running_loop().run_in_executor(self.executor, self._with_defaults, request)
        return redirect(location) if location else await self._answer(request)

    def _with_defaults(self, request: Request) -> str | None:
        """Return the address of a named query with defaults for its missing parameters, None where none is missing.

        Raises what snapshot raises.
        """
        name = request.path.removeprefix(f"/{DATABASE}/").partition(".")[0]
        given = dict(parse_qsl(request.query, keep_blank_values=True))
        missing = [parameter for parameter in parameters_of(name) if not given.get(parameter)]
        with snapshot(self.pool.database) as connection:
            found = {parameter: select_rows(connection, DEFAULTS[parameter]).rows[0][0] for parameter in missing}
        found = {parameter: value for parameter, value in found.items() if value is not None}
        return f"{request.path}?{urlencode(given | found)}" if found else None

    async def _answer(self, request: Request) -> Page:
        started: dict[str, Any] = {}
        parts: list[bytes] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                started.update(message)
            else:
                parts.append(message.get("body", b""))

        await self.application(_scope(request), receive, send)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in started["headers"]}
        kept = tuple((name, _on_one_line(headers[name])) for name in PASSED if name in headers)
        kind = headers.get("content-type", "text/plain; charset=utf-8")
        return Page(b"".join(parts), started["status"], kind, headers=kept, policy=DATASETTE_POLICY)


def _scope(request: Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": request.scheme,
        "path": request.path,
        "raw_path": request.path.encode("latin-1"),
        "query_string": request.query.encode("latin-1"),
        "headers": [(b"host", request.host.encode("latin-1"))],
    }


def _on_one_line(value: str) -> str:
    return quote(value, safe="/:?&=#%;,+\"' ()[]@!$*~-._")
