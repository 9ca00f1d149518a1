"""What the daemon tells the service manager that started it: ready, alive, reading its settings again, stopping.

The protocol is sd_notify(3) of systemd: datagrams of NAME=VALUE lines on the socket that the environment names. Without one
nothing is sent. Not here: what the daemon does (daemon), or the heart-beat in the database (heartbeat).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping
from contextlib import suppress

from tickercast.jobs.terminal.secrets import hide_secrets
from tickercast.jobs.terminal.text import printable

SEND_SECONDS = 1.0
VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class ServiceManager:
    """Messages to one service manager. address: of its socket, None = there is none. alive_every: seconds, None = no watchdog."""

    def __init__(self, address: str | None, alive_every: float | None) -> None:
        self.address, self.alive_every = address, alive_every
        self.told_alive_at = float("-inf")
        self.told_status = ""

    @classmethod
    def of_environment(cls, environment: MutableMapping[str, str]) -> ServiceManager:
        """Return the service manager that an environment names, and remove it there: the daemon's processes tell it nothing."""
        name, microseconds, pid = (environment.pop(variable, "") for variable in VARIABLES)
        is_ours = microseconds.isascii() and microseconds.isdigit() and int(microseconds) > 0 and pid in ("", str(os.getpid()))
        # systemd advises half of the time after which it ends a silent service.
        return cls(_address(name), int(microseconds) / 2e6 if is_ours else None)

    def tell(self, *lines: str) -> None:
        """Send some lines. A service manager that does not listen any more misses them."""
        if self.address is None:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(SEND_SECONDS)
            sender.sendto("\n".join(lines).encode(), self.address)

    def tell_status(self, text: str) -> None:
        """Send what the daemon does, if that has changed."""
        if text != self.told_status:
            self.told_status = text
            self.tell(f"STATUS={printable(hide_secrets(' '.join(text.split())))}")

    def tell_alive(self) -> None:
        """Send that the daemon makes progress, if it is time to."""
        now = time.monotonic()
        if self.alive_every is not None and now - self.told_alive_at >= self.alive_every:
            self.told_alive_at = now
            self.tell("WATCHDOG=1")

    def tell_reloading(self) -> None:
        """Send that the settings are being read again. READY=1 has to follow."""
        self.tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def _address(name: str) -> str | None:
    """Return the address of a socket's name: a path, or with @ one without a file; None for another kind."""
    if name.startswith("@"):
        return "\0" + name[1:]
    return name if name.startswith("/") else None
