"""The file of the metrics for node_exporter's textfile collector, written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from prometheus_client import write_to_textfile

from tickercast.jobs.errors import JobError, UsageError
from tickercast.jobs.monitoring.metrics import registry_of
from tickercast.jobs.monitoring.state import HomeState
from tickercast.jobs.workspace.place import refuse_store
from tickercast.storage.paths import real_path


def write_named_textfile(path: Path, read: Callable[[], HomeState]) -> str | None:
    """Write the metrics of a state to a file. Return what kept it from being written, None for nothing."""
    try:
        write_textfile(path, read)
    except (OSError, JobError, ValueError) as error:  # ValueError: a NUL in the path
        return f"{path}: {getattr(error, 'strerror', None) or error}"
    return None


def write_textfile(path: Path, read: Callable[[], HomeState]) -> None:
    """Write the metrics of a state to a file. Raises OSError, and UsageError for a file of a store and for no regular file."""
    refuse_store(path)
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is not a regular file; nothing was written; name another file")
    write_to_textfile(str(real_path(path)), registry_of(read))
