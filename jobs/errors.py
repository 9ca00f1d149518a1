"""The exit codes of the command line, and the errors of jobs, each with its exit code.

JobError
├── UsageError          an argument or option that cannot be used
├── SettingsError       a setting that is unknown, of the wrong type or out of range
├── SomeTickersFailed   some tickers failed; the results of the others are committed
├── NothingFetched      no ticker got anything new from its source
├── HomeUnwritable      the home cannot be read or written
├── LockHeld            another process is writing, or another daemon is running
├── RecordAhead         the record is later than the clock, so one of them is wrong
├── OutOfResources      memory ran out, or the system killed a worker process
├── ClusterUnavailable  the Dask scheduler is not there, was lost, or has no workers
└── Interrupted         a signal ended a one-shot command between two units of work
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended. Each code has a meaning, in words that docs/commands.md prints."""

    meaning: str

    DONE = 0, "done, or nothing to do"
    INTERNAL = 1, "internal error, a bug in Tickercast"
    USAGE = 2, "wrong usage or settings"
    SOME_FAILED = 3, "some tickers failed; the results of the others are committed"
    NOTHING_FETCHED = 4, "the source was not available; nothing new is stored"
    STORAGE = 5, "storage error: disk full, read-only or busy; or memory ran out, or no cluster is there to compute"
    INTEGRITY = 6, "damaged or inconsistent data"
    LOCKED = 7, "another process holds the lock"
    QUERY = 8, "the query was refused or exceeded a limit"
    SIGHUP = 129, "interrupted by SIGHUP: its terminal was closed"
    SIGINT = 130, "interrupted by SIGINT (Ctrl-C)"
    SIGTERM = 143, "interrupted by SIGTERM"

    def __new__(cls, value: int, meaning: str) -> ExitCode:
        """Return a code that knows its meaning."""
        code = int.__new__(cls, value)
        code._value_ = value
        code.meaning = meaning
        return code


class JobError(Exception):
    """The root: everything that jobs raises on purpose. Subclasses set the exit code."""

    exit_code: int = ExitCode.INTERNAL


class UsageError(JobError):
    exit_code = ExitCode.USAGE


class SettingsError(JobError):
    exit_code = ExitCode.USAGE


class SomeTickersFailed(JobError):
    exit_code = ExitCode.SOME_FAILED


class NothingFetched(JobError):
    exit_code = ExitCode.NOTHING_FETCHED


class HomeUnwritable(JobError):
    exit_code = ExitCode.STORAGE


class LockHeld(JobError):
    exit_code = ExitCode.LOCKED


class RecordAhead(JobError):
    exit_code = ExitCode.INTEGRITY


class OutOfResources(JobError):
    exit_code = ExitCode.STORAGE


class ClusterUnavailable(JobError):
    exit_code = ExitCode.STORAGE


class Interrupted(JobError):
    """signal_number: the signal that ended the command: SIGINT, SIGTERM or SIGHUP."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number
