"""The yahoo source: daily bars from Yahoo's chart API by yfinance, un-adjusted to as traded. The only door to yfinance.

Errors come as exceptions, one request a ticker once its time zone is known, in one process. With base_url every Yahoo host is
asked for there instead, so that a mirror or a loopback server can stand in.
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
from urllib.parse import urlsplit, urlunsplit

import numpy as np

from jobs.sources.adjusting import as_traded
from jobs.sources.base import BadSourceData, Fetch, SourceSettings, SourceUnavailable, UnknownTicker
from jobs.symbols import exchange_of
from storage.bars import Bars, Listing, make_bars, refuse_unusable

if TYPE_CHECKING:
    import pandas as pd

TRIES = 3
LONGEST_WAIT_SECONDS = 20.0
META_KEYS = ("symbol", "currency", "exchangeTimezoneName")
PRICES = ("open", "high", "low", "close")


class YahooSource:
    """Yahoo's daily bars. sleep: how retries wait, so that a test need not."""

    kind = "yahoo"

    def __init__(
        self,
        *,
        base_url: str | None,
        requests_per_second: float,
        timeout_seconds: float,
        cache_folder: Path,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if base_url is not None and urlsplit(base_url).scheme not in ("http", "https"):
            raise SourceSettings(f"yahoo.base_url {base_url!r} is no http address")
        self.base_url, self.timeout_seconds, self.sleep = base_url, timeout_seconds, sleep
        self.requests_per_second, self.cache_folder = requests_per_second, cache_folder
        self._session: Any = None
        self._turn = threading.Lock()

    def tickers(self) -> list[str]:
        return []

    def fetch(self, ticker: str, start: date | None) -> Fetch:
        import tenacity

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((SourceUnavailable, BadSourceData)),
            stop=tenacity.stop_after_attempt(TRIES),
            wait=tenacity.wait_random_exponential(multiplier=1, max=LONGEST_WAIT_SECONDS),
            sleep=self.sleep,
            reraise=True,
        )
        with self._turn:  # yfinance is one client per process: one ticker at a time
            return retrying(self._fetch_once, ticker, start)

    def _fetch_once(self, ticker: str, start: date | None) -> Fetch:
        frame, meta = self._ask(ticker, start)
        if frame.empty:
            raise UnknownTicker(f"{ticker}: Yahoo returned no bars")
        if str(meta.get("symbol", "")).upper() != ticker:
            raise BadSourceData(f"{ticker}: Yahoo answered for {meta.get('symbol')!r}")
        bars, refused = refuse_unusable(_bars(frame))
        if not len(bars):
            raise BadSourceData(f"{ticker}: none of Yahoo's {len(frame)} rows has usable prices")
        zone = str(meta.get("exchangeTimezoneName", ""))
        listing = Listing(ticker, str(meta.get("currency") or ""), exchange_of(ticker), zone, "as_traded")
        return Fetch(listing, as_traded(bars), refused)

    def _ask(self, ticker: str, start: date | None) -> tuple[pd.DataFrame, dict[str, Any]]:
        """Return yfinance's frame and the answer's meta. Raises what each of its failures means."""
        yf = self._client()
        # An open range tells all splits up to now; yfinance's cache would repeat a failed answer.
        span = {"start": start - timedelta(days=1)} if start else {"period": "max"}
        yf.data.YfData.cache_get.cache_clear()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                asked = yf.Ticker(ticker, session=self._session)
                frame = asked.history(
                    **span, auto_adjust=False, actions=True, repair=False, keepna=True, timeout=self.timeout_seconds
                )
                meta = asked.history_metadata or {}
                return frame, {key: meta[key] for key in META_KEYS if key in meta}
        except yf.exceptions.YFRateLimitError as error:
            raise SourceUnavailable(f"{ticker}: Yahoo asks to slow down (429); retry later") from error
        except yf.exceptions.YFTickerMissingError as error:
            reason = getattr(error, "yahoo_reason", None) or "no such ticker, or delisted"
            raise UnknownTicker(f"{ticker}: Yahoo knows no prices: {reason}") from error
        except OSError as error:
            raise SourceUnavailable(f"{ticker}: Yahoo does not answer ({type(error).__name__}); retry later") from error
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, yf.exceptions.YFException) as error:
            raise BadSourceData(f"{ticker}: Yahoo's answer is no price history ({type(error).__name__})") from error

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
            self._session = _session(self.base_url, self.requests_per_second)
        return yf


def _session(base_url: str | None, requests_per_second: float) -> Any:
    """Return a client session that keeps to the rate, and, with base_url, asks there whatever Yahoo host is named."""
    from curl_cffi import requests
    from pyrate_limiter import Limiter, Rate

    limiter = Limiter(Rate(1, max(1, round(1000 / requests_per_second))))

    class PacedSession(requests.Session):  # type: ignore[misc]
        def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
            limiter.try_acquire("yahoo")
            return super().request(method, _moved(url, base_url), *args, **kwargs)

    return PacedSession(impersonate="chrome")


def _moved(url: str, base_url: str | None) -> str:
    if base_url is None:
        return url
    base, asked = urlsplit(base_url), urlsplit(url)
    return urlunsplit((base.scheme, base.netloc, base.path.rstrip("/") + asked.path, asked.query, ""))


def _bars(frame: pd.DataFrame) -> Bars:
    """Return Yahoo's rows as split-adjusted bars; a session is the date in the exchange's own zone."""
    days = np.array([stamp.date() for stamp in frame.index], dtype="datetime64[D]")
    columns = {name.lower().replace("stock splits", "split").replace("dividends", "dividend"): name for name in frame}
    values = {name: np.array(frame[columns[name]], np.float64) for name in PRICES}
    split = np.nan_to_num(np.array(frame[columns["split"]], np.float64)) if "split" in columns else np.zeros(len(days))
    dividend = np.nan_to_num(np.array(frame[columns["dividend"]], np.float64)) if "dividend" in columns else split * 0
    volume = np.nan_to_num(np.array(frame[columns["volume"]], np.float64))
    return make_bars(days, {**values, "volume": volume, "dividend": dividend, "split": np.where(split == 0, 1.0, split)})
