"""Simulate a backfill on many workers from recorded costs of its tasks: where does the coordinator saturate?

    python benchmarks/dask_engine.py ... --record FILE
    python benchmarks/many_workers.py FILE [--tickers 10000] [--sessions 252] [--workers 1 2 4 8 16 32 64] [--megabytes 100]

Events are simulated, not computed: workers that compute tasks, and one coordinator that packs a task, unpacks a result and
commits it, one after the other. The plan of stacks and blocks and the number of tasks under way are the product's. Each task
costs what one of the recorded ones cost, scaled to its tickers and sessions. A network of --megabytes a second carries both ways.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import random
from dataclasses import dataclass
from pathlib import Path

from tickercast.jobs.runs.backlog import BLOCK_SESSIONS, FEWEST_PER_WORKER
from tickercast.jobs.runs.engines import TASKS_A_WORKER
from tickercast.jobs.workspace.sections import ComputeSection

STACK = ComputeSection().stack


@dataclass(frozen=True)
class Cost:
    """What a ticker-origin costs, in seconds: of a worker, and of the coordinator before and after it. megabytes: both ways."""

    before: float
    compute: float
    after: float
    megabytes: float


@dataclass
class Simulated:
    """A simulated backfill. busy: shares of the time in which the coordinator and the average worker work."""

    seconds: float
    coordinator_busy: float
    workers_busy: float


def read_costs(path: Path) -> list[Cost]:
    """Return the recorded cost of a ticker-origin in each task."""
    costs = []
    for task in json.loads(path.read_text(encoding="utf-8")):
        origins = task["tickers"] * task["sessions"]
        after = task["unpack_seconds"] + task["commit_seconds"]
        megabytes = (task["task_bytes"] + task["result_bytes"]) / 1e6
        costs.append(Cost(*(x / origins for x in (task["pack_seconds"], task["compute_seconds"], after, megabytes))))
    return costs


def planned(tickers: int, sessions: int, workers: int) -> list[list[int]]:
    """Return the ticker-origins of each block of each stack, as jobs.runs.backlog plans them for tickers of one exchange."""
    count = max(math.ceil(tickers / STACK), min(workers, tickers // FEWEST_PER_WORKER))
    blocks = [min(BLOCK_SESSIONS, sessions - begin) for begin in range(0, sessions, BLOCK_SESSIONS)]
    return [[len(range(i, tickers, count)) * block for block in blocks] for i in range(count)]


def simulate(stacks: list[list[int]], costs: list[Cost], workers: int, megabytes_a_second: float) -> Simulated:
    """Return what a backfill takes. Time goes from one event to the next; the coordinator does what has waited longest."""
    rng = random.Random(workers)
    ready = [list(stack) for stack in stacks]  # blocks that may be sent, the next one first
    free = [0.0] * workers  # when each worker has done what it was sent
    arrived: list[tuple[float, int, float, list[int]]] = []  # when, number, the coordinator's seconds, rest of the stack
    now, busy, computing, sent = 0.0, 0.0, 0.0, 0
    while ready or arrived:
        if ready and len(arrived) < TASKS_A_WORKER * workers:
            rest = ready.pop(0)
            cost, origins = rng.choice(costs), rest[0]
            now, busy = now + cost.before * origins, busy + cost.before * origins
            way = cost.megabytes * origins / megabytes_a_second
            begun = max(now + way, heapq.heappop(free))
            heapq.heappush(free, begun + cost.compute * origins)
            computing += cost.compute * origins
            heapq.heappush(arrived, (begun + cost.compute * origins, sent, cost.after * origins, rest[1:]))
            sent += 1
        else:
            at, _, after, rest = heapq.heappop(arrived)
            now, busy = max(now, at) + after, busy + after
            ready += [rest] if rest else []
    return Simulated(now, busy / now, computing / now / workers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recorded", type=Path)
    parser.add_argument("--tickers", type=int, default=10_000)
    parser.add_argument("--sessions", type=int, default=252)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64])
    parser.add_argument("--megabytes", type=float, default=100.0)
    options = parser.parse_args()
    costs = read_costs(options.recorded)
    before, compute, after, megabytes = (sum(getattr(c, n) for c in costs) / len(costs) for n in Cost.__annotations__)
    each = f"{1000 * compute:.3f} ms on a worker, {1000 * (before + after):.3f} ms on the coordinator, {1000 * megabytes:.1f} kB"
    print(f"{len(costs)} recorded tasks; a ticker-origin: {each}")
    print(f"the coordinator saturates at {compute / (before + after):.1f} workers\n")
    print("| workers | minutes | times one worker | coordinator busy | workers busy |\n|---|---|---|---|---|")
    alone = 0.0
    for workers in options.workers:
        found = simulate(planned(options.tickers, options.sessions, workers), costs, workers, options.megabytes)
        alone = alone or found.seconds
        print(f"| {workers} | {found.seconds / 60:.1f} | {alone / found.seconds:.1f} | {found.coordinator_busy:.0%} "
              f"| {found.workers_busy:.0%} |")  # fmt: skip


if __name__ == "__main__":
    main()
