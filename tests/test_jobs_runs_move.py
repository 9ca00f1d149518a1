"""The command `move` to a file: what it says the first time and after that, and which places it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Command

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_file]


def test_a_move_to_a_file_that_is_repeated_says_that_the_record_is_there(tickercast: Command, tmp_path: Path) -> None:
    assert tickercast("--home", "home", "init").returncode == 0
    first, second = (tickercast("--home", "home", "move", "--to", str(tmp_path / "moved.db")) for _ in range(2))
    assert (first.returncode, "rows are copied and proven" in first.stderr) == (0, True)
    assert (second.returncode, "rows were there already, and are the same" in second.stderr) == (0, True)


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ("home/tickercast.db", "is where the record of"),
        ("other/tickercast.db", "is a file of the home"),
        ("other/prices/moved.db", "is a file of the home"),
        ("other", "is a folder; name a file"),
        ("home/../other.csv", "is a file of another kind"),
    ],
)
def test_a_place_that_is_no_new_file_is_refused(tickercast: Command, tmp_path: Path, to: str, reason: str) -> None:
    for home in ("home", "other"):
        assert tickercast("--home", home, "init").returncode == 0
    (tmp_path / "other.csv").write_text("date,close\n", encoding="utf-8")
    found = tickercast("--home", "home", "move", "--to", str(tmp_path / to))
    assert (found.returncode, reason in found.stderr, found.stderr.count("\n")) == (2, True, 1)
