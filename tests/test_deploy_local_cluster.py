"""The script that starts a cluster as plain processes says what it leaves out and what it lacks."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_local_cluster_starts_where_postgresql_is_not_installed(tmp_path: Path) -> None:
    script = (ROOT / "deploy" / "cluster" / "start-local").read_text().replace("/usr/lib/postgresql", str(tmp_path / "none"))
    (tmp_path / "dask").write_text("#!/bin/sh\nexec sleep 5\n")
    (tmp_path / "dask").chmod(0o755)
    environment = {"PATH": "/usr/bin:/bin", "BIN": str(tmp_path)}
    command = ("bash", "-c", script, "start-local", str(tmp_path / "cluster"), "1")
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        process.terminate()
    assert lines[0] == "no PostgreSQL here: the record stays in the home\n"
    assert lines[1].startswith("started; in another shell: ")
    assert "STORE__URL" not in (tmp_path / "cluster" / "cluster.env").read_text()
