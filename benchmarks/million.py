"""How long would a day of a million tickers take, and what would be full first? A simulation with recorded timings.

    python benchmarks/million.py FILE.json [--requests-per-second 2] [--put-seconds 0.02] [--put-threads 32] [--server-cores 8]

FILE is what `ticker_day.py --out` wrote, of a record on PostgreSQL. Stacks of tickers go through the flow of a daily cycle: the
source at its pace, the coordinator (answers, gates, price files), the object store, a worker, the coordinator again (commit, for
which it waits for the server), then skill and risk. Each step takes the time that was recorded, times the stack's tickers. Steps
wait in order of arrival for what is free, and as many stacks are under way as bound the memory. Several coordinators split the
tickers between them, on one server.
"""

from __future__ import annotations

import argparse
import heapq
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tickercast.jobs.runs.engines import TASKS_A_WORKER
from tickercast.jobs.workspace.sections import ComputeSection

STACK = ComputeSection().stack  # tickers
TICKERS = (1_000, 10_000, 100_000, 1_000_000)
WORKERS = (2, 8, 32, 256)
COORDINATORS = (1, 4, 16, 64)
FETCHED = ("request and answer", "gates and bars", "price files", "the rest")
COMMITTED = ("commit of forecasts", "scores")


@dataclass
class Resource:
    """Something of which there are some. free: when each is free again. busy: seconds that they worked, in all."""

    name: str
    count: int
    free: list[float] = field(default_factory=list)
    busy: float = 0.0

    def __post_init__(self) -> None:
        self.free = [0.0] * self.count

    def share_of(self, duration: float) -> float:
        """Return which part of a time all of them worked."""
        return self.busy / (self.count * duration)


@dataclass(frozen=True)
class Step:
    """What a stack does next: it holds one of each resource until all have worked their seconds, one after the other."""

    needs: Sequence[tuple[Resource, float]]

    def begin_at(self, ready: float) -> float:
        """Hold the resources once they are free, and return when the step has ended."""
        begin = max(ready, *(resource.free[0] for resource, _ in self.needs))
        end = begin + sum(seconds for _, seconds in self.needs)
        for resource, seconds in self.needs:
            heapq.heapreplace(resource.free, end)
            resource.busy += seconds
        return end


@dataclass(frozen=True)
class Site:
    """What the flow has: how many of each, and the pace of the source; a pace of 0 is no limit."""

    tickers: int
    workers: int
    coordinators: int
    requests_per_second: float
    put_seconds: float
    put_threads: int
    server_cores: int


def simulated(site: Site, timings: dict[str, Any]) -> tuple[float, dict[str, float]]:
    """Return the seconds of a day, and which part of it each resource worked, busiest first."""
    source, coordinator = Resource("source", 1), Resource("coordinator", site.coordinators)
    store, worker = Resource("object store", site.coordinators), Resource("workers", site.workers)
    server = Resource("PostgreSQL", site.server_cores)
    phases, waited = timings["phases"], timings["server"]

    def steps(tickers: int) -> list[Step]:
        requests = sum(timings["requests"].values()) / site.requests_per_second if site.requests_per_second else 0.0
        return [
            Step([(source, tickers * requests)]),
            Step([(coordinator, tickers * sum(phases.get(name, 0.0) for name in FETCHED))]),
            Step([(store, tickers * site.put_seconds / site.put_threads)]),
            Step([(worker, tickers * phases["network"])]),
            Step([(coordinator, tickers * sum(phases[name] for name in COMMITTED)), (server, tickers * waited)]),
        ]

    sizes = [STACK] * (site.tickers // STACK) + [site.tickers % STACK] * bool(site.tickers % STACK)
    under_way = TASKS_A_WORKER * max(site.workers, site.coordinators)
    waiting = [(0.0, 0, number, steps(size)) for number, size in enumerate(sizes[:under_way])]
    admitted, end = len(waiting), 0.0
    while waiting:
        ready, step, number, todo = heapq.heappop(waiting)
        ended = todo[step].begin_at(ready)
        end = max(end, ended)
        if step + 1 < len(todo):
            heapq.heappush(waiting, (ended, step + 1, number, todo))
        elif admitted < len(sizes):
            heapq.heappush(waiting, (ended, 0, admitted, steps(sizes[admitted])))
            admitted += 1
    skill = phases["skill and risk"] * site.tickers / site.coordinators
    coordinator.busy += skill * site.coordinators
    end += skill
    shares = {resource.name: resource.share_of(end) for resource in (source, coordinator, store, worker, server)}
    return end, dict(sorted(shares.items(), key=lambda item: -item[1]))


def duration(seconds: float) -> str:
    """Return a time as a person says it."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def row(name: str, sites: Sequence[Site], timings: dict[str, Any]) -> str:
    """Return a row of a table: the time of each site, and what worked most."""
    cells = []
    for site in sites:
        seconds, shares = simulated(site, timings)
        busiest, share = next(iter(shares.items()))
        cells.append(f"{duration(seconds)}, {busiest} {share:.0%}")
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Print a table by tickers and workers, and one of a million tickers by coordinators."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("timings", type=Path)
    parser.add_argument("--requests-per-second", type=float, default=0.0)
    parser.add_argument("--put-seconds", type=float, default=0.02)
    parser.add_argument("--put-threads", type=int, default=32)
    parser.add_argument("--server-cores", type=int, default=8)
    given = parser.parse_args()
    timings = json.loads(given.timings.read_text())

    def site(tickers: int, workers: int, coordinators: int = 1) -> Site:
        return Site(
            tickers, workers, coordinators, given.requests_per_second, given.put_seconds, given.put_threads, given.server_cores
        )

    print(f"| tickers | {' | '.join(f'{workers} workers' for workers in WORKERS)} |\n|{'---|' * (1 + len(WORKERS))}")
    for tickers in TICKERS:
        print(row(f"{tickers:,}", [site(tickers, workers) for workers in WORKERS], timings))
    print(f"\n| coordinators | {TICKERS[-1]:,} tickers, 256 workers |\n|---|---|")
    for count in COORDINATORS:
        print(row(str(count), [site(TICKERS[-1], 256, count)], timings))


if __name__ == "__main__":
    main()
