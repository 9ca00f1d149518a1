"""Files: whole or not at all, and names that come back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickercast.storage.errors import Corrupt, StoreUnwritable
from tickercast.storage.files import quote_ticker, read_regular, unquote_ticker, write_atomically


@pytest.mark.parametrize("ticker", ["BRK-B", "^GSPC", "EURUSD=X", "M&M.NS", "0700.HK", "BTC-USD"])
def test_a_ticker_survives_its_file_name(ticker: str) -> None:
    assert unquote_ticker(quote_ticker(ticker)) == ticker


@given(st.text(min_size=1, max_size=20))
def test_no_text_becomes_a_path(text: str) -> None:
    name = quote_ticker(text)
    assert "/" not in name
    assert name not in (".", "..")


def test_a_name_that_no_file_can_have_is_damage(tmp_path: Path) -> None:
    with pytest.raises(Corrupt, match="null"):
        read_regular(tmp_path / "a\0b")


def test_a_written_file_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", b"one")
    write_atomically(tmp_path / "a", b"two")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"two"


def test_a_new_folder_is_on_disk_in_its_parent_before_a_file_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def noting(handle: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        real(handle)

    monkeypatch.setattr("os.fsync", noting)
    write_atomically(tmp_path / "one" / "two" / "a", b"content")
    folders = [path for path in synced if Path(path).is_dir()]
    assert folders == [str(tmp_path), str(tmp_path / "one"), str(tmp_path / "one" / "two")]


def test_a_failed_write_keeps_the_old_file_and_removes_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_atomically(tmp_path / "a", b"one")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreUnwritable, match="No space left"):
        write_atomically(tmp_path / "a", b"two")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"one"
