"""Where rows go and in which format: stdout or a file; a table for people, or CSV, JSON, NDJSON or Parquet for programs.

Not here: how a format is written (formats, parquet_rows, tables).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

from tickercast.jobs.errors import UsageError
from tickercast.jobs.terminal.formats import distinct_names, write_csv, write_json, write_ndjson
from tickercast.jobs.terminal.tables import Table, table_of, write_table
from tickercast.storage.paths import real_path

if TYPE_CHECKING:
    from tickercast.storage.views import Column

Format = Literal["table", "csv", "json", "ndjson", "parquet"]
SUFFIX_FORMATS: dict[str, Format] = {
    ".csv": "csv", ".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson", ".parquet": "parquet", ".txt": "table",
}  # fmt: skip


def write_rows(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    output_format: Format | None = None,
    *,
    out: Path | None = None,
    table: Callable[[], Table] | None = None,
    types: Sequence[Column] = (),
) -> None:
    """Write rows as they come, to a file or to stdout. Without rows only the header is written.

    output_format: None = by the file's extension, a table on stdout. out: a file that appears whole or not at all.
    table: what a table shows instead of these rows; its notes go to stderr. types: of the columns in Parquet; without them each
    has the type of its values. Of two columns with one name, the second becomes `name_2`.

    Raises UsageError for an extension that says no format and for a file that cannot be made.
    """
    chosen = output_format or format_of(out)
    names = distinct_names(columns)
    notes: tuple[str, ...] = ()
    with _opened(out) as stream:
        match chosen:
            case "table":
                notes = write_table(table() if table else table_of(names, list(rows)), stream)
            case "csv":
                write_csv(names, rows, stream)
            case "json":
                write_json(names, rows, stream)
            case "ndjson":
                write_ndjson(names, rows, stream)
            case "parquet":
                from tickercast.jobs.terminal import parquet_rows  # not at the top: pyarrow takes a while to load

                if types:
                    parquet_rows.write_typed_parquet(types, rows, stream.buffer)
                else:
                    parquet_rows.write_parquet(names, rows, stream.buffer)
    sys.stderr.writelines(f"{note}\n" for note in notes)


def format_of(out: Path | None) -> Format:
    """Return the format that a file's extension says; a table on stdout. Raises UsageError for an unknown extension."""
    if out is None:
        return "table"
    if out.suffix.lower() not in SUFFIX_FORMATS:
        raise UsageError(f"{out}: its extension says no format; give --format, or one of {', '.join(SUFFIX_FORMATS)}")
    return SUFFIX_FORMATS[out.suffix.lower()]


@contextmanager
def _opened(out: Path | None) -> Iterator[TextIO]:
    """Yield stdout or a file to write to. The file is FILE.tmp until everything is written, and then takes its name."""
    if out is None:
        yield sys.stdout
        return
    # A pipe or a device, which a rename would replace. /dev/stdout may be a file that has no name any more.
    if str(out.parent) in ("/dev", "/dev/fd") or (out.exists() and not out.is_file()):
        with _open_for_writing(out, out) as stream:
            yield stream
        return
    target = real_path(out)  # so that a symbolic link stays one
    part = target.with_name(f"{target.name}.tmp")
    try:
        with _open_for_writing(part, out) as stream:
            yield stream
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _open_for_writing(path: Path, named: Path) -> TextIO:
    try:
        return path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError) as error:
        raise UsageError(f"{named}: cannot be written: {error.strerror}") from error
