"""What a long command shows on stderr while it runs: lines, and on a terminal a progress bar with the time left."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tickercast.jobs.terminal.text import printable

ShowProgress = Callable[[int, int], None]


def show_line(text: str) -> None:
    """Write one line for people, on a terminal or not."""
    sys.stderr.write(f"{printable(text)}\n")
    sys.stderr.flush()


@contextmanager
def progress_bar(title: str) -> Iterator[ShowProgress]:
    """Yield a function (done, total) that moves the bar. Without a terminal it does nothing."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
