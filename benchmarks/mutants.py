"""Print how many planted faults the unit tests noticed, by module, from the last `mutmut run`; `make mutants` runs both.

    python benchmarks/mutants.py

Exits 1 when fewer than 95 % of a module's mutants were killed. `mutmut show NAME` prints the fault of a survivor.
"""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

FEWEST_KILLED = 0.95
KILLED = {"killed", "timeout", "segfault"}


def outcomes() -> dict[str, dict[str, str]]:
    """Return the outcome of each mutant, by module and mutant name."""
    mutmut = Path(sys.executable).with_name("mutmut")
    printed = subprocess.run([mutmut, "results", "--all", "true"], capture_output=True, text=True, check=True).stdout
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for line in printed.splitlines():
        name, _, outcome = line.strip().partition(": ")
        found[name.rpartition(".")[0]][name] = outcome
    return dict(sorted(found.items()))


def main() -> None:
    print("| module | mutants | killed | survived | share |\n|---|---|---|---|---|")
    survivors: list[str] = []
    shares: list[float] = []
    for module, mutants in outcomes().items():
        survived = [f"{name}: {outcome}" for name, outcome in mutants.items() if outcome not in KILLED]
        killed = len(mutants) - len(survived)
        shares.append(killed / len(mutants))
        survivors += survived
        print(f"| `{module}` | {len(mutants)} | {killed} | {len(survived)} | {shares[-1]:.1%} |")
    print("", *survivors, sep="\n")
    raise SystemExit(min(shares, default=0.0) < FEWEST_KILLED)


if __name__ == "__main__":
    main()
