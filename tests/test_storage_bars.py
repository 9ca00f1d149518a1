"""Bars: bitemporal merging, refusal of unusable rows, adjusting on read, and files that are what was written."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickercast.storage.bar_files import read_bars, write_bars
from tickercast.storage.bars import (
    PRICE_FIELDS,
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
from tickercast.storage.errors import Corrupt

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


def test_bars_through_a_session_include_it() -> None:
    bars = bars_of([10.0, 11.0, 12.0])
    assert bars.through(date(2024, 3, 5)).close.tolist() == [10.0, 11.0]
    assert len(bars.through(date(2024, 3, 3))) == 0


def test_made_bars_have_one_type_for_each_column_whatever_is_given() -> None:
    values: dict[str, object] = {name: [10, 11] for name in ("open", "high", "low", "close")} | {
        "dividend": [0, 1],
        "split": [1, 2],
        "volume": ["7", "8"],
    }
    bars = make_bars(np.array(["2024-03-04", "2024-03-05"], dtype="datetime64[s]"), values)
    kinds = ["datetime64[D]", *["float64"] * 4, "int64", "float64", "float64", "datetime64[us]", "<U1"]
    assert [str(getattr(bars, f.name).dtype) for f in fields(Bars)] == kinds


def test_made_bars_without_volume_and_actions_have_none_and_are_not_recorded() -> None:
    bars = make_bars(np.array(["2024-03-04"], dtype="datetime64[D]"), {name: [10.0] for name in PRICE_FIELDS})
    assert (bars.volume.tolist(), bars.dividend.tolist(), bars.split.tolist()) == ([0], [0.0], [1.0])
    assert (np.isnat(bars.recorded_at).all(), bars.source.tolist()) == (True, [""])


def test_a_volume_that_no_integer_holds_is_brought_within_bounds() -> None:
    prices = {name: np.ones(4) for name in ("open", "high", "low", "close")}
    bars = make_bars(np.datetime64("2024-03-04") + np.arange(4), {**prices, "volume": [np.nan, -5.0, 1e30, 0.0]})
    assert bars.volume.tolist() == [0, -1, 2**62, 0]


def test_recorded_bars_state_when_and_by_which_source() -> None:
    bars = bars_of([10.0, 11.0]).recorded(datetime(2024, 3, 6, 7, 8, 9, 10, tzinfo=UTC), "folder")
    assert [str(at) for at in bars.recorded_at] == ["2024-03-06T07:08:09.000010"] * 2
    assert bars.source.tolist() == ["folder", "folder"]


def test_an_instant_without_its_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^2024-03-06 00:00:00: an instant needs its time zone$"):
        bars_of([10.0]).recorded(datetime(2024, 3, 6), "folder")


def test_the_first_bars_of_a_ticker_are_all_added_and_none_is_restated() -> None:
    merge = merge_bars(None, LISTING, bars_of([10.0, 11.0]), recorded_at=FIRST, source="folder")
    assert (merge.added, merge.restated, merge.changed) == (2, (), True)


def test_only_sessions_that_are_new_count_as_added() -> None:
    first = merged(bars_of([10.0, 11.0]))
    merge = merge_bars(first, LISTING, bars_of([10.0, 12.0, 13.0]), recorded_at=FIRST + timedelta(days=1), source="folder")
    assert (merge.added, {change.session for change in merge.restated}) == (1, {date(2024, 3, 5)})


def test_bars_as_known_are_limited_by_instant_and_session_together() -> None:
    history = merged(bars_of([10.0, 11.0, 12.0]), bars_of([10.5, 11.5, 12.5]))
    assert as_known(history, known_at=FIRST, through=date(2024, 3, 5)).close.tolist() == [10.0, 11.0]


def test_a_dividend_as_large_as_the_price_is_ignored() -> None:
    bars = replace(bars_of([100.0, 100.0]), dividend=np.array([0.0, 100.0]))
    assert log_returns(bars, "close")[1] == 0.0
    assert adjusted(bars).close.tolist() == [100.0, 100.0]


def test_the_return_of_a_field_other_than_close_is_of_that_field() -> None:
    bars = replace(bars_of([100.0, 100.0]), open=np.array([50.0, 100.0]))
    assert log_returns(bars, "open")[1] == pytest.approx(np.log(2))


def test_a_return_at_a_price_that_is_not_positive_is_not_finite_and_no_warning_is_given() -> None:
    returns = log_returns(replace(bars_of([1.0] * 4), close=np.array([1.0, 0.0, 1.0, -1.0])), "close")
    assert not np.isfinite(returns).any()


def test_each_adjusted_price_undoes_every_later_split_and_dividend() -> None:
    # By hand, from the end: 60 - 6 = 54 of 60 (0.9), then 80 / 2 = 40 of 80 (0.5), then 100 - 20 = 80 of 100 (0.8).
    bars = replace(
        bars_of([100.0, 80.0, 60.0, 54.0]), split=np.array([1.0, 1.0, 2.0, 1.0]), dividend=np.array([0.0, 20.0, 0.0, 6.0])
    )
    found = adjusted(bars)
    assert found.close == pytest.approx([100 * 0.8 * 0.5 * 0.9, 80 * 0.5 * 0.9, 60 * 0.9, 54.0])
    assert found.open == pytest.approx(found.close)
    assert found.high == pytest.approx(found.close * 1.01)
    assert (found.volume.tolist(), found.volume.dtype) == ([18, 18, 9, 9], np.int64)
