"""The commit protocol, read from the system calls of real commands: file write < fsync < rename < fsync of the folder < commit.

The order of calls decides what a power loss leaves, and a SIGKILL cannot show it. Each trial traces one command without a fault.
Only the command's own process may write, not its workers.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from pathlib import Path

from tests.torture.harness import Bench, Harness, Outcome
from tests.torture.homes import TICKERS, copy_home, make_feed, make_home, read_feed, unpack_old_home
from tests.torture.program import must_run
from tests.torture.traces import Call, trace, without_strace

NAME = "order"
OLD = "0005"
BACKUP = "kept.tar"
COMMANDS = ("run", "backfill", "workers", "backup", "restore", "upgrade", "repair")
WHOLE_STRINGS = ("-s", "1000000")  # the pages of the write-ahead log show which price file a commit names
FRAME_HEADER = 24  # bytes, of the write-ahead log; bytes 4 to 7 are above zero in the last frame of a commit
FD_PATH = re.compile(r"^\d+<([^>]*)>")
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


PRICE_FILE = re.compile(rb"[0-9a-f]{16}\.parquet")
NOT_KEPT = ("-shm", ".holder", ".lock", ".databases")  # files that no commit needs, or that the next writer makes again
WRITES = ("write", "writev", "pwrite64", "ftruncate")


class Protocol:
    """Reads calls one after the other. broken: a sentence for each call that came too early. renames, commits: that were seen."""

    def __init__(self) -> None:
        self.broken: list[str] = []
        self.renames = self.commits = 0
        self._unflushed: set[str] = set()  # files with writes after their last fsync
        self._new_names: dict[str, str] = {}  # names that are not yet on disk, with their folders
        self._renamed: set[str] = set()
        self._named: set[bytes] = set()  # price files that a commit names
        self._ending = False  # whether the next page is the last one of a commit
        self._open = ""  # a write-ahead log whose last commit is not yet on disk

    def read(self, calls: Iterable[Call]) -> Protocol:
        """Read the calls of a command that has ended."""
        for call in calls:
            if "= -1 " in call.text:
                continue
            if call.name in WRITES:
                self._write(_path_of(call), _content_of(call))
            elif call.name in ("fsync", "fdatasync"):
                self._flush(_path_of(call))
            elif call.name.startswith("rename"):
                self._rename(*[match[1] for match in QUOTED.finditer(call.text)][:2])
            elif call.name == "mkdir" and (match := QUOTED.match(call.text)):
                self._new_names[match[1]] = str(Path(match[1]).parent)
        self.broken += [f"the name {path} was never flushed" for path in self._new_names if path in self._renamed]
        self.broken += [f"the last commit in {self._open} was never flushed"] if self._open else []
        return self

    def _write(self, path: str, content: bytes) -> None:
        if self._open and path in (self._open, self._open.removesuffix("-wal")):
            self.broken.append(f"{path} was written before the commit in {self._open} was flushed")
            self._open = ""
        if not path.endswith("-wal"):
            self._unflushed.add(path)
            return
        names = set(PRICE_FILE.findall(content))
        self._named |= names
        early = [name for name in self._new_names if self._files_of(name) & names]
        self.broken += [f"a commit names {name} before that name was flushed" for name in early]
        if self._ending:
            self.commits += 1
            self._open = path
        self._ending = len(content) == FRAME_HEADER and any(content[4:8])

    def _flush(self, path: str) -> None:
        self._unflushed.discard(path)
        self._new_names = {name: folder for name, folder in self._new_names.items() if folder != path}
        self._open = "" if path == self._open else self._open

    def _rename(self, old: str, new: str) -> None:
        self.renames += 1
        within = [path for path in self._unflushed if path == old or path.startswith(f"{old}/")]
        early = [path for path in within if not path.endswith(NOT_KEPT) and "/cache/" not in path]
        self.broken += [f"{path} was renamed to {new} before its bytes were flushed" for path in sorted(early)]
        self._unflushed.difference_update(early)
        if Path(new).name.encode() in self._named:
            self.broken.append(f"a commit names {new}, which got its name later")
        self._new_names[new] = str(Path(new).parent)
        self._renamed.add(new)

    def _files_of(self, name: str) -> set[bytes]:
        """Return the names of finished files that are gone when a name of theirs, or of a folder above them, is lost."""
        return {Path(path).name.encode() for path in self._renamed if path == name or path.startswith(f"{name}/")}


def prepare(bench: Bench) -> None:
    """Make the homes."""
    folder, build = bench.prepared, bench.build
    feed = make_feed(folder / "feed")
    make_home(build, folder / "new", feed)
    make_home(build, folder / "begun", feed, runs=1)
    must_run(build, folder / "begun", "backup", folder / BACKUP)
    copy_home(folder / "begun", folder / "damaged")
    for path in (folder / "damaged").glob(f"prices/{TICKERS[0]}/*.parquet"):
        path.unlink()
    unpack_old_home(folder / "old", OLD)


def trial(bench: Bench, index: int) -> Outcome:
    """Trace one command."""
    feed = read_feed(bench.prepared / "feed")
    home, *command = {
        "run": ("begun", "run", "--now", feed.instant(1)),
        "backfill": ("new", "backfill", *TICKERS, "--start", feed.sessions[0], "--end", feed.sessions[2]),
        "workers": ("new", "backfill", *TICKERS, "--start", feed.sessions[0], "--end", feed.sessions[2], "--workers", "2"),
        "backup": ("begun", "backup", f"{{folder}}/{BACKUP}"),
        "restore": ("begun", "restore", bench.prepared / BACKUP),
        "upgrade": ("old", "db", "upgrade"),
        "repair": ("damaged", "repair", TICKERS[0]),
    }[name := COMMANDS[index % len(COMMANDS)]]
    with bench.scratch() as folder:
        copy = copy_home(bench.prepared / home, folder / "home")
        traced = trace(bench.build, copy, *(str(word).format(folder=folder) for word in command), options=WHOLE_STRINGS)
    seen = Protocol().read(traced.calls)
    broken = [*seen.broken, *(f"another process than the command's own writes: {line[:200]}" for line in traced.others)]
    broken += [f"it failed: {traced.done.stderr[-300:]}"] if traced.done.returncode else []
    work = {"renames": seen.renames, "commits": seen.commits}
    return Outcome(sum(work.values()), work, tuple(f"{NAME} {index}, {name}: {sentence}" for sentence in broken))


def _path_of(call: Call) -> str:
    match = FD_PATH.match(call.text)
    return match[1] if match else ""


def _content_of(call: Call) -> bytes:
    match = QUOTED.search(call.text)
    return bytes(codecs.escape_decode(match[1].encode())[0]) if match else b""


HARNESS = Harness(
    name=NAME,
    promise="bytes are on disk before their name, and the name before the commit that needs it",
    faults="renames and commits checked",
    trials=14,
    short_trials=3,
    full_trials=70,
    prepare=prepare,
    trial=trial,
    unavailable=without_strace,
    work=("renames", "commits"),
)
