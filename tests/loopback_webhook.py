"""A real web server on 127.0.0.1 that takes notices as JSON and keeps them, or refuses them, or never answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class LoopbackWebhook(ThreadingHTTPServer):
    """The server. received: the messages that it took, oldest first. status: what it answers; 0 = nothing, clients wait."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[dict[str, Any]] = []
        self.attempts = 0
        self.status = 200
        self.ended = threading.Event()

    @property
    def url(self) -> str:
        """Return the URL for notices.urls, with a token in it."""
        return f"json://user:token@127.0.0.1:{self.server_port}/path-token"

    @property
    def titles(self) -> list[str]:
        """Return the titles of the messages that it took, without the name of the program."""
        return [message["title"].removeprefix("Tickercast: ") for message in self.received]


class _Handler(BaseHTTPRequestHandler):
    server: LoopbackWebhook

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.attempts += 1
        if self.server.status == 0:
            self.server.ended.wait()
            return
        if self.server.status == 200:
            self.server.received.append(json.loads(content))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing to stderr."""


@contextmanager
def loopback_webhook() -> Iterator[LoopbackWebhook]:
    """Yield a webhook that runs."""
    server = LoopbackWebhook()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
