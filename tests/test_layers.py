"""The house: imports go one way, each outside library has its one door, and the default tests stay at home."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOORS = {
    "arch": {"jobs/analysis/garch.py"},
    "yfinance": {"jobs/prices/sources/yahoo.py"},
    "apscheduler": {"jobs/runs/daemon.py"},
    "exchange_calendars": {"jobs/exchanges/calendars.py"},
    "alembic": {"storage/database.py", "migrations/"},
    "plotly": {"jobs/analysis/report/"},
    "pydantic_settings": {"jobs/workspace/settings.py"},
    "filelock": {"jobs/workspace/locks.py"},
    "typer": {"jobs/cli/"},
    "bokeh_sampledata": {"jobs/prices/sources/sample.py"},
    "sklearn": {"jobs/forecasting/article_model.py"},
    "onnx": {"rnn/onnx_graph.py"},
}


def imports_of(package: str) -> dict[str, set[str]]:
    """Return the top-level modules that each file of a package imports, anywhere in it."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        nodes = ast.walk(ast.parse(path.read_text()))
        names = [n.module or "" if isinstance(n, ast.ImportFrom) else a.name for n in nodes
                 if isinstance(n, ast.Import | ast.ImportFrom) for a in n.names]  # fmt: skip
        found[str(path.relative_to(ROOT))] = {name.split(".")[0] for name in names}
    return found


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        (
            "rnn",
            {"storage", "jobs", "migrations", "pandas", "sqlalchemy", "pyarrow", "time", "logging", "os", "pathlib"},
        ),
        ("storage", {"rnn", "jobs", "pandas"}),
        ("migrations/versions", {"storage", "jobs", "rnn"}),
    ],
)
def test_imports_go_one_way(package: str, forbidden: set[str]) -> None:
    assert {file: names & forbidden for file, names in imports_of(package).items() if names & forbidden} == {}


@pytest.mark.parametrize("library", sorted(DOORS))
def test_an_outside_library_has_one_door(library: str) -> None:
    files = [file for package in ("rnn", "storage", "jobs", "migrations") for file, names in imports_of(package).items()
             if library in names]  # fmt: skip
    assert files
    assert [file for file in files if not any(file.startswith(door) for door in DOORS[library])] == []


def test_workers_are_spawned_and_blas_has_one_thread() -> None:
    assert 'get_context("spawn")' in (ROOT / "jobs/runs/stacks.py").read_text()
    assert "threadpool_limits(1)" in (ROOT / "jobs/forecasting/stack.py").read_text()
