"""The yahoo source: daily bars from Yahoo's chart API by yfinance, un-adjusted to as traded. The only door to yfinance.

Errors come as exceptions, one request a ticker once its time zone is known, in one process. With base_url every Yahoo host is
asked for there instead, so that a mirror or a loopback server can stand in. How requests are paced and bounded is yahoo_door's.
"""

from __future__ import annotations

import logging
import threading
import time
import warnings
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from jobs.exchanges.calendars import exchange_of_zone
from jobs.exchanges.symbols import exchange_of
from jobs.prices.sources.adjusting import as_traded
from jobs.prices.sources.base import BadSourceData, Fetch, SourceSettings, SourceUnavailable, UnknownTicker
from jobs.prices.sources.yahoo_client import BodyTooLarge, Door, ServerFault, Stopped, TooManyRequests
from storage.bars import Bars, Listing, make_bars, refuse_bad_rows

if TYPE_CHECKING:
    import pandas as pd
    import tenacity

TRIES = 4
MOST_UNANSWERED = 3
LONGEST_WAIT_SECONDS = 20.0
META_KEYS = ("symbol", "currency", "exchangeTimezoneName")
PRICES = ("open", "high", "low", "close")


class YahooSource:
    """Yahoo's daily bars. sleep: how retries wait, so that a test need not."""

    kind = "yahoo"
    live = True

    def __init__(
        self, door: Door, *, timeout_seconds: float, cache_folder: Path, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        if door.base_url is not None and urlsplit(door.base_url).scheme not in ("http", "https"):
            raise SourceSettings(f"yahoo.base_url {door.base_url!r} is no http address")
        self.door, self.timeout_seconds, self.sleep, self.cache_folder = door, timeout_seconds, sleep, cache_folder
        self._session: Any = None
        self._unanswered = 0
        self._turn = threading.Lock()

    @property
    def requests(self) -> int:
        return self.door.requests

    def tickers(self) -> list[str]:
        return []

    def fetch(self, ticker: str, start: date | None) -> Fetch:
        import tenacity

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_may_pass),
            stop=tenacity.stop_after_attempt(TRIES),
            wait=self._wait,
            sleep=self.sleep,
            reraise=True,
        )
        with self._turn:  # yfinance is one client per process: one ticker at a time
            try:
                self.door.next_ticker()
                fetch: Fetch = retrying(self._fetch_once, ticker, start)
                self._unanswered = 0
                return fetch
            except (UnknownTicker, BadSourceData):
                self._unanswered = 0
                raise
            except SourceUnavailable:
                self._unanswered += 1
                if self._unanswered == MOST_UNANSWERED:
                    self.door.shut(f"Yahoo did not answer for {MOST_UNANSWERED} tickers in a row")
                raise
            except TooManyRequests as error:
                self.door.shut("Yahoo asked to slow down (429)")
                raise SourceUnavailable(f"{ticker}: Yahoo asks to slow down (429); retry later") from error
            except Stopped as error:
                raise SourceUnavailable(f"{ticker}: {error}; retry later") from error

    def _wait(self, state: tenacity.RetryCallState) -> float:
        """Return the seconds before the next try: what Yahoo asks for, else doubling with jitter, within the ticker's time."""
        import tenacity

        error = state.outcome.exception() if state.outcome else None
        asked = getattr(error, "retry_after", None)
        doubling = tenacity.wait_random_exponential(multiplier=1, max=LONGEST_WAIT_SECONDS)
        seconds = float(asked if asked is not None else doubling(state))
        if seconds > self.door.seconds_left():
            raise error or Stopped("no time is left")
        return seconds

    def _fetch_once(self, ticker: str, start: date | None) -> Fetch:
        frame, meta = self._ask(ticker, start)
        if frame.empty:
            raise UnknownTicker(f"{ticker}: Yahoo returned no bars")
        if str(meta.get("symbol", "")).upper() != ticker:
            raise BadSourceData(f"{ticker}: Yahoo answered for {meta.get('symbol')!r}")
        try:
            rows = _bars(frame)
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise BadSourceData(f"{ticker}: Yahoo's answer is no price history ({_named(error)})") from error
        bars, refused = refuse_bad_rows(rows)
        if not len(bars):
            raise BadSourceData(f"{ticker}: none of Yahoo's {len(frame)} rows has usable prices")
        zone = str(meta.get("exchangeTimezoneName", ""))
        exchange = exchange_of(ticker, default=exchange_of_zone(zone))
        listing = Listing(ticker, str(meta.get("currency") or ""), exchange, zone, "as_traded")
        traded, beyond = refuse_bad_rows(as_traded(bars))  # absurd splits together can carry a price beyond all bounds
        return Fetch(listing, traded, refused + beyond)

    def _ask(self, ticker: str, start: date | None) -> tuple[pd.DataFrame, dict[str, Any]]:
        """Return yfinance's frame and the answer's meta. Raises what each of its failures means."""
        yf = self._client()
        # An open range tells all splits up to now; yfinance's cache would repeat a failed answer.
        span = {"start": start - timedelta(days=1)} if start else {"period": "max"}
        yf.data.YfData.cache_get.cache_clear()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pandas on yfinance's ways, NumPy on absurd numbers: the gates judge them
                asked = yf.Ticker(ticker, session=self._session)
                frame = asked.history(
                    **span, auto_adjust=False, actions=True, repair=False, keepna=True, timeout=self.timeout_seconds
                )
                meta = asked.history_metadata or {}
                return frame, {key: meta[key] for key in META_KEYS if key in meta}
        except (Stopped, TooManyRequests):
            raise
        except yf.exceptions.YFRateLimitError as error:
            raise TooManyRequests(None) from error
        except yf.exceptions.YFTickerMissingError as error:
            reason = getattr(error, "yahoo_reason", None) or "no such ticker, or delisted"
            raise UnknownTicker(f"{ticker}: Yahoo knows no prices: {_short(reason)}") from error
        except OSError as error:
            what = str(error) if isinstance(error, ServerFault) else type(error).__name__
            raise SourceUnavailable(f"{ticker}: Yahoo does not answer ({what}); retry later") from error
        except BodyTooLarge as error:
            raise BadSourceData(f"{ticker}: Yahoo gave {error}") from error
        except Exception as error:  # whatever yfinance trips over in an answer that is not what it expects
            raise BadSourceData(f"{ticker}: Yahoo's answer is no price history ({_named(error)})") from error

    def _client(self) -> Any:
        """Return yfinance, set up once: errors as exceptions, a private cache folder, our session, no chatter."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            import yfinance as yf
        if self._session is None:
            logging.getLogger("yfinance").setLevel(logging.CRITICAL)
            yf.config.debug.hide_exceptions = False
            self.cache_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            yf.set_tz_cache_location(str(self.cache_folder))
            self._session = self.door.session()
        return yf


def _may_pass(error: BaseException) -> bool:
    """Return whether another try may end otherwise: not for a ticker that Yahoo does not know, nor when time is up."""
    return isinstance(error, SourceUnavailable | BadSourceData | TooManyRequests)


def _named(error: Exception) -> str:
    return f"no {error} in it" if isinstance(error, KeyError) else type(error).__name__


def _short(reason: object) -> str:
    return " ".join(str(reason).split())[:200]


def _bars(frame: pd.DataFrame) -> Bars:
    """Return Yahoo's rows as split-adjusted bars; a session is the date in the exchange's own zone."""
    days = np.array([stamp.date() for stamp in frame.index], dtype="datetime64[D]")
    columns = {name.lower().replace("stock splits", "split").replace("dividends", "dividend"): name for name in frame}
    values = {name: np.array(frame[columns[name]], np.float64) for name in PRICES}
    split = np.nan_to_num(np.array(frame[columns["split"]], np.float64)) if "split" in columns else np.zeros(len(days))
    dividend = np.nan_to_num(np.array(frame[columns["dividend"]], np.float64)) if "dividend" in columns else split * 0
    volume = np.array(frame[columns["volume"]], np.float64)
    return make_bars(days, {**values, "volume": volume, "dividend": dividend, "split": np.where(split == 0, 1.0, split)})
