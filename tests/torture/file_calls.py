"""Records what a command does to files, by strace: each change of a file or a folder, with its bytes, in order."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.torture.builds import Build
from tests.torture.program import start
from tests.torture.traces import run_traced

CALLS = (
    "write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,truncate,ftruncate,fallocate,"
    "openat,open,creat,mkdir,mkdirat,rmdir,link,linkat,symlink,symlinkat,copy_file_range,sendfile,lseek"
)
LONGEST_STRING = 1 << 26
LINE = re.compile(r"(?P<pid>\d+) +(?P<call>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)")
UNFINISHED, RESUMED = re.compile(r"(\d+) +(.*) <unfinished \.\.\.>$"), re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)$")
WORD = re.compile(r'"(?P<text>[^"]*)"|(?P<handle>-?\d+|AT_FDCWD)<(?P<path>[^>]*)>(?:\(deleted\))?|(?P<other>[^,\s"]+)')


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that succeeded. paths: of its descriptors and names. text: the bytes written. words: other arguments."""

    name: str
    paths: tuple[str, ...]
    text: bytes
    words: tuple[str, ...]
    result: int


def recorded_calls(build: Build, home: Path, log: Path, *arguments: object) -> list[Call]:
    """Run a command on a home and return its calls. Raises RuntimeError where it fails, OSError where it cannot be traced."""
    started = start(build, home, *arguments, stopped=True)
    done = run_traced(started, ["-f", "-y", "-xx", "-s", str(LONGEST_STRING), "-e", f"trace={CALLS}", "-o", str(log)])
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, arguments))}: exit code {done.returncode}: {done.stderr}")
    calls = list(read_calls(log, home.parent))
    log.unlink()
    return calls


def read_calls(log: Path, folder: Path) -> Iterator[Call]:
    """Yield the calls of a log that succeeded. folder: where the command was started, for names that are relative."""
    begun: dict[str, str] = {}
    with log.open(encoding="ascii") as lines:
        for line in lines:
            text = line.rstrip("\n")
            if half := UNFINISHED.match(text):
                begun[half[1]] = text.removesuffix(" <unfinished ...>")
                continue
            if rest := RESUMED.match(text):
                text = begun.pop(rest[1]) + rest[2]
            if (found := LINE.match(text)) and not found["result"].startswith("-"):
                yield _call(found["call"], found["arguments"], int(found["result"]), folder)


def _call(name: str, arguments: str, result: int, folder: Path) -> Call:
    """Return a call from its line. The folder that a descriptor names goes before a relative name after it."""
    paths, words, content, base = [], [], b"", str(folder)
    for word in WORD.finditer(arguments):
        if word["text"] is not None and name in WRITING:
            content += _bytes(word["text"])
        elif word["text"] is not None:
            paths.append(os.path.normpath(Path(base) / os.fsdecode(_bytes(word["text"]))))
        elif word["handle"] is not None:
            path = os.fsdecode(_bytes(word["path"])) if word["path"].startswith("\\x") else word["path"]
            base = path
            if not name.endswith("at") and name != "renameat2":
                paths.append(path)
        else:
            words.append(word["other"])
    return Call(name, tuple(paths), content, tuple(words), result)


WRITING = frozenset({"write", "pwrite64", "writev", "pwritev", "pwritev2"})


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
