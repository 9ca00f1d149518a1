"""The examples of docs/python.md and the notebooks in examples/ run as they are, in order, beside a home."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.builders import Record
from tests.doc_examples import blocks_of

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "python.md"
NOTEBOOK = ROOT / "examples" / "reading_a_record.ipynb"


@pytest.fixture
def beside_a_home(tmp_path: Path, sound_record: Record, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with a home, and return it."""
    shutil.copytree(sound_record.database.parent, tmp_path / "tickercast-home")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(code: str, place: str, names: dict[str, Any]) -> None:
    exec(compile(code, place, "exec"), names)


@pytest.mark.slow
def test_the_examples_of_the_python_page_run_in_order(beside_a_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for block in blocks_of(PAGE, "python"):
        run(block.code, str(block), names)
    assert capsys.readouterr().out == "NOSUCH: nothing is stored for it; `tickercast tickers` lists what is\n"
    assert [len(names[name]) for name in ("one_ahead", "settled", "worst", "widest")] == [2, 1, 0, 1]
    assert {len(names[name]) for name in ("by_polars", "by_pandas", "by_pyarrow")} == {4}
    assert (beside_a_home / "ibm.html").exists()
    [queries] = blocks_of(PAGE, "sql")
    coverage, closes = (duckdb.sql(query).fetchall() for query in queries.code.split(";")[:2])
    assert coverage == [("IBM", 1, 1.0)]
    assert [(ticker, str(target), close) for ticker, target, *_, close in closes] == [
        ("IBM", "2024-03-07", 103.0),
        ("IBM", "2024-03-08", 104.0),
    ]


@pytest.mark.slow
def test_the_notebook_about_reading_a_record_runs_from_top_to_bottom(beside_a_home: Path) -> None:
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    names: dict[str, Any] = {}
    for number, cell in enumerate(cells):
        if cell["cell_type"] == "code":
            run("".join(cell["source"]), f"{NOTEBOOK.name}, cell {number}", names)
    assert list(names["coverage"].index) == list(names["by_duckdb"]["ticker"]) == ["IBM"]
    assert names["coverage"]["90 %"].tolist() == names["by_duckdb"]["coverage"].tolist() == [1.0]


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.ipynb")), ids=lambda path: path.name)
def test_a_notebook_is_stored_without_what_its_cells_printed(path: Path) -> None:
    cells = json.loads(path.read_text())["cells"]
    assert [cell["source"] for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []
