"""A hundred hostile requests to a running server: nothing is written, nothing leaks, and it serves on.

They are SQL that writes or never ends, paths out of the pages, headers that lie or smuggle, and methods that change things.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.builders import Record
from tests.hostile_web_requests import ADDRESSES, HOSTS, RAW
from tests.web_servers import WebServer, served

pytestmark = pytest.mark.slow
pytest.importorskip("datasette", reason="the extra web is not installed")

SECRET, TOKEN = "hunter22hunter22", "a token of a test"
SETTINGS = f'[notices]\nurls = ["json://amy:{SECRET}@example.com"]\n'
LEAKS = ("Traceback", "site-packages", ".py", SECRET, TOKEN, "root:", "[notices]", "python", "sqlalchemy")
STATUSES = {200, 301, 302, 400, 401, 404, 405, 414, 421, 431}


def contents(folder: Path) -> dict[str, str]:
    """Return the hash of every file of a home but SQLite's index of its log, which readers share."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.endswith("-shm"))
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def answer_to(server: WebServer, request: bytes) -> str:
    """Return all that a server sends until it ends the connection, or has said nothing more for a moment."""
    parts = bytearray()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection, suppress(TimeoutError, ConnectionError):
        connection.sendall(request)
        while part := connection.recv(1_000_000):
            parts += part
            connection.settimeout(20 if b"connection: close" in request.lower() else 0.2)
    return parts.decode("latin-1")


@pytest.fixture(scope="module")
def home(sound_record: Record, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = sound_record.copy_to(tmp_path_factory.mktemp("hostile")).database.parent
    (folder / "tickercast.toml").write_text(SETTINGS)
    return folder


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[WebServer]:
    with served(home) as server:
        server.get("/record/bar")
        yield server


def test_nothing_is_written_and_nothing_leaks(server: WebServer, home: Path) -> None:
    before = contents(home)
    lines = [f"GET {address} HTTP/1.1\r\n{HOSTS}Connection: close\r\n\r\n" for address in ADDRESSES]
    answers = {request: answer_to(server, request.encode("latin-1")) for request in (*lines, *RAW)}
    told = {request: [leak for leak in (*LEAKS, str(home)) if leak in answer] for request, answer in answers.items()}
    wrong = {request: answer[:200] for request, answer in answers.items() if not answer or int(answer.split()[1]) not in STATUSES}
    assert len(answers) > 100
    assert {request: leaks for request, leaks in told.items() if leaks} == {}
    assert wrong == {}
    assert contents(home) == before
    assert server.get("/record/bar").status == 200
