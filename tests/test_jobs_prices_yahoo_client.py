"""The Yahoo client by itself, with a clock that tests move: deadlines, reading a response, statuses, headers, the circuit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from tests.price_builders import Clock
from tickercast.jobs import clock
from tickercast.jobs.prices.sources.yahoo_client import (
    RequestStopped,
    ResponseTooLarge,
    ServerError,
    TooManyRequests,
    YahooClient,
    raise_for_status,
    refuse_wrong_clock,
    retry_after_seconds,
    with_base,
)

MB = 1_000_000
CHART = "https://host/v8/finance/chart/IBM"


@dataclass
class Response:
    """A response in parts, each of which takes some seconds on a clock."""

    parts: list[bytes] = field(default_factory=lambda: [b"{}"])
    status_code: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    clock: Clock = field(default_factory=Clock)
    content: bytes = b""
    is_closed: bool = False

    def iter_content(self) -> Iterator[bytes]:
        for part in self.parts:
            self.clock.seconds += self.seconds
            yield part

    def close(self) -> None:
        self.is_closed = True


def client_at(monotonic: Clock, **limits: float) -> YahooClient:
    """Return a client with a deadline of 60 s per ticker and of 600 s for the run."""
    defaults = {"requests_per_second": 1000.0, "ticker_seconds": 60.0, "run_seconds": 600.0}
    return YahooClient(None, **{**defaults, **limits}, monotonic=monotonic)


# --- deadlines ---


def test_each_ticker_has_its_own_deadline() -> None:
    monotonic = Clock()
    client = client_at(monotonic)
    client.start_ticker()
    monotonic.seconds += 59
    assert client.seconds_left() == 1
    client.start_ticker()
    assert client.seconds_left() == 60


def test_a_tickers_deadline_is_not_after_the_runs() -> None:
    monotonic = Clock()
    client = client_at(monotonic)
    monotonic.seconds += 570
    client.start_ticker()
    assert client.seconds_left() == 30


def test_no_ticker_starts_after_the_runs_deadline() -> None:
    monotonic = Clock()
    client = client_at(monotonic)
    monotonic.seconds += 600
    with pytest.raises(RequestStopped, match="the run has used its 600 s"):
        client.start_ticker()


def test_no_request_is_sent_after_a_tickers_deadline() -> None:
    monotonic = Clock()
    client = client_at(monotonic)
    client.start_ticker()
    monotonic.seconds += 60
    with pytest.raises(RequestStopped, match="no response within 60 s"):
        client.start_request(5.0)
    assert client.requests == 0


@pytest.mark.parametrize(("timeout", "expected"), [(5.0, 5.0), (90.0, 60.0), (None, 60.0)])
def test_a_requests_timeout_ends_at_the_tickers_deadline(timeout: float | None, expected: float) -> None:
    client = client_at(Clock())
    client.start_ticker()
    assert (client.start_request(timeout), client.requests) == (expected, 1)


# --- reading a response ---


def test_a_response_is_joined_from_its_parts_and_closed() -> None:
    response = Response([b"{", b'"a": 1', b"}"])
    client_at(response.clock).read(response, timeout=5.0)
    assert (response.content, response.is_closed) == (b'{"a": 1}', True)


@pytest.mark.parametrize("parts", [19, 20])
def test_a_response_of_up_to_20_mb_is_read(parts: int) -> None:
    response = Response([b" " * MB] * parts)
    client_at(response.clock).read(response, timeout=5.0)
    assert len(response.content) == parts * MB


def test_a_larger_response_is_not_read_to_its_end() -> None:
    response = Response([b" " * MB] * 20 + [b"x"] + [b" " * MB] * 100)
    with pytest.raises(ResponseTooLarge, match="more than 20 MB"):
        client_at(response.clock).read(response, timeout=5.0)
    assert (response.content, response.is_closed) == (b"", True)


@pytest.mark.parametrize(("seconds", "parts"), [(1.0, 5), (0.1, 50)])
def test_a_response_may_take_its_whole_timeout(seconds: float, parts: int) -> None:
    response = Response([b"x"] * parts, seconds=seconds)
    client_at(response.clock).read(response, timeout=5.001)
    assert len(response.content) == parts


def test_a_response_that_never_ends_is_stopped_at_its_timeout() -> None:
    response = Response([b"x"] * 1000, seconds=1.0)
    with pytest.raises(RequestStopped, match="no complete response within 5 s"):
        client_at(response.clock).read(response, timeout=5.0)
    assert (response.clock.seconds, response.is_closed) == (1006.0, True)


# --- statuses and headers ---


def test_a_429_is_too_many_requests_with_its_retry_after() -> None:
    with pytest.raises(TooManyRequests) as caught:
        raise_for_status(Response(status_code=429, headers={"Retry-After": "7"}), CHART)
    assert caught.value.retry_after == 7.0


@pytest.mark.parametrize("status", [500, 503, 599])
def test_a_status_from_500_on_is_a_server_error(status: int) -> None:
    with pytest.raises(ServerError, match=f"HTTP {status}"):
        raise_for_status(Response(status_code=status), CHART)


@pytest.mark.parametrize(("status", "url"), [(200, CHART), (404, CHART), (499, CHART), (429, "https://host/crumb")])
def test_other_statuses_are_left_to_yfinance(status: int, url: str) -> None:
    assert raise_for_status(Response(status_code=status), url) is None


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("0.5", 0.5), ("-3", 0.0), ("", None), (None, None), ("Mon, 01 Jan 2024", None)]
)
def test_a_retry_after_is_a_number_of_seconds(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header) == seconds


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        (None, "https://yahoo/v8/T?range=max"),
        ("http://mirror:8080", "http://mirror:8080/v8/T?range=max"),
        ("http://mirror/prices/", "http://mirror/prices/v8/T?range=max"),
    ],
)
def test_a_base_url_replaces_the_host_and_keeps_path_and_query(base_url: str | None, expected: str) -> None:
    assert with_base("https://yahoo/v8/T?range=max", base_url) == expected


# --- the clock ---


@pytest.fixture
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set this machine's clock to noon of 2024-03-05."""
    monkeypatch.setattr(clock, "now", lambda: datetime(2024, 3, 5, 12, tzinfo=UTC))


@pytest.mark.usefixtures("noon")
@pytest.mark.parametrize("date", ["Wed, 06 Mar 2024 12:00:01 GMT", "Mon, 04 Mar 2024 11:59:59 GMT"])
def test_a_server_with_another_date_stops_requests(date: str) -> None:
    with pytest.raises(RequestStopped, match="differ by more than a day"):
        refuse_wrong_clock(date)


@pytest.mark.usefixtures("noon")
@pytest.mark.parametrize(
    "date",
    ["Wed, 06 Mar 2024 12:00:00 GMT", "Mon, 04 Mar 2024 12:00:00 GMT", "Tue, 05 Mar 2024 13:00:00 +0100", "soon", "", None],
)
def test_a_server_within_a_day_or_without_a_date_is_accepted(date: str | None) -> None:
    assert refuse_wrong_clock(date) is None


# --- the circuit breaker ---


def test_an_open_circuit_stops_every_ticker_for_15_minutes() -> None:
    monotonic = Clock()
    client = client_at(monotonic, run_seconds=10_000.0)
    client.open_circuit("Yahoo responded 429")
    monotonic.seconds += 899
    with pytest.raises(RequestStopped, match="Yahoo responded 429; no request was sent"):
        client.start_ticker()
    monotonic.seconds += 1
    client.start_ticker()
    assert client.seconds_left() == 60
