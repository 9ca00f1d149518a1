"""Of many tickers a page shows those that need attention first, and the server searches among all of them."""

from __future__ import annotations

import pytest

from tickercast.jobs.pages import selection
from tickercast.jobs.pages.selection import Selection, select

NAMES = ["AAPL", "BRK-B", "IBM", "MSFT", "^VIX"]


@pytest.fixture(autouse=True)
def two_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "MOST_ROWS", 2)


def of(search: str = "", urgent: str = "") -> Selection[str]:
    return select(NAMES, str, lambda name: name == urgent, search)


def test_urgent_tickers_come_first_and_the_others_in_order() -> None:
    assert of(urgent="IBM").shown == ["IBM", "AAPL"]
    assert of(urgent="IBM").sentence == "the first 2 of 5 tickers, those that need attention before others"


def test_a_search_is_among_all_tickers_by_any_of_its_words() -> None:
    found = of("vix, msf")
    assert (found.shown, found.found, found.is_part) == (["MSFT", "^VIX"], 2, True)
    assert found.sentence == "2 of 5 tickers have vix, msf in their name"


def test_a_search_that_finds_too_many_says_so() -> None:
    assert of("b a").sentence == "the first 2 of 3 of 5 tickers have b a in their name"


def test_few_rows_are_all_shown_and_never_searched_by_the_server() -> None:
    few = select(NAMES[:2], str, bool, "IBM")
    assert (few.shown, few.is_part) == (NAMES[:2], False)
