"""Odd paths and files are ordinary errors: a loop of links, an unknown user's home, a pipe, a device, a huge file."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tickercast.jobs.analysis.other_files import read_other_models
from tickercast.jobs.analysis.views import query_text
from tickercast.jobs.errors import UsageError
from tickercast.jobs.prices.sources.base import BadSourceData
from tickercast.jobs.prices.sources.folder_files import content_of
from tickercast.jobs.runs.backup import back_up
from tickercast.jobs.terminal.output import write_rows
from tickercast.jobs.workspace.home import create_home
from tickercast.jobs.workspace.place import home_folder, open_place, refuse_store
from tickercast.storage.paths import open_at_once, real_path, user_path


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


def test_a_pipe_that_nobody_writes_to_is_empty(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with open_at_once(tmp_path / "pipe") as file:
        assert file.read() == b""


def test_a_query_of_a_device_without_end_is_refused() -> None:
    with pytest.raises(UsageError, match="longer than 1,000,000 bytes"):
        query_text(None, Path("/dev/zero"), list_views=False)


def test_another_tools_file_may_have_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "\udcff.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match="column"):
        read_other_models([path], ("ours",))


def test_a_file_too_large_for_one_tickers_prices_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "AAA.csv"
    with path.open("wb") as file:
        file.truncate(8_000_000_000)
    with pytest.raises(BadSourceData, match="larger than 200 MB"):
        content_of(path)


def test_a_huge_file_in_the_place_of_a_backup_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "backup.tar"
    with path.open("wb") as file:
        file.truncate(8_000_000_000)
    home = create_home(tmp_path / "home")
    with pytest.raises(UsageError, match="is no backup"):
        back_up(home, path, now=datetime(2026, 1, 2, tzinfo=UTC))


def test_the_root_folder_is_no_home() -> None:
    with pytest.raises(UsageError, match="/ is not a Tickercast home"):
        open_place(Path("/"))
