"""Pages that were made before, kept while the record is the same: it changes once a day.

While a backfill commits every few seconds, a page may be a minute old: making each anew would take the time of the backfill.
Each page is made once at a time, whoever waits.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tickercast.jobs.web.responses import Page

KEPT_BYTES = 64_000_000
AS_IT_IS_SECONDS = 3.0  # a page that is as young is sent whatever the record
WHILE_WRITTEN_SECONDS = 30.0  # as is a page of this age while the record keeps changing; an older one while it is made anew
LONGEST_SECONDS = 60.0  # pages say how long ago something was
SERIES_SECONDS = 15.0  # two changes within this time: something writes for longer
MADE_SECONDS = 20.0  # until a page that is being made is given up

State = tuple[Any, ...]


def record_state(database: Path) -> State:
    """Return what changes with every commit and with every other file in the database's place."""
    found = []
    for path in (database, database.with_name(f"{database.name}-wal")):
        with suppress(OSError):
            state = path.stat()
            found.append((state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A page, the state of the record that it was made from, and when."""

    page: Page
    state: State
    made_at: float


class Record:
    """The state of a database, and whether it keeps changing. read: returns what changes with every commit."""

    def __init__(self, read: Callable[[], State]) -> None:
        self._read = read
        self._state = read()
        self._changes = (-SERIES_SECONDS, -SERIES_SECONDS * 3)  # the last one, and the one before

    def state(self, now: float) -> State:
        """Return the present state."""
        state = self._read()
        if state != self._state:
            self._state, self._changes = state, (now, self._changes[0])
        return state

    def keeps_changing(self, now: float) -> bool:
        """Return whether the last two changes were close to each other and to now."""
        last, before = self._changes
        return now - last < SERIES_SECONDS and last - before < SERIES_SECONDS


class PageCache:
    """The pages of one event loop. state: returns what changes with every commit. now: of a clock that never goes back."""

    def __init__(self, state: Callable[[], State], now: Callable[[], float] = time.monotonic) -> None:
        self._record = Record(state)
        self._now = now
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._made: dict[Hashable, asyncio.Task[Page]] = {}
        self._bytes = 0

    async def page(self, key: Hashable, make: Callable[[], Awaitable[Page]]) -> Page:
        """Return a kept page, or make it. Raises what make raises, and TimeoutError after MADE_SECONDS."""
        now = self._now()
        state, changes = self._record.state(now), self._record.keeps_changing(now)
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            age = now - kept.made_at
            if age < (LONGEST_SECONDS if kept.state == state else WHILE_WRITTEN_SECONDS if changes else AS_IT_IS_SECONDS):
                return kept.page
        task = self._made.get(key)
        if task is None:
            task = asyncio.ensure_future(self._make(key, make))
            self._made[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        if kept is not None and changes and age < LONGEST_SECONDS:
            return kept.page  # the next visitor gets the one that is being made
        return await asyncio.wait_for(asyncio.shield(task), MADE_SECONDS)

    async def _make(self, key: Hashable, make: Callable[[], Awaitable[Page]]) -> Page:
        state = self._record.state(self._now())  # before the page is made: a commit meanwhile makes it old
        page = await make()
        if page.status == 200:
            self._keep(key, state, page)
        return page

    def _keep(self, key: Hashable, state: State, page: Page) -> None:
        if (before := self._kept.pop(key, None)) is not None:
            self._bytes -= before.page.size
        self._kept[key] = _Kept(page, state, self._now())
        self._bytes += page.size
        while self._bytes > KEPT_BYTES:
            self._bytes -= self._kept.popitem(last=False)[1].page.size

    def _forget(self, key: Hashable, task: asyncio.Task[Page]) -> None:
        del self._made[key]
        if not task.cancelled():
            task.exception()  # whoever waited has seen it
