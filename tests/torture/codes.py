"""How a command may end: with a documented exit code, and with one line where it fails."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tickercast.jobs.errors import ExitCode

DOCUMENTED = frozenset(code.value for code in ExitCode) - {ExitCode.INTERNAL}
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit code, negative for a signal, and what it wrote."""

    code: int
    out: str
    err: str

    def faults(self) -> list[str]:
        """Return what is wrong with how it ended, whatever the command was."""
        found = []
        if self.code not in DOCUMENTED:
            found.append(f"exit code {self.code} is not documented ({self.err.strip()[-300:]!r})")
        if "Traceback (most recent call last)" in self.err + self.out:
            found.append(f"a traceback ({self.err.strip()[-300:]!r})")
        errors = [line for line in self.err.splitlines() if line.startswith("error: ")]
        if self.code and self.code < 128 and len(errors) != 1:
            found.append(f"{len(errors)} error lines at exit code {self.code} ({self.err.strip()[-300:]!r})")
        if control := CONTROL.search(self.out + self.err):
            found.append(f"an unescaped control character {control.group()!r}")
        return found
