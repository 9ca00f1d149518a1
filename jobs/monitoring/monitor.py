"""What the daemon tells monitors while it runs: HTTP on an address, and a textfile. It has threads of its own and only reads.

Both follow the settings file: they are read again every minute. A port in use, or a file that cannot be written, is one log line;
it is tried again every minute, and no cycle waits for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tickercast.jobs import clock
from tickercast.jobs.monitoring.state import HomeState, read_state
from tickercast.jobs.terminal.logs import log_event
from tickercast.jobs.terminal.progress import show_line
from tickercast.jobs.workspace.limits import Limits, read_limits
from tickercast.jobs.workspace.place import Place, open_place
from tickercast.storage.paths import user_path

if TYPE_CHECKING:
    from tickercast.jobs.monitoring.server import MonitorServer

EVERY_SECONDS = 60.0
SAME_STATE_SECONDS = 1.0
END_SECONDS = 2.0


class LatestState:
    """The state of a home for several threads: read by one at a time, and not more often than once a second."""

    def __init__(self, place: Place, *, is_daemon: bool) -> None:
        self.place, self.is_daemon = place, is_daemon
        self._lock = threading.Lock()
        self._state: HomeState | None = None
        self._read_at = 0.0
        self._limits = read_limits(place.folder)

    def limits(self) -> Limits:
        """Return the settings of monitoring; the last ones while the settings file is broken."""
        self._limits = read_limits(self.place.folder, last=self._limits)
        return self._limits

    def __call__(self) -> HomeState:
        """Return the state. Raises StorageError, OSError."""
        with self._lock:
            if self._state is None or time.monotonic() - self._read_at > SAME_STATE_SECONDS:
                self._state = read_state(self.place, self.limits(), clock.now(), is_daemon=self.is_daemon)
                self._read_at = time.monotonic()
            return self._state


class Endpoint:
    """The address that is served, if any."""

    def __init__(self, read: Callable[[], HomeState]) -> None:
        self.read = read
        self.server: MonitorServer | None = None
        self.address: tuple[str, int] | None = None
        self.failed: tuple[str, int] | None = None

    def follow(self, limits: Limits) -> None:
        """Serve the address that the settings name, and no other. A failure is logged once."""
        wanted = (limits.host, int(limits.port)) if limits.port else None
        if wanted == self.address and (self.server is not None or wanted is None):
            return
        self.close()
        self.address = wanted
        if wanted is None:
            return
        from tickercast.jobs.monitoring.server import MonitorServer  # takes memory that a daemon without it does not need

        host, port = wanted
        try:
            self.server = MonitorServer(host, port, self.read)
        except (OSError, OverflowError) as error:
            if self.failed != wanted:
                reason = getattr(error, "strerror", None) or str(error)
                log_event("error", "monitor not served", host=host, port=port, error=f"{reason}; retried every minute")
            self.failed = wanted
            return
        self.failed = None
        log_event("info", "monitor served", host=host, port=port)

    def poll(self, stop: threading.Event, seconds: float) -> None:
        """Answer clients for some seconds."""
        until = time.monotonic() + seconds
        while not stop.is_set() and (left := until - time.monotonic()) > 0:
            if self.server is None:
                stop.wait(left)
            else:
                self.server.poll()

    def close(self) -> None:
        """Serve nothing any more."""
        if self.server is not None:
            self.server.server_close()
            self.server = None


@contextmanager
def monitored(place: Place, *, every_seconds: float = EVERY_SECONDS) -> Iterator[None]:
    """Serve and write the state of a home, as its settings say, until the end."""
    stop = threading.Event()
    read = LatestState(place, is_daemon=True)
    threads = [
        threading.Thread(target=work, args=(read, stop, every_seconds), daemon=True, name=f"monitor-{work.__name__}")
        for work in (_keep_served, _keep_written)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(END_SECONDS)


def _keep_served(read: LatestState, stop: threading.Event, every_seconds: float) -> None:
    endpoint = Endpoint(read)
    while not stop.is_set():
        endpoint.follow(read.limits())
        endpoint.poll(stop, every_seconds)
    endpoint.close()


def _keep_written(read: LatestState, stop: threading.Event, every_seconds: float) -> None:
    failed = None
    while not stop.is_set():
        reason = _write(read)
        if reason and reason != failed:
            log_event("error", "textfile not written", error=f"{reason}; retried every minute")
        failed = reason
        stop.wait(every_seconds)


def write_metrics(place: Place) -> str | None:
    """Write the textfile where the settings name one, in a process that is no daemon. Return what kept it from being written."""
    return _write(LatestState(place, is_daemon=False))


def _write(read: LatestState) -> str | None:
    named = read.limits().textfile
    if not named:
        return None
    from tickercast.jobs.monitoring.textfile import write_named_textfile  # takes memory that a daemon without it does not need

    return write_named_textfile(read.place.folder / user_path(named), read)  # a relative one begins at the home


@contextmanager
def metrics_at_end(folder: Path) -> Iterator[None]:
    """Write the textfile of a home at the end of a run, however that ends. What keeps it from being written is one line.

    Raises what open_place raises.
    """
    place = open_place(folder)
    try:
        yield
    finally:
        if reason := write_metrics(place):
            show_line(f"metrics not written: {reason}")
