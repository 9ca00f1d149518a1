"""A recorded command as changes of files and folders, and what a disk may hold of them after a loss of power.

Of a file, what was written before its last fsync is there. Of what came later any part may be: sectors in any order, or the new
size alone. Of a folder, the names as of its last fsync are there, and later changes of names in their order up to any of them.
This is what POSIX promises; file systems promise more. Not here: how a command is recorded (file_calls).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count, pairwise
from pathlib import Path, PurePosixPath

from tests.torture.file_calls import Call

ROOT = 0
IGNORED = "-shm"  # memory that SQLite shares between processes: gone without power
SECTORS = (512, 4096)


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes written to a file."""

    file: int
    offset: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Resize:
    """A file cut or extended."""

    file: int
    size: int


@dataclass(frozen=True, slots=True)
class Names:
    """Names of a folder that begin or cease, at once. None: the name ceases."""

    folder: int
    nodes: dict[str, int | None]


@dataclass(frozen=True, slots=True)
class Sync:
    """An fsync of a file or a folder that returned."""

    node: int


Change = Write | Resize | Names
Event = Change | Sync


@dataclass
class Recording:
    """Files and folders below one folder before a command, and what the command did to them.

    contents: of each file before the command, by node. names: of each folder before it. events: what the command did, in order.
    """

    contents: dict[int, bytes] = field(default_factory=dict)
    names: dict[int, dict[str, int]] = field(default_factory=lambda: {ROOT: {}})
    events: list[Event] = field(default_factory=list)


def read_folder(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder by name, and each folder as a name that ends with a slash."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir():
            found[f"{name}/"] = b""
        elif not name.endswith(IGNORED):
            found[name] = path.read_bytes()
    return found


def write_folder(folder: Path, files: dict[str, bytes]) -> None:
    """Write what `read_folder` returns."""
    for name, content in files.items():
        path = folder / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.write_bytes(content)


class Recorder:
    """Turns the calls of a command into events on the files below a folder. before: of `read_folder` before the command."""

    def __init__(self, folder: Path, before: dict[str, bytes]) -> None:
        self.folder = PurePosixPath(folder)
        self.recording = Recording()
        self._numbers = count(ROOT + 1)
        self._nodes: dict[str, int] = {".": ROOT}  # by path, as the command sees it
        self._sizes: dict[int, int] = {}
        self._places: dict[str, int] = {}  # where the next `write` to a path goes
        for name, content in before.items():
            node = self._new(name.rstrip("/"))
            self.recording.names[self._nodes[_parent(name.rstrip("/"))]][_last(name.rstrip("/"))] = node
            if name.endswith("/"):
                self.recording.names[node] = {}
            else:
                self.recording.contents[node], self._sizes[node] = content, len(content)

    def record(self, calls: Iterable[Call]) -> Recording:
        """Return the recording. Raises ValueError for a call that it does not know."""
        for call in calls:
            names = [self._name(path) for path in call.paths]
            if not any(name is not None and not name.endswith(IGNORED) for name in names):
                continue
            method = getattr(self, f"_{KINDS.get(call.name, call.name)}", None)
            if method is None or None in names:
                raise ValueError(f"{call.name} of {call.paths} cannot be recorded")
            method(call, *names)
        return self.recording

    def _name(self, path: str) -> str | None:
        pure = PurePosixPath(path)
        return str(pure.relative_to(self.folder)) if pure.is_relative_to(self.folder) else None

    def _new(self, name: str) -> int:
        node = self._nodes[name] = next(self._numbers)
        return node

    def _change_names(self, changes: dict[str, int | None]) -> None:
        [folder] = {_parent(name) for name in changes}
        self.recording.events.append(Names(self._nodes[folder], {_last(name): node for name, node in changes.items()}))

    def _open(self, call: Call, name: str) -> None:
        flags = call.words[0].split("|")
        if name not in self._nodes and "O_CREAT" in flags:
            node = self._new(name)
            self._sizes[node] = 0
            self._change_names({name: node})
        node = self._nodes[name]
        if "O_TRUNC" in flags and self._sizes.get(node):
            self._resize(node, 0)
        self._places[name] = self._sizes.get(node, 0) if "O_APPEND" in flags else 0

    def _write(self, call: Call, name: str) -> None:
        self._put(name, self._places.get(name, 0), call.text[: call.result])
        self._places[name] = self._places.get(name, 0) + call.result

    def _pwrite64(self, call: Call, name: str) -> None:
        self._put(name, int(call.words[-1]), call.text[: call.result])

    def _put(self, name: str, offset: int, content: bytes) -> None:
        if (node := self._nodes.get(name)) is not None:  # else it has no name any more
            self.recording.events.append(Write(node, offset, content))
            self._sizes[node] = max(self._sizes[node], offset + len(content))

    def _lseek(self, call: Call, name: str) -> None:
        self._places[name] = call.result

    def _truncate(self, call: Call, name: str) -> None:
        if name in self._nodes:
            self._resize(self._nodes[name], int(call.words[-1]))

    def _resize(self, node: int, size: int) -> None:
        self._sizes[node] = size
        self.recording.events.append(Resize(node, size))

    def _sync(self, _call: Call, name: str) -> None:
        if name in self._nodes:
            self.recording.events.append(Sync(self._nodes[name]))

    def _mkdir(self, _call: Call, name: str) -> None:
        node = self._new(name)
        self.recording.names[node] = {}
        self._change_names({name: node})

    def _unlink(self, _call: Call, name: str) -> None:
        self._change_names({name: None})
        del self._nodes[name]

    def _rename(self, _call: Call, name: str, new: str) -> None:
        self._change_names({name: None, new: self._nodes[name]})
        moved = {old: node for old, node in self._nodes.items() if old == name or old.startswith(f"{name}/")}
        for old, node in moved.items():
            del self._nodes[old]
            self._nodes[new + old.removeprefix(name)] = node


KINDS = {
    "openat": "open", "fsync": "sync", "fdatasync": "sync", "ftruncate": "truncate", "unlinkat": "unlink", "rmdir": "unlink",
    "renameat": "rename", "renameat2": "rename", "mkdirat": "mkdir",
}  # fmt: skip


def _parent(name: str) -> str:
    return str(PurePosixPath(name).parent)


def _last(name: str) -> str:
    return PurePosixPath(name).name


def files_without_loss(recording: Recording, events: int) -> dict[str, bytes]:
    """Return the files after the first events, as another process would see them."""
    return _resolved(recording, recording.events[:events], {})


def files_after_loss(recording: Recording, events: int, rng: random.Random) -> dict[str, bytes]:
    """Return files that a disk may hold when the power fails after the first events."""
    synced: dict[int, int] = {}
    for position, event in enumerate(recording.events[:events]):
        if isinstance(event, Sync):
            synced[event.node] = position
    kept: list[Event] = []
    lost: dict[int, list[Change]] = {}
    for position, event in enumerate(recording.events[:events]):
        if isinstance(event, Sync):
            continue
        node = event.folder if isinstance(event, Names) else event.file
        if position < synced.get(node, -1):
            kept.append(event)
        else:
            lost.setdefault(node, []).append(event)
    return _resolved(recording, kept, {node: _surviving(rng, changes) for node, changes in lost.items()})


def _surviving(rng: random.Random, changes: Sequence[Change]) -> list[Event]:
    """Return the part of a file's or a folder's unsynced changes that is on the disk, in their order."""
    whole = list(changes[: rng.choice((0, len(changes), rng.randint(0, len(changes))))])
    if isinstance(changes[0], Names):
        return list(whole)
    style = rng.randrange(5)
    if style < 2:
        return list(whole)
    if style == 2:
        return [change for change in changes if rng.random() < 0.5]
    sector = rng.choice(SECTORS)
    if style == 3:  # the first lost one is torn
        torn = changes[len(whole)] if len(whole) < len(changes) else None
        return [*whole, *(_sectors(torn, sector)[: rng.randint(0, 8)] if torn else [])]
    parts = [part for change in changes for part in _sectors(change, sector)]
    some = [part for part in parts if rng.random() < 0.5]
    size = max((part.offset + len(part.content) for part in parts if isinstance(part, Write)), default=0)
    grown = [Write(changes[0].file, size, b"")] if size and rng.random() < 0.5 else []  # the size alone
    return [*some, *grown]


def _sectors(change: Change, size: int) -> list[Event]:
    """Return a write as one for each sector of the disk that it touches; another change as it is."""
    if not isinstance(change, Write):
        return [change]
    cuts = [0, *range(size - change.offset % size, len(change.content), size), len(change.content)]
    parts = ((cut, change.content[cut:end]) for cut, end in pairwise(cuts))
    return [Write(change.file, change.offset + cut, part) for cut, part in parts if part]


def _resolved(recording: Recording, events: Iterable[Event], survivors: dict[int, list[Event]]) -> dict[str, bytes]:
    """Return the files with names after some events, then each node's survivors."""
    names = {folder: dict(nodes) for folder, nodes in recording.names.items()}
    contents = {node: bytearray(content) for node, content in recording.contents.items()}
    for event in (*events, *(event for part in survivors.values() for event in part)):
        if isinstance(event, Names):
            own = names.setdefault(event.folder, {})
            for name, node in event.nodes.items():
                if node is None:
                    own.pop(name, None)
                else:
                    own[name] = node
        elif isinstance(event, Write):
            content = contents.setdefault(event.file, bytearray())
            content.extend(bytes(max(0, event.offset - len(content))))
            content[event.offset : event.offset + len(event.content)] = event.content
        elif isinstance(event, Resize):
            content = contents.setdefault(event.file, bytearray())
            content.extend(bytes(max(0, event.size - len(content))))
            del content[event.size :]
    return dict(_named(names, contents, ROOT, ""))


def _named(
    names: dict[int, dict[str, int]], contents: dict[int, bytearray], folder: int, prefix: str
) -> Iterable[tuple[str, bytes]]:
    for name, node in sorted(names.get(folder, {}).items()):
        if node in names:
            yield f"{prefix}{name}/", b""
            yield from _named(names, contents, node, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", bytes(contents.get(node, b""))
