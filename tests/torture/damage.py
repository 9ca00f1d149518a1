"""Damaged files: bits, bytes, sectors and pages of the store's files changed, or something else in their place.

A price file may never be read with other bars. What `verify --deep` calls sound must be the record as it was. Of a write-ahead
log any prefix of the commits is right, since each of its frames has a checksum. A source's files have none: there, an error is
one line. Never a hang, a crash or a traceback.
"""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from pathlib import Path

from tests.torture import damage_judges as judges
from tests.torture.damage_arena import Arena, Damage
from tests.torture.damage_homes import DATABASE, FIRST, NEXT, TICKERS, Homes, homes_of
from tests.torture.ended import run_command, run_module
from tests.torture.harness import Bench, Harness, Outcome
from tickercast.jobs.analysis.recompute import wrong_figures
from tickercast.storage.database import reading
from tickercast.storage.verify import all_problems, content_hash

IN_PROCESS, BY_COMMAND = 95, 5
LONGEST_SECONDS = 120
BARS_OF_SOUND = "bars.csv"
OWN_CONTENT = ("source", "settings")  # what they say counts, so another record is right
# Each kind of damage is noticed, and not everywhere refused without a look.
SEEN = (
    ("price file", "refused"), ("database", "found"), ("database", "refused"), ("database", "correct"), ("row", "found"),
    ("figure", "found"), ("log", "correct"), ("checkpoint", "found"), ("prior", "refused"),
    ("backup", "refused"), ("settings", "refused"), ("source", "refused"),
)  # fmt: skip


def prepare(bench: Bench) -> None:
    """Make the homes, and keep what `bars` writes of a sound one."""
    home = homes_of(bench).home
    (bench.prepared / BARS_OF_SOUND).write_text(run_command(bench.build, home, _bars(home)).out, encoding="utf-8")


def trial(bench: Bench, index: int) -> Outcome:
    """Damage many files in one process, and some for a command each."""
    with bench.scratch() as folder:
        outcomes, broken = _in_process(bench, folder, index)
        shutil.rmtree(folder / "arena")
        found = _by_command(bench, folder, index)
    outcomes.update(found[0])
    return Outcome(IN_PROCESS + BY_COMMAND, dict(outcomes), (*broken, *found[1]))


def _in_process(bench: Bench, folder: Path, index: int) -> tuple[Counter[str], list[str]]:
    """Return how many damages of each target ended how, and what broke."""
    arena, out = folder / "arena", folder / "out.json"
    arena.mkdir()
    arguments = (homes_of(bench).folder.resolve(), arena, out, f"{bench.seed}/{index}", IN_PROCESS)
    ended = run_module(bench.build, folder, "tests.torture.damage_child", arguments, seconds=LONGEST_SECONDS)
    told = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    if ended.code or "outcomes" not in told:
        return Counter(), [f"damage {bench.seed}/{index}: {told.get('during')}: exit code {ended.code} ({ended.err[-300:]!r})"]
    return Counter({f"{name}": number for name, number in told["outcomes"].items()}), told["broken"]


def _by_command(bench: Bench, folder: Path, index: int) -> tuple[Counter[str], list[str]]:
    """Run commands of the build on damaged homes."""
    rng = bench.rng("damage by command", index)
    arena = Arena(homes_of(bench), _emptied(folder / "commands"))
    outcomes: Counter[str] = Counter()
    broken = []
    for number in range(BY_COMMAND):
        damage = arena.damage(rng)
        arguments = _command_for(damage, arena, rng)
        ended = run_command(bench.build, arena.folder, arguments)
        outcomes["command"] += 1
        faults = ended.faults()
        if not ended.code and not faults:
            faults = _silently_wrong(bench, damage, arena, str(arguments[2]), ended.out)
        where = f"damage {bench.seed}/{index} by command {number}: {damage.how}, `{arguments[2]}`"
        broken += [f"{where}: {fault}" for fault in faults]
        arena = Arena(homes_of(bench), _emptied(folder / "commands"))
    return outcomes, broken


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _command_for(damage: Damage, arena: Arena, rng: random.Random) -> list[object]:
    """Return a command line that reads what was damaged."""
    home: list[object] = ["--home", damage.home]
    if damage.target == "backup":
        return ["--home", arena.folder / "restored", "restore", arena.backup]
    backfill: list[object] = [*home, "backfill", *TICKERS, "--start", FIRST, "--end", NEXT, "--workers", 1]
    if damage.target == "source":
        source: list[object] = ["--source", f"folder:{arena.source}", "--adjustment", "as_traded"]
        return ["--home", arena.folder / "fresh", *backfill[2:], *source]
    reading = ([*home, "verify", "--deep"], _bars(damage.home), [*home, "forecast"], [*home, "status"])
    return rng.choice((*reading, backfill, backfill))


def _bars(home: Path) -> list[object]:
    return ["--home", home, "bars", TICKERS[0], "--format", "csv"]


def _silently_wrong(bench: Bench, damage: Damage, arena: Arena, command: str, out: str) -> list[str]:
    """Return what is wrong although a command ended well: what it says is sound, or made, is not as it should be."""
    homes = homes_of(bench)
    if command == "bars" and damage.target == "price file":
        return [] if out == (bench.prepared / BARS_OF_SOUND).read_text(encoding="utf-8") else ["other bars"]
    if command in ("bars", "forecast", "status"):
        return []
    if command == "verify":
        home, truths = damage.home, arena.prefixes if damage.target == "log" else [arena.truth]
    elif command == "restore":
        home, truths = arena.folder / "restored", [arena.truth]
    else:
        return _other_record(arena.folder / "fresh" if damage.target == "source" else damage.home, homes, damage.target)
    try:
        judges.judged(lambda: judges.record(home, truths))
    except judges.Unnoticed as error:
        return [str(error)]
    return []


def _other_record(home: Path, homes: Homes, target: str) -> list[str]:
    """Return a sentence where a backfill that ended well left another record than on a sound home, and verify finds nothing."""

    def judge() -> str:
        with reading(home / DATABASE) as connection:
            if all_problems(connection, home / "prices") or list(wrong_figures(connection)):
                return judges.FOUND
            found = content_hash(connection)
        with reading(homes.twin / DATABASE) as connection:
            if target not in OWN_CONTENT and found != content_hash(connection):
                raise judges.Unnoticed("the record differs from the twin's, and verify --deep finds nothing")
        return judges.CORRECT

    try:
        judges.judged(judge)
    except judges.Unnoticed as error:
        return [str(error)]
    return []


HARNESS = Harness(
    name="damage",
    promise="No damaged file gives wrong data silently, a hang, a crash or a traceback",
    faults="damaged files",
    trials=200,
    short_trials=1,
    full_trials=2000,
    prepare=prepare,
    trial=trial,
    work=tuple(f"{target} {outcome}" for target, outcome in SEEN),
)
