"""The HTTP server of /healthz and /metrics: it only reads, and no client can keep it busy for long.

Each connection has a thread, one request and a few seconds. With too many connections the oldest is closed.
Not here: when it is started and on which address (monitor).
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from socketserver import TCPServer
from typing import Any

from prometheus_client.exposition import choose_encoder

from tickercast.jobs.errors import ExitCode
from tickercast.jobs.monitoring.check import check
from tickercast.jobs.monitoring.metrics import registry_of
from tickercast.jobs.monitoring.state import HomeState
from tickercast.jobs.terminal.logs import log_event
from tickercast.jobs.terminal.secrets import hide_secrets
from tickercast.storage.errors import StorageError

Read = Callable[[], HomeState]
POLL_SECONDS = 0.25
REQUEST_SECONDS = 5.0
MOST_CONNECTIONS = 16
PLAIN = "text/plain; charset=utf-8"


def health(read: Read) -> tuple[int, bytes]:
    """Return the status and body of /healthz: 503 where `status --check` would exit with 4, 5 or 6, else 200."""
    try:
        found = check(read())
    except (StorageError, OSError) as error:
        return 503, f"CRITICAL: {hide_secrets(str(error))}\n".encode()
    return (503 if found.code == ExitCode.NOTHING_FETCHED else 200), f"{found.line}\n".encode()


class MonitorServer(ThreadingHTTPServer):
    """A server that listens. read: returns the state of the home; it is called by several threads. Raises OSError."""

    daemon_threads = True
    timeout = POLL_SECONDS
    request_queue_size = 4 * MOST_CONNECTIONS

    def __init__(self, host: str, port: int, read: Read) -> None:
        self.address_family = _family(host)
        self.read, self.registry = read, registry_of(read)
        self._began: dict[socket.socket, float] = {}
        self._changing = threading.Lock()
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind. The base class would also look up the name of the address, which may take long."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def poll(self) -> None:
        """Wait a moment for a client and answer it in a thread; close the connections whose time is over."""
        self.handle_request()
        with self._changing:
            slow = [connection for connection, began in self._began.items() if time.monotonic() - began > REQUEST_SECONDS]
            for connection in slow:
                self._hang_up(connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a client in a thread of its own."""
        with self._changing:
            if len(self._began) >= MOST_CONNECTIONS:
                self._hang_up(next(iter(self._began)))
            self._began[request] = time.monotonic()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        with self._changing:
            self._began.pop(request, None)
        super().shutdown_request(request)

    def _hang_up(self, connection: socket.socket) -> None:
        """End both directions of a connection, so that the thread that waits for its client goes on and closes it."""
        del self._began[connection]
        with suppress(OSError):  # the client has just gone
            connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what went wrong with a request in one line. A client that has gone away is no error."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            log_event("error", "monitor failed", error=f"{type(error).__name__}: {error}")


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: MonitorServer
    timeout = REQUEST_SECONDS
    server_version, sys_version = "tickercast", ""

    def do_GET(self) -> None:
        """Answer GET: 200 or 503 for /healthz, the metrics, else 404."""
        path = self.path.partition("?")[0]
        if path == "/healthz":
            self._answer(*health(self.server.read), PLAIN)
        elif path == "/metrics":
            encode, kind = choose_encoder(self.headers.get("Accept", ""))
            self._answer(200, encode(self.server.registry), kind)
        else:
            self._answer(404, b"not found; there are /healthz and /metrics\n", PLAIN)

    do_HEAD = do_GET

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: a scrape every few seconds says nothing about the daemon."""


def _family(host: str) -> socket.AddressFamily:
    is_v6 = host != "localhost" and ip_address(host).version == 6
    return socket.AF_INET6 if is_v6 else socket.AF_INET
