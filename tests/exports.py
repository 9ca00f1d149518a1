"""Exports of records made by hand, and what is in their folders."""

from __future__ import annotations

from pathlib import Path

from tests.builders import SESSIONS, Record, at_night
from tickercast.jobs.analysis import export_folder
from tickercast.jobs.analysis.export import Exported, export

NOW = at_night(SESSIONS[-1])


def export_of(record: Record, folder: Path, *views: str) -> Exported:
    return export(record.database, folder, views, now=NOW, show=lambda _done, _total: None)


def data_of(folder: Path) -> dict[str, bytes]:
    """Return the bytes of each file of data by its path in the folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob(export_folder.DATA)}
