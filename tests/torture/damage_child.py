"""The part of the harness of damage that runs in a process of the build: many damaged files, one after the other."""

from __future__ import annotations

import json
import random
import resource
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.torture import damage_judges as judges
from tests.torture.damage_arena import Arena
from tests.torture.damage_homes import Homes

SECONDS = 10
ADDRESS_BYTES = 4_000_000_000
PROCESSOR_SECONDS = 100


def main() -> None:
    """Damage as many files as the arguments say: homes, an empty folder, where to write the outcome, a seed, a number."""
    homes, folder, out, seed, count = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_BYTES, ADDRESS_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    arena = Arena(Homes(Path(homes)), Path(folder))
    outcomes: Counter[str] = Counter()
    broken = []
    for number in range(int(count)):
        rng = random.Random(f"{seed}/{number}")
        damage = arena.damage(rng)
        Path(out).write_text(json.dumps({"during": f"{damage.how} ({number})"}), encoding="utf-8")
        try:
            with limited():
                outcomes[f"{damage.target} {judges.judged(damage.judge)}"] += 1
        except judges.Unnoticed as error:
            broken.append(f"damage {seed}/{number}: {damage.how}: {error}")
        arena.mend(damage)
    Path(out).write_text(json.dumps({"outcomes": outcomes, "broken": broken}), encoding="utf-8")


@contextmanager
def limited() -> Iterator[None]:
    """Raise Unnoticed where the block takes too long."""

    def end(_number: int, _frame: object) -> None:
        raise judges.Unnoticed(f"it takes more than {SECONDS} s")

    signal.signal(signal.SIGALRM, end)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


if __name__ == "__main__":
    main()
