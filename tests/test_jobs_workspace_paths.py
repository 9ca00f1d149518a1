"""Paths that the system cannot follow are ordinary errors: a loop of links, the home of a user who does not exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.errors import UsageError
from jobs.terminal.output import write_rows
from jobs.workspace.place import home_folder, open_place, refuse_store
from storage.paths import real_path, user_path


@pytest.fixture
def loop(tmp_path: Path) -> Path:
    """Return a symbolic link to itself."""
    link = tmp_path / "loop"
    link.symlink_to("loop")
    return link


def test_a_home_in_a_loop_of_links_is_no_home(loop: Path) -> None:
    with pytest.raises(UsageError, match="is not a Tickercast home"):
        open_place(loop / "home")


def test_an_output_takes_the_place_of_a_loop_of_links(loop: Path) -> None:
    refuse_store(loop)
    write_rows(("a",), [(1,)], "csv", out=loop)
    assert loop.read_text() == "a\n1\n"


def test_the_home_of_an_unknown_user_is_a_name_like_any_other() -> None:
    assert home_folder(Path("~nobody-here/home"), {}) == Path.cwd() / "~nobody-here/home"
    assert user_path("~nobody-here") == Path("~nobody-here")


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    assert real_path(tmp_path / "link") == tmp_path.resolve() / "file"
