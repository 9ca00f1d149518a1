"""The HTTP client of the yahoo source: it limits the rate, the time and the size of every request to Yahoo.

One client serves all tickers of a run. Its circuit breaker opens after several 429 in a row (yahoo_pace), and after several
tickers in a row without a response. While the circuit is open no request is sent. It closes again after 15 minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

from tickercast.jobs import clock
from tickercast.jobs.prices.sources.yahoo_pace import Pace

CIRCUIT_OPEN_SECONDS = 900.0
MOST_BYTES = 20_000_000
MOST_CLOCK_ERROR = timedelta(days=1)
MOST_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
YAHOO = "yahoo.com"
CHART_PATH = "/v8/finance/chart/"
SUMMARY_PATH = "/v10/finance/quoteSummary/"
REPORTS_PATH = "/calendar/earnings"


class RequestStopped(Exception):
    """A deadline, the open circuit or a wrong clock stopped a request. Not an OSError, because yfinance retries those."""


class Paused(RequestStopped):
    """No request was sent: the circuit is open, or the run's time for Yahoo is over."""


class TooManyRequests(Exception):
    """Yahoo responded 429. retry_after: seconds to wait before a retry, None where the response has none."""

    def __init__(self, retry_after: float | None) -> None:
        super().__init__("429")
        self.retry_after = retry_after


class ServerError(OSError):
    """Yahoo responded with a status of 500 or above."""


class NothingFound(Exception):
    """Yahoo responded 404 to a request for the events of a company: it knows none."""


class ResponseTooLarge(Exception):
    """A response is larger than MOST_BYTES."""


@dataclass
class YahooClient:
    """The limits of one run and how much of them is used. monotonic: the clock of the deadlines, in seconds."""

    base_url: str | None
    requests_per_second: float
    ticker_seconds: float
    run_seconds: float
    monotonic: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self.pace = Pace(self.requests_per_second, self.monotonic)
        self.requests = 0
        self.run_deadline = self.monotonic() + self.run_seconds
        self.ticker_deadline = self.run_deadline
        self.circuit_open_until, self.circuit_reason = float("-inf"), ""

    def start_ticker(self, seconds: float | None = None) -> None:
        """Set the next ticker's deadline, after ticker_seconds or fewer.

        Raises Paused while the circuit is open or after the run's deadline.
        """
        now = self.monotonic()
        if now < self.circuit_open_until:
            raise Paused(f"{self.circuit_reason}; no request was sent")
        if now >= self.run_deadline:
            raise Paused(f"the run has used its {self.run_seconds:.0f} s for Yahoo")
        self.ticker_deadline = min(now + min(seconds or self.ticker_seconds, self.ticker_seconds), self.run_deadline)

    def open_circuit(self, reason: str) -> None:
        """Send no request for 15 minutes, for any ticker."""
        self.circuit_open_until, self.circuit_reason = self.monotonic() + CIRCUIT_OPEN_SECONDS, reason

    @property
    def is_refused(self) -> bool:
        """Return whether Yahoo has said 429 so often, or asks for so long a rest, that the circuit should open."""
        return self.pace.is_refused(self.ticker_seconds)

    def seconds_left(self) -> float:
        """Return the seconds until the current ticker's deadline."""
        return self.ticker_deadline - self.monotonic()

    def session(self) -> Any:
        """Return an HTTP session for yfinance whose requests keep to the limits."""
        from curl_cffi import requests

        client = self

        class LimitedSession(requests.Session[requests.Response]):
            def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> requests.Response:
                url = with_base(url, client.base_url)
                response = self.one_request(method, url, *args, **kwargs)
                for _ in range(MOST_REDIRECTS):
                    if (target := redirect_of(response, url, client.base_url)) is None:
                        break
                    url = target
                    response = self.one_request("GET", url, headers=kwargs.get("headers"))
                try:
                    raise_for_status(response, url)
                except TooManyRequests as error:
                    client.pace.slow_down(error.retry_after)
                    raise
                if is_limited(url):
                    client.pace.count_answer()
                return response

            def one_request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> requests.Response:
                timeout = client.start_request(kwargs.get("timeout"))
                options = {**kwargs, "timeout": timeout, "stream": True, "allow_redirects": False}
                response = super().request(method, url, *args, **options)
                client.read(response, timeout)
                return response

        return LimitedSession(impersonate="chrome")

    def start_request(self, timeout: float | None) -> float:
        """Wait for the rate limit, count one request, and return its timeout in seconds. Raises RequestStopped."""
        self.pace.wait_for_turn()
        left = self.seconds_left()
        if left <= 0:
            raise RequestStopped(f"no response within {self.ticker_seconds:.0f} s")
        self.requests += 1
        return min(timeout or left, left)

    def read(self, response: Any, timeout: float) -> None:
        """Read a streamed response into its `content`. Raises RequestStopped after the timeout, ResponseTooLarge."""
        deadline = self.monotonic() + timeout
        parts, size = [], 0
        try:
            for part in response.iter_content():
                parts.append(part)
                size += len(part)
                if size > MOST_BYTES:
                    raise ResponseTooLarge(f"a response of more than {MOST_BYTES // 1_000_000} MB")
                if self.monotonic() > deadline:
                    raise RequestStopped(f"no complete response within {timeout:.0f} s")
        finally:
            response.close()
        response.content = b"".join(parts)
        refuse_wrong_clock(response.headers.get("Date"))


def redirect_of(response: Any, url: str, base_url: str | None) -> str | None:
    """Return where a response redirects to, None where it does not. Raises RequestStopped for a target that is not of Yahoo."""
    location = response.headers.get("Location") if response.status_code in REDIRECTS else None
    if not location:
        return None
    target = urlsplit(urljoin(url, str(location)))
    of_base = base_url is not None and urlsplit(base_url)[:2] == target[:2]
    host = target.hostname or ""
    if of_base or (target.scheme == "https" and (host == YAHOO or host.endswith(f".{YAHOO}"))):
        return target.geturl()
    raise RequestStopped(f"Yahoo redirects to {target.scheme}://{host}, which is not of Yahoo; nothing was requested there")


def raise_for_status(response: Any, url: str) -> None:
    """Raise TooManyRequests for a 429 and ServerError for a 5xx, where the URL is one of prices or of a company's events.

    Raises NothingFound for a 404 of the latter. yfinance itself handles its other requests, such as those for cookies.
    """
    if not is_limited(url):
        return
    if CHART_PATH not in url and response.status_code == 404:
        raise NothingFound
    if response.status_code == 429:
        raise TooManyRequests(retry_after_seconds(response.headers.get("Retry-After")))
    if response.status_code >= 500:
        raise ServerError(f"HTTP {response.status_code}")


def is_limited(url: str) -> bool:
    """Return whether a URL is one of prices or of a company's events, which Yahoo limits."""
    return any(path in url for path in (CHART_PATH, SUMMARY_PATH, REPORTS_PATH))


def refuse_wrong_clock(server_date: str | None) -> None:
    """Raise RequestStopped where the server's date differs by over a day: open sessions would count as closed."""
    try:
        server_time = parsedate_to_datetime(server_date) if server_date else None
    except ValueError:
        return
    if server_time is not None and abs(clock.now() - server_time.astimezone(UTC)) > MOST_CLOCK_ERROR:
        shown = f"{server_time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        raise RequestStopped(f"this machine's clock and Yahoo's ({shown}) differ by more than a day")


def retry_after_seconds(header: str | None) -> float | None:
    """Return the seconds of a Retry-After header, None for a missing one or one with a date."""
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None


def with_base(url: str, base_url: str | None) -> str:
    """Return the URL on the host of base_url and below its path; the URL itself without a base_url."""
    if base_url is None:
        return url
    base, original = urlsplit(base_url), urlsplit(url)
    return urlunsplit((base.scheme, base.netloc, base.path.rstrip("/") + original.path, original.query, ""))
