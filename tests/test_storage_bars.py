"""Bars: bitemporal merging, refusal of unusable rows, adjusting on read, and files that are what was written."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.bar_files import collect_old_files, read_bars, write_bars
from storage.bars import (
    BarHistory,
    Bars,
    Listing,
    adjusted,
    as_known,
    log_returns,
    make_bars,
    merge_bars,
    refuse_bad_rows,
)
from storage.errors import Corrupt

LISTING = Listing("^GSPC", "USD", "XNYS", "America/New_York", "as_traded")
FIRST = datetime(2024, 1, 1, tzinfo=UTC)


def bars_of(closes: list[float], start: str = "2024-03-04") -> Bars:
    close = np.array(closes)
    days = np.datetime64(start) + np.arange(len(close))
    return make_bars(
        days,
        {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close, "volume": np.full(len(close), 9)},
    )


def merged(*arrivals: Bars) -> BarHistory:
    history = None
    for i, bars in enumerate(arrivals):
        history = merge_bars(history, LISTING, bars, recorded_at=FIRST + timedelta(days=i), source="folder").history
    assert history is not None
    return history


def same(a: Bars, b: Bars) -> bool:
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(Bars))


def test_a_restated_bar_is_a_further_row_and_the_old_one_stays_readable() -> None:
    history = merged(bars_of([10.0, 11.0, 12.0]), bars_of([10.0, 11.5, 12.0]))
    assert len(history.bars) == 4
    assert as_known(history).close.tolist() == [10.0, 11.5, 12.0]
    assert as_known(history, known_at=FIRST).close.tolist() == [10.0, 11.0, 12.0]
    assert as_known(history, through=date(2024, 3, 4)).close.tolist() == [10.0]


def test_restated_fields_are_named_with_old_and_new_values() -> None:
    first = merged(bars_of([10.0, 11.0]))
    later = replace(bars_of([10.0, 11.0]), volume=np.array([9, 18]))
    merge = merge_bars(first, LISTING, later, recorded_at=FIRST + timedelta(days=1), source="folder")
    assert [(r.session, r.field, r.old, r.new) for r in merge.restated] == [(date(2024, 3, 5), "volume", 9.0, 18.0)]


def test_float_noise_between_vintages_is_no_restatement() -> None:
    first = merged(bars_of([10.0, 11.0]))
    again = merge_bars(first, LISTING, bars_of([10.0005, 11.0]), recorded_at=FIRST + timedelta(days=1), source="folder")
    assert not again.changed
    assert same(again.history.bars, first.bars)


def test_bars_that_the_source_no_longer_gives_stay() -> None:
    assert len(as_known(merged(bars_of([10.0, 11.0, 12.0]), bars_of([12.0], "2024-03-06")))) == 3


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(1, 1e4), min_size=2, max_size=30), st.data())
def test_however_bars_arrive_they_are_known_the_same(closes: list[float], data: st.DataObject) -> None:
    bars = bars_of(closes)
    cut = data.draw(st.integers(1, len(closes) - 1))
    shuffled, _ = refuse_bad_rows(bars.select(np.array(data.draw(st.permutations(range(len(closes)))))))
    parts = as_known(merged(bars.select(slice(0, cut)), bars))
    assert parts.close.tolist() == as_known(merged(shuffled)).close.tolist() == bars.close.tolist()


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("close", np.nan, "null"),
        ("open", 0.0, "zero"),
        ("low", -1.0, "zero or negative"),
        ("close", np.inf, "not finite"),
        ("high", 5.0, "high is below low"),
        ("volume", -1, "volume"),
        ("split", 0.0, "split"),
    ],
)
def test_an_unusable_row_is_refused_with_its_reason(field: str, value: float, reason: str) -> None:
    bars = bars_of([10.0, 11.0, 12.0])
    values = getattr(bars, field).copy()
    values[1] = value
    kept, refused = refuse_bad_rows(replace(bars, **{field: values}))
    assert kept.session.tolist() == [date(2024, 3, 4), date(2024, 3, 6)]
    assert [r.session for r in refused] == [date(2024, 3, 5)]
    assert reason in refused[0].reason


def test_a_session_given_twice_alike_counts_once_and_otherwise_not_at_all() -> None:
    bars = bars_of([10.0, 11.0, 12.0])
    twice = bars.select(np.array([0, 0, 1, 2]))
    other = replace(twice, close=np.array([10.0, 10.05, 11.0, 12.0]))
    assert (len(refuse_bad_rows(twice)[0]), refuse_bad_rows(twice)[1]) == (3, ())
    kept, refused = refuse_bad_rows(other)
    assert (len(kept), len(refused)) == (2, 2)


def test_returns_undo_splits_and_dividends() -> None:
    # 100 -> 2:1 split, 1 dividend per new share, close 49: 49 / (100 / 2 - 1) = 1, no return at all
    bars = replace(bars_of([100.0, 49.0, 53.9]), split=np.array([1.0, 2.0, 1.0]), dividend=np.array([0.0, 1.0, 0.0]))
    returns = log_returns(bars, "close")
    assert np.isnan(returns[0])
    assert returns[1:] == pytest.approx([0.0, np.log(1.1)])
    assert adjusted(bars).close == pytest.approx([49.0, 49.0, 53.9])
    assert adjusted(bars).volume.tolist() == [18, 9, 9]


def test_a_file_comes_back_as_it_was_and_is_named_by_its_content(tmp_path: Path) -> None:
    history = merged(bars_of([10.0, 11.0]), bars_of([10.0, 11.5, 12.0]))
    file = write_bars(tmp_path, history)
    back = read_bars(tmp_path, file.path, file.sha256)
    assert file.path == f"%5EGSPC/{file.sha256[:16]}.parquet"
    assert back.listing == LISTING
    assert same(back.bars, history.bars)
    assert write_bars(tmp_path, back) == file


@settings(max_examples=150, deadline=None)
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_damaged_file_is_never_parsed(tmp_path_factory: pytest.TempPathFactory, share: float, mask: int) -> None:
    folder = tmp_path_factory.mktemp("prices")
    file = write_bars(folder, merged(bars_of([10.0, 11.0, 12.0])))
    content = bytearray((folder / file.path).read_bytes())
    content[int(share * len(content))] ^= mask
    (folder / file.path).write_bytes(content)
    with pytest.raises(Corrupt, match="sha256"):
        read_bars(folder, file.path, file.sha256)


def test_a_link_or_a_missing_file_is_refused(tmp_path: Path) -> None:
    file = write_bars(tmp_path, merged(bars_of([10.0])))
    path = tmp_path / file.path
    path.rename(tmp_path / "elsewhere")
    with pytest.raises(Corrupt, match="No such file"):
        read_bars(tmp_path, file.path, file.sha256)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Corrupt):
        read_bars(tmp_path, file.path, file.sha256)


def test_old_files_are_collected_but_not_those_kept(tmp_path: Path) -> None:
    old, current = (write_bars(tmp_path, merged(bars_of(closes))) for closes in ([10.0], [10.0, 11.0]))
    removed = collect_old_files(tmp_path, "^GSPC", {current.path}, datetime.now(UTC) + timedelta(hours=1))
    assert (removed, (tmp_path / old.path).exists(), (tmp_path / current.path).exists()) == (1, False, True)
