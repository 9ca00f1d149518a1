"""How pages are linked, and how values are written in them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.conftest import clean_environment
from tickercast.jobs.pages.charts import Chart, Numbers, line
from tickercast.jobs.pages.rendering import ago, environment, render
from tickercast.jobs.pages.site import ASSETS, served_site, static_site, ticker_file

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("symbol", "served", "file"),
    [
        ("MSFT", "/ticker/MSFT", "ticker/MSFT.html"),
        ("^GSPC", "/ticker/%5EGSPC", "ticker/%255EGSPC.html"),
        ("M&M.NS", "/ticker/M%26M.NS", "ticker/M%2526M.NS.html"),
    ],
)
def test_every_symbol_has_a_url_on_a_server_and_in_a_folder(symbol: str, served: str, file: str) -> None:
    assert served_site(NOW).ticker_url(symbol) == served
    assert static_site(NOW).ticker_url(symbol) == file


def test_a_file_of_a_ticker_is_where_its_url_leads() -> None:
    assert ticker_file("^GSPC") == Path("ticker/%5EGSPC.html")


def test_pages_of_tickers_link_to_the_folder_above() -> None:
    site = static_site(NOW).below()
    assert (site.page_url("today"), site.ticker_url("A")) == ("../index.html", "../ticker/A.html")
    assert served_site(NOW, root="/tc/").below().page_url("health") == "/tc/health"


def test_an_asset_has_another_url_when_it_changes() -> None:
    assert re.fullmatch(r"/assets/style\.css\?v=[0-9a-f]{12}", served_site(NOW).asset_url("style.css"))


def test_a_hostile_value_is_escaped_in_text_and_in_the_data_of_a_chart() -> None:
    chart = Chart("c", "<b>", "text", [line(["</script><i>"], [1.0], "n", "price")], Numbers(("a",), [("<u>",)]))
    page = environment().from_string('{% from "macros.html" import figure %}{{ figure(chart) }}').render(chart=chart)
    assert not re.search(r"<(b|i|u)>", page)
    data = re.search(r'<script type="application/json" id="c-data">(.*?)</script>', page)
    assert data is not None
    assert json.loads(data[1])["data"][0]["x"] == ["</script><i>"]


def test_a_value_that_is_not_given_is_an_error() -> None:
    with pytest.raises(Exception, match="is undefined"):
        render("today.html", static_site(NOW), page="today")


@pytest.mark.parametrize(
    ("span", "told"),
    [
        (30, "just now"),
        (60, "1 minute ago"),
        (7200, "2 hours ago"),
        (47 * 3600, "47 hours ago"),
        (3 * 86400, "3 days ago"),
        (-300, "in 5 minutes"),
    ],
)
def test_the_distance_of_an_instant_is_told_in_one_unit(span: int, told: str) -> None:
    assert ago(NOW - timedelta(seconds=span), NOW) == told


@pytest.mark.slow
def test_pages_load_no_library_of_numbers_and_no_sqlalchemy() -> None:
    heavy = {"numpy", "scipy", "sqlalchemy", "pandas", "pyarrow", "plotly", "pydantic"}
    code = f"import sys, tickercast.jobs.pages.report; print({heavy!r} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], env=clean_environment(), capture_output=True, text=True, check=True)
    assert told.stdout == "set()\n"


def test_the_style_has_every_role_of_a_chart_in_light_and_dark() -> None:
    style = (ASSETS / "style.css").read_text()
    roles = re.findall(r"--chart-(\w+):", style)
    assert {role: roles.count(role) for role in set(roles)} == dict.fromkeys(roles, 2)
    assert set(roles) == {"price", "median", "band", "outcome", "miss", "baseline", "event", "good", "bad", "muted"}
