"""The server: it listens on one address and ends within two seconds of SIGTERM or Ctrl-C. Only here is uvicorn."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from ipaddress import ip_address
from typing import Any

import uvicorn

from tickercast.jobs.errors import LockHeld, SettingsError, UsageError
from tickercast.jobs.runs.interrupts import Stopped
from tickercast.jobs.web.access import Access
from tickercast.jobs.web.app import Application
from tickercast.jobs.web.assets import compress_largest
from tickercast.jobs.web.browsing import record_datasette
from tickercast.jobs.web.datasette_pages import DatasettePages
from tickercast.jobs.web.downloads import Downloads
from tickercast.jobs.web.page_cache import PageCache, State, record_state
from tickercast.jobs.web.pages import OurPages
from tickercast.jobs.workspace.place import Place
from tickercast.storage.address import Database, PostgresServer
from tickercast.storage.query_pool import Pool, QueryPool

PAGE_THREADS = 3
# Threads that make pages hand over to the one that answers sooner than Python's 5 ms.
SWITCH_SECONDS = 0.001
END_SECONDS = 1  # for responses that are being sent
LONGEST_UNFINISHED = 32_768  # bytes of a request; app.py answers those of its headers
MOST_CONNECTIONS = 500
IDLE_SECONDS = 15
LOOK_SECONDS = 0.1


def serve(place: Place, access: Access, host: str, port: int, listening: Callable[[str], None]) -> None:
    """Serve the pages of a home until SIGINT or SIGTERM. listening: is called with the address once it is served.

    place: of the login that may only read, where the record is on a server. Raises LockHeld for a port in use, UsageError for an
    address that this machine does not have.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    with _listener(host, port) as listener, _pool(place.database) as (pool, executor):
        number = listener.getsockname()[1]
        asyncio.run(_serve(place, access, pool, executor, listener, lambda: listening(address_of(host, number))))


def address_of(host: str, port: int) -> str:
    """Return the URL of a server."""
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


async def _serve(
    place: Place,
    access: Access,
    pool: Pool,
    executor: ThreadPoolExecutor,
    listener: socket.socket,
    listening: Callable[[], None],
) -> None:
    warnings.filterwarnings("ignore", message="coroutine .* was never awaited")  # Datasette, where a page ends with an error
    datasette = record_datasette(pool)
    await datasette.invoke_startup()
    browse = DatasettePages(datasette.app(), pool, executor)
    cache = PageCache(_state_of(pool.database))
    application = Application(access, cache, OurPages(place, executor), browse, Downloads(pool.database))
    executor.submit(compress_largest)
    server = uvicorn.Server(_config(application))
    watch = asyncio.ensure_future(_watch(server, pool, listening))
    try:
        with suppress(Stopped):  # uvicorn raises the signal again that it has ended for
            await server.serve(sockets=[listener])
    finally:
        watch.cancel()
        pool.close()


def _state_of(database: Database) -> Callable[[], State]:
    """Return what tells whether a record has changed."""
    if isinstance(database, PostgresServer):
        from tickercast.storage.postgres.record_state import RecordState

        return RecordState(database)
    return partial(record_state, database)


async def _watch(server: uvicorn.Server, pool: Pool, listening: Callable[[], None]) -> None:
    """Tell that the server listens, and end its queries when it ends, so that no response waits for them."""
    while not server.started:
        await asyncio.sleep(0.01)
    listening()
    since: dict[tuple[Any, Any], float] = {}
    while not server.should_exit:
        since = close_silent(server.server_state.connections, since)
        await asyncio.sleep(LOOK_SECONDS)
    pool.close()


def close_silent(connections: Iterable[Any], since: dict[tuple[Any, Any], float]) -> dict[tuple[Any, Any], float]:
    """Close connections that have sent no whole request for too long: uvicorn waits for those for ever.

    A connection waits for its first request, or for the next one since it got its last answer. since: when each was first seen
    waiting. Returns the same of now.
    """
    now = time.monotonic()
    silent: dict[tuple[Any, Any], float] = {}
    for connection in connections:
        cycle = connection.cycle  # a new one with each request
        if cycle is None or cycle.response_complete:
            first = silent[connection, cycle] = since.get((connection, cycle), now)
            if now - first > IDLE_SECONDS:
                connection.transport.close()
    return silent


def _config(application: Any) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        lifespan="off",
        log_config=None,
        access_log=False,
        log_level="critical",
        server_header=False,
        proxy_headers=False,
        http="h11",
        ws="none",
        h11_max_incomplete_event_size=LONGEST_UNFINISHED,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=END_SECONDS,
    )


def _pool_of(database: Database) -> Pool:
    if isinstance(database, PostgresServer):
        from tickercast.storage.postgres.query_pool import ServerPool

        return ServerPool(database)
    return QueryPool(database)


@contextmanager
def _pool(database: Database) -> Iterator[tuple[Pool, ThreadPoolExecutor]]:
    pool = _pool_of(database)
    executor = ThreadPoolExecutor(PAGE_THREADS, thread_name_prefix="pages")
    try:
        yield pool, executor
    finally:
        pool.close()
        executor.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _listener(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a socket that is bound to an address and does not listen yet."""
    number = "127.0.0.1" if host == "localhost" else host
    family = socket.AF_INET6 if ip_address(number).version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((number, port))
        except OSError as error:
            raise _bind_error(host, port, error) from error
        yield listener


def _bind_error(host: str, port: int, error: OSError) -> Exception:
    if error.errno == errno.EADDRINUSE:
        return LockHeld(f"port {port} of {host} is in use by another program; nothing was served; name another with --port")
    if error.errno == errno.EACCES:
        return UsageError(f"port {port}: permission denied; nothing was served; name one from 1024 on with --port")
    return SettingsError(f"web.host {host}: {error.strerror}; nothing was served")
