"""Repair rebuilds a price file from what is proven, and says how it compares with the source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.loopback_yahoo import LoopbackYahoo
from tests.price_builders import day_of, sample_bars
from tests.price_homes import PriceHome, as_rows, copied, current_path
from tickercast.jobs.errors import UsageError
from tickercast.jobs.prices.repair import NEXT, repair
from tickercast.jobs.prices.sources.base import SourceError
from tickercast.storage.bars import BarHistory, Bars
from tickercast.storage.errors import UnknownStoredTicker

pytestmark = pytest.mark.slow

MakeHome = Callable[..., PriceHome]
FRIDAY, MONDAY = day_of("2012-06-08"), day_of("2012-06-11")


@pytest.fixture
def ibm() -> Bars:
    return sample_bars("IBM", "2011-11-01").through(MONDAY)


def with_close(bars: Bars, index: int) -> Bars:
    """Return the bars with another close of one of them."""
    close = bars.close.copy()
    close[index] = bars.low[index] * 1.0005
    return replace(bars, close=close)


@pytest.fixture
def restated(price_home: MakeHome, server: LoopbackYahoo, ibm: Bars) -> PriceHome:
    """Return a home in which a bar of IBM was restated on Monday."""
    home = price_home("IBM")
    server.serve("IBM", ibm)
    home.serve_and_run(FRIDAY)
    server.serve("IBM", with_close(ibm, 145))
    home.serve_and_run(MONDAY)
    return home


def damaged(home: PriceHome) -> tuple[Path, BarHistory]:
    """Remove IBM's price file, and return its path and what was in it."""
    history, path = home.history("IBM"), current_path(home, "IBM")
    path.unlink()
    return path, history


def same(ours: BarHistory, theirs: BarHistory) -> bool:
    """Return whether two histories have the same rows."""
    names = ("session", "open", "high", "low", "close", "volume", "dividend", "split", "recorded_at", "source")
    return all(np.array_equal(getattr(ours.bars, name), getattr(theirs.bars, name)) for name in names)


def test_a_lost_file_is_rebuilt_byte_for_byte_with_every_record(restated: PriceHome, ibm: Bars) -> None:
    path, history = damaged(restated)
    told = repair(restated.home, restated.engine, "ibm")
    assert (
        told == f"IBM: its price file was rebuilt byte for byte: {len(ibm)} of {len(ibm)} bars are unchanged at the source{NEXT}"
    )
    assert NEXT == "; next: `tickercast run`, unless a daemon runs, which looks at it within a minute"
    assert (current_path(restated, "IBM"), same(restated.history("IBM"), history)) == (path, True)
    restated.run(MONDAY)


def test_what_the_source_changed_meanwhile_is_counted_and_restated(restated: PriceHome, server: LoopbackYahoo, ibm: Bars) -> None:
    _, history = damaged(restated)
    server.serve("IBM", with_close(with_close(ibm, 145), 50))
    told = repair(restated.home, restated.engine, "IBM")
    assert f"{len(ibm) - 1} of {len(ibm)} bars are unchanged at the source, 1 restated" in told
    after = restated.history("IBM").bars
    assert len(after) == len(history.bars) + 1
    old = np.isin(after.recorded_at, history.bars.recorded_at)
    assert same(BarHistory(history.listing, after.select(old)), history)
    assert copied(restated, "IBM") == as_rows(restated.bars("IBM"))
    assert [row[0] for row in restated.rows("event", "kind") if row[0] == "repair"] == ["repair"]


def test_without_its_source_a_file_is_rebuilt_from_the_copies_alone(restated: PriceHome, server: LoopbackYahoo) -> None:
    _, history = damaged(restated)
    for file in restated.home.prices.glob("IBM/*"):
        file.unlink()
    server.served.clear()
    told = repair(restated.home, restated.engine, "IBM")
    assert "from its copy in SQL" in told
    assert "could not be compared with its source (IBM: Yahoo" in told
    bars = restated.history("IBM").bars
    assert len(bars) == len(history.bars) - 1  # the first record of the restated bar is nowhere else
    assert np.isin(bars.recorded_at, history.bars.recorded_at).all()


def test_bars_that_the_source_no_longer_gives_stay(restated: PriceHome, server: LoopbackYahoo, ibm: Bars) -> None:
    damaged(restated)
    server.serve("IBM", with_close(ibm, 145).select(slice(5, None)))
    told = repair(restated.home, restated.engine, "IBM")
    assert f"{len(ibm) - 5} of {len(ibm)} bars are unchanged at the source, 5 stay that it no longer gives" in told


def test_without_any_copy_all_bars_are_fetched_and_recorded_now(restated: PriceHome) -> None:
    damaged(restated)
    for file in restated.home.prices.glob("IBM/*"):
        file.unlink()
    with restated.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM bars")
    assert "nothing of its damaged price file could be proven" in repair(restated.home, restated.engine, "IBM")
    assert copied(restated, "IBM") == as_rows(restated.bars("IBM"))


def test_with_neither_a_copy_nor_a_source_nothing_is_changed(restated: PriceHome, server: LoopbackYahoo) -> None:
    damaged(restated)
    for file in restated.home.prices.glob("IBM/*"):
        file.unlink()
    with restated.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM bars")
    server.served.clear()
    with pytest.raises(SourceError, match="IBM"):
        repair(restated.home, restated.engine, "IBM")


def test_a_sound_file_stays_and_its_copy_in_sql_is_mended(restated: PriceHome) -> None:
    with restated.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE bars SET close = 1.0 WHERE session = '2012-06-08'")
    assert "sound; 1 row of the copy in SQL differed" in repair(restated.home, restated.engine, "IBM")
    assert "nothing was changed" in repair(restated.home, restated.engine, "IBM")
    assert copied(restated, "IBM") == as_rows(restated.bars("IBM"))


def test_a_ticker_without_bars_has_nothing_to_repair(restated: PriceHome) -> None:
    with pytest.raises((UsageError, UnknownStoredTicker), match="no bar is stored"):
        repair(restated.home, restated.engine, "ZZZ")
