"""One process for each look of the daemon: started, told to stop, and gone when the daemon is.

The child has all that a cycle needs in its memory, so the daemon itself stays small. Nothing heavy is imported here.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from tickercast.jobs.runs.interrupts import DROP_SECONDS, Stopped, end_now, ignore_signals, interrupt
from tickercast.jobs.runs.signals import signals_blocked
from tickercast.jobs.terminal.log_file import LogFile
from tickercast.jobs.terminal.logs import LogTarget, start_logging
from tickercast.jobs.terminal.progress import silence_progress
from tickercast.jobs.terminal.secrets import hide_secrets
from tickercast.jobs.terminal.streams import hide_on_stderr
from tickercast.storage.address import Database

POLL_SECONDS = 0.1
# After a stop signal the child drops its unit of work after DROP_SECONDS (interrupts) and enters that in the run's row. What goes
# on for longer is killed: it was not committed, so nothing is half done.
STOP_GRACE_SECONDS = 3.0
END_SECONDS = 10.0
# A look that hangs must not keep the daemon from looking for ever. One that has more to do resumes with the next look. A run
# fetches for half of it by default (yahoo.run_seconds).
LONGEST_LOOK_SECONDS = 12 * 3600.0
INTERRUPT = signal.SIGUSR1  # between the child's own threads


@dataclass(frozen=True, slots=True)
class Look:
    """What a look found or did.

    next_due: when a cycle is due next by what is stored, None when that is unknown. waits_for: who writes instead, if anybody.
    failed: a cycle was due and nothing of it succeeded. tracked: the number of tracked tickers. database: its path, None when
    the settings cannot be read. next_upkeep: when a step of the upkeep is due next, None when none says so. refused: why the
    settings file is not valid and earlier settings serve, "" where it is valid. tickers: what next_due follows from beside the
    clock (storage.watch), None when that is unknown. log_file: the file for log lines where the settings were read again.
    settings: the content of the settings file that was valid last.
    """

    next_due: datetime | None = None
    waits_for: str = ""
    failed: bool = False
    tracked: int | None = None
    database: Database | None = None
    next_upkeep: datetime | None = None
    refused: str = ""
    tickers: list[tuple[Any, ...]] | None = None
    log_file: LogFile | None = None
    settings: bytes | None = field(default=None, repr=False)


class LookControl:
    """How a look is stopped and watched. stop: after its unit of work. at_once: now. polled_at: when it was last waited for."""

    def __init__(self, stop: threading.Event | None = None) -> None:
        self.stop, self.at_once = stop or threading.Event(), threading.Event()
        self.polled_at = time.monotonic()


class ChildDied(Exception):
    """The process ended without an answer."""


Work = Callable[[Path, Database | None, threading.Event], Look]


def look(settings: bytes | None, folder: Path, database: Database | None, stop: threading.Event) -> Look:
    """Do a cycle if one is due. Called in the child alone, because its imports take the memory that the daemon saves.

    settings: the content of the settings file that was valid last, None where none was.
    """
    from tickercast.jobs.runs.cycle import look as look_for_due_cycle

    return look_for_due_cycle(folder, database, stop, settings)


def count_death(reason: str, folder: Path, database: Database | None, stop: threading.Event) -> Look:
    """Count a look whose process died, so that a user is told when too many do. Called in another child."""
    from tickercast.jobs import clock
    from tickercast.jobs.runs.failing_looks import count_failing_look

    count_failing_look(folder, reason, clock.now())
    return Look(failed=True, database=database)


def reread(settings: bytes | None, folder: Path, database: Database | None, _stop: threading.Event) -> Look:
    """Read the settings again. Called in the child alone. settings: as for look."""
    from tickercast.jobs.runs.cycle import read_settings_again

    return read_settings_again(folder, database, settings)


def look_in_child(work: Work, folder: Path, database: Database | None, target: LogTarget, control: LookControl) -> Look | None:
    """Return what a look in a process of its own found; None when it was given up because of a stop.

    database: where failures are entered while the settings cannot be read. Raises ChildDied.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_begin_child, args=(there, work, folder, database, target))
    with signals_blocked():
        process.start()
    there.close()
    with here:
        answer = _answer(here, process.sentinel, control)
    process.join(0 if control.stop.is_set() else END_SECONDS)
    if process.exitcode is None:
        process.kill()
        process.join()
    if answer is None and not control.stop.is_set():
        raise ChildDied(_how_it_ended(process.exitcode))
    return answer


def _answer(here: Connection, sentinel: int, control: LookControl) -> Look | None:
    """Return what the child sends, None when it ends without a word or goes on for too long after a stop."""
    stop_at, give_up_at = time.monotonic() + LONGEST_LOOK_SECONDS, float("inf")
    while (now := time.monotonic()) < give_up_at and not control.at_once.is_set():
        control.polled_at = now
        if wait([here, sentinel], POLL_SECONDS):
            try:
                found: Look = here.recv()
            except (EOFError, OSError):
                return None
            return found
        if give_up_at == float("inf") and (control.stop.is_set() or now > stop_at):
            give_up_at = now + STOP_GRACE_SECONDS
            _tell_to_stop(here)
    return None


def _tell_to_stop(here: Connection) -> None:
    try:
        here.send("stop")
    except OSError:  # it ended a moment ago
        return


def _how_it_ended(exit_code: int | None) -> str:
    how = f"was killed by signal {-exit_code}" if exit_code is not None and exit_code < 0 else f"ended with code {exit_code}"
    return f"the process of the cycle {how}; what it committed stays"


def _begin_child(there: Connection, work: Work, folder: Path, database: Database | None, target: LogTarget) -> None:
    """Look, send the answer and end. Signals are left to the daemon, and when it dies this process ends at once."""
    ignore_signals()
    hide_on_stderr()
    silence_progress()
    signal.signal(INTERRUPT, interrupt)
    stop = threading.Event()
    threading.Thread(target=_follow, args=(there, stop), daemon=True).start()
    start_logging(target.format, target.file)
    try:
        found = work(folder, database, stop)
        signal.signal(INTERRUPT, signal.SIG_IGN)
    except Stopped:
        end_now(0)
    # The daemon may not know these settings yet, so it could not hide what they keep secret.
    there.send(replace(found, waits_for=hide_secrets(found.waits_for), refused=hide_secrets(found.refused)))


def _follow(there: Connection, stop: threading.Event) -> None:
    """Set stop when the daemon says so, interrupt what then goes on, and end this process when the daemon is gone."""
    try:
        there.recv()
        stop.set()
        if not there.poll(DROP_SECONDS):
            signal.pthread_kill(threading.main_thread().ident or 0, INTERRUPT)
        there.recv()
    except (EOFError, OSError):
        os._exit(1)
