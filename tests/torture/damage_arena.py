"""Copies of the homes that are damaged, judged and made whole again. Which damage comes is drawn from seeded random numbers."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from tests.torture import damage_judges as judges
from tests.torture import damage_kinds as kinds
from tests.torture.damage_homes import DATABASE, SETTINGS_NAME, TICKERS, Homes
from tests.torture.damage_rows import change_a_figure, change_a_value
from tests.torture.write_ahead_log import commit_ends
from tickercast.jobs.runs.bundle import FOLDER, bundled_priors
from tickercast.storage.files import sha256_of

PRIORS = Path(str(FOLDER))
LOG, SHARED = f"{DATABASE}-wal", f"{DATABASE}-shm"
TARGETS = {
    "price file": 4,
    "database": 6,
    "row": 3,
    "figure": 2,
    "log": 3,
    "checkpoint": 2,
    "prior": 1,
    "backup": 2,
    "settings": 1,
    "source": 2,
}  # and how often


@dataclass(frozen=True, slots=True)
class Damage:
    """A damaged file. home: of the commands that read it. judge: says whether it is noticed. how: for a sentence."""

    target: str
    how: str
    path: Path
    home: Path
    judge: Callable[[], str]


class Arena:
    """Copies of the homes in a folder."""

    def __init__(self, homes: Homes, folder: Path) -> None:
        self.homes, self.folder = homes, folder
        self.home, self.logged, self.source, self.backup = (folder / name for name in ("home", "logged", "source", "backup.tar"))
        shutil.copytree(homes.home, self.home)
        shutil.copytree(homes.logged, self.logged)
        shutil.copytree(homes.source, self.source)
        shutil.copy(homes.backup, self.backup)
        self.priors = folder / "priors"
        self.files = judges.current_files(homes.home)
        self.bars = {path: judges.bars_bytes(homes.home / "prices", path, sha256) for path, sha256 in self.files.items()}
        self.truth = judges.signature_of(homes.home)

    @cached_property
    def prefixes(self) -> list[judges.Signature]:
        """Return what the logged home holds after each number of commits in its log."""
        found, log = [], (self.homes.logged / LOG).read_bytes()
        copy = self.folder / "prefix"
        for end in commit_ends(log):
            shutil.copytree(self.homes.logged, copy)
            (copy / LOG).write_bytes(log[:end])
            found.append(judges.signature_of(copy))
            shutil.rmtree(copy)
        return found

    def damage(self, rng: random.Random) -> Damage:
        """Damage a file and return what was done."""
        target = rng.choices(list(TARGETS), list(TARGETS.values()))[0]
        if target == "price file":
            return self._price_file(rng)
        if target == "database":
            return self._database(rng)
        if target == "row":
            path = self.home / DATABASE
            return Damage(target, change_a_value(rng, path), path, self.home, self._judge_record)
        if target == "figure":
            path = self.home / DATABASE
            return Damage(target, change_a_figure(rng, path), path, self.home, self._judge_record)
        if target == "log":
            return self._log(rng)
        if target == "checkpoint":
            return self._checkpoint(rng)
        if target == "prior":
            return self._prior(rng)
        if target == "backup":
            return self._file(rng, target, self.backup, self.homes.backup, self.home, self._judge_backup)
        if target == "settings":
            path = self.home / SETTINGS_NAME
            return self._file(rng, target, path, self.homes.home / SETTINGS_NAME, self.home, lambda: judges.settings(self.home))
        name = rng.choice(["events.csv", *(f"{ticker}.csv" for ticker in TICKERS)])
        return self._file(
            rng, target, self.source / name, self.homes.source / name, self.home, lambda: judges.source(self.source)
        )

    def mend(self, damage: Damage) -> None:
        """Make everything whole that a damage and those who read it have changed."""
        kinds.clear(damage.path)
        if damage.path.is_relative_to(self.source):
            shutil.copy(self.homes.source / damage.path.name, damage.path)
            return
        if damage.target == "prior":
            shutil.copy(PRIORS / damage.path.name, damage.path)
            return
        if damage.path == self.backup:
            shutil.copy(self.homes.backup, self.backup)
            return
        sound = self.homes.logged if damage.home == self.logged else self.homes.home
        for name in (LOG, SHARED):
            kinds.clear(damage.home / name)
        for path in (sound / DATABASE, sound / LOG, sound / damage.path.relative_to(damage.home)):
            if path.exists():
                shutil.copy(path, damage.home / path.relative_to(sound))

    def _judge_record(self) -> str:
        return judges.record(self.home, [self.truth])

    def _judge_backup(self) -> str:
        return judges.backup(self.backup, self.folder / "restored", [self.truth])

    def _price_file(self, rng: random.Random) -> Damage:
        name = rng.choice(list(self.files))
        prices, sound = self.home / "prices", self.homes.home / "prices"
        others = [path for folder in (sound, self.homes.other / "prices") for path in folder.glob("*/*") if path != sound / name]
        changes = [*kinds.CHANGES, *(kinds.whole(path.read_bytes()) for path in others)]

        def judge() -> str:
            outcome = judges.price_files(self.home, self.files, self.bars)
            return outcome if rng.random() < 0.6 else judges.record(self.home, [self.truth])

        return self._file(rng, "price file", prices / name, sound / name, self.home, judge, changes)

    def _database(self, rng: random.Random) -> Damage:
        older, other = ((home / DATABASE).read_bytes() for home in (self.homes.older, self.homes.other))
        changes = [*kinds.CHANGES, kinds.exchange_pages, kinds.page_of(older), kinds.page_of(other), kinds.whole(other)]
        path = self.home / DATABASE
        return self._file(rng, "database", path, self.homes.home / DATABASE, self.home, self._judge_record, changes)

    def _log(self, rng: random.Random) -> Damage:
        judge = partial(judges.record, self.logged, self.prefixes)
        return self._file(rng, "log", self.logged / LOG, self.homes.logged / LOG, self.logged, judge)

    def _prior(self, rng: random.Random) -> Damage:
        """Damage a weight file that comes with the program."""
        prior = rng.choice(bundled_priors())
        content = (PRIORS / prior.file).read_bytes()
        others = [(PRIORS / other.file).read_bytes() for other in bundled_priors() if other.sha256 != prior.sha256]
        change = rng.choice([*kinds.CHANGES, kinds.whole(rng.choice(others)), kinds.whole(b"")])
        kinds.place(self.priors / prior.file, change(rng, content))
        judge = partial(judges.prior, self.priors, prior, content)
        return Damage("prior", f"{kinds.name_of(change)} in {prior.file}", self.priors / prior.file, self.home, judge)

    def _checkpoint(self, rng: random.Random) -> Damage:
        """Damage a checkpoint's bytes in the database; sometimes together with the hash beside them."""
        path = self.home / DATABASE
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute("SELECT model_id, content FROM checkpoints ORDER BY model_id").fetchall()
            model, content = rng.choice(rows)
            other = rng.choice([row[1] for row in rows if row[1] != content])
            change = rng.choice([*kinds.CHANGES, kinds.whole(other), kinds.whole(b"")])
            changed = change(rng, content)
            own_hash = rng.random() < 0.3
            connection.execute("UPDATE checkpoints SET content = ? WHERE model_id = ?", (changed, model))
            if own_hash:
                connection.execute("UPDATE checkpoints SET sha256 = ? WHERE model_id = ?", (sha256_of(changed), model))
            connection.commit()
        how = f"{kinds.name_of(change)} of the checkpoint of {model}{' with its hash' if own_hash else ''}"
        return Damage("checkpoint", how, path, self.home, self._judge_record)

    def _file(
        self, rng: random.Random, target: str, path: Path, sound: Path, home: Path, judge: Callable[[], str],
        changes: list[kinds.Change] | None = None,
    ) -> Damage:  # fmt: skip
        """Change the bytes of a file, or put something else in its place."""
        content = sound.read_bytes()
        if rng.random() < 0.12:
            placement = rng.choice(kinds.PLACEMENTS)
            kinds.clear(path)
            placement(path, content)
            return Damage(target, f"{kinds.name_of(placement)} at {path.name}", path, home, judge)
        change = rng.choice(changes or list(kinds.CHANGES))
        kinds.place(path, change(rng, content))
        return Damage(target, f"{kinds.name_of(change)} in {path.name}", path, home, judge)
