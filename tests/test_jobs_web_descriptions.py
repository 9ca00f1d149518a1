"""What Datasette shows beside rows: the contract's words, the cookbook as queries, and numbers in sensible digits."""

from __future__ import annotations

import pytest

from tickercast.jobs.web.descriptions import DATABASE, parameters_of, record_metadata
from tickercast.jobs.web.digits import cell_text
from tickercast.storage.cookbook import COOKBOOK
from tickercast.storage.views import VIEWS

RECORD = record_metadata()["databases"][DATABASE]


def test_every_view_has_its_purpose_and_the_meaning_of_each_column() -> None:
    told = {name: (about["description"], about["columns"]) for name, about in RECORD["tables"].items()}
    assert told == {view.name: (view.purpose, {column.name: column.meaning for column in view.columns}) for view in VIEWS}


def test_a_view_offers_to_count_its_rows_by_columns_of_few_values() -> None:
    assert RECORD["tables"]["skill"]["countable"] == ["ticker", "horizon", "mode", "verdict", "preset", "field"]


def test_every_recipe_is_a_named_query() -> None:
    assert [query["title"] for query in RECORD["queries"].values()] == [recipe.question for recipe in COOKBOOK]


def test_no_name_is_both_a_view_and_a_query() -> None:
    assert RECORD["tables"].keys().isdisjoint(RECORD["queries"])


def test_what_a_recipe_names_as_an_example_is_a_parameter() -> None:
    assert [query for query in RECORD["queries"].values() if "AAPL" in query["sql"] or "2013-01-15" in query["sql"]] == []


@pytest.mark.parametrize(("name", "parameters"), [("prices", ("ticker",)), ("forecasts_of_a_day", ("day",)), ("skill", ())])
def test_parameters_are_known(name: str, parameters: tuple[str, ...]) -> None:
    assert parameters_of(name) == parameters


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("q05", 417.84949305597434, "417.85"),
        ("last_price", 0.0123456, "0.01235"),
        ("crps", 0.008821345, "0.008821"),
        ("p_adjusted", 1e-7, "< 0.001"),
        ("width_percent", 6.176543, "6.18"),
        ("train_loss", -123456.789, "-123456.8"),
        ("volume", 123456, "123,456"),
        ("horizon", 5, "5"),
        ("ticker", "AAPL", None),
        ("dof", None, None),
    ],
)
def test_a_cell_has_the_digits_that_its_column_needs(column: str, value: object, text: str | None) -> None:
    assert cell_text(column, value) == text
