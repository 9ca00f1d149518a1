"""The command of `make torture`: prints its seed, makes the trials, prints a table and exits 1 when a promise broke."""

from __future__ import annotations

import argparse
import platform
import secrets
import sys
from pathlib import Path

from tests.torture.builds import REPOSITORY, Build
from tests.torture.harness import Bench, Harness, without_progress
from tests.torture.registry import HARNESSES
from tests.torture.runner import read_done, run_trials, totals

OUT = REPOSITORY / "out" / "torture"
MINUTES = 60.0


def main() -> int:
    """Run the command and return its exit code."""
    options = _options()
    folder = OUT / str(options.seed)
    folder.mkdir(parents=True, exist_ok=True)
    print(f"seed {options.seed}; repeat or resume with: make torture SEED={options.seed}", flush=True)
    named = {name: harness for name, harness in HARNESSES.items() if not options.names or name in options.names}
    chosen = {name: harness for name, harness in named.items() if not harness.unavailable()}
    for name in sorted(set(named) - set(chosen)):
        print(f"not run here: {name}: {named[name].unavailable()}", flush=True)
    benches = {name: Bench(Build(), folder / name, options.seed) for name in chosen}
    for name, harness in chosen.items():
        if not (folder / f"{name}.ready").exists():
            (folder / name).mkdir(exist_ok=True)
            harness.prepare(benches[name])
            (folder / f"{name}.ready").touch()
    wanted = {name: harness.full_trials if options.full else harness.trials for name, harness in chosen.items()}
    seconds = float("inf") if options.full else 60 * options.minutes
    path = folder / "outcomes.jsonl"
    for done in run_trials(benches, wanted, path, lanes=options.lanes, seconds=seconds):
        for sentence in done.outcome.broken:
            print(f"BROKEN {sentence}", flush=True)
    return _report(chosen, benches, wanted, path)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="HARNESS", help="these harnesses alone")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="draws every fault; default: a new one")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="no trial starts later")
    parser.add_argument("--full", action="store_true", help="every trial, without a bound in time")
    parser.add_argument("--lanes", type=int, default=2, help="trials at the same time")
    options = parser.parse_args()
    if unknown := set(options.names) - HARNESSES.keys():
        parser.error(f"no harness {', '.join(sorted(unknown))}; there are {', '.join(sorted(HARNESSES))}")
    return options


def _report(chosen: dict[str, Harness], benches: dict[str, Bench], wanted: dict[str, int], path: Path) -> int:
    """Print the table of all trials that were ever made with this seed, and return the exit code."""
    done = read_done(path)
    failed = 0
    print(f"\nmachine: {platform.machine()}, {platform.system()} {platform.release()}, Python {platform.python_version()}\n")
    print("| harness | faults | trials | work between | minutes | broken |\n|---|---|---|---|---|---|")
    for name, harness in chosen.items():
        faults, work, broken, seconds = totals(harness, done)
        broken += without_progress(harness, [each.outcome for each in done if each.harness == name])
        of = f" of {harness.total(benches[name]):,}" if harness.total else ""
        made = sum(each.harness == name for each in done)
        facts = ", ".join(f"{number:,} {fact}" for fact, number in sorted(work.items()))
        trials = f"{made:,} of {wanted[name]:,}"
        print(f"| {name} | {faults:,}{of} {harness.faults} | {trials} | {facts} | {seconds / 60:.1f} | {len(broken)} |")
        for sentence in broken:
            print(f"BROKEN {sentence}", file=sys.stderr)
        failed += len(broken)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
