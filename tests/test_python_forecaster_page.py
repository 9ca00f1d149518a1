"""The examples of docs/forecaster.md and of the first notebook run as they are; the page shows what they print."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "forecaster.md"
BLOCKS = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```)?", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_examples_of_the_page_run_and_print_what_it_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    printed, shown = [], []
    for block, text in BLOCKS.findall(PAGE.read_text()):
        exec(compile(block, PAGE.name, "exec"), names)
        printed.append(capsys.readouterr().out.split())
        shown.append(text.split())
    assert printed == shown
    assert len(shown) > 8
    assert list(names["quantiles"])[2:] == ["Tickercast", "Tickercast-q0.01", "Tickercast-q0.05", "Tickercast-q0.5"]
    assert 0 < names["loss"] < 0.05
    assert names["same"].equals(names["forecasts"])
    assert (names["informed"].distribution_["scale"] != names["forecaster"].distribution_["scale"]).all()


@pytest.mark.slow
def test_the_notebook_of_the_first_forecast_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "examples")
    cells = json.loads((ROOT / "examples" / "first_forecast.ipynb").read_text())["cells"]
    names: dict[str, Any] = {}
    for source in ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]:
        exec(compile(source, "first_forecast.ipynb", "exec"), names)
    assert len(names["forecasts"]) == 5
    assert names["inside"].mean() > 0.5
    assert set(names["table"]["horizon"]) == {1, 5}
