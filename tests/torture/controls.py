"""Negative controls: broken builds, each with the harness that has to notice it. A harness that never fails proves nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.torture.builds import Sabotage, broken_build
from tests.torture.harness import Bench, Harness

SEED = 1


@dataclass(frozen=True, slots=True)
class Control:
    """A broken build. harness: which one has to notice it, within some trials. sign: a text of the sentence that says so."""

    sabotage: tuple[Sabotage, ...]
    harness: Harness
    trials: int
    sign: str


def sentence_that_notices(control: Control, folder: Path) -> str | None:
    """Return the first sentence of a harness that has a control's sign, None where no trial notices the broken build."""
    build, prepared = folder / "build", folder / "prepared"
    build.mkdir()
    prepared.mkdir()
    bench = Bench(broken_build(build, *control.sabotage), prepared, SEED)
    control.harness.prepare(bench)
    for index in range(control.trials):
        for sentence in control.harness.trial(bench, index).broken:
            if control.sign in sentence:
                return sentence
    return None
