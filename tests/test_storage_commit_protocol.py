"""The commit protocol, by the system calls that are made: file write < fsync < rename < fsync of the folder < commit.

The commands as a whole are traced by the harness `order` (test_torture). Here: that a file is written so, and that the reader of
traces notices each step that comes too early.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.torture.builds import Build
from tests.torture.order import Protocol
from tests.torture.traces import CHANGING, Call, calls_of, without_strace

FILE = "/home/prices/IBM/0123456789abcdef.parquet"
FOLDER = "/home/prices/IBM"
WAL = "/home/t.db-wal"
PROTOCOL = (
    ("mkdir", f'"{FOLDER}", 0777) = 0'),
    ("fsync", "7</home/prices>) = 0"),
    ("write", f'7<{FOLDER}/.tmp-1>, "PAR1", 4) = 4'),
    ("fsync", f"7<{FOLDER}/.tmp-1>) = 0"),
    ("rename", f'"{FOLDER}/.tmp-1", "{FILE}") = 0'),
    ("fsync", f"7<{FOLDER}>) = 0"),
    ("pwrite64", rf'5<{WAL}>, "\0\0\0\t\0\0\0XDDDDSSSSCCCCcccc", 24, 32) = 24'),
    ("pwrite64", rf'5<{WAL}>, "\n\0IBM/{Path(FILE).name}", 4096, 56) = 4096'),
    ("fdatasync", f"5<{WAL}>) = 0"),
    ("pwrite64", rf'4</home/t.db>, "\n\0IBM/{Path(FILE).name}", 4096, 0) = 4096'),
)  # fmt: skip


def broken_in(order: list[int]) -> str:
    """Return what the reader of traces finds broken when the calls of PROTOCOL come in another order, or some are left out."""
    calls = [Call(PROTOCOL[index][0], 1, PROTOCOL[index][1]) for index in order]
    return "; ".join(Protocol().read(calls).broken)


def test_calls_in_the_order_of_the_protocol_break_nothing() -> None:
    assert broken_in([*range(len(PROTOCOL))]) == ""


@pytest.mark.parametrize(
    ("order", "sentence"),
    [
        ([0, 1, 2, 4, 5, 6, 7, 8, 9], f"{FOLDER}/.tmp-1 was renamed to {FILE} before its bytes were flushed"),
        ([0, 1, 3, 2, 4, 5, 6, 7, 8, 9], f"{FOLDER}/.tmp-1 was renamed to {FILE} before its bytes were flushed"),
        ([0, 1, 2, 3, 4, 6, 7, 8, 9, 5], f"a commit names {FILE} before that name was flushed"),
        ([0, 2, 3, 4, 5, 6, 7, 8, 9], f"a commit names {FOLDER} before that name was flushed"),
        ([0, 1, 2, 3, 6, 7, 8, 4, 5, 9], f"a commit names {FILE}, which got its name later"),
        ([0, 1, 2, 3, 4, 5, 6, 7, 9], f"/home/t.db was written before the commit in {WAL} was flushed"),
        ([0, 1, 2, 3, 4, 5, 6, 7], f"the last commit in {WAL} was never flushed"),
        ([2, 3, 4], f"the name {FILE} was never flushed"),
    ],
)
def test_a_call_that_comes_too_early_is_noticed(order: list[int], sentence: str) -> None:
    assert sentence in broken_in(order)


@pytest.mark.slow
@pytest.mark.skipif(bool(without_strace()), reason=without_strace())
def test_a_file_and_its_new_folders_are_on_disk_before_anything_may_name_them(tmp_path: Path) -> None:
    target = tmp_path / "prices" / "IBM" / Path(FILE).name
    imports = "from pathlib import Path; from tickercast.storage.files import write_atomically"
    code = f"{imports}; write_atomically(Path({str(target)!r}), b'PAR1')"
    log = tmp_path / "strace.log"
    words = ["strace", "-f", "-y", "-o", str(log), "-e", f"trace={','.join(CHANGING)}", sys.executable, "-c", code]
    subprocess.run(words, env=Build().environment(), check=True)
    text = log.read_text()
    calls, _ = calls_of(text, int(text.split()[0]), str(tmp_path))
    named = Call("pwrite64", 1, f'5<{WAL}>, "{target.name}", 4096, 56) = 4096')
    assert Protocol().read([*calls, named]).broken == []
    assert {"mkdir", "write", "fsync", "rename"} <= {call.name for call in calls}
