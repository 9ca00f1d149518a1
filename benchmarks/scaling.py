"""Time a network as the stack grows and as workers grow, and where a gradient step's time goes; writes a plot and tables.

    python benchmarks/scaling.py [--out docs]     # needs the bench extra (matplotlib)

A network is of the density model's sizes (Elman, 16 units, 7 inputs, 5 horizons) on 504 sessions; a step is one epoch.
"""

from __future__ import annotations

import argparse
import cProfile
import multiprocessing
import os
import platform
import pstats
import statistics
import time
import tracemalloc
from multiprocessing.synchronize import Barrier
from pathlib import Path

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np

from tickercast.rnn.density import DensityLayout, DensityLoss, density_shape
from tickercast.rnn.features import NAMES, Measures, density_inputs
from tickercast.rnn.params import initial_params
from tickercast.rnn.state import cold_state
from tickercast.rnn.training import TrainingSettings, train

STACKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
SESSIONS, HORIZONS, UNITS = 504, 5, 16
SHAPE = density_shape(len(NAMES), UNITS, HORIZONS)


def random_measures(networks: int) -> Measures:
    rng = np.random.default_rng(0)
    sizes = (networks, SESSIONS)
    return Measures(
        rng.standard_t(4, sizes) * 0.01, rng.normal(0, 1e-4, sizes) ** 2, rng.normal(0, 0.003, sizes), rng.normal(14, 0.3, sizes)
    )


def step_microseconds(networks: int) -> float:
    """Return the median microseconds of a gradient step, a network."""
    loss = DensityLoss(density_inputs(random_measures(networks), HORIZONS), SHAPE, DensityLayout())
    params = initial_params(range(networks), SHAPE)
    gradient = np.zeros_like(params)
    loss.loss_and_gradient(params, gradient)
    seconds = []
    for _ in range(max(5, 400 // networks)):
        began = time.perf_counter()
        loss.loss_and_gradient(params, gradient)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds) / networks * 1e6


def train_part(networks: int) -> None:
    loss = DensityLoss(density_inputs(random_measures(networks), HORIZONS), SHAPE, DensityLayout())
    train(cold_state(range(networks), SHAPE), loss, TrainingSettings(epochs=20, learning_rate=0.003))


def train_when_all_are_up(barrier: Barrier, networks: int) -> None:
    train_part(1)
    barrier.wait()
    train_part(networks)
    barrier.wait()


def workers_seconds(workers: int, networks: int = 1024) -> float:
    """Return the seconds of 20 epochs of many networks, shared out among processes that are already up."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(workers + 1)
    processes = [context.Process(target=train_when_all_are_up, args=(barrier, networks // workers)) for _ in range(workers)]
    for process in processes:
        process.start()
    barrier.wait()
    began = time.perf_counter()
    barrier.wait()
    seconds = time.perf_counter() - began
    for process in processes:
        process.join()
    return seconds


def profile_lines(networks: int, cell: str) -> list[tuple[str, float]]:
    """Return the share of a step's time by the function that it was spent in."""
    shape = density_shape(len(NAMES), UNITS, HORIZONS, cell)
    loss = DensityLoss(density_inputs(random_measures(networks), HORIZONS), shape, DensityLayout())
    params = initial_params(range(networks), shape)
    gradient = np.zeros_like(params)
    loss.loss_and_gradient(params, gradient)
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(10):
        loss.loss_and_gradient(params, gradient)
    profile.disable()
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    own = {name: seconds for (_, _, name), (_, _, seconds, _, _) in stats.items()}
    whole = sum(own.values())
    return [(name, own[name] / whole) for name in sorted(own, key=own.__getitem__, reverse=True)[:8]]


def stack_megabytes(networks: int) -> float:
    """Return the peak megabytes of arrays while a stack takes one step, its inputs included."""
    tracemalloc.start()
    loss = DensityLoss(density_inputs(random_measures(networks), HORIZONS), SHAPE, DensityLayout())
    params = initial_params(range(networks), SHAPE)
    loss.loss_and_gradient(params, np.zeros_like(params))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def draw(microseconds: list[float], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4))
    axes.loglog(STACKS, microseconds, marker="o", color="#0072b2")
    axes.set(xlabel="networks in the stack, K", ylabel="microseconds a network", title="One gradient step")
    axes.set_xticks(STACKS, [str(k) for k in STACKS])
    axes.minorticks_off()
    axes.set_ylim(bottom=100)
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs"))
    out = parser.parse_args().out
    print(f"machine: {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, NumPy {np.__version__}")
    microseconds = [step_microseconds(networks) for networks in STACKS]
    print("\n| K | us a network |\n|---|---|")
    print("\n".join(f"| {k} | {us:.0f} |" for k, us in zip(STACKS, microseconds, strict=True)))
    draw(microseconds, out / "scaling.png")
    seconds = {workers: workers_seconds(workers) for workers in (1, 2)}
    print("\n| workers | seconds | speed-up |\n|---|---|---|")
    print("\n".join(f"| {w} | {s:.2f} | {seconds[1] / s:.2f} |" for w, s in seconds.items()))
    print(f"\npeak of arrays, a stack of 500: {stack_megabytes(500):.0f} MB")
    for cell in ("elman", "gru"):
        print(f"\n| where a step's time goes, {cell}, K = 128 | share |\n|---|---|")
        print("\n".join(f"| {name} | {share:.0%} |" for name, share in profile_lines(128, cell)))


if __name__ == "__main__":
    main()
