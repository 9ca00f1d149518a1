"""A home in the middle of files that no command may touch, and what a command changed there."""

from __future__ import annotations

import os
import random
import re
import shutil
import socket
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tests.torture.homes import Feed, copy_home
from tests.torture.hostile_words import Paths, hostile_word

SPARSE_BYTES = 8_000_000_000
READ_BYTES = 1_000_000
OF_NO_RECORD = re.compile(r"(cache/.*|cache|.*\.lock|.*\.holder|.*-shm|.*-wal)", re.DOTALL)
State = dict[str, tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Arena:
    """The folders of a trial: the home, the one that commands run in, and around both what has to stay."""

    folder: Path
    paths: Paths

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def environment(self) -> dict[str, str]:
        """Return what commands get: a home folder and a temporary one of their own, and no way to Yahoo."""
        return {
            "HOME": str(self.folder / "user"), "TMPDIR": str(self.folder / "tmp"),
            "TICKERCAST_YAHOO__BASE_URL": "http://127.0.0.1:9", "TICKERCAST_YAHOO__TICKER_SECONDS": "1",
            "TICKERCAST_YAHOO__REQUESTS_PER_SECOND": "1000",
        }  # fmt: skip

    def around(self) -> State:
        """Return the state of everything but the home and the temporary folder."""
        return _states(self.folder, [self.home, self.folder / "tmp"])

    def record(self) -> State:
        """Return the state of the home's files, without locks and cache."""
        found = _states(self.home, [])
        return {path: state for path, state in found.items() if not OF_NO_RECORD.fullmatch(os.path.relpath(path, self.home))}

    def named(self, words: Iterable[str]) -> list[str]:
        """Return what words name as paths: links followed, from the folder of work. What can be no path is left out."""
        found = []
        for word in words:
            with suppress(OSError, UnicodeError, ValueError, RuntimeError):
                found.append(os.path.realpath(self.work / Path(word).expanduser()))
        return found

    def is_harmless(self, words: Iterable[str]) -> bool:
        """Return whether a command that writes to these words cannot touch the machine outside of the arena.

        A pipe is none of them: who writes to one waits for its reader, as asked for.
        """
        within = str(self.folder.resolve())
        return all((_is_below(path, within) and not _is_pipe(path)) or _is_device(path) for path in self.named(words))

    def may_write(self, path: str, outputs: Iterable[str]) -> bool:
        """Return whether a command may write to a path: of the home, temporary, a device, or where it was told to."""
        free = [os.path.realpath(self.home), os.path.realpath(self.folder / "tmp")]
        if not _is_below(path, os.path.realpath(self.folder)):  # the arena may lie in the shared memory
            free += ["/dev", "/proc/self", "/proc/thread-self"]
        if any(_is_below(path, place) for place in free):
            return True
        return any(
            _is_below(path, named)
            or path.startswith((f"{named}.", f"{named}-"))
            or (_is_below(named, path) and os.path.isdir(path))
            for named in outputs
        )


def make_arena(folder: Path, home: Path, feed: Feed, rng: random.Random) -> Arena:
    """Fill a folder: a copy of a home, and beside it one of each special file."""
    outside = folder / "outside"
    for name in ("work", "user", "tmp", "outside/folder", "outside/traps", "outside/" + "/".join(["deep"] * 40)):
        (folder / name).mkdir(parents=True)
    copy_home(home, folder / "home")
    names = {
        "canary": "kept.txt", "canary folder": "folder", "fifo": "fifo", "link to canary": "link", "link to folder": "link2",
        "link to itself": "loop", "link to the database": "link3", "sparse file": "sparse.csv", "broken tar": "broken.tar",
        "price folder": "traps", "empty file": "empty.csv", "binary file": "binary.parquet", "unreadable file": "unreadable",
        "socket": "socket", "deep folder": "deep/deep/deep",
    }  # fmt: skip
    by_name = {name: outside / file for name, file in names.items()}
    by_name |= {"database": folder / "home/tickercast.db", "settings": folder / "home/tickercast.toml"}
    _fill(by_name, rng)
    paths = Paths(by_name, Path(feed.folder))
    _set_traps(outside / "traps", Path(feed.folder) / "AAA.csv", rng, paths)
    shutil.copytree(outside / "folder", outside / "folder" / "copy")
    (folder / "work" / "query.sql").write_text("SELECT 1")
    return Arena(folder, paths)


def _fill(by_name: dict[str, Path], rng: random.Random) -> None:
    by_name["canary"].write_text("kept\n")
    (by_name["canary"].parent / "kept.db").write_bytes(b"no database")
    (by_name["canary folder"] / "kept.csv").write_text("date,open\n")
    by_name["link to canary"].symlink_to("kept.txt")
    by_name["link to folder"].symlink_to("folder")
    by_name["link to itself"].symlink_to("loop")
    by_name["link to the database"].symlink_to(by_name["database"])
    os.mkfifo(by_name["fifo"])
    with by_name["sparse file"].open("wb") as file:
        file.truncate(SPARSE_BYTES)
    by_name["broken tar"].write_bytes(rng.randbytes(2000))
    by_name["empty file"].touch()
    by_name["binary file"].write_bytes(b"PAR1" + rng.randbytes(5000) + b"PAR1")
    by_name["unreadable file"].touch(mode=0)
    with socket.socket(socket.AF_UNIX) as listening, suppress(OSError):  # OSError: the path is too long for a socket
        listening.bind(str(by_name["socket"]))


def _set_traps(folder: Path, prices: Path, rng: random.Random, paths: Paths) -> None:
    """Fill a folder of prices with hostile file names, a link, a pipe and a folder."""
    for ending in (".csv", ".csv", ".CSV", ".parquet", "%2ecsv", ".csv.gz"):
        with suppress(OSError, ValueError, UnicodeError):  # names that no file system takes
            shutil.copy(prices, folder / f"{hostile_word(rng, paths).replace('/', '%2f')}{ending}")
    shutil.copy(prices, folder / "%2e%2e%2fESCAPE.csv")
    shutil.copy(prices, folder / "AAA.csv")
    (folder / "LINK.csv").symlink_to("../kept.txt")
    (folder / "FOLDER.csv").mkdir()
    if rng.random() < 0.5:
        os.mkfifo(folder / "FIFO.csv")


def changes(before: State, after: State) -> Iterator[str]:
    """Yield the paths whose state is another one."""
    yield from sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def _states(folder: Path, left_out: list[Path]) -> State:
    without = {str(path) for path in left_out}
    found: State = {}
    for where, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if os.path.join(where, name) not in without]
        for name in (*folders, *files):
            path = os.path.join(where, name)
            found[path] = _state(path)
    return found


def _state(path: str) -> tuple[object, ...]:
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        return "link", os.readlink(path)
    if not stat.S_ISREG(status.st_mode):
        return "other", status.st_mode
    if status.st_size > READ_BYTES:
        return "file", status.st_mode, status.st_size, status.st_mtime_ns, status.st_ino
    return "file", status.st_mode, sha256(Path(path).read_bytes()).digest()


def _is_below(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place.rstrip('/')}/")


def _is_pipe(path: str) -> bool:
    return os.path.exists(path) and stat.S_ISFIFO(os.stat(path).st_mode)


def _is_device(path: str) -> bool:
    with suppress(OSError):
        return stat.S_ISCHR(os.stat(path).st_mode)
    return path.startswith("/proc/")
