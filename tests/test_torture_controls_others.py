"""Builds that the remaining harnesses notice: full disk, syscalls, drill, laws, answers, starts, cluster and postgres.

No fault hides another one, so all share a build, because loading a build takes seconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tests.torture import answers, cluster, drill, full_disk, laws, postgres, starts, syscalls
from tests.torture.builds import Build, Sabotage, broken_build
from tests.torture.controls import SEED
from tests.torture.harness import Bench, Harness
from tests.torture.homes import copy_home, make_feed, make_home, read_feed
from tests.torture.program import content_hash
from tests.torture.traces import trace

pytestmark = pytest.mark.slow
SEED_OF_A_NEIGHBOUR = Sabotage(
    "a neighbour changes a seed", "jobs/forecasting/stack.py", "seed_of(ticker.key,", "seed_of(self.task.tickers[0].key,"
)
NO_CHECK_FOR_NULLS = Sabotage(
    "no check for null prices",
    "storage/bars.py",
    '        refuse(~np.isfinite(value), "null price", f"{name} is null or not finite")\n',
    "",
)
NO_WRITE_AHEAD_LOG = Sabotage(
    "a backup without the write-ahead log", "storage/copies.py",
    "        if not _is_at_rest(path) or not _copied_at_rest(path, target):\n"
    '            _copy(f"file:{uri_path(path)}?mode=ro", target)\n',
    '        _copy(f"file:{uri_path(path)}?mode=ro&immutable=1", target)\n',
)  # fmt: skip
NO_LOCK = Sabotage(
    "the lock is not taken", "jobs/workspace/locks.py", "        _acquire_here(lock, folder, wait_seconds)\n",
    '        if name == "writer":\n            _acquire_here(lock, folder, wait_seconds)\n',
)  # fmt: skip
TEMPORARY_FILE_LEFT = Sabotage(
    "a temporary file is left", "storage/files.py", "            Path(name).unlink(missing_ok=True)\n", ""
)
PARTIAL_BACKUP_LEFT = Sabotage(
    "half a backup is left",
    "jobs/runs/backup.py",
    "    finally:\n        _remove(partial, copy)\n",
    "    else:\n        _remove(copy)\n",
)
LOST_SCHEDULER = Sabotage(
    "a lost scheduler",
    "jobs/runs/cluster/pool.py",
    'return ClusterUnavailable(f"{self.scheduler} was',
    'return RuntimeError(f"{self.scheduler} was',
)
NO_WAIT_FOR_A_SERVER = Sabotage(
    "a lost server is not waited for", "jobs/workspace/outage.py", "return not self.stop.wait(pause)", "return False"
)
FAULTS = (
    LOST_SCHEDULER, SEED_OF_A_NEIGHBOUR, NO_CHECK_FOR_NULLS, NO_WRITE_AHEAD_LOG, NO_LOCK, TEMPORARY_FILE_LEFT,
    PARTIAL_BACKUP_LEFT, NO_WAIT_FOR_A_SERVER,
)  # fmt: skip


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    return broken_build(tmp_path_factory.mktemp("build"), *FAULTS)


@pytest.fixture
def sentence_with(build: Build, tmp_path: Path) -> Callable[..., str]:
    """Return what finds the first sentence with a text that trials of a harness say of the broken build."""

    def found(sign: str, harness: Harness, *trials: int) -> str:
        if reason := harness.unavailable():
            pytest.skip(reason)
        bench = Bench(build, tmp_path / "prepared", SEED)
        bench.prepared.mkdir()
        harness.prepare(bench)
        sentences = (sentence for index in trials for sentence in harness.trial(bench, index).broken)
        return next((sentence for sentence in sentences if sign in sentence), "")

    return found


def make_begun_home(bench: Bench) -> Path:
    """Return a home after one run, beside the feed; a trial of these controls needs no other."""
    home = bench.prepared / "begun"
    make_home(bench.build, home, make_feed(bench.prepared / "feed"), runs=1)
    return home


def prepare_starts(bench: Bench) -> None:
    make_begun_home(bench).rename(bench.prepared / "home")


def prepare_full_disk(bench: Bench) -> None:
    """Make what a trial with `backup` needs, which never gets space for a copy of the database."""
    home = make_begun_home(bench)
    twin = full_disk.Twin(content_hash(bench.build, home), (home / "tickercast.db").stat().st_size)
    (bench.prepared / "twins.json").write_text(json.dumps({"backup": asdict(twin)}), encoding="utf-8")


def prepare_syscalls(bench: Bench) -> None:
    """Make what a trial with `run` needs. Its points are the writes of price files."""
    begun = make_begun_home(bench)
    command = ("run", "--now", read_feed(bench.prepared / "feed").instant(1))
    home = copy_home(begun, bench.prepared / "traced" / "home")
    calls = trace(bench.build, home, *command, only="write").calls
    points = tuple((call.name, call.number) for call in calls if "/.tmp-" in call.text)
    subject = syscalls.Subject("", command, content_hash(bench.build, home), points)
    begun.rename(bench.prepared / "home")
    subjects = dict.fromkeys(syscalls.COMMANDS, asdict(subject))
    (bench.prepared / "subjects.json").write_text(json.dumps(subjects), encoding="utf-8")


def test_a_partial_backup_on_a_full_disk_is_noticed(sentence_with: Callable[..., str]) -> None:
    harness = replace(full_disk.HARNESS, prepare=prepare_full_disk)
    assert sentence_with(".partial is left on the full disk", harness, full_disk.COMMANDS.index("backup"))


def test_a_temporary_file_after_an_error_is_noticed(sentence_with: Callable[..., str]) -> None:
    assert sentence_with("is left after an error", replace(syscalls.HARNESS, prepare=prepare_syscalls), 0, 1, 2)


def test_a_backup_without_the_write_ahead_log_is_noticed(sentence_with: Callable[..., str]) -> None:
    # The first trials may find all that is committed in the database's own file.
    assert sentence_with("the restored record is not that of the source at the backup", drill.HARNESS, 0, 1, 2)


def test_a_neighbour_that_changes_a_seed_is_noticed(sentence_with: Callable[..., str]) -> None:
    assert sentence_with("only in one", laws.HARNESS, 0)


def test_a_missing_check_for_null_prices_is_noticed(sentence_with: Callable[..., str]) -> None:
    assert sentence_with("answers are unsound bars", answers.HARNESS, 0)


def test_a_lock_that_is_not_taken_is_noticed(sentence_with: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starts, "LONGEST_SECONDS", 2.0)  # none of the daemons ends by itself
    assert sentence_with("10 of 10 went on, not 1", replace(starts.HARNESS, prepare=prepare_starts), 0)


def test_a_lost_scheduler_without_its_exit_code_is_noticed(
    sentence_with: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "WORKERS", 1)  # none of them is killed
    assert sentence_with("ended with code 1", cluster.HARNESS, 0)


def test_a_server_that_is_not_waited_for_is_noticed(sentence_with: Callable[..., str]) -> None:
    assert sentence_with("ended with code 5", postgres.HARNESS, 0)
