"""A log file that several processes append to, renamed to FILE.1 when it is full. Only here is a log line written to a file.

No state is kept between two lines: each is one append under a lock on the file itself. So a file that logrotate moved or deleted
is made anew, a killed process leaves no lock, and no two processes rename at once. Not here: what a line says (logs).
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

LOCK_SECONDS = 1.0
FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


@dataclass(unsafe_hash=True)  # structlog keeps its locks by stream
class LogFile:
    """Takes lines like a text stream. Lines that cannot be written to the file go to stderr, after one line that says why.

    most_bytes: a file is never longer, unless one line is. keep: the number of full files, FILE.1 the newest.
    """

    path: Path
    most_bytes: int
    keep: int
    failing: bool = field(default=False, compare=False)

    def write(self, text: str) -> None:
        """Append the text, or write it to stderr. Raises what stderr raises."""
        try:
            self._append(text.encode(errors="backslashreplace"))
            self.failing = False
        except OSError as error:
            if not self.failing:
                sys.stderr.write(f"warning: {self.path}: {error.strerror}; log lines go to stderr meanwhile\n")
            self.failing = True
            sys.stderr.write(text)

    def flush(self) -> None:
        """Do nothing but flush stderr: what was appended has been handed to the system."""
        sys.stderr.flush()

    def _append(self, line: bytes) -> None:
        """Append to the file that has the name, once it has room. After LOCK_SECONDS the line is written without the lock."""
        end = time.monotonic() + LOCK_SECONDS
        while True:
            file = self._open()
            try:
                locked = _lock(file, end)
                if locked and not self._has_name(file):
                    continue  # another process renamed it before this one got the lock
                size = os.fstat(file).st_size
                if locked and size and size + len(line) > self.most_bytes:
                    self._rotate()
                    continue
                _write_whole(file, line, size, locked)
                return
            finally:
                os.close(file)

    def _open(self) -> int:
        try:
            file = os.open(self.path, FLAGS, 0o600)
        except FileNotFoundError:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(self.path, FLAGS, 0o600)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise OSError(errno.EINVAL, "not a regular file")
        return file

    def _has_name(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), self.path.stat())
        except FileNotFoundError:
            return False

    def _rotate(self) -> None:
        """Rename each file to the next number, the one in use last: who opens it after that finds a new one."""
        with suppress(FileNotFoundError):
            for number in range(self.keep + 1, sys.maxsize):  # kept under an earlier setting
                self._numbered(number).unlink()
        for number in range(self.keep - 1, 0, -1):
            with suppress(FileNotFoundError):
                self._numbered(number).replace(self._numbered(number + 1))
        self.path.replace(self._numbered(1))

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")


def _lock(file: int, end: float) -> bool:
    """Return whether the file could be locked until an instant. A stopped process that holds the lock stops no other."""
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(0.001)
        except OSError:  # a file system without locks
            return False


def _write_whole(file: int, line: bytes, size: int, locked: bool) -> None:
    """Append a line whole or, under the lock, not at all. A line that a killed process left unfinished is ended first."""
    if size and os.pread(file, 1, size - 1) != b"\n":
        line = b"\n" + line
    if os.write(file, line) < len(line):
        if locked:  # else another process may have written meanwhile
            os.ftruncate(file, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
