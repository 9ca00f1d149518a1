"""The metrics of a home for Prometheus, collected from its state at each scrape.

Names follow its conventions: base units, instants as seconds since 1970. What is stored may also shrink (`forget`, retention), so
everything is a gauge. Only tickers are a label without a fixed set of values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tickercast.jobs.monitoring.check import check
from tickercast.jobs.monitoring.state import CONDITIONS, HomeState
from tickercast.storage.errors import StorageError

PREFIX = "tickercast_"
LASTING_KINDS = ("integrity", "backup", "disk", "failing", "late", "quarantined")


class HomeCollector(Collector):
    """Metrics of one home. read: returns its state; where it raises StorageError or OSError, the only metric says so."""

    def __init__(self, read: Callable[[], HomeState]) -> None:
        self.read = read

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of the present state."""
        try:
            state = self.read()
        except (StorageError, OSError):
            yield _gauge("database_readable", "1 while the database can be read.", 0)
            return
        yield _gauge("database_readable", "1 while the database can be read.", 1)
        yield _gauge("check_code", "Exit code of `tickercast status --check`: 0, 3 or 4.", int(check(state).code))
        yield from _of_daemon(state)
        yield from _of_tickers(state)
        yield from _of_store(state)


def registry_of(read: Callable[[], HomeState]) -> CollectorRegistry:
    """Return a registry with the metrics of a home alone."""
    registry = CollectorRegistry()
    registry.register(HomeCollector(read))
    return registry


def _of_daemon(state: HomeState) -> Iterator[Metric]:
    yield _gauge("daemon_up", "1 while the daemon of this home runs.", int(state.is_alive))
    row = state.daemon
    if row is None:
        return
    yield _instant("daemon_start_time_seconds", "When the daemon started.", row.started_at)
    yield _instant("daemon_last_beat_timestamp_seconds", "When the daemon last wrote that it lives.", row.beat_at)
    yield _instant("daemon_last_look_timestamp_seconds", "When the daemon last looked for a due cycle.", row.last_look)
    yield _instant("daemon_next_look_timestamp_seconds", "When the daemon will look next.", row.next_look)


def _of_tickers(state: HomeState) -> Iterator[Metric]:
    conditions = GaugeMetricFamily(f"{PREFIX}tickers", "Tickers by condition, see docs/operations.md.", labels=["condition"])
    for condition in CONDITIONS:
        conditions.add_metric([condition.replace(" ", "_")], len(state.found(condition)))
    yield conditions
    for name, meaning, values in (
        ("sessions_behind", "Sessions of a tracked ticker that have no forecast after their time.", "missed"),
        ("failed_runs_in_a_row", "Daily runs that failed for a tracked ticker since the last that did not.", "failures"),
        ("quarantined_bars", "Bars of a tracked ticker that wait for a decision.", "held_bars"),
    ):
        by_ticker = GaugeMetricFamily(PREFIX + name, meaning, labels=["ticker"])
        for ticker in state.tracked:
            by_ticker.add_metric([ticker.symbol], getattr(ticker, values))
        yield by_ticker


def _of_store(state: HomeState) -> Iterator[Metric]:
    yield _gauge("forecasts", "Forecasts stored.", state.forecasts)
    runs = GaugeMetricFamily(f"{PREFIX}runs", "Runs stored, by kind and how they ended.", labels=["kind", "status"])
    for kind, status, count in state.runs:
        runs.add_metric([kind, status], count)
    yield runs
    yield _instant(
        "last_complete_run_timestamp_seconds", "When the newest daily run without a failure ended.", state.complete_run
    )
    yield _gauge("database_size_bytes", "Size of the database.", state.disk.database)
    if not state.disk.bucket:
        yield _gauge("prices_size_bytes", "Size of the price files.", state.disk.prices)
    yield _gauge("disk_free_bytes", "Free space where the store is.", state.disk.free)
    yield _instant("last_backup_timestamp_seconds", "When the newest backup by schedule was made.", state.backup)
    notices = GaugeMetricFamily(f"{PREFIX}lasting_notices", "Notices that last, see docs/operations.md.", labels=["kind"])
    for kind in LASTING_KINDS:
        notices.add_metric([kind], len(state.lasting_of(kind)))
    yield notices


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, meaning, value=value)


def _instant(name: str, meaning: str, instant: datetime | None) -> Metric:
    """Return an instant as a metric, without a sample where it is unknown."""
    return GaugeMetricFamily(PREFIX + name, meaning, value=instant.timestamp() if instant else None)
