"""A proxy before a PostgreSQL server that cuts connections: all of them, for a while, or just when a commit is answered."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

COMMIT = b"COMMIT"
PART_BYTES = 1 << 16


class PostgresProxy:
    """Passes bytes between clients and a server. lost_commits: how many commits were made whose client got no answer."""

    def __init__(self, server_port: int) -> None:
        self.server_port, self.lost_commits = server_port, 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._loses_commit = self._is_away = False
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_next_commit(self) -> None:
        """Let the next commit reach the server, and close its connection in place of the answer."""
        self._loses_commit = True

    def cut(self) -> None:
        """Close every connection."""
        for pair in list(self._pairs):
            self._close(pair)

    def leave(self) -> None:
        """Close every connection, and each new one at once, until `come_back`."""
        self._is_away = True
        self.cut()

    def come_back(self) -> None:
        """Pass on connections again."""
        self._is_away = False

    def close(self) -> None:
        """End all."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._is_away:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.server_port))
            except OSError:  # it was killed
                client.close()
                continue
            pair = client, server
            self._pairs.add(pair)
            for source in pair:
                threading.Thread(target=self._pass_on, args=(source, pair), daemon=True).start()

    def _pass_on(self, source: socket.socket, pair: tuple[socket.socket, socket.socket]) -> None:
        client, server = pair
        target = server if source is client else client
        with suppress(OSError):
            while part := source.recv(PART_BYTES):
                if source is client and self._loses_commit and COMMIT in part:
                    self._loses_commit = False
                    client.close()
                    server.sendall(part)
                    server.recv(PART_BYTES)  # the commit is made
                    self.lost_commits += 1
                    break
                target.sendall(part)
        self._close(pair)

    def _close(self, pair: tuple[socket.socket, socket.socket]) -> None:
        self._pairs.discard(pair)
        for end in pair:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def postgres_proxy(server_port: int) -> Iterator[PostgresProxy]:
    """Yield a proxy that ends with the block."""
    proxy = PostgresProxy(server_port)
    try:
        yield proxy
    finally:
        proxy.close()
