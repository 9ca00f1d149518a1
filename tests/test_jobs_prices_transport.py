"""Requests to Yahoo through the real client and a loopback server: retries, deadlines, the circuit breaker, bad responses."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.loopback_yahoo import LoopbackYahoo, Reply, body_of, loopback_yahoo, yahoo_at
from tests.price_builders import Clock, bars_of_moves, day_of
from tests.price_homes import PriceHome
from tickercast.jobs.errors import NothingFetched
from tickercast.jobs.prices.sources.base import BadSourceData, SourceUnavailable
from tickercast.jobs.prices.sources.yahoo import YahooSource

pytestmark = pytest.mark.slow

BODY = body_of("T", bars_of_moves(0.01, -0.01))
MakeHome = Callable[..., PriceHome]


# --- deadlines ---


@pytest.mark.parametrize(
    "reply", [Reply(200, b" " * 200, drip=0.02), Reply(200, BODY, wait=4)], ids=["a byte at a time", "no byte"]
)
def test_a_response_that_takes_too_long_ends_with_the_tickers_deadline(
    server: LoopbackYahoo, tmp_path: Path, reply: Reply
) -> None:
    # The whole reply takes 4 s. A client that waits for it gets bad data or bars, not an unavailable source.
    server.always = reply
    with pytest.raises(SourceUnavailable, match="T: "):
        yahoo_at(server.url, tmp_path, ticker_seconds=2).fetch("T", None)


# --- bad responses ---


def test_a_response_beyond_all_bounds_is_bad_data(server: LoopbackYahoo, tmp_path: Path) -> None:
    server.always = Reply(200, b" " * 20_000_001)
    with pytest.raises(BadSourceData, match="T: Yahoo sent a response of more than 20 MB"):
        yahoo_at(server.url, tmp_path).fetch("T", None)


def test_a_response_that_is_cut_off_is_no_response(server: LoopbackYahoo, tmp_path: Path) -> None:
    server.always = Reply(200, BODY, cut=100)
    with pytest.raises(SourceUnavailable, match="T: Yahoo does not respond"):
        yahoo_at(server.url, tmp_path).fetch("T", None)


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:{port}/v8/finance/chart/T", "file:///etc/hostname", "http://169.254.169.254/"]
)
def test_a_redirect_to_another_host_is_not_followed(server: LoopbackYahoo, tmp_path: Path, target: str) -> None:
    with loopback_yahoo() as elsewhere:
        elsewhere.record("T", BODY)
        location = target.format(port=elsewhere.url.rsplit(":", 1)[1])
        server.always = Reply(302, b"", (("Location", location),))
        with pytest.raises(SourceUnavailable, match=r"T: Yahoo redirects to .*, which is not of Yahoo"):
            yahoo_at(server.url, tmp_path).fetch("T", None)
        assert elsewhere.chart_requests == []


def test_a_redirect_to_the_same_host_is_followed(server: LoopbackYahoo, tmp_path: Path) -> None:
    server.record("T", BODY)
    server.faults = [Reply(302, b"", (("Location", "/v8/finance/chart/T"),))]
    assert len(yahoo_at(server.url, tmp_path).fetch("T", None).bars) == 3


# --- proxies and certificates ---


def test_a_proxy_of_the_environment_is_used(server: LoopbackYahoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    server.record("T", BODY)
    assert len(yahoo_at("http://prices.invalid", tmp_path).fetch("T", None).bars) == 3


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_server_whose_certificate_nobody_signed_gets_no_request(tmp_path: Path) -> None:
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout", key]
    subprocess.run([*made, "-out", certificate], check=True, capture_output=True)
    requested: list[str] = []

    class Prices(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested.append(self.path)
            self.send_response(404)
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Prices) as secured:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        secured.socket = context.wrap_socket(secured.socket, server_side=True)
        threading.Thread(target=secured.serve_forever).start()
        try:
            with pytest.raises(SourceUnavailable, match="T: Yahoo does not respond"):
                yahoo_at(f"https://127.0.0.1:{secured.server_port}", tmp_path).fetch("T", None)
        finally:
            secured.shutdown()
    assert requested == []


# --- the clock ---


def test_nothing_is_stored_while_the_clock_is_wrong(price_home: MakeHome, server: LoopbackYahoo) -> None:
    home = price_home("IBM")
    server.always = Reply(200, BODY, (("Date", "Mon, 06 Jan 2020 10:00:00 GMT"),))
    with pytest.raises(NothingFetched, match="this machine's clock and Yahoo's"):
        home.run(day_of("2012-06-12"))
    assert home.rows("price_file", "ticker") == []


# --- retries ---


def test_a_retry_waits_as_long_as_yahoo_states(server: LoopbackYahoo, tmp_path: Path) -> None:
    waited: list[float] = []
    server.record("T", BODY)
    server.faults = [Reply(429, b"Too Many Requests", (("Retry-After", "7"),))]
    assert len(yahoo_at(server.url, tmp_path, sleep=waited.append).fetch("T", None).bars) == 3
    assert waited == [7.0]


def test_the_back_off_doubles_with_jitter(server: LoopbackYahoo, tmp_path: Path) -> None:
    waited: list[float] = []
    server.always = Reply(503, b"down")
    with pytest.raises(SourceUnavailable, match="HTTP 503"):
        yahoo_at(server.url, tmp_path, sleep=waited.append).fetch("T", None)
    assert [wait <= longest for wait, longest in zip(waited, (1, 2, 4), strict=True)] == [True] * 3


def test_a_retry_that_would_come_after_the_deadline_is_not_waited_for(server: LoopbackYahoo, tmp_path: Path) -> None:
    waited: list[float] = []
    server.record("T", BODY)
    server.faults = [Reply(429, b"Too Many Requests", (("Retry-After", "9999"),))]
    with pytest.raises(SourceUnavailable, match="429"):
        yahoo_at(server.url, tmp_path, sleep=waited.append).fetch("T", None)
    assert waited == []


# --- the circuit breaker ---


def failures(source: YahooSource, tickers: list[str]) -> list[str]:
    """Return why each ticker could not be fetched, without its name."""
    messages = []
    for ticker in tickers:
        with pytest.raises(SourceUnavailable) as caught:
            source.fetch(ticker, None)
        messages.append(str(caught.value).removeprefix(f"{ticker}: "))
    return messages


def test_a_429_that_outlasts_the_retries_opens_the_circuit(server: LoopbackYahoo, tmp_path: Path) -> None:
    server.always = Reply(429, b"Too Many Requests")
    messages = failures(yahoo_at(server.url, tmp_path), ["T0", "T1", "T2"])
    assert messages[0] == "Yahoo responded 429 (too many requests); retry later"
    assert messages[1:] == ["Yahoo responded 429 (too many requests); no request was sent; retry later"] * 2
    assert server.requested_tickers() == ["T0"]
    assert len(server.chart_requests) <= 5


def test_three_tickers_without_a_response_open_the_circuit(server: LoopbackYahoo, tmp_path: Path) -> None:
    server.always = Reply(503, b"down")
    messages = failures(yahoo_at(server.url, tmp_path), ["T0", "T1", "T2", "T3"])
    assert messages[3] == "Yahoo did not respond for 3 tickers in a row; no request was sent; retry later"
    assert server.requested_tickers() == ["T0", "T1", "T2"]


def test_after_its_pause_one_more_silent_ticker_opens_the_circuit_again(server: LoopbackYahoo, tmp_path: Path) -> None:
    monotonic = Clock()
    source = yahoo_at(server.url, tmp_path)
    source.client.monotonic = monotonic
    source.client.run_deadline = monotonic() + 10_000
    server.always = Reply(503, b"down")
    failures(source, ["T0", "T1", "T2"])
    monotonic.seconds += 900
    failures(source, ["T3", "T4"])
    assert server.requested_tickers() == ["T0", "T1", "T2", "T3"]


def test_a_ticker_that_responds_ends_the_count_of_silent_ones(server: LoopbackYahoo, tmp_path: Path) -> None:
    source = yahoo_at(server.url, tmp_path)
    server.always = Reply(503, b"down")
    failures(source, ["T0", "T1"])
    server.always, server.bodies = None, {"T": BODY}
    source.fetch("T", None)
    server.always = Reply(503, b"down")
    failures(source, ["T2", "T3"])
    assert server.requested_tickers() == ["T0", "T1", "T", "T2", "T3"]


def test_a_run_that_only_meets_a_429_fetches_nothing_and_says_so(price_home: MakeHome, server: LoopbackYahoo) -> None:
    home = price_home(*(f"T{i}" for i in range(20)))
    server.always = Reply(429, b"Edge: Too Many Requests", (("Retry-After", "0"),))
    with pytest.raises(NothingFetched, match=r"20 tickers left for the next run: Yahoo responded 429 \(too many requests\)"):
        home.run(day_of("2012-06-12"))
    assert server.requested_tickers() == ["T0", "T1", "T2", "T3"]


# --- the cache ---


def test_a_file_in_place_of_the_cache_folder_is_an_error_of_storage(price_home: MakeHome) -> None:
    home = price_home("IBM")
    home.home.cache.mkdir(parents=True, exist_ok=True)
    (home.home.cache / "yfinance").write_text("a file")
    with pytest.raises(FileExistsError, match="yfinance"):
        home.run(day_of("2012-06-12"))
