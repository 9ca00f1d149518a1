"""A command as a real process whose system calls that change files are traced, with those of all its children."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.torture.builds import Build
from tests.torture.codes import Ended
from tests.torture.hostile_arena import Arena

CALLS = "openat,open,creat,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,symlink,symlinkat,truncate,mknodat"
OPENING = {"open", "openat", "creat"}
WRITING = ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC")
LINE = re.compile(r"^\d+ +(\w+)\((.*)\) += \d+")
WORD = re.compile(r'(?:\w+<([^>]*)>, )?"((?:[^"\\]|\\.)*)"')
SECONDS = 90.0
LONG_SECONDS = 10.0


def traced(build: Build, arena: Arena, arguments: Sequence[str], *, is_long: bool) -> tuple[Ended, list[str]]:
    """Run a command line in a new process; return how it ended and the paths that it and its children changed.

    is_long: it is stopped after some seconds. Raises TimeoutExpired.
    """
    log = arena.folder.parent / "trace"
    words = [os.fsencode(word) if _is_encodable(word) else b"?" for word in arguments]
    command = [b"strace", b"-f", b"-qq", b"-y", b"-s", b"8192", b"-e", f"trace={CALLS}".encode(), b"-e", b"signal=none", b"-o"]
    process = subprocess.Popen(
        [*command, os.fsencode(log), os.fsencode(sys.executable), b"-m", b"tickercast", b"--home", os.fsencode(arena.home), *words],
        cwd=arena.work, env=build.environment(**arena.environment()), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, errors="backslashreplace", start_new_session=True,
    )  # fmt: skip
    try:
        out, err = process.communicate(timeout=LONG_SECONDS if is_long else SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM if is_long else signal.SIGKILL)
        out, err = process.communicate(timeout=SECONDS)
        if not is_long:
            raise
    return Ended(process.returncode, out, err), _changed(log, arena.work)


def _changed(log: Path, work: Path) -> list[str]:
    found: dict[str, None] = {}
    for line in log.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        match = LINE.match(line)
        if match is None or (match[1] in OPENING and not any(flag in match[2] for flag in WRITING)):
            continue
        for folder, word in WORD.findall(match[2]):
            found[_resolved(Path(folder) if folder else work, word)] = None
    return list(found)


def _resolved(folder: Path, word: str) -> str:
    name = os.fsdecode(word.encode("utf-8", "surrogateescape").decode("unicode_escape").encode("latin-1", "replace"))
    path = os.path.join(folder, name)
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def _is_encodable(word: str) -> bool:
    try:
        os.fsencode(word)
    except UnicodeEncodeError:
        return False
    return True
