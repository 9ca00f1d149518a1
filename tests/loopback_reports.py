"""What the loopback server sends of companies' reports: Yahoo's calendar and its page of past reports, and faults on demand."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import unquote
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
HEAD = ("Symbol", "Company", "Earnings Date", "EPS Estimate", "Reported EPS", "Surprise (%)")
Query = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server sends. wait: seconds before it. cut: the bytes it sends of the body. drip: seconds between bytes."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    wait: float = 0.0
    cut: int | None = None
    drip: float = 0.0


@dataclass
class ReportAnswers:
    """Answers by ticker and the requests so far. Of a ticker without one the server knows nothing (404).

    faults: a reply to every request, by kind: calendar or history.
    """

    calendars: dict[str, bytes] = field(default_factory=dict)
    pages: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, Reply] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def answer(self, path: str, query: Query) -> Reply | None:
        """Return the reply to a request for reports, None for another request."""
        if "/v10/finance/quoteSummary/" in path:
            return self._reply("calendar", unquote(path.rsplit("/", 1)[1]), self.calendars)
        if path.endswith("/calendar/earnings"):
            return self._reply("history", query["symbol"][0], self.pages)
        return None

    def _reply(self, kind: str, ticker: str, bodies: dict[str, bytes]) -> Reply:
        self.requests.append(f"{ticker} {kind}")
        if kind in self.faults:
            return self.faults[kind]
        return Reply(200, bodies[ticker]) if ticker in bodies else Reply(404, b"{}")


def calendar_body(*instants: datetime) -> bytes:
    """Return the calendar of a company whose next report is expected at an instant, or between two."""
    earnings = {"earningsDate": [int(instant.timestamp()) for instant in instants], "isEarningsDateEstimate": len(instants) > 1}
    events = {"maxAge": 1, "earnings": earnings}
    return json.dumps({"quoteSummary": {"result": [{"calendarEvents": events}], "error": None}}).encode()


def page_body(*instants: datetime, head: tuple[str, ...] = HEAD) -> bytes:
    """Return the page of a company's reports at some instants, as a browser gets it."""
    rows = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in _cells(instant))}</tr>" for instant in instants)
    names = "".join(f"<th>{name}</th>" for name in head)
    table = f"<table><thead><tr>{names}</tr></thead><tbody>{rows}</tbody></table>"
    return f"<!doctype html><html><body><h1>Earnings</h1>{table}</body></html>".encode()


def _cells(instant: datetime) -> tuple[str, ...]:
    local = instant.astimezone(NEW_YORK)
    hour = f"{local.hour % 12 or 12} {'AM' if local.hour < 12 else 'PM'}"
    when = f"{local:%B} {local.day}, {local.year} at {hour} {local.tzname()}"
    return ("IBM", "International Business Machines", when, "2.97", "-", "-")
