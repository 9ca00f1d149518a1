"""A PostgreSQL server on the loopback, in a folder of its own, for the tests that need a real one."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from tests.ports import free_port
from tickercast.storage.address import PostgresServer

SERVERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
OLDEST = 15
MISSING = f"no PostgreSQL server of version {OLDEST} or newer is installed"
USERS = ("postgres", "nobody")  # of whom one runs the server where the tests run as root, whom it refuses
SETTINGS = "listen_addresses='127.0.0.1'\nmax_connections=60\nshared_buffers=64MB\nfsync=off\n"
START_SECONDS = 30.0


class PostgresCluster:
    """A server with its databases. folder: of its data and its log."""

    def __init__(self, binaries: Path, folder: Path, settings: str = SETTINGS) -> None:
        self.binaries, self.folder, self.port = binaries, folder, free_port()
        self.user = next((name for name in USERS if _exists(name)), None) if os.geteuid() == 0 else None
        self.numbers = count(1)
        if self.user:
            shutil.chown(folder, self.user)
        self._call("initdb", "-D", str(self.data), "-A", "trust", "-U", "test", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(f"{settings}port={self.port}\nunix_socket_directories=''\n")
        self.start()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def process(self) -> int:
        """Return the server's first process."""
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def start(self) -> None:
        """Start the server, also after it was killed, and wait until it answers."""
        self._call("pg_ctl", "-D", str(self.data), "-l", str(self.folder / "log"), "-w", "-t", "30", "start")

    def stop(self) -> None:
        """Stop the server at once, which ends every connection."""
        self._call("pg_ctl", "-D", str(self.data), "-m", "immediate", "-w", "stop")

    def kill(self) -> None:
        """Kill the server's first process, and wait until the others have ended with it."""
        pid = self.process
        children = _children(pid)
        os.kill(pid, signal.SIGKILL)
        until = time.monotonic() + START_SECONDS
        while any(map(_lives, (pid, *children))) and time.monotonic() < until:
            time.sleep(0.02)
        (self.data / "postmaster.pid").unlink()  # else a start sees the process where nobody has taken its exit code

    def url(self, database: str = "test") -> str:
        return f"postgresql://test@127.0.0.1:{self.port}/{database}"

    def sql(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run a statement as the server's owner and return its rows."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def new_database(self) -> PostgresServer:
        """Return the address of a new, empty database."""
        name = f"record{next(self.numbers)}"
        self.sql(f"CREATE DATABASE {name}")
        return PostgresServer(self.url(name))

    def copy_by_dump(self, source: str, target: str) -> None:
        """Copy a database into an empty one as its administrator would: by pg_dump and pg_restore."""
        dump = self.folder / "dump"
        login = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "test")
        self._call("pg_dump", *login, "--format=custom", f"--file={dump}", source)
        self._call("pg_restore", *login, "--exit-on-error", f"--dbname={target}", str(dump))

    def _call(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            (str(self.binaries / program), *arguments), user=self.user, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, cwd="/", check=False, start_new_session=True,
        )  # fmt: skip
        log = self.folder / "log"
        assert done.returncode == 0, f"{program}: {done.stderr}{log.read_text()[-1000:] if log.exists() else ''}"


@contextmanager
def postgres_cluster(settings: str = SETTINGS) -> Iterator[PostgresCluster]:
    """Yield a server that ends with the block. Skips the test where none is installed."""
    newest = newest_server()
    if newest is None:
        pytest.skip(MISSING)
    folder = Path(tempfile.mkdtemp(prefix="tickercast-postgres-"))
    try:
        cluster = PostgresCluster(newest, folder, settings)
        try:
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def newest_server() -> Path | None:
    """Return the folder of the programs of the newest server, None where there is none that is new enough."""
    return next((path for path in reversed(SERVERS) if int(path.parent.name) >= OLDEST), None)


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _children(pid: int) -> list[int]:
    found = subprocess.run(("pgrep", "-P", str(pid)), capture_output=True, text=True, check=False)
    return [int(child) for child in found.stdout.split()]


def _lives(pid: int) -> bool:
    """Return whether a process has not ended; one that nobody has taken the exit code of has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
