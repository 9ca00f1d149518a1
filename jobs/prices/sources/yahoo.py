"""The yahoo source: daily bars from Yahoo's chart API by yfinance, converted to as traded.

A ticker costs one request once its time zone is cached. Failed requests are retried with a growing back-off. With
yahoo.base_url every request goes to that host, for example to a mirror or a loopback server. yahoo_client has the limits.
"""

from __future__ import annotations

import logging
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from tickercast.jobs.exchanges.symbols import exchange_of
from tickercast.jobs.exchanges.zones import exchange_of_zone
from tickercast.jobs.prices.sources.adjusting import as_traded
from tickercast.jobs.prices.sources.base import (
    BadSourceData,
    Fetch,
    RequestsPaused,
    SourceSettings,
    SourceUnavailable,
    UnknownTicker,
)
from tickercast.jobs.prices.sources.yahoo_client import (
    Paused,
    RequestStopped,
    ResponseTooLarge,
    ServerError,
    TooManyRequests,
    YahooClient,
)
from tickercast.jobs.prices.sources.yahoo_events import YahooEvents
from tickercast.jobs.terminal.secrets import shortened
from tickercast.jobs.terminal.text import counted
from tickercast.storage.bars import PRICE_FIELDS, Bars, Listing, make_bars, refuse_bad_rows

if TYPE_CHECKING:
    import pandas as pd
    import tenacity

MOST_ATTEMPTS = 4
LONGEST_BACKOFF_SECONDS = 20.0
MOST_SILENT_ATTEMPTS = 3 * MOST_ATTEMPTS  # of tickers in a row without a response: then the circuit opens
META_KEYS = ("symbol", "currency", "exchangeTimezoneName", "instrumentType")
# Other types of instruments count as their symbols say.
INSTRUMENT_KINDS = {
    "EQUITY": "stock", "ETF": "fund", "MUTUALFUND": "fund", "MONEYMARKET": "fund", "INDEX": "index", "FUTURE": "index",
    "CRYPTOCURRENCY": "crypto", "CURRENCY": "currency",
}  # fmt: skip


class YahooCharts:
    """Requests charts by yfinance: one attempt per call, its errors translated."""

    def __init__(self, client: YahooClient, timeout_seconds: float, cache_folder: Path) -> None:
        self.client, self.timeout_seconds, self.cache_folder = client, timeout_seconds, cache_folder
        self.session: Any = None

    def fetch(self, ticker: str, start: date | None) -> Fetch:
        """Return the bars of one response. Raises SourceError, TooManyRequests or RequestStopped."""
        frame, meta = self._request(ticker, start)
        if frame.empty:
            raise UnknownTicker(f"{ticker}: Yahoo returned no bars")
        if str(meta.get("symbol", "")).upper() != ticker:
            raise BadSourceData(f"{ticker}: Yahoo returned prices of {meta.get('symbol')!r}")
        try:
            adjusted = bars_of_frame(frame)
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise BadSourceData(f"{ticker}: Yahoo's response is not a price history ({_fault(error)})") from error
        bars, refused = refuse_bad_rows(adjusted)
        if not len(bars):
            raise BadSourceData(f"{ticker}: none of Yahoo's {len(frame)} rows has usable prices")
        zone = str(meta.get("exchangeTimezoneName", ""))
        exchange = exchange_of(ticker, default=exchange_of_zone(zone))
        kind = INSTRUMENT_KINDS.get(str(meta.get("instrumentType", "")).upper(), "")
        listing = Listing(ticker, str(meta.get("currency") or ""), exchange, zone, "as_traded", kind)
        traded, beyond = refuse_bad_rows(as_traded(bars))  # the product of absurd splits can carry a price beyond all bounds
        return Fetch(listing, traded, refused + beyond)

    def _request(self, ticker: str, start: date | None) -> tuple[pd.DataFrame, dict[str, Any]]:
        """Return yfinance's frame and the response's meta. Translates yfinance's errors."""
        yf = self.yfinance()
        # Without an end the response has all splits up to now. yfinance's own cache would repeat a failed response.
        span: dict[str, Any] = {"start": start - timedelta(days=1)} if start else {"period": "max"}
        yf.data.YfData.cache_get.cache_clear()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # yfinance's use of pandas, and absurd numbers that the gates judge later
                handle = yf.Ticker(ticker, session=self.session)
                frame = handle.history(
                    **span, auto_adjust=False, actions=True, repair=False, keepna=True, timeout=self.timeout_seconds
                )
                meta = handle.history_metadata or {}
                return frame, {key: meta[key] for key in META_KEYS if key in meta}
        except (RequestStopped, TooManyRequests):
            raise
        except yf.exceptions.YFRateLimitError as error:
            raise TooManyRequests(None) from error
        except yf.exceptions.YFTickerMissingError as error:
            reason = getattr(error, "yahoo_reason", None) or "no such ticker, or delisted"
            raise UnknownTicker(f"{ticker}: Yahoo has no prices: {shortened(' '.join(str(reason).split()), 200)}") from error
        except OSError as error:
            fault = str(error) if isinstance(error, ServerError) else type(error).__name__
            raise SourceUnavailable(f"{ticker}: Yahoo does not respond ({fault}); retry later") from error
        except ResponseTooLarge as error:
            raise BadSourceData(f"{ticker}: Yahoo sent {error}") from error
        except Exception as error:  # yfinance fails with any type on a response that it does not expect
            raise BadSourceData(f"{ticker}: Yahoo's response is not a price history ({_fault(error)})") from error

    def yfinance(self) -> Any:
        """Return yfinance. The first call makes it raise errors, log nothing, and use our cache folder and session."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            import yfinance as yf
        if self.session is None:
            logging.getLogger("yfinance").setLevel(logging.CRITICAL)
            yf.config.debug.hide_exceptions = False
            self.cache_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            yf.set_tz_cache_location(str(self.cache_folder))
            self.session = self.client.session()
        return yf


class YahooSource:
    """Yahoo's daily bars. sleep: waits before a retry; tests replace it."""

    kind = "yahoo"
    live = True

    def __init__(
        self, client: YahooClient, *, timeout_seconds: float, cache_folder: Path, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        if client.base_url is not None and urlsplit(client.base_url).scheme not in ("http", "https"):
            raise SourceSettings(f"yahoo.base_url {client.base_url!r} is not an http or https address")
        self.client, self.sleep = client, sleep
        self.charts = YahooCharts(client, timeout_seconds, cache_folder)
        self.events = YahooEvents(client, self.charts, timeout_seconds, self._rest)
        self._silent_tickers = self._silent_attempts = 0
        self._lock = threading.Lock()

    @property
    def requests(self) -> int:
        """Return how many requests were sent."""
        return self.client.requests

    def tickers(self) -> list[str]:
        """Return an empty list: Yahoo does not list its tickers."""
        return []

    def left_out(self) -> list[str]:
        """Return an empty list."""
        return []

    def version(self, ticker: str, older_names: Sequence[str] = ()) -> None:
        """Return None: only a request can tell."""
        return None

    def fetch(self, ticker: str, start: date | None, older_names: Sequence[str] = ()) -> Fetch:
        """Return the bars from `start` on, or all of them. Yahoo knows a renamed ticker by its new name. Raises SourceError."""
        return self._fetch(ticker, start, MOST_ATTEMPTS)

    def fetch_once(self, ticker: str, start: date | None) -> Fetch:
        """Return what fetch does, in one attempt. Raises SourceError, RequestsPaused where no request was sent."""
        return self._fetch(ticker, start, 1)

    def pace_note(self) -> str | None:
        """Return how often Yahoo responded 429, and the slowest pace that followed; None where it never did."""
        if not self.client.pace.limited:
            return None
        times = counted(self.client.pace.limited, "time")
        return f"Yahoo responded 429 {times}: as few as {self.client.pace.slowest:.2g} requests a second were sent"

    def _fetch(self, ticker: str, start: date | None, attempts: int) -> Fetch:
        with self._lock:  # yfinance is one client per process: one ticker at a time
            try:
                self._rest()
                self.client.start_ticker()
                fetch = self._fetch_with_retries(ticker, start, attempts)
            except (UnknownTicker, BadSourceData):
                self._silent_tickers = self._silent_attempts = 0
                raise
            except SourceUnavailable:
                self._count_silent_ticker(attempts)
                raise
            except TooManyRequests as error:
                if attempts > 1 or self.client.is_refused:
                    self.client.open_circuit("Yahoo responded 429 (too many requests)")
                raise SourceUnavailable(f"{ticker}: Yahoo responded 429 (too many requests); retry later") from error
            except Paused as error:
                raise RequestsPaused(f"{ticker}: {error}; retry later") from error
            except RequestStopped as error:
                raise SourceUnavailable(f"{ticker}: {error}; retry later") from error
            self._silent_tickers = self._silent_attempts = 0
            return fetch

    def _rest(self) -> None:
        if (seconds := self.client.pace.rest_seconds()) and seconds <= self.client.ticker_seconds:
            self.sleep(seconds)

    def _fetch_with_retries(self, ticker: str, start: date | None, attempts: int) -> Fetch:
        import tenacity

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((SourceUnavailable, BadSourceData, TooManyRequests)),
            stop=tenacity.stop_after_attempt(attempts),
            wait=self._backoff,
            sleep=self.sleep,
            reraise=True,
        )
        fetch: Fetch = retrying(self.charts.fetch, ticker, start)
        return fetch

    def _backoff(self, state: tenacity.RetryCallState) -> float:
        """Return the seconds before the next attempt: Yahoo's Retry-After, else exponential with jitter.

        Raises the error of the last attempt where the ticker's deadline comes first.
        """
        import tenacity

        error = state.outcome.exception() if state.outcome else None
        retry_after = getattr(error, "retry_after", None)
        exponential = tenacity.wait_random_exponential(multiplier=1, max=LONGEST_BACKOFF_SECONDS)
        seconds = float(retry_after if retry_after is not None else exponential(state))
        if seconds > self.client.seconds_left():
            raise error or RequestStopped("no time is left for a retry")
        return seconds

    def _count_silent_ticker(self, attempts: int) -> None:
        self._silent_tickers += 1
        self._silent_attempts += attempts
        if self._silent_attempts >= MOST_SILENT_ATTEMPTS:
            self.client.open_circuit(f"Yahoo did not respond for {self._silent_tickers} tickers in a row")


def bars_of_frame(frame: pd.DataFrame) -> Bars:
    """Return the rows of a yfinance frame as split-adjusted bars. A session is the date in the exchange's own zone."""
    days = np.array([stamp.date() for stamp in frame.index], dtype="datetime64[D]")
    columns = {name.lower().replace("stock splits", "split").replace("dividends", "dividend"): name for name in frame}
    values = {name: np.array(frame[columns[name]], np.float64) for name in PRICE_FIELDS}
    split = np.nan_to_num(np.array(frame[columns["split"]], np.float64)) if "split" in columns else np.zeros(len(days))
    dividend = np.nan_to_num(np.array(frame[columns["dividend"]], np.float64)) if "dividend" in columns else split * 0
    volume = np.array(frame[columns["volume"]], np.float64)
    return make_bars(days, {**values, "volume": volume, "dividend": dividend, "split": np.where(split == 0, 1.0, split)})


def _fault(error: Exception) -> str:
    return f"no {error} in it" if isinstance(error, KeyError) else type(error).__name__
