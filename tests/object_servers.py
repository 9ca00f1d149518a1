"""A real S3 server (moto) on 127.0.0.1, and a proxy before it that answers as a network and a busy store do at their worst."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread

import pytest

MISSING = "moto_server is not installed; `make s3-server` installs it"
PROGRAM = Path(sys.prefix) / "s3-server" / "bin" / "moto_server"
BUCKET = "bars"
SECRET = "canary-secret-of-the-object-store"
KEY_ID = "CANARYACCESSKEYID"
STARTING_SECONDS = 30.0
INTERNAL_ERROR = b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"


def server_program() -> str | None:
    """Return the path of moto's server where it is installed."""
    return shutil.which(PROGRAM) or shutil.which("moto_server")


def moto_program() -> str:
    """Return the path of moto's server. Skips the test without it."""
    program = server_program()
    if program is None:
        pytest.skip(MISSING)
    return program


@contextmanager
def object_server() -> Iterator[int]:
    """Yield the port of an S3 server with an empty bucket."""
    port = _free_port()
    arguments = [moto_program(), "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _make_bucket(port, process)
        yield port
    finally:
        process.kill()
        process.wait()


def environment_of(port: int) -> dict[str, str]:
    """Return the variables by which a client finds a server and its credentials."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip


def request(port: int, method: str, path: str, body: bytes = b"") -> bytes:
    """Return the answer of the S3 server itself to one request. path: bucket/key."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, f"/{path}", body, {"Authorization": f"AWS {KEY_ID}:x"})
        return connection.getresponse().read()
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _make_bucket(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + STARTING_SECONDS
    while True:
        try:
            request(port, "PUT", BUCKET)
            return
        except OSError:
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)


Fault = str  # "", "500", "403", "cut" before an answer, "half" an answer, "slow"


class FaultyProxy(ThreadingHTTPServer):
    """A proxy before an S3 server. fault_of: what happens to a request, by its number from 1. counts: how often each did."""

    daemon_threads = True

    def __init__(self, upstream: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.fault_of: Callable[[int], Fault] = lambda _: ""
        self.delay = 0.0
        self.counts: Counter[Fault] = Counter()
        self._changing = Lock()

    def next_fault(self) -> Fault:
        """Return the fault of the next request, and count it."""
        with self._changing:
            fault = self.fault_of(self.counts.total() + 1)
            self.counts[fault] += 1
            return fault

    def handle_error(self, *_: object) -> None:
        """Write nothing to stderr: clients that lose a connection are expected."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyProxy

    def _answer(self) -> None:
        body = self._body()
        fault = self.server.next_fault()
        time.sleep(self.server.delay)
        if fault == "500":
            self._send(500, {"Content-Type": "application/xml"}, INTERNAL_ERROR)
        elif fault == "403":
            self._send(403, {"Content-Type": "application/xml"}, INTERNAL_ERROR.replace(b"InternalError", b"AccessDenied"))
        elif fault == "cut":
            self._cut()
        else:
            self._forward(body, is_half=fault == "half")

    def _body(self) -> bytes:
        """Return the request's body as it was sent: whole, or in chunks up to an empty one and what trails it."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        sent = b""
        while True:
            size = self.rfile.readline()
            sent += size + self.rfile.read(int(size, 16) + 2)
            if int(size, 16) == 0:
                return sent

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer

    def _forward(self, body: bytes, *, is_half: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.upstream, timeout=30)
        connection.request(self.command, self.path, body, dict(self.headers.items()))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in ("connection", "transfer-encoding")}
        if self.command != "HEAD":
            kept["Content-Length"] = str(len(content))
        if is_half:  # the request was served, and its answer is lost on the way
            self._send(answer.status, kept, content[: len(content) // 2])
            self._cut()
        else:
            self._send(answer.status, kept, content)

    def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _cut(self) -> None:
        """Reset the connection."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            for end in (self.rfile, self.wfile, self.connection):
                end.close()

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing to stderr."""


@contextmanager
def faulty_proxy(upstream: int) -> Iterator[FaultyProxy]:
    """Yield a proxy that runs before an S3 server."""
    proxy = FaultyProxy(upstream)
    thread = Thread(target=proxy.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()


@contextmanager
def set_variables(variables: dict[str, str]) -> Iterator[None]:
    """Have some environment variables."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
