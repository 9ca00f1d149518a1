"""The view of company events: reports with the instants at which their dates were recorded."""

from __future__ import annotations

from tickercast.storage.views.definition import Column, View, ticker

COMPANY_EVENT = View(
    "company_event",
    "Dates of companies' reports, each as recorded at some instant. A report that moved has several rows.",
    (
        ticker(),
        Column("kind", "earnings", "e.kind"),
        Column("date", "day of the report on the exchange's calendar, ISO date; it need not be a session", "e.date", "date"),
        Column(
            "recorded_at",
            "instant this date was recorded, UTC; no forecast made before it knows the row",
            "e.recorded_at",
            "instant",
        ),
        Column("source", "yahoo, or file for an imported one", "e.source"),
    ),
    """FROM company_events e
JOIN tickers t ON t.id = e.ticker_id""",
)
