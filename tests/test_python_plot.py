"""Charts of a record as figures of plotly: what they show, and what is told when there is nothing to show."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import tickercast as tc
from tests.builders import SESSIONS, WARM_ORIGIN, Record, empty_record


@pytest.fixture(scope="module")
def opened(sound_record: Record) -> tc.Record:
    return tc.open(sound_record.database.parent)


def test_the_fan_shows_closes_up_to_the_origin_and_the_bands_from_there(opened: tc.Record) -> None:
    traces = {trace.name: trace for trace in opened.plot("ibm").data}
    assert list(traces["close"].x) == [day.isoformat() for day in SESSIONS[:4]]
    assert traces["close"].y[-1] == traces["median"].y[0] == 100.0  # the price at the origin
    assert list(traces["median"].x) == [WARM_ORIGIN.isoformat(), "2024-03-08", "2024-03-11"]
    assert traces["90 % band"].y[-1] == 102.0


def test_the_returns_show_what_came_of_past_forecasts(opened: tc.Record) -> None:
    figure = opened.plot("IBM", "returns")
    assert figure.layout.title.text.startswith("IBM: ")
    assert [list(trace.x) for trace in figure.data if "inside" in trace.name] == [["2024-03-07", "2024-03-08"]]


@pytest.mark.parametrize(
    ("ticker", "options", "message"),
    [
        ("NOSUCH", {}, "nothing is stored for it"),
        ("MSFT", {}, "no forecasts are stored yet"),
        ("IBM", {"chart": "pie"}, "fan or returns"),
        ("IBM", {"config": "none"}, "no forecasts under config none"),
    ],
)
def test_a_chart_that_cannot_be_drawn_is_told(opened: tc.Record, ticker: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(tc.ArgumentError, match=message):
        opened.plot(ticker, **options)  # type: ignore[arg-type]


def test_without_plotly_the_extra_is_named(opened: tc.Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    monkeypatch.delitem(__import__("sys").modules, "tickercast._plots", raising=False)
    with pytest.raises(tc.MissingLibrary, match=r"pip install 'tickercast\[report\]'"):
        opened.plot("IBM")


def test_an_empty_record_has_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(tc.UnknownTicker):
        tc.open(empty_record(tmp_path).database.parent).plot("IBM")
