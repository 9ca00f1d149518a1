"""A run's closing line: counts, the prior that served, suspended and failed tickers, bars that were left out, and warnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from tickercast.jobs.prices.bindings import Sources
from tickercast.jobs.runs.backlog_reader import Fetched
from tickercast.jobs.runs.options import RunOptions
from tickercast.jobs.terminal.text import counted, first_names
from tickercast.storage import queries
from tickercast.storage.database import Engine

MANY_RESTATED = 20  # bars of a ticker in one run
# Measured (docs/performance.md): a ticker and origin on one worker, and the start of workers with the first prior.
SECONDS_PER_ORIGIN, SECONDS_TO_START = 0.003, 3.0


def plan_line(options: RunOptions, fetched: Fetched) -> str | None:
    """Return what a backfill is about to compute and how long it may take, None where nothing is due."""
    counts = [len(backlog.due) for backlog in fetched.backlogs if backlog.due]
    if not counts:
        return None
    up_to = "" if min(counts) == max(counts) else "up to "
    forecasts = sum(counts) * options.config.horizons
    seconds = SECONDS_TO_START + sum(counts) * SECONDS_PER_ORIGIN / min(options.workers, len(counts))
    about = f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
    return f"plan: {counted(len(counts), 'ticker')} x {up_to}{max(counts)} sessions, {forecasts:,} forecasts, about {about}"


def closing_line(
    engine: Engine,
    options: RunOptions,
    sources: Sources,
    fetched: Fetched,
    *,
    forecasts: int,
    symbols: Sequence[str],
    prior: str | None,
    warnings: Sequence[str],
) -> str:
    """Return what a run over some tickers came to, in one line. prior: which one served; warnings: about calendars."""
    parts = [f"{fetched.succeeded} of {len(symbols)} tickers, {forecasts} new forecasts"]
    if sources.has_live:
        parts[0] += f", {sources.requests} requests"
    parts += [prior] if prior else []
    if fetched.suspended:
        parts.append(f"suspended, retried later: {first_names(fetched.suspended)}")
    parts += [*sources.pace_notes(), *fetched.notes]
    parts += bars_left_out(engine, symbols, options.now)
    parts += _rewritten_histories(engine, symbols, options.now)
    parts += warnings
    if options.with_twins:
        parts += _twin_comparison(engine, options.config.id)
    if fetched.left:
        parts.append(_left(fetched.left))
    if reasons := fetched.reasons:
        parts.append(_failures({symbol: reasons[symbol] for symbol in symbols if symbol in reasons}))
    return "; ".join(parts)


def bars_left_out(engine: Engine, symbols: Sequence[str], now: datetime) -> list[str]:
    """Return which of some tickers have quarantined bars, and of which a run at an instant refused bars, each in one line."""
    with engine.connect() as connection:
        quarantined, refused = queries.bars_left_out(connection, symbols, now)
    lines = []
    if quarantined:
        lines.append(f"quarantined: {_counted_bars(quarantined)}, `tickercast release` or `refuse` decides")
    if refused:
        lines.append(f"refused: {_counted_bars(refused)}, view `gate` has the reasons")
    return lines


def _rewritten_histories(engine: Engine, symbols: Sequence[str], now: datetime) -> list[str]:
    """Return which tickers' sources changed so many stored bars that it is no correction of some days."""
    with engine.connect() as connection:
        restated = queries.restated_bars(connection, symbols, now)
    rewritten = {symbol: count for symbol, count in restated.items() if count > MANY_RESTATED}
    return [f"history changed by the source: {_counted_bars(rewritten)}, view `restatement` has the values"] if rewritten else []


def _counted_bars(bars: Mapping[str, int]) -> str:
    return first_names([f"{symbol} ({counted(count, 'bar')})" for symbol, count in bars.items()])


def _twin_comparison(engine: Engine, config_id: str) -> list[str]:
    """Return how warm starts compare with their cold twins over the whole record of a config."""
    with engine.connect() as connection:
        found = queries.crps_against_twins(connection, config_id)
    if found is None:
        return []
    ours, twins = found
    word = "better" if ours < twins else "worse"
    return [f"warm starts are {abs(1 - ours / twins):.2%} {word} than cold twins in CRPS one session ahead"]


def _left(reasons: Mapping[str, str]) -> str:
    symbol, reason = next(iter(reasons.items()))
    return f"{counted(len(reasons), 'ticker')} left for the next run: {reason.removeprefix(f'{symbol}: ')}"


def _failures(reasons: Mapping[str, str]) -> str:
    symbol, reason = next(iter(reasons.items()))
    first = reason if reason.startswith(symbol) else f"{symbol}: {reason}"
    return f"{len(reasons)} failed, first {first}; what is stored stays"
