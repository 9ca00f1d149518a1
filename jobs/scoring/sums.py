"""Keep the sums of scores beside the scores: advance them with each commit of scores, compute anew what cannot be advanced.

Sums and the scores they are of are committed together, so a killed run leaves no difference between them. Here the database's
rows meet the arithmetic (ticker_sums, date_sums).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tickercast.jobs.scoring.date_sums import DateSums, date_sums_of, stored_date_sums
from tickercast.jobs.scoring.terms import ALL_MODES, LEVELS, SUMMED
from tickercast.jobs.scoring.ticker_sums import TickerSums, advanced, stored_ticker_sums, ticker_sums_of
from tickercast.storage import queries, writes
from tickercast.storage.database import Connection
from tickercast.storage.queries import ALL_OF_CONFIG, ScoreColumns
from tickercast.storage.rows import ScoreSumRow

TICKERS_AT_ONCE = 50  # whose scores are in memory together
CLOSE = 1e-9  # relative, or absolute below 1: another SciPy may differ in the last digits
SHORTFALLS = [SUMMED.index(f"shortfalls_{i}") for i in range(len(LEVELS))]


def add_scores(connection: Connection, config_id: str, scores: ScoreColumns) -> None:
    """Add scores of one config that were just inserted to its sums. Tickers with earlier targets are marked unsummed."""
    unsummed = queries.unsummed_tickers(connection, config_id)
    if ALL_OF_CONFIG in unsummed:
        return
    _add_to_dates(connection, config_id, date_sums_of(scores))
    stored = _ticker_sums(connection, config_id, np.unique(scores.ticker_id).tolist())
    late = _late_tickers(stored, scores) - unsummed
    writes.mark_unsummed(connection, config_id, sorted(late))
    kept = scores.select(np.flatnonzero(~np.isin(scores.ticker_id, list(unsummed | late))))
    changed = advanced(_without(stored, unsummed | late), kept)
    _put(connection, config_id, changed)


def complete_sums(connection: Connection, config_id: str) -> None:
    """Compute anew the sums of a config that lack scores, from all scores of exactly those tickers."""
    unsummed = queries.unsummed_tickers(connection, config_id)
    if not unsummed:
        return
    is_all = ALL_OF_CONFIG in unsummed
    if is_all:
        writes.remove_sums(connection, config_id)
    tickers = queries.scored_tickers(connection, config_id) if is_all else sorted(unsummed)
    for scores in _parts(connection, config_id, tickers):
        _put(connection, config_id, ticker_sums_of(scores))
        if is_all:
            _add_to_dates(connection, config_id, date_sums_of(scores))
    writes.mark_summed(connection, config_id)


def stored_sums(connection: Connection, config_id: str) -> tuple[dict[int, TickerSums], DateSums]:
    """Return the sums of all tickers of a config by horizon, and those of its dates."""
    tickers = _ticker_sums(connection, config_id, queries.summed_tickers(connection, config_id))
    return tickers, stored_date_sums(queries.date_sums(connection, config_id))


def wrong_sums(connection: Connection, config_id: str) -> Iterator[str]:
    """Yield a line for each ticker, and one for the dates, whose sums are not those of the stored scores."""
    unsummed = queries.unsummed_tickers(connection, config_id)
    if ALL_OF_CONFIG in unsummed:
        return
    scored, summed = queries.scored_tickers(connection, config_id), queries.summed_tickers(connection, config_id)
    dates, wrong = stored_date_sums([]), set(summed) - set(scored)
    for scores in _parts(connection, config_id, scored):
        dates = dates.added(date_sums_of(scores))
        found = {(row.ticker_id, row.horizon, row.mode): row for s in ticker_sums_of(scores).values() for row in s.rows()}
        stored = queries.score_sums(connection, config_id, np.unique(scores.ticker_id).tolist())
        by_key = {(row.ticker_id, row.horizon, row.mode): row for row in stored}
        keys = found.keys() | by_key.keys()
        wrong |= {key[0] for key in keys if not _is_same(found.get(key), by_key.get(key))}
    for ticker_id in sorted(wrong - unsummed):
        yield f"sums of scores of ticker {ticker_id} under config {config_id} that are not those of its scores"
    if not _are_same_dates(dates, stored_date_sums(queries.date_sums(connection, config_id))):
        yield f"sums of scores by date under config {config_id} that are not those of its scores"


def _ticker_sums(connection: Connection, config_id: str, tickers: Collection[int]) -> dict[int, TickerSums]:
    return stored_ticker_sums(queries.score_sums(connection, config_id, tickers))


def _late_tickers(sums: Mapping[int, TickerSums], scores: ScoreColumns) -> set[int]:
    """Return the ids of the tickers with a score of a target that is not after the last one in their sums."""
    late: set[int] = set()
    for horizon, stored in sums.items():
        pooled = np.flatnonzero(stored.mode == ALL_MODES.encode())
        last = dict(zip(stored.ticker_id[pooled].tolist(), stored.of("last_target")[pooled].tolist(), strict=True))
        own = scores.horizon == horizon
        targets = scores.target[own].astype("M8[D]").astype(np.int64).tolist()
        pairs = zip(scores.ticker_id[own].tolist(), targets, strict=True)
        late |= {ticker_id for ticker_id, target in pairs if target <= last.get(ticker_id, -np.inf)}
    return late


def _without(sums: Mapping[int, TickerSums], tickers: Collection[int]) -> dict[int, TickerSums]:
    """Return the sums of the other tickers."""
    kept = {}
    for horizon, stored in sums.items():
        at = np.flatnonzero(~np.isin(stored.ticker_id, list(tickers)))
        kept[horizon] = replace(stored, ticker_id=stored.ticker_id[at], mode=stored.mode[at], values=stored.values[at])
    return kept


def _put(connection: Connection, config_id: str, sums: Mapping[int, TickerSums]) -> None:
    writes.put_score_sums(connection, config_id, [row for stored in sums.values() for row in stored.rows()])


def _add_to_dates(connection: Connection, config_id: str, added: DateSums) -> None:
    keys = {(row.horizon, row.mode, row.target) for row in added.rows()}
    stored = stored_date_sums(queries.date_sums_at(connection, config_id, keys))
    writes.put_date_sums(connection, config_id, stored.added(added).rows())


def _parts(connection: Connection, config_id: str, tickers: Sequence[int]) -> Iterator[ScoreColumns]:
    """Yield the scores of some tickers under a config, some tickers at once."""
    for begin in range(0, len(tickers), TICKERS_AT_ONCE):
        yield queries.scored_forecasts(connection, config_id, tickers[begin : begin + TICKERS_AT_ONCE])


def _is_same(found: ScoreSumRow | None, stored: ScoreSumRow | None) -> bool:
    if found is None or stored is None or found.n != stored.n or len(found.sums) != len(stored.sums):
        return False
    return _are_same(*(np.frombuffer(row.sums, "<f8") for row in (found, stored)))


def _are_same_dates(found: DateSums, stored: DateSums) -> bool:
    if any(getattr(found, key).tolist() != getattr(stored, key).tolist() for key in ("horizon", "mode", "target")):
        return False
    is_exact = np.ones(len(SUMMED), bool)
    is_exact[SHORTFALLS] = False
    is_equal = bool((found.parts[:, is_exact] == stored.parts[:, is_exact]).all())
    return is_equal and _are_same(found.figures(), stored.figures())


def _are_same(found: NDArray[np.float64], stored: NDArray[np.float64]) -> bool:
    """Return whether figures (..., n) are equal; expected returns of exceedances may differ by what another SciPy does."""
    is_equal = found == stored
    at = (..., SHORTFALLS)
    is_equal[at] = np.isclose(found[at], stored[at], rtol=CLOSE, atol=CLOSE)
    return bool(is_equal.all())
