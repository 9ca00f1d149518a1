"""`tickercast serve` as a process, and requests to it as a browser or an attacker sends them."""

from __future__ import annotations

import http.client
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.conftest import clean_environment, command_of


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: str


@dataclass(frozen=True)
class WebServer:
    """A server that listens."""

    process: subprocess.Popen[str]
    port: int

    def get(self, address: str, headers: Mapping[str, str] | None = None, *, method: str = "GET", body: str = "") -> Answer:
        """Return the answer to one request. address: sent as it is, so that it may be none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            given = {"Host": f"127.0.0.1:{self.port}", **(headers or {})}
            connection.putrequest(method, address, skip_host=True, skip_accept_encoding=True)
            for name, value in given.items():
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body.encode())
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read().decode(errors="replace"))
        finally:
            connection.close()


@contextmanager
def served(folder: Path, *options: str, **environment: str) -> Iterator[WebServer]:
    """Serve a home on a free port until the end. The server starts in its folder: a file of a relative path would be there."""
    command = command_of("--home", folder, "serve", "--port", "0", *options)
    process = subprocess.Popen(
        command, env=clean_environment(**environment), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder
    )
    with process:
        try:
            assert process.stdout is not None
            yield WebServer(process, urlsplit(process.stdout.readline()).port or 0)
        finally:
            process.kill()
