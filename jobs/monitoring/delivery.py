"""Deliver a message to the services that URLs name: mail, Slack, a webhook and a hundred more. Only here is apprise.

It is loaded when a message is sent, not before. No part of a URL is ever shown, nor what the library says of one, because each
part may be a secret: a URL is named by its number. Not here: what is told, and when (jobs.runs.notices).
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from apprise import Apprise, AppriseAsset

Mood = Literal["warning", "failure", "success", "info"]
LONGEST_SECONDS = 20.0  # for all URLs together: a slow server delays a look by no more
LIBRARIES = ("apprise", "urllib3", "requests")
NO_SERVICE = "no service has such a URL, or a part of it is missing"
REASONS = (
    (r"error=(\d{3})", "HTTP status {0}"),
    (r"Socket Exception.*timed out", "no answer in time"),
    (r"Socket Exception.*refused", "connection refused"),
    (r"Socket Exception.*(?:resolv|Name or service|getaddrinfo)", "unknown host"),
    (r"Socket Exception.*[Cc]ertificate", "its certificate is not trusted"),
    (r"Socket Exception.*(?:\b535\b|[Aa]uthentication)", "login refused"),
    (r"Socket Exception|[Cc]onnection", "no connection"),
)


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: a title, a body of plain lines, and how it is meant."""

    title: str
    body: str
    mood: Mood


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a message at one URL. name: which URL, without any secret. problem: None where it was delivered."""

    name: str
    problem: str | None


def deliver(urls: Sequence[str], message: Message, seconds: float = LONGEST_SECONDS) -> list[Delivery]:
    """Send a message to every URL at the same time, and return for each how that went. None takes longer than some seconds."""
    with _Reasons() as reasons:
        attempts = [_Attempt(*_service(number, url), message) for number, url in enumerate(urls, start=1)]
        deadline = time.monotonic() + seconds
        for attempt in attempts:
            attempt.start()
        for attempt in attempts:
            attempt.join(max(0.0, deadline - time.monotonic()))
        return [attempt.outcome(reasons) for attempt in attempts]


def unknown_urls(urls: Sequence[str], checked: Path) -> list[Delivery]:
    """Return the URLs that no service has. checked: a file with the hash of those found good, which are not looked at again."""
    digest = hashlib.sha256(repr((tuple(urls), version("apprise"))).encode()).hexdigest() if urls else ""
    with suppress(OSError):
        if not urls or checked.read_text() == digest:
            return []
    with _Reasons():
        named = [_service(number, url) for number, url in enumerate(urls, start=1)]
    unknown = [Delivery(name, NO_SERVICE) for name, service in named if service is None]
    if not unknown:
        with suppress(OSError):  # a disk that is full
            checked.parent.mkdir(exist_ok=True)
            checked.touch(mode=0o600)
            checked.write_text(digest)
    return unknown


def failures_text(failures: Sequence[Delivery]) -> str:
    """Return the deliveries that failed, each with its URL's name and its problem, on one line."""
    return "; ".join(f"notices.urls, {failure.name}: {failure.problem}" for failure in failures)


def _service(number: int, url: str) -> tuple[str, Apprise | None]:
    """Return the name of a URL, and what sends to it; None where no service has such a URL."""
    from apprise import Apprise

    service = Apprise(asset=_asset())
    if not service.add(url):
        return f"URL {number}", None
    return f"URL {number} ({url.partition('://')[0].lower()})", service


def _asset() -> AppriseAsset:
    """Return how messages name their sender, and that our own thread sends them: the library's would be waited for at the end."""
    from apprise import AppriseAsset

    return AppriseAsset(
        app_id="Tickercast", app_desc="Tickercast", app_url="", image_url_mask="", image_url_logo="", async_mode=False,
        service_timeout=0, storage_mode="memory",
    )  # fmt: skip


class _Attempt(threading.Thread):
    """Sends to one URL. A thread that goes on after its time ends with the process."""

    def __init__(self, name: str, service: Apprise | None, message: Message) -> None:
        super().__init__(name=name, daemon=True)
        self.service, self.message = service, message
        self.problem: str | None = "no answer in time"

    def run(self) -> None:
        """Send, and note a failure without a word of the library's."""
        from apprise import NotifyFormat, NotifyType

        if self.service is None:
            self.problem = NO_SERVICE
            return
        title, body, mood = self.message.title, self.message.body, NotifyType(self.message.mood)
        try:
            self.problem = None if self.service.notify(body, title, mood, body_format=NotifyFormat.TEXT) else ""
        except Exception as error:  # a fault of one service is no fault of ours
            self.problem = type(error).__name__

    def outcome(self, reasons: _Reasons) -> Delivery:
        """Return how it went so far. An empty problem: the library has logged it."""
        return Delivery(self.name, reasons.of(self.name) if self.problem == "" else self.problem)


class _Reasons(logging.Handler):
    """While it is open, what the libraries log goes nowhere but into a reason in our own words."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.found: dict[str, str] = {}

    def __enter__(self) -> _Reasons:
        for name in LIBRARIES:
            logger = logging.getLogger(name)
            logger.propagate = False
            logger.handlers[:] = [self]
            logger.setLevel(logging.DEBUG if name == "apprise" else logging.CRITICAL)
        return self

    def __exit__(self, *_: object) -> None:
        """Stay in place: an attempt whose time was over may log later."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the reason that a thread logs."""
        text = record.getMessage()
        for pattern, reason in REASONS:
            if match := re.search(pattern, text, re.DOTALL):
                self.found[record.threadName or ""] = reason.format(*match.groups())
                return

    def of(self, thread: str) -> str:
        """Return why a thread could not send."""
        return self.found.get(thread, "not accepted")
