"""A real HTTP server on this machine with Yahoo's chart API, for tests: recorded bodies, bars, and faults on demand."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import ZoneInfo

import numpy as np

from tests.loopback_reports import Query, Reply, ReportAnswers
from tickercast.jobs.exchanges.calendars import exchange_calendar
from tickercast.jobs.prices.sources.yahoo import YahooSource
from tickercast.jobs.prices.sources.yahoo_client import YahooClient
from tickercast.storage.bars import PRICE_FIELDS, Bars

NEW_YORK = "America/New_York"
REFERENCE = "^VIX"
MISSING = {"chart": {"result": None, "error": {"code": "Not Found", "description": "No data found, symbol may be delisted"}}}


@dataclass
class LoopbackYahoo:
    """The server's state: bodies and bars by ticker, and the chart requests it received.

    faults: replies to send first, each once. always: a reply to send to every request after them. today: the last session
    of served bars, which are adjusted for the splits up to it; None = all. events: what it sends of companies' reports.
    reference: a reply to every request for ^VIX, which are counted alone and have no faults of others.
    """

    url: str = ""
    bodies: dict[str, bytes] = field(default_factory=dict)
    served: dict[str, tuple[Bars, dict[str, Any]]] = field(default_factory=dict)
    faults: list[Reply] = field(default_factory=list)
    always: Reply | None = None
    today: date | None = None
    chart_requests: list[str] = field(default_factory=list)
    reference: Reply | None = None
    reference_requests: int = 0
    events: ReportAnswers = field(default_factory=ReportAnswers)
    closing: threading.Event = field(default_factory=threading.Event)

    def record(self, ticker: str, body: bytes) -> None:
        """Answer requests for a ticker with a body."""
        self.bodies[ticker] = body

    def serve(self, ticker: str, bars: Bars, **meta: Any) -> None:
        """Answer requests for a ticker with bars as Yahoo does: adjusted for splits up to today, from the requested day on."""
        self.served[ticker] = (bars, meta)

    def requested_tickers(self) -> list[str]:
        """Return the tickers of the chart requests, each once, in the order of their first request."""
        return list(dict.fromkeys(request.split()[0] for request in self.chart_requests))

    def reply(self, path: str, query: Query) -> Reply:
        """Return the reply to a request, and note it if it is one for a chart."""
        if (answer := self.events.answer(path, query)) is not None:
            return answer
        if "/v8/finance/chart/" not in path:
            return Reply(200, b"crumb") if "getcrumb" in path else Reply(404, json.dumps(MISSING).encode())
        ticker = unquote(path.rsplit("/", 1)[1])
        if ticker == REFERENCE:
            self.reference_requests += 1
            return self.reference or self._reply_with_bars(ticker, query)
        self.chart_requests.append(f"{ticker} {query.get('range', query.get('period1', ['']))[0]}")
        if self.faults:
            return self.faults.pop(0)
        if self.always is not None:
            return self.always
        return self._reply_with_bars(ticker, query)

    def _reply_with_bars(self, ticker: str, query: Query) -> Reply:
        body = self.bodies.get(ticker) or self._served(ticker, query)
        return Reply(200, body) if body is not None else Reply(404, json.dumps(MISSING).encode())

    def _served(self, ticker: str, query: Query) -> bytes | None:
        if ticker not in self.served:
            return None
        bars, meta = self.served[ticker]
        if self.today is not None:
            bars = bars.through(self.today)
        first = int(query.get("period1", ["-9999999999"])[0])
        since = date(1970, 1, 1) if first < 0 else datetime.fromtimestamp(first, UTC).date()
        adjusted = adjusted_for_splits(bars)
        return body_of(ticker, adjusted.select(adjusted.session >= np.datetime64(since)), **meta)


@contextmanager
def loopback_yahoo() -> Iterator[LoopbackYahoo]:
    """Yield a server on a free port of 127.0.0.1. It stops at the end of the block, and replies that wait end at once."""
    state = LoopbackYahoo()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        state.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def chart_body(ticker: str, rows: list[tuple[date, float, int]], splits: dict[date, int] | None = None) -> bytes:
    """Return a chart answer for (session, close, volume) rows; open, high and low follow the close."""
    closes = np.array([close for _, close, _ in rows])
    events = {
        "splits": {
            str(_stamp(day, NEW_YORK)): {"date": _stamp(day, NEW_YORK), "numerator": ratio, "denominator": 1}
            for day, ratio in (splits or {}).items()
        }
    }
    quote = {
        "open": closes.tolist(), "high": (closes * 1.01).tolist(), "low": (closes * 0.99).tolist(),
        "close": closes.tolist(), "volume": [volume for _, _, volume in rows],
    }  # fmt: skip
    return _body(ticker, [_stamp(day, NEW_YORK) for day, _, _ in rows], quote, events, {})


def adjusted_for_splits(bars: Bars) -> Bars:
    """Return as-traded bars in shares of the last bar's count: prices and dividends divided by later splits."""
    shares = np.ones(len(bars))
    shares[:-1] = np.cumprod(bars.split[:0:-1])[::-1]
    prices = {name: getattr(bars, name) / shares for name in PRICE_FIELDS}
    return replace(bars, **prices, dividend=bars.dividend / shares, volume=np.rint(bars.volume * shares).astype(np.int64))


def body_of(ticker: str, bars: Bars, **meta: Any) -> bytes:
    """Return a chart answer for bars as they are, prices as float32, with their splits and dividends as events."""
    zone = meta.get("exchangeTimezoneName", NEW_YORK)
    stamps = [_stamp(day, zone) for day in bars.session.tolist()]
    quote: dict[str, list[Any]] = {
        name: np.asarray(getattr(bars, name), np.float32).astype(float).tolist() for name in ("open", "high", "low", "close")
    }
    quote["volume"] = bars.volume.tolist()
    splits = {
        str(stamps[i]): {"date": stamps[i], "numerator": float(bars.split[i]), "denominator": 1.0}
        for i in np.flatnonzero(bars.split != 1)
    }
    dividends = {
        str(stamps[i]): {"date": stamps[i], "amount": float(bars.dividend[i])} for i in np.flatnonzero(bars.dividend > 0)
    }
    return _body(ticker, stamps, quote, {"splits": splits, "dividends": dividends}, meta)


def without_prices(body: bytes) -> bytes:
    """Return a chart answer whose last row has a volume and null prices."""
    document = json.loads(body)
    quote = document["chart"]["result"][0]["indicators"]["quote"][0]
    for name in PRICE_FIELDS:
        quote[name][-1] = None
    return json.dumps(document).encode()


def _body(ticker: str, stamps: list[int], quote: dict[str, list[Any]], events: dict[str, Any], more: dict[str, Any]) -> bytes:
    last = stamps[-1] if stamps else 0
    period = {"timezone": "EST", "start": last, "end": last + 23400, "gmtoffset": -18000}
    meta: dict[str, Any] = {
        "currency": "USD",
        "symbol": ticker,
        "instrumentType": "EQUITY",
        "exchangeTimezoneName": NEW_YORK,
        "timezone": "EST",
        "gmtoffset": -18000,
        "firstTradeDate": stamps[0] if stamps else 0,
        "regularMarketTime": last + 23400,
        "regularMarketPrice": quote["close"][-1] if stamps else 0,
        "priceHint": 2,
        "dataGranularity": "1d",
        "range": "max",
        "hasPrePostMarketData": True,
        "currentTradingPeriod": {"pre": period, "regular": period, "post": period},
        "validRanges": ["1d", "max"],
        **more,
    }
    indicators = {"quote": [quote], "adjclose": [{"adjclose": quote["close"]}]}
    result = {"meta": meta, "timestamp": stamps, "events": events, "indicators": indicators}
    return json.dumps({"chart": {"result": [result], "error": None}}).encode()


def recent_rows(sessions: int) -> list[tuple[date, float, int]]:
    """Return (session, price, volume) of the last sessions of New York that have closed by now."""
    calendar = exchange_calendar("XNYS")
    last = calendar.last_closed_session(datetime.now(UTC), 45)
    assert last is not None
    days = [calendar.session_offset(last, -i) for i in range(sessions - 1, -1, -1)]
    return [(day, 100.0 * 1.001 ** ((i * 7) % 13), 10_000 + i) for i, day in enumerate(days)]


def yahoo_at(
    url: str, cache: Path, *, ticker_seconds: float = 20, sleep: Callable[[float], None] = lambda _seconds: None
) -> YahooSource:
    """Return the yahoo source on a server. Its retries do not wait; sleep: called with the seconds instead."""
    client = YahooClient(url, requests_per_second=1000, ticker_seconds=ticker_seconds, run_seconds=600)
    return YahooSource(client, timeout_seconds=5, cache_folder=cache, sleep=sleep)


def _stamp(day: date, zone: str) -> int:
    return int(datetime(day.year, day.month, day.day, 9, 30, tzinfo=ZoneInfo(zone)).timestamp())


def _handler(state: LoopbackYahoo) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            reply = state.reply(url.path, parse_qs(url.query))
            state.closing.wait(reply.wait)
            try:
                self.send_response_only(reply.status)
                headers = {"Content-Type": "application/json", "Date": self.date_time_string(), **dict(reply.headers)}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self._send(reply)
            except OSError:
                self.close_connection = True  # the client closed its end

        def _send(self, reply: Reply) -> None:
            body = reply.body if reply.cut is None else reply.body[: reply.cut]
            if not reply.drip:
                self.wfile.write(body)
            for byte in body if reply.drip else b"":
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                state.closing.wait(reply.drip)
            if reply.cut is not None:
                self.close_connection = True

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    return Handler
