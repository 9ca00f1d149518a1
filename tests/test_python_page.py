"""The examples of docs/python.md run as they are, in order, beside a home."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.builders import Record

PAGE = Path(__file__).parent.parent / "docs" / "python.md"
BLOCKS = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_examples_of_the_python_page_run_in_order(
    tmp_path: Path, sound_record: Record, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(sound_record.database.parent, tmp_path / "tickercast-home")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in BLOCKS.findall(PAGE.read_text()):
        exec(compile(block, PAGE.name, "exec"), names)
    assert capsys.readouterr().out == "NOSUCH: nothing is stored for it; `tickercast tickers` lists what is\n"
    assert (len(names["one_ahead"]), len(names["settled"]), len(names["worst"]), list(names["widest"]["ticker"])) == (
        2,
        1,
        0,
        ["IBM"],
    )
