"""Write sums of scores by ticker and by target date, and which of them lack scores."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection

from tickercast.storage.dialects import upsert_rows
from tickercast.storage.rows import DateSumRow, ScoreSumRow

OF_TICKER = ("config_id", "ticker_id", "horizon", "mode")
OF_DATE = ("config_id", "horizon", "mode", "target")
MARK = "INSERT INTO unsummed (config_id, ticker_id) VALUES (?, ?) ON CONFLICT DO NOTHING"


def put_score_sums(connection: Connection, config_id: str, rows: Sequence[ScoreSumRow]) -> None:
    """Store sums of tickers under a config in place of those that are stored."""
    upsert_rows(connection, "score_sums", OF_TICKER, (*OF_TICKER, "n", "sums"), [(config_id, *row) for row in rows])


def put_date_sums(connection: Connection, config_id: str, rows: Sequence[DateSumRow]) -> None:
    """Store sums of dates under a config in place of those that are stored."""
    upsert_rows(connection, "date_sums", OF_DATE, (*OF_DATE, "sums"), [(config_id, *row) for row in rows])


def mark_unsummed(connection: Connection, config_id: str, tickers: Collection[int]) -> None:
    """Note that the sums of some tickers under a config lack scores."""
    if tickers:
        connection.exec_driver_sql(MARK, [(config_id, ticker_id) for ticker_id in tickers])


def mark_summed(connection: Connection, config_id: str) -> None:
    """Note that no sum of a config lacks scores."""
    connection.exec_driver_sql("DELETE FROM unsummed WHERE config_id = ?", (config_id,))


def remove_sums(connection: Connection, config_id: str) -> None:
    """Remove all sums of a config."""
    for table in ("score_sums", "date_sums"):
        connection.exec_driver_sql(f"DELETE FROM {table} WHERE config_id = ?", (config_id,))
