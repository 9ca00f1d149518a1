"""Read what a home's users were told about, and what they were not told yet. sqlite3 alone, as for storage.monitoring.

Not here: what is worth a notice (jobs.monitoring.conditions), or writing one (storage.writes.notices).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from tickercast.storage.connection import Reader
from tickercast.storage.instants import instant_text
from tickercast.storage.views.definition import FORECASTS
from tickercast.storage.views.forecasts import REALISED

UNFINISHED = """
SELECT kind, subject, began_at, message, told_at, ended_at, end_told_at FROM notices
WHERE ended_at IS NULL OR told_at IS NULL OR end_told_at IS NULL ORDER BY kind, subject, began_at
"""
LASTING = """
SELECT kind, subject, began_at, message, told_at, ended_at, end_told_at FROM notices
WHERE ended_at IS NULL ORDER BY kind, subject, began_at
"""
EVENT = "notice"  # an event of this kind says that a message was not delivered
CURRENT_FILE = "SELECT path, sha256 FROM price_files WHERE ticker_id = ? AND superseded_at IS NULL"
# What came one session after an origin, of forecasts that were made before it, unless it was told about.
NEW_OUTCOMES = f"""
SELECT t.symbol, o.field, o.origin, f.target, x.close_at, o.last_price, f.location, f.scale, f.dof, {REALISED}
FROM {FORECASTS} JOIN tickers t ON t.id = o.ticker_id JOIN configs c ON c.id = o.config_id AND c.active = 1
JOIN sessions x ON x.exchange = t.exchange AND x.session = f.target
JOIN bars b ON b.ticker_id = o.ticker_id AND b.session = f.target
LEFT JOIN scores s ON s.origin_id = f.origin_id AND s.horizon = f.horizon AND s.revision = 0
WHERE f.target >= date(:since, '-1 day') AND x.close_at >= :since AND f.horizon = 1 AND o.mode = 'live' AND t.tracked = 1
    AND NOT EXISTS (SELECT 1 FROM notices n WHERE n.kind = 'outside' AND n.subject = t.symbol AND n.began_at = x.close_at)
ORDER BY t.symbol, f.target
"""
NEWEST_FAILURE = "SELECT max(at) FROM events WHERE kind = ?"


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """One notice. told_at, end_told_at: None until the beginning and the end were delivered. ended_at: None while it lasts."""

    kind: str
    subject: str
    began_at: datetime
    message: str
    told_at: datetime | None = None
    ended_at: datetime | None = None
    end_told_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewOutcome:
    """A forecast one session ahead, with the natural-log return that came. field: close or open. dof None: a normal."""

    symbol: str
    field: str
    origin: date
    target: date
    close_at: datetime
    last_price: float
    location: float
    scale: float
    dof: float | None
    realised_return: float


def unfinished_notices(connection: Reader) -> list[NoticeRow]:
    """Return the notices that last, and those of whose beginning or end nobody was told."""
    return _notices(connection, UNFINISHED)


def lasting_notices(connection: Reader) -> list[NoticeRow]:
    """Return the notices that last."""
    return _notices(connection, LASTING)


def _notices(connection: Reader, query: str) -> list[NoticeRow]:
    return [
        NoticeRow(kind, subject, datetime.fromisoformat(began), message, _instant(told), _instant(ended), _instant(end_told))
        for kind, subject, began, message, told, ended, end_told in connection.execute(query)
    ]


def newest_failed_delivery(connection: Reader) -> datetime | None:
    """Return when a message was last not delivered, None where that never was."""
    return _instant(connection.execute(NEWEST_FAILURE, (EVENT,)).fetchone()[0])


def new_outcomes(connection: Reader, since: datetime) -> list[NewOutcome]:
    """Return the outcomes of live forecasts whose target closed since an instant, except those with a notice already."""
    return [
        NewOutcome(
            symbol, field, date.fromisoformat(origin), date.fromisoformat(target), datetime.fromisoformat(close_at), *figures
        )
        for symbol, field, origin, target, close_at, *figures in connection.execute(NEW_OUTCOMES, {"since": instant_text(since)})
        if figures[-1] is not None
    ]


def current_price_file(connection: Reader, ticker_id: int) -> tuple[str, str] | None:
    """Return the path, in the folder of the prices, and the hash of a ticker's price file, None where it has none."""
    row = connection.execute(CURRENT_FILE, (ticker_id,)).fetchone()
    return None if row is None else (row[0], row[1])


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
