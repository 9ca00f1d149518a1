"""Sums of scores by ticker and by target date, and which of them lack scores."""

from __future__ import annotations

from collections.abc import Collection, Set

from sqlalchemy import Connection

from tickercast.storage.rows import DateSumRow, ScoreSumRow

ALL_OF_CONFIG = 0  # in place of a ticker's id: no sum of the config is complete
OF_TICKERS = """SELECT ticker_id, horizon, mode, n, sums FROM score_sums WHERE config_id = ? AND ticker_id IN (%s)
ORDER BY ticker_id, horizon, mode"""
OF_DATES = "SELECT horizon, mode, target, sums FROM date_sums WHERE config_id = ? ORDER BY horizon, mode, target"
OF_SPAN = """SELECT horizon, mode, target, sums FROM date_sums
WHERE config_id = ? AND horizon = ? AND mode = ? AND target BETWEEN ? AND ?"""
WITH_SCORES = """SELECT t.id FROM tickers t WHERE EXISTS (
    SELECT 1 FROM origins o JOIN scores s ON s.origin_id = o.id WHERE o.ticker_id = t.id AND o.config_id = ?) ORDER BY t.id"""
BEHIND = """SELECT c.id FROM configs c WHERE EXISTS (SELECT 1 FROM unsummed u WHERE u.config_id = c.id)
OR (SELECT coalesce(sum(s.n), 0) FROM score_sums s WHERE s.config_id = c.id AND s.mode = '*')
<> (SELECT coalesce(sum(t.n), 0) FROM skill_tests t WHERE t.config_id = c.id AND t.mode = '*' AND t.ticker_id IS NOT NULL)
ORDER BY c.id"""


def score_sums(connection: Connection, config_id: str, tickers: Collection[int]) -> list[ScoreSumRow]:
    """Return the sums of some tickers under a config, by ticker, horizon and mode."""
    if not tickers:  # PostgreSQL has no empty list
        return []
    rows = connection.exec_driver_sql(OF_TICKERS % ", ".join("?" * len(tickers)), (config_id, *tickers))
    return [ScoreSumRow(*row) for row in rows]


def date_sums(connection: Connection, config_id: str) -> list[DateSumRow]:
    """Return the sums of all dates under a config, by horizon, mode and target."""
    return [DateSumRow(*row) for row in connection.exec_driver_sql(OF_DATES, (config_id,))]


def date_sums_at(connection: Connection, config_id: str, keys: Set[tuple[int, str, str]]) -> list[DateSumRow]:
    """Return the stored sums of some dates under a config. keys: horizon, mode and target (ISO) of each."""
    targets: dict[tuple[int, str], list[str]] = {}
    for horizon, mode, target in keys:
        targets.setdefault((horizon, mode), []).append(target)
    rows = [
        row
        for (horizon, mode), own in targets.items()
        for row in connection.exec_driver_sql(OF_SPAN, (config_id, horizon, mode, min(own), max(own)))
    ]
    return [DateSumRow(*row) for row in rows if tuple(row[:3]) in keys]


def unsummed_tickers(connection: Connection, config_id: str) -> set[int]:
    """Return the ids of the tickers whose sums under a config lack scores; with ALL_OF_CONFIG among them all sums of it do."""
    return set(connection.exec_driver_sql("SELECT ticker_id FROM unsummed WHERE config_id = ?", (config_id,)).scalars())


def summed_tickers(connection: Connection, config_id: str) -> list[int]:
    """Return the ids of the tickers that have sums under a config."""
    query = "SELECT DISTINCT ticker_id FROM score_sums WHERE config_id = ? ORDER BY ticker_id"
    return list(connection.exec_driver_sql(query, (config_id,)).scalars())


def scored_tickers(connection: Connection, config_id: str) -> list[int]:
    """Return the ids of the tickers that have scores under a config."""
    return list(connection.exec_driver_sql(WITH_SCORES, (config_id,)).scalars())


def configs_behind(connection: Connection) -> list[str]:
    """Return the ids of the configs whose skill is not of all their scores: a run was killed, or an upgrade left them so."""
    return list(connection.exec_driver_sql(BEHIND).scalars())
