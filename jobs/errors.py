"""What jobs refuses or reports, each with the exit code a user sees.

JobError
├── UsageError          2  a word of the command line that cannot be taken
├── SettingsError       2  a setting that is unknown, of the wrong type or out of range
├── SomeTickersFailed   3  the rest is committed
├── NothingFetched      4  the source gave nothing new for anybody
├── HomeUnwritable      5  the home cannot be read or written
├── LockHeld            7  another process writes, or another daemon lives
└── Interrupted   130/143  a signal ended a one-shot command between two units of work
"""

from __future__ import annotations


class JobError(Exception):
    exit_code = 1


class UsageError(JobError):
    exit_code = 2


class SettingsError(JobError):
    exit_code = 2


class SomeTickersFailed(JobError):
    exit_code = 3


class NothingFetched(JobError):
    exit_code = 4


class HomeUnwritable(JobError):
    exit_code = 5


class LockHeld(JobError):
    exit_code = 7


class Interrupted(JobError):
    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number
