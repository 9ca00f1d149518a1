"""Dates of a company's reports from Yahoo: the next one from its calendar, past ones from the page of its reports.

One attempt per call, through the session of the charts, so that all limits of yahoo_client hold. A date is the day of the report
in the time zone of the ticker's exchange.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote
from zoneinfo import ZoneInfo

from tickercast.jobs.prices.sources.base import BadSourceData, SourceUnavailable
from tickercast.jobs.prices.sources.yahoo_client import (
    SUMMARY_PATH,
    NothingFound,
    RequestStopped,
    ResponseTooLarge,
    ServerError,
    TooManyRequests,
    YahooClient,
)

if TYPE_CHECKING:
    import pandas as pd

SUMMARY_URL = f"https://query2.finance.yahoo.com{SUMMARY_PATH}"
LIMITED = "Yahoo responded 429 (too many requests)"
MOST_REPORTS = 100  # the longest page that Yahoo gives: about 25 years


class Charts(Protocol):
    """What gives yfinance, and then the session that it uses."""

    session: Any

    def yfinance(self) -> Any: ...


class YahooEvents:
    """Requests the dates of a company's reports. timeout_seconds: longest time for one answer, with all its requests.

    rest: waits as long as Yahoo wants no request after a 429.
    """

    def __init__(self, client: YahooClient, charts: Charts, timeout_seconds: float, rest: Callable[[], None]) -> None:
        self.client, self.charts, self.timeout_seconds, self.rest = client, charts, timeout_seconds, rest

    def next_date(self, ticker: str, time_zone: str) -> date | None:
        """Return the day of the next report, the first one of an estimated range; None where Yahoo knows none.

        yfinance's own Ticker.calendar has days in the time zone of this machine, so its raw response is read.
        Raises SourceUnavailable or BadSourceData.
        """
        query = {"modules": "calendarEvents", "formatted": "false", "symbol": ticker, "corsDomain": "finance.yahoo.com"}
        with self._translated(ticker) as yf:
            data = yf.data.YfData(session=self.charts.session)
            try:
                answer = data.get_raw_json(SUMMARY_URL + quote(ticker), params=query, timeout=self.timeout_seconds)
            except NothingFound:
                return None
            return min(_calendar_days(answer, ZoneInfo(time_zone)), default=None)

    def past_dates(self, ticker: str, time_zone: str, today: date) -> list[date] | None:
        """Return the days of past reports up to today, oldest first; None where the page has no table.

        Raises SourceUnavailable or BadSourceData.
        """
        with self._translated(ticker) as yf:
            yf.data.YfData.cache_get.cache_clear()  # it would repeat a failed response
            try:
                frame = yf.Ticker(ticker, session=self.charts.session).get_earnings_dates(limit=MOST_REPORTS)
            except NothingFound:
                return None
            return None if frame is None else sorted(day for day in _page_days(frame, ZoneInfo(time_zone)) if day <= today)

    @contextmanager
    def _translated(self, ticker: str) -> Iterator[Any]:
        """Yield yfinance, with the time for one answer started. Raises its errors as SourceErrors."""
        yf = self.charts.yfinance()
        try:
            self.rest()
            self.client.start_ticker(self.timeout_seconds)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # yfinance's use of pandas
                yield yf
        except (TooManyRequests, yf.exceptions.YFRateLimitError) as error:
            if self.client.is_refused:
                self.client.open_circuit(LIMITED)
            raise SourceUnavailable(f"{ticker}: {LIMITED}") from error
        except RequestStopped as error:
            raise SourceUnavailable(f"{ticker}: {error}") from error
        except ResponseTooLarge as error:
            raise BadSourceData(f"{ticker}: Yahoo sent {error}") from error
        except OSError as error:
            fault = str(error) if isinstance(error, ServerError) else type(error).__name__
            raise SourceUnavailable(f"{ticker}: Yahoo does not respond ({fault})") from error
        except Exception as error:  # yfinance fails with any type on a response that it does not expect
            raise BadSourceData(f"{ticker}: Yahoo's response has no dates of reports ({type(error).__name__})") from error


def _calendar_days(answer: Any, zone: ZoneInfo) -> list[date]:
    """Return the days of quoteSummary's calendarEvents, none where it has no earnings. Raises any type for another form."""
    earnings = answer["quoteSummary"]["result"][0]["calendarEvents"].get("earnings") or {}
    stamps = [stamp["raw"] if isinstance(stamp, dict) else stamp for stamp in earnings.get("earningsDate", [])]
    return [datetime.fromtimestamp(stamp, zone).date() for stamp in stamps]


def _page_days(frame: pd.DataFrame, zone: ZoneInfo) -> set[date]:
    """Return the days of yfinance's frame of reports, whose index has their instants."""
    index = frame.index[frame.index.notna()]
    return {stamp.tz_convert(zone).date() for stamp in index}
