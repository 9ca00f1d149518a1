"""Tasks on a Dask cluster leave the record that processes leave, and what happens to a cluster is one clear line."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from distributed import Client
from distributed import Future as ClusterFuture

from tests.conftest import Command, clean_environment
from tests.dask_clusters import DaskCluster, dask_cluster, run_out_of_memory
from tickercast.jobs.errors import ClusterUnavailable, OutOfResources, SettingsError, UsageError
from tickercast.jobs.forecasting.fingerprint import fingerprint
from tickercast.jobs.forecasting.tasks import StackResult, StackTask
from tickercast.jobs.runs.backlog import StackPlan
from tickercast.jobs.runs.cluster import client as client_module
from tickercast.jobs.runs.cluster.members import Members, difference
from tickercast.jobs.runs.cluster.pool import _Pool, _Task, cluster_pool
from tickercast.jobs.runs.cluster.worker import compute, packed, unpacked
from tickercast.jobs.runs.engines import TASKS_A_WORKER, Engine, engine_of
from tickercast.jobs.runs.options import RunOptions
from tickercast.jobs.runs.record import RunRecord
from tickercast.jobs.runs.run import run_options
from tickercast.jobs.runs.stacks import StackRun
from tickercast.jobs.workspace.config import PRESETS
from tickercast.jobs.workspace.home import Home

SPAN = ("backfill", "AAPL", "IBM", "MSFT", "--source", "sample", "--start", "2012-10-01", "--end", "2012-12-14", "--workers", "2")
SMALL = {"TICKERCAST_MODEL__HISTORY_SESSIONS": "260", "TICKERCAST_TRAINING__COLD_EPOCHS": "3", "TICKERCAST_COMPUTE__STACK": "1"}
DASK = {**SMALL, "TICKERCAST_COMPUTE__ENGINE": "dask"}
OTHER_VERSION = "9.9.9"


def content_hash(tickercast: Command, home: str) -> str:
    return tickercast("--home", home, "verify", "--content-hash").stdout


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[DaskCluster]:
    """Yield a cluster without workers."""
    with dask_cluster(tmp_path / "cluster", clean_environment()) as cluster:
        yield cluster


@pytest.fixture
def other_path(tmp_path: Path) -> str:
    """Return a PYTHONPATH on which this package says that it is another version."""
    metadata = tmp_path / "other" / f"tickercast-{OTHER_VERSION}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: tickercast\nVersion: {OTHER_VERSION}\n", encoding="utf-8")
    return f"{metadata.parent}:{clean_environment()['PYTHONPATH']}"


@pytest.mark.slow
def test_dask_leaves_the_record_of_processes(tickercast: Command) -> None:
    processes = tickercast("--home", "processes", *SPAN, **SMALL)
    dask = tickercast("--home", "dask", *SPAN, **DASK)
    assert (processes.returncode, dask.returncode) == (0, 0), dask.stderr
    assert "dask: 2 workers on this machine\n" in dask.stderr
    assert content_hash(tickercast, "processes") == content_hash(tickercast, "dask") != ""


@pytest.mark.slow
def test_a_worker_of_another_environment_is_named_and_left_out(
    tickercast: Command, cluster: DaskCluster, other_path: str
) -> None:
    cluster.start_workers(1, PYTHONPATH=other_path)
    cluster.wait_for_workers(1)
    alone = tickercast("--home", "home", *SPAN, **DASK, TICKERCAST_COMPUTE__SCHEDULER=cluster.address)
    cluster.start_workers(1)
    cluster.wait_for_workers(2)
    beside = tickercast("--home", "home", *SPAN, **DASK, TICKERCAST_COMPUTE__SCHEDULER=cluster.address)
    assert alone.returncode == 2
    assert re.search(
        rf"no worker of .* process: tcp://127.0.0.1:\d+ has tickercast {OTHER_VERSION}, not tickercast ", alone.stderr
    )
    assert beside.returncode == 0, beside.stderr
    assert f"left out: it has tickercast {OTHER_VERSION}, not tickercast " in beside.stderr
    assert f"dask: 1 worker of {cluster.address}, dashboard http://127.0.0.1:" in beside.stderr


@pytest.mark.slow
def test_memory_that_runs_out_on_a_worker_and_a_lost_scheduler_are_errors_of_their_own(cluster: DaskCluster) -> None:
    cluster.start_workers(1)
    lost = (
        r"^the Dask scheduler tcp://127.0.0.1:\d+ was lost; what was committed stays; repeat the command to resume when it runs"
    )
    with cluster_pool(cluster.address, 1) as (submit, count):
        assert count() == 1
        with pytest.raises(OutOfResources, match=r"memory ran out \(Unable to allocate 9.00 TiB\)"):
            submit(run_out_of_memory, None).result()
        waiting = submit(time.sleep, 3600.0)
        cluster.scheduler.kill()
        with pytest.raises(ClusterUnavailable, match=lost):
            waiting.result(60)
        with pytest.raises(ClusterUnavailable, match=lost):
            submit(time.sleep, 0.0).result(60)


def test_tasks_that_are_submitted_while_stranded_ones_are_sent_again_do_not_end_the_watch() -> None:
    async def nothing() -> dict[str, tuple[str, ...]]:
        return {}

    pool = _Pool(cast(Client, SimpleNamespace(loop=SimpleNamespace(asyncio_loop=None), processing=nothing)), "a cluster")
    stranded = _Task((0, b""))

    async def cancel() -> None:
        pool.tasks.add(_Task((0, b"")))

    stranded.future = cast(ClusterFuture, SimpleNamespace(status="pending", key="a", cancel=cancel))
    pool.tasks.add(stranded)
    pool.unheld.add("a")
    asyncio.run(pool._send_stranded_again())
    assert (stranded.is_stranded, len(pool.tasks)) == (True, 2)


def test_a_worker_that_was_left_out_is_asked_again_once_it_was_started_anew() -> None:
    present, answers = {"tcp://a:1": 1}, {"tcp://a:1": "another environment"}

    async def nthreads() -> dict[str, int]:
        return present

    async def run(*_: object, workers: list[str], **_options: object) -> dict[str, str]:
        return {address: answers[address] for address in workers}

    members = Members(cast(Client, SimpleNamespace(nthreads=nthreads, run=run)), "a cluster")
    asyncio.run(members.meet())
    present.clear()
    asyncio.run(members.meet())
    present["tcp://a:1"], answers["tcp://a:1"] = 1, fingerprint()
    asyncio.run(members.meet())
    assert members.usable == {"tcp://a:1"}


def test_a_task_is_not_read_in_another_environment() -> None:
    with pytest.raises(RuntimeError, match=r"worker environment differs: tickercast .*expected another"):
        compute((9, b"not zstd"), "another")
    assert unpacked(compute(packed((len, "abc")), fingerprint())) == 3


def test_a_result_of_another_environment_is_not_committed() -> None:
    options = RunOptions("run", datetime.now(UTC), PRESETS["density"], 2, 1)
    run = StackRun(cast(StackPlan, None), options, cast(RunRecord, None), (), None)
    run.task = cast(StackTask, object())
    with pytest.raises(RuntimeError, match=r"worker environment differs: another, expected tickercast "):
        run.commit(StackResult(fingerprint="another"))


def test_a_worker_started_here_keeps_freed_memory_for_its_next_array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import dask
    from distributed import Nanny

    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    with dask.config.set({**client_module.QUIET, "temporary-directory": str(tmp_path)}):
        environment = Nanny("tcp://127.0.0.1:9").pre_spawn_env
    assert "MALLOC_TRIM_THRESHOLD_" not in environment
    assert environment["OPENBLAS_NUM_THREADS"] == "1"


def test_a_task_that_no_worker_has_in_two_looks_is_sent_again_also_when_its_result_was_lost() -> None:
    cancelled: list[str] = []

    async def processing() -> dict[str, list[str]]:
        return {"tcp://a:1": ["held"]}

    def task(key: str, status: str) -> _Task:
        async def cancel() -> None:
            cancelled.append(key)

        made = _Task((0, b""))
        made.future = cast(ClusterFuture, SimpleNamespace(key=key, status=status, cancel=cancel))
        return made

    pool = _Pool(cast(Client, SimpleNamespace(loop=SimpleNamespace(asyncio_loop=None), processing=processing)), "a cluster")
    pool.tasks |= {task("held", "pending"), task("nowhere", "pending"), task("with its worker", "lost"), task("here", "finished")}
    asyncio.run(pool._send_stranded_again())
    after_one = sorted(cancelled)
    asyncio.run(pool._send_stranded_again())
    assert (after_one, sorted(cancelled)) == ([], ["nowhere", "with its worker"])


def test_only_the_parts_of_a_fingerprint_that_differ_are_named() -> None:
    found = "tickercast 1, python 3.11.7, numpy 2.4.6 (X86_V3), openblas 0.3 Haswell, x86_64"
    expected = "tickercast 1, python 3.11.9, numpy 2.4.6 (X86_V3), openblas 0.3 SkylakeX, x86_64"
    told = "has python 3.11.7, openblas 0.3 Haswell, not python 3.11.9, openblas 0.3 SkylakeX"
    assert difference(found, expected) == told


def test_a_scheduler_that_cannot_be_reached_is_one_error_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "CONNECT_SECONDS", 0.2)
    told = r"^the Dask scheduler tcp://127.0.0.1:9 could not be reached within 0 s; what was committed stays; repeat the command"
    with pytest.raises(ClusterUnavailable, match=told), cluster_pool("tcp://127.0.0.1:9", 2):
        pass


@pytest.mark.slow
def test_another_program_at_the_address_of_a_scheduler_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "CONNECT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ClusterUnavailable, match=rf"^the Dask scheduler {address} could not be"), cluster_pool(address, 2):
            pass


def test_a_scheduler_that_wants_certificates_is_refused_without_any() -> None:
    told = r"^compute.scheduler: tls://127.0.0.1:9 wants certificates; name them in Dask's settings, such as DASK_"
    with pytest.raises(UsageError, match=told), cluster_pool("tls://127.0.0.1:9", 2):
        pass


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tickercast.jobs.runs.cluster.pool", None)
    options = RunOptions("run", datetime.now(UTC), PRESETS["density"], 2, 1, engine="dask")
    with pytest.raises(UsageError, match=r"pip install 'tickercast\[dask\]'"), engine_of(options, 2):
        pass


def test_a_scheduler_without_its_engine_is_refused(make_home: Callable[[str, str], Home]) -> None:
    home = make_home("home", '[compute]\nscheduler = "tcp://127.0.0.1:8786"\n')
    with pytest.raises(SettingsError, match=r"compute.engine is processes; set it to dask"):
        run_options(home, kind="run", now=datetime.now(UTC), config=PRESETS["density"], workers=None)


def test_an_engine_takes_two_tasks_for_each_worker_and_counts_those_that_are_there_now() -> None:
    workers = [3]
    engine = Engine(lambda *_: None, lambda: workers[0])
    before = engine.most_tasks
    workers[0] = 0
    assert (before, engine.most_tasks, TASKS_A_WORKER) == (6, 2, 2)
