"""Builds that break the commit protocol, lose a key or write from a worker: the harnesses notice each of them.

Faults that do not hide one another share a build, because loading a build takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.torture import kills, order
from tests.torture.builds import Build, Sabotage, broken_build
from tests.torture.controls import SEED
from tests.torture.harness import Bench, Harness
from tests.torture.homes import make_feed, make_home
from tests.torture.traces import without_strace

pytestmark = pytest.mark.slow
NO_FSYNC = (
    Sabotage("no fsync", "storage/files.py", "file.flush()\n                os.fsync(file.fileno())", "file.flush()"),
    Sabotage("no fsync", "storage/database.py", '"synchronous=FULL"', '"synchronous=OFF"'),
)
RENAME = "            Path(name).replace(path)\n"
COMMITTED = "        return written\n"
COMMIT_BEFORE_RENAME = (
    Sabotage("commit before rename", "storage/files.py", RENAME, "            LATER.append((name, path))\n"),
    Sabotage("commit before rename", "storage/files.py", "PART_BYTES = 1 << 20\n", "PART_BYTES = 1 << 20\nLATER = []\n"),
    Sabotage(
        "commit before rename", "jobs/prices/price_record.py", COMMITTED,
        f"        from tickercast.storage.files import LATER, Path\n        [Path(name).replace(path) for name, path in LATER]\n"
        f"        LATER.clear()\n{COMMITTED}",
    ),
)  # fmt: skip
NO_UNIQUE_KEY = Sabotage(
    "no UNIQUE key", "storage/newest_schema.sql",
    "    CONSTRAINT uq_origins_ticker_id_config_id_origin UNIQUE (ticker_id, config_id, origin),\n", "",
)  # fmt: skip
WORKER = "    ignore_signals()\n    hide_on_stderr()\n    parent ="
WRITES = '    __import__("sqlite3").connect("home/tickercast.db").execute("CREATE TABLE IF NOT EXISTS of_a_worker (x)")\n'
WORKER_THAT_WRITES = Sabotage("a worker that writes", "jobs/runs/workers.py", WORKER, f"{WRITES}{WORKER}")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Bench]:
    def prepared(harness: Harness, build: Build) -> Bench:
        made = Bench(build, tmp_path_factory.mktemp("prepared") / "prepared", SEED)
        made.prepared.mkdir()
        harness.prepare(made)
        return made

    return prepared


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    faults = (*NO_FSYNC, *COMMIT_BEFORE_RENAME, WORKER_THAT_WRITES, NO_UNIQUE_KEY)
    return broken_build(tmp_path_factory.mktemp("build"), *faults)


@pytest.fixture(scope="module")
def order_of_calls(build: Build, bench: Callable[..., Bench]) -> list[str]:
    if reason := without_strace():
        pytest.skip(reason)
    own = bench(order.HARNESS, build)
    return [" ".join(order.HARNESS.trial(own, order.COMMANDS.index(name)).broken) for name in ("run", "workers")]


def test_no_fsync_of_a_file_is_noticed(order_of_calls: list[str]) -> None:
    assert "before its bytes were flushed" in order_of_calls[0]


def test_no_fsync_of_a_commit_is_noticed(order_of_calls: list[str]) -> None:
    assert "before the commit in" in order_of_calls[0]


def test_a_commit_before_the_rename_is_noticed(order_of_calls: list[str]) -> None:
    assert "which got its name later" in order_of_calls[0]


def test_a_worker_that_writes_is_noticed(order_of_calls: list[str]) -> None:
    assert "another process than the command's own writes" in order_of_calls[1]


def make_begun_home(bench: Bench) -> None:
    """Make what a trial with `run` needs."""
    make_home(bench.build, bench.prepared / "begun", make_feed(bench.prepared / "feed"), runs=1)


def test_a_missing_unique_key_is_noticed(build: Build, bench: Callable[..., Bench]) -> None:
    own = bench(replace(kills.HARNESS, prepare=make_begun_home), build)
    found = kills.HARNESS.trial(own, kills.TURNS.index("run")).broken
    assert any("origins has" in sentence and "twice when they are stored again" in sentence for sentence in found)
