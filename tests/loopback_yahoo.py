"""A small real HTTP server that answers as Yahoo's chart API does, for tests: recorded bodies, or bars, or faults."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import ZoneInfo

from jobs.sources.yahoo import YahooSource
from jobs.sources.yahoo_door import Door

NEW_YORK = ZoneInfo("America/New_York")
MISSING = {"chart": {"result": None, "error": {"code": "Not Found", "description": "No data found, symbol may be delisted"}}}
Answer = tuple[int, bytes]


@dataclass
class LoopbackYahoo:
    """The server's state: answers by ticker, faults to give first, and the paths that were asked for."""

    url: str = ""
    bodies: dict[str, bytes] = field(default_factory=dict)
    faults: list[Answer] = field(default_factory=list)
    charts_asked: list[str] = field(default_factory=list)

    def record(self, ticker: str, body: bytes) -> None:
        self.bodies[ticker] = body

    def answer(self, path: str, query: dict[str, list[str]]) -> Answer:
        if "/v8/finance/chart/" not in path:
            return (200, b"crumb") if "getcrumb" in path else (404, json.dumps(MISSING).encode())
        ticker = unquote(path.rsplit("/", 1)[1])
        self.charts_asked.append(f"{ticker} {query.get('range', query.get('period1', ['']))[0]}")
        if self.faults:
            return self.faults.pop(0)
        body = self.bodies.get(ticker)
        return (200, body) if body is not None else (404, json.dumps(MISSING).encode())


@contextmanager
def loopback_yahoo() -> Iterator[LoopbackYahoo]:
    """Yield a server on a free port of 127.0.0.1 that lives as long as the block."""
    state = LoopbackYahoo()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state.answer))
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def chart_body(ticker: str, rows: list[tuple[date, float, int]], splits: dict[date, int] | None = None) -> bytes:
    """Return a chart answer for (session, close, volume) rows; open, high and low follow the close."""
    stamps = [_stamp(day) for day, _, _ in rows]
    closes = [close for _, close, _ in rows]
    quote = {
        "open": closes,
        "high": [c * 1.01 for c in closes],
        "low": [c * 0.99 for c in closes],
        "close": closes,
        "volume": [volume for _, _, volume in rows],
    }
    events = {
        "splits": {
            str(_stamp(day)): {"date": _stamp(day), "numerator": ratio, "denominator": 1, "splitRatio": f"{ratio}:1"}
            for day, ratio in (splits or {}).items()
        }
    }
    period = {"timezone": "EST", "start": stamps[-1], "end": stamps[-1] + 23400, "gmtoffset": -18000}
    meta: dict[str, Any] = {
        "currency": "USD",
        "symbol": ticker,
        "instrumentType": "EQUITY",
        "exchangeTimezoneName": "America/New_York",
        "timezone": "EST",
        "gmtoffset": -18000,
        "firstTradeDate": stamps[0],
        "regularMarketTime": stamps[-1] + 23400,
        "regularMarketPrice": closes[-1],
        "priceHint": 2,
        "dataGranularity": "1d",
        "range": "max",
        "hasPrePostMarketData": True,
        "currentTradingPeriod": {"pre": period, "regular": period, "post": period},
        "validRanges": ["1d", "max"],
    }
    result = {
        "meta": meta,
        "timestamp": stamps,
        "events": events,
        "indicators": {"quote": [quote], "adjclose": [{"adjclose": closes}]},
    }
    return json.dumps({"chart": {"result": [result], "error": None}}).encode()


def yahoo_at(url: str, cache: Path, *, ticker_seconds: float = 20, timeout_seconds: float = 5) -> YahooSource:
    """Return the yahoo source against a server, without pauses between tries."""
    door = Door(url, requests_per_second=1000, ticker_seconds=ticker_seconds, run_seconds=600)
    return YahooSource(door, timeout_seconds=timeout_seconds, cache_folder=cache, sleep=lambda _seconds: None)


def _stamp(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, 9, 30, tzinfo=NEW_YORK).timestamp())


def _handler(answer: Callable[[str, dict[str, list[str]]], Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            status, body = answer(asked.path, parse_qs(asked.query))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    return Handler
