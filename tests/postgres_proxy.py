"""A proxy before a PostgreSQL server that cuts connections: all of them, for a while, or just when a commit is answered."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

COMMIT = b"COMMIT"
PART_BYTES = 1 << 16
# The message in which a server tells the number of the process that serves a connection.
PROCESS_NUMBER, OTHER_NUMBER = re.compile(rb"(?<=K\x00\x00\x00\x0c)....", re.DOTALL), b"\x00\x00\x00\x07"


class PostgresProxy:
    """Passes bytes between clients and a server. lost_commits: how many commits were made whose client got no answer.

    is_pooler: it tells a client a process number of its own, as PgBouncer does, in place of the server's.
    """

    def __init__(self, server_port: int, *, is_pooler: bool = False) -> None:
        self.server_port, self.is_pooler, self.lost_commits = server_port, is_pooler, 0
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
                    self.lost_commits += 1
                    client.close()
                    server.sendall(part)
                    server.recv(PART_BYTES)  # the commit is made
                    break
                if source is server and self.is_pooler:
                    part = PROCESS_NUMBER.sub(OTHER_NUMBER, part)
                target.sendall(part)
        self._close(pair)

    def _close(self, pair: tuple[socket.socket, socket.socket]) -> None:
        self._pairs.discard(pair)
        for end in pair:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def postgres_proxy(server_port: int, *, is_pooler: bool = False) -> Iterator[PostgresProxy]:
    """Yield a proxy that ends with the block."""
    proxy = PostgresProxy(server_port, is_pooler=is_pooler)
    try:
        yield proxy
    finally:
        proxy.close()
