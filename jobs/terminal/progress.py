"""What a long command shows on stderr while it runs: lines, and how far it is, with the time left.

That is a bar on a terminal, and a line a minute elsewhere; what ends within a second shows nothing. A thread shows it, so that a
step that takes long does not keep it from being seen.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

from tickercast.jobs.terminal.text import printable

ShowProgress = Callable[[int, int], None]
ShowMore = Callable[[int], None]
Item = TypeVar("Item")

BAR_AFTER_SECONDS = 1.0
LINE_SECONDS = 60.0
REDRAW_SECONDS = 0.2
FEWEST_PARTS, TELLING_SECONDS = 50, 30.0  # a time left is told from a fiftieth of the work on, or from so many seconds on
_silent, _shown = threading.Event(), threading.Event()


def show_line(text: str) -> None:
    """Write one line for people, on a terminal or not."""
    sys.stderr.write(f"{printable(text)}\n")
    sys.stderr.flush()


def silence_progress() -> None:
    """Show no progress from now on, in this process: its log says what it does."""
    _silent.set()


@dataclass(slots=True)
class Work:
    """How far a piece of work is. total: 0 while it is not known."""

    title: str
    done: int = 0
    total: int = 0
    began: float = field(default_factory=time.monotonic)

    def line(self, now: float) -> str:
        """Return one line: the title, the share that is done, and the time left; without a total, the time it has taken."""
        return f"{self.title}: {self.share()}, {self.left(now)}" if self.total else f"{self.title}: {self.left(now)}"

    def share(self) -> str:
        """Return the share that is done in percent, empty while the total is not known."""
        return f"{100 * min(self.done, self.total) // self.total} %" if self.total else ""

    def left(self, now: float) -> str:
        """Return the time left at the mean speed so far; the time taken where nothing can be told of it yet."""
        taken = now - self.began
        if not self.total or not self.done or (self.done * FEWEST_PARTS < self.total and taken < TELLING_SECONDS):
            return f"{duration(taken)} so far"
        return f"about {duration(taken * max(0, self.total - self.done) / self.done)} left"


def duration(seconds: float) -> str:
    """Return a length of time in its two largest units: 40 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min" if minutes >= 10 or not rest else f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


@contextmanager
def progress_bar(title: str) -> Iterator[ShowProgress]:
    """Yield a function (done, total) that says how far the work is. It may stay uncalled: then the time taken is shown.

    Inside of another one it shows nothing: the longer piece of work is the one to watch.
    """
    if _silent.is_set() or _shown.is_set():
        yield lambda _done, _total: None
        return
    _shown.set()
    work, ended = Work(title), threading.Event()
    shown_by = _draw if sys.stderr.isatty() else _write_lines
    thread = threading.Thread(target=shown_by, args=(work, ended), name="progress", daemon=True)
    thread.start()

    def show(done: int, total: int) -> None:
        work.done, work.total = done, total

    try:
        yield show
    finally:
        ended.set()
        thread.join(5.0)
        _shown.clear()


@contextmanager
def counted_progress(title: str, total: int) -> Iterator[ShowMore]:
    """Yield a function that is told how many rows, bytes or files were done since it was told last, of so many in all."""
    with progress_bar(title) as show:
        done = 0

        def count(more: int) -> None:
            nonlocal done
            done += more
            show(done, max(total, done))

        yield count


def each_with_progress(title: str, items: Sequence[Item]) -> Iterator[Item]:
    """Yield items one after the other, and show how many are done. An item is done when the next one is wanted."""
    with progress_bar(title) as show:
        for done, item in enumerate(items):
            show(done, len(items))
            yield item


def _write_lines(work: Work, ended: threading.Event) -> None:
    while not ended.wait(LINE_SECONDS):
        with suppress(OSError, ValueError):  # nobody reads it, or the stream is closed: the work goes on
            show_line(work.line(time.monotonic()))


def _draw(work: Work, ended: threading.Event) -> None:
    if ended.wait(BAR_AFTER_SECONDS):
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    texts = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[share]} {task.fields[left]}"))
    with Progress(*texts, console=Console(stderr=True), transient=True, auto_refresh=False) as progress:
        task = progress.add_task(work.title, total=None, share="", left="")
        while True:
            share, left = work.share(), work.left(time.monotonic())
            progress.update(task, completed=work.done, total=work.total or None, share=share, left=left, refresh=True)
            if ended.wait(REDRAW_SECONDS):
                return
