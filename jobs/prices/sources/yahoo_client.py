"""The door that every request to Yahoo goes through: paced, counted, bounded in time and size, shut by a 429.

One per run, for all tickers. A 429 after its retries, or three tickers in a row without an answer, shut the door for everybody,
so that the tickers that remain neither make it worse nor wait in vain; it opens again after a pause. What a deadline, the size
of a body or the shut door stop raises Stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

SHUT_SECONDS = 900.0
MOST_BYTES = 20_000_000
MOST_CLOCK_ERROR = timedelta(days=1)
CHART = "/v8/finance/chart/"


class Stopped(Exception):
    """A request was not made, or its answer not taken. Not an OSError: yfinance would ask again."""


class TooManyRequests(Exception):
    """Yahoo answered 429. retry_after: the seconds it asks for, None where it does not say."""

    def __init__(self, retry_after: float | None) -> None:
        super().__init__("429")
        self.retry_after = retry_after


class ServerFault(OSError):
    """Yahoo answered with a fault of its own (5xx)."""


class BodyTooLarge(Exception):
    pass


@dataclass
class Door:
    """Limits of one run. monotonic: the clock of deadlines, seconds."""

    base_url: str | None
    requests_per_second: float
    ticker_seconds: float
    run_seconds: float
    monotonic: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        from pyrate_limiter import Limiter, Rate

        interval = max(1, round(1000 / self.requests_per_second))
        self.limiter = Limiter(Rate(1, interval), buffer_ms=min(50, interval))
        self.requests = 0
        self.run_ends = self.monotonic() + self.run_seconds
        self.ticker_ends = self.run_ends
        self.shut_until, self.shut_because = float("-inf"), ""

    def next_ticker(self) -> None:
        """Begin another ticker's time. Raises Stopped while the door is shut or when the run's time is over."""
        now = self.monotonic()
        if now < self.shut_until:
            raise Stopped(f"{self.shut_because}; not asked again for a while")
        if now >= self.run_ends:
            raise Stopped(f"the run's {self.run_seconds:.0f} s for Yahoo are over")
        self.ticker_ends = min(now + self.ticker_seconds, self.run_ends)

    def shut(self, because: str) -> None:
        """Let nobody through for a while."""
        self.shut_until, self.shut_because = self.monotonic() + SHUT_SECONDS, because

    def seconds_left(self) -> float:
        return self.ticker_ends - self.monotonic()

    def session(self) -> Any:
        """Return the client session that keeps to all this."""
        from curl_cffi import requests

        door = self

        class PacedSession(requests.Session):  # type: ignore[type-arg, misc, unused-ignore]
            def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Any:
                door.limiter.try_acquire("yahoo")
                left = door.seconds_left()
                if left <= 0:
                    raise Stopped(f"no answer within {door.ticker_seconds:.0f} s")
                door.requests += 1
                kwargs["timeout"] = min(float(kwargs.get("timeout") or left), left)
                kwargs["stream"] = True
                response = super().request(method, _moved(url, door.base_url), *args, **kwargs)
                door.read(response, kwargs["timeout"])
                if response.status_code == 429 and CHART in url:
                    raise TooManyRequests(_seconds(response.headers.get("Retry-After")))
                if response.status_code >= 500 and CHART in url:
                    raise ServerFault(f"HTTP {response.status_code}")
                return response

        return PacedSession(impersonate="chrome")

    def read(self, response: Any, seconds: float) -> None:
        """Read an answer's body, so much of it and for so long. Raises Stopped and BodyTooLarge."""
        ends = self.monotonic() + seconds
        parts, size = [], 0
        try:
            for part in response.iter_content():
                parts.append(part)
                size += len(part)
                if size > MOST_BYTES:
                    raise BodyTooLarge(f"an answer of more than {MOST_BYTES // 1_000_000} MB")
                if self.monotonic() > ends:
                    raise Stopped(f"no whole answer within {seconds:.0f} s")
        finally:
            response.close()
        response.content = b"".join(parts)
        _refuse_wrong_clock(response.headers.get("Date"))


def _refuse_wrong_clock(stated: str | None) -> None:
    """Raise Stopped where the server's date is a day or more from ours: sessions would count as closed that are not."""
    try:
        theirs = parsedate_to_datetime(stated) if stated else None
    except ValueError:
        return
    if theirs is not None and abs(datetime.now(UTC) - theirs.astimezone(UTC)) > MOST_CLOCK_ERROR:
        raise Stopped(f"this machine's clock and Yahoo's ({theirs:%Y-%m-%d %H:%M} UTC) differ by more than a day")


def _seconds(retry_after: str | None) -> float | None:
    try:
        return max(0.0, float(retry_after)) if retry_after else None
    except ValueError:
        return None


def _moved(url: str, base_url: str | None) -> str:
    if base_url is None:
        return url
    base, asked = urlsplit(base_url), urlsplit(url)
    return urlunsplit((base.scheme, base.netloc, base.path.rstrip("/") + asked.path, asked.query, ""))
