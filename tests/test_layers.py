"""The house: imports go one way, each outside library has one door, and files, classes and functions stay short.

Everything is read from the syntax trees, so a comment or a string cannot satisfy or break a rule.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("rnn", "storage", "jobs", "migrations")

# Inside jobs each part imports only from itself and from parts further up. Parts of one line never import each other.
ORDER = (
    ("errors",),
    ("clock",),
    ("exchanges", "terminal", "scoring"),
    ("workspace",),
    ("prices", "forecasting", "monitoring"),
    ("pages",),
    ("runs",),
    ("analysis",),
    ("web",),
    ("cli",),
)
DOORS = {
    "alembic": ("storage/database.py", "migrations/"),
    "apprise": ("jobs/monitoring/delivery.py",),
    "apscheduler": ("jobs/runs/daemon.py",),
    "arch": ("jobs/analysis/garch.py", "jobs/analysis/confidence_set.py"),
    "bokeh_sampledata": ("jobs/prices/sources/sample.py",),
    "dask": ("jobs/runs/cluster/",),
    "datasette": ("jobs/web/",),
    "distributed": ("jobs/runs/cluster/",),
    "uvicorn": ("jobs/web/server.py",),
    "curl_cffi": ("jobs/prices/sources/yahoo_client.py",),
    "exchange_calendars": ("jobs/exchanges/calendars.py",),
    "filelock": ("jobs/workspace/locks.py",),
    "jinja2": ("jobs/pages/rendering.py",),
    "markupsafe": ("jobs/pages/", "jobs/web/"),
    "onnx": ("rnn/onnx_graph.py",),
    "pandas": ("jobs/prices/", "tickercast/"),
    "plotly": ("jobs/pages/figures.py", "tickercast/"),  # there as a type alone
    "prometheus_client": ("jobs/monitoring/",),
    "pydantic": ("jobs/workspace/settings.py", "jobs/workspace/sections.py", "jobs/workspace/setting_values.py"),
    "pydantic_core": ("jobs/workspace/sections.py",),
    "pydantic_settings": ("jobs/workspace/settings.py",),
    "pyrate_limiter": ("jobs/prices/sources/yahoo_pace.py",),
    "rich": ("jobs/terminal/",),
    "scipy": ("jobs/scoring/",),
    "sklearn": ("tickercast/forecaster.py",),
    "sqlalchemy": ("storage/", "migrations/"),
    "structlog": ("jobs/terminal/logs.py",),
    "tenacity": ("jobs/prices/sources/yahoo.py", "storage/object_requests.py"),
    "typer": ("jobs/cli/",),
    "yfinance": ("jobs/prices/sources/yahoo.py",),
}
MOST_FILE_LINES, MOST_CLASS_LINES, MOST_FUNCTION_LINES = 300, 120, 45


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def modules(*packages: str) -> list[Path]:
    return [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def imports_of(path: Path) -> frozenset[str]:
    """Return the modules that a file imports, anywhere in it, also for type checking alone: `from a import b` gives a and a.b."""
    nodes = list(ast.walk(tree_of(path)))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    names = {
        f"{node.module}.{alias.name}"
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
        for alias in node.names
    }
    return frozenset(without_the_outer_package(name) for name in plain | modules | names)


def without_the_outer_package(module: str) -> str:
    """Return storage.bars for tickercast.storage.bars; other modules of tickercast are the public ones."""
    outer, _, inner = module.partition(".")
    return inner if outer == "tickercast" and inner.split(".")[0] in OURS else module


def bare_imports(path: Path) -> set[str]:
    """Return the top level of each module that a file imports by its whole name."""
    nodes = list(ast.walk(tree_of(path)))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {
        name.split(".")[0]
        for name in plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    }


def top_level(path: Path) -> set[str]:
    return {module.split(".")[0] for module in imports_of(path)}


def part_of(module: str) -> str:
    """Return the part of jobs that a dotted module belongs to, `` for one outside of jobs."""
    words = module.split(".")
    return words[1] if words[0] == "jobs" and len(words) > 1 else ""


def allowed_for(part: str) -> set[str]:
    level = next(i for i, parts in enumerate(ORDER) if part in parts)
    return {part, "", *(earlier for parts in ORDER[:level] for earlier in parts)}


def parts_of_jobs() -> list[str]:
    return [part for parts in ORDER for part in parts]


def files_of(part: str) -> list[Path]:
    folder = ROOT / "jobs" / part
    return modules(f"jobs/{part}") if folder.is_dir() else [folder.with_suffix(".py")]


def definitions(kind: type[ast.AST], *packages: str) -> Iterator[tuple[str, int]]:
    """Yield `file:name` and the number of lines of each class or function."""
    for path in modules(*packages):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, kind):
                lines = (node.end_lineno or 0) - node.lineno + 1  # type: ignore[attr-defined]
                yield f"{name_of(path)}:{node.name}", lines  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("rnn", {"storage", "jobs", "migrations", "pandas", "pyarrow", "time", "datetime", "logging", "os", "pathlib", "random"}),
        ("storage", {"rnn", "jobs", "pandas"}),
        ("migrations", {"rnn", "jobs"}),
        ("migrations/versions", {"storage", "jobs", "rnn"}),
    ],
)
def test_rnn_and_storage_never_meet_and_nothing_imports_jobs(package: str, forbidden: set[str]) -> None:
    assert {name_of(path): top_level(path) & forbidden for path in modules(package) if top_level(path) & forbidden} == {}


@pytest.mark.parametrize("package", OURS)
def test_our_packages_are_imported_by_their_outer_package_alone(package: str) -> None:
    bare = {
        name_of(path) for path in modules(*OURS, "tickercast", "tests", "benchmarks", "examples") if package in bare_imports(path)
    }
    assert bare == set()


def test_no_private_package_imports_the_public_one() -> None:
    public = {name_of(path): [name for name in imports_of(path) if name.startswith("tickercast.")] for path in modules(*OURS)}
    assert {file for file, names in public.items() if names} == set()


@pytest.mark.parametrize("part", parts_of_jobs())
def test_a_part_of_jobs_imports_only_the_parts_before_it(part: str) -> None:
    found = {name_of(path): {part_of(module) for module in imports_of(path)} for path in files_of(part)}
    assert {file: parts - allowed_for(part) for file, parts in found.items() if parts - allowed_for(part)} == {}


def test_every_module_of_jobs_is_in_a_package() -> None:
    assert {path.stem for path in (ROOT / "jobs").glob("*.py")} == {"__init__", "errors", "clock"}
    packages = {path.name for path in (ROOT / "jobs").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert packages == set(parts_of_jobs()) - {"errors", "clock"}


@pytest.mark.parametrize("package", sorted(path.parent for path in (ROOT / "jobs").rglob("__init__.py")), ids=name_of)
def test_every_package_of_jobs_says_what_lives_there_and_what_does_not(package: Path) -> None:
    docstring = ast.get_docstring(tree_of(package / "__init__.py")) or ""
    assert "Not here:" in docstring or package == ROOT / "jobs"


@pytest.mark.parametrize("library", sorted(DOORS))
def test_an_outside_library_has_one_door(library: str) -> None:
    public = sorted((ROOT / "tickercast").glob("*.py"))
    files = [name_of(path) for path in [*modules(*OURS), *public] if library in top_level(path)]
    assert files
    assert [file for file in files if not file.startswith(DOORS[library])] == []


def test_no_file_of_tests_imports_another_one() -> None:
    importing = [name_of(path) for path in modules("tests") if any(name.startswith("tests.test_") for name in imports_of(path))]
    assert importing == []


def test_every_engine_that_writes_is_made_where_messages_lose_their_secrets() -> None:
    opening = [name_of(path) for path in modules("jobs") if "storage.database.open_writer" in imports_of(path)]
    assert opening == ["jobs/workspace/writer.py"]


def test_every_pool_of_processes_is_made_where_its_workers_end_with_their_parent() -> None:
    pools = {"concurrent.futures.ProcessPoolExecutor", "multiprocessing.Pool", "multiprocessing.pool"}
    assert [name_of(path) for path in modules(*OURS) if imports_of(path) & pools] == ["jobs/runs/workers.py"]


def test_the_networks_and_the_forecasts_touch_no_file_clock_or_screen() -> None:
    outside = {"os", "sys", "pathlib", "datetime", "logging", "multiprocessing", "subprocess", "random"}
    pure = {name_of(path): top_level(path) & outside for path in modules("jobs/forecasting")}
    # Dates are values of the rows; the fingerprint tells NumPy's BLAS from others by the name of its folder.
    assert {file: names - {"datetime"} for file, names in pure.items() if names - {"datetime"}} == {
        "jobs/forecasting/fingerprint.py": {"pathlib"}
    }


@pytest.mark.parametrize("path", modules("rnn", "storage", "jobs", "tests", "benchmarks", "examples"), ids=name_of)
def test_no_file_is_longer_than_300_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_FILE_LINES


def test_no_class_is_longer_than_120_lines() -> None:
    assert [(name, n) for name, n in definitions(ast.ClassDef, "rnn", "storage", "jobs") if n > MOST_CLASS_LINES] == []


def test_no_function_is_longer_than_45_lines() -> None:
    assert [(name, n) for name, n in definitions(ast.FunctionDef, "rnn", "storage", "jobs") if n > MOST_FUNCTION_LINES] == []
