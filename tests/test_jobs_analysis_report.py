"""The report: its pages show what SQL returns, need no network, and draw in a browser; and the page of the article's preset."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from tickercast.jobs.analysis import answers
from tickercast.jobs.analysis.report.pages import copied_share, ticker_page
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.workspace.home import Home, create_home
from tickercast.storage.database import open_writer, reading, upgrade_database
from tickercast.storage.queries import read_view

pytestmark = pytest.mark.slow

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


def filled(folder: Path, settings: str, request: BackfillRequest) -> Home:
    folder.mkdir()
    (folder / "tickercast.toml").write_text(settings)
    home = create_home(folder)
    upgrade_database(home.database)
    engine = open_writer(home.database)
    backfill_span(home, engine, request)
    engine.dispose()
    return home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    settings = "[training]\ncold_epochs = 2\n[model]\nhistory_sessions = 140\n"
    request = BackfillRequest(("IBM", "MSFT"), date(2013, 1, 2), None, source="sample", workers=1)
    return filled(tmp_path_factory.mktemp("report") / "home", settings, request)


@pytest.fixture(scope="module")
def article(tmp_path_factory: pytest.TempPathFactory) -> Home:
    settings = '[model]\npreset = "article"\n[training]\ncold_epochs = 2\n'
    request = BackfillRequest(("FB",), source="sample", workers=1)
    return filled(tmp_path_factory.mktemp("article") / "home", settings, request)


@pytest.fixture(scope="module")
def pages(home: Home) -> Path:
    return answers.write_pages(home, home.folder / "report", None).parent


def test_there_is_a_page_a_ticker_an_index_and_one_script(pages: Path) -> None:
    assert sorted(p.name for p in pages.iterdir()) == ["IBM.html", "MSFT.html", "index.html", "plotly.min.js"]


def test_the_index_shows_the_newest_forecasts_of_sql(home: Home, pages: Path) -> None:
    with reading(home.database) as connection:
        answer = read_view(connection, "latest_forecast", ["IBM"])
    newest = dict(zip(answer.columns, answer.rows[0], strict=True))
    assert f"<td>{newest['q95']:,.2f}</td>" in (pages / "index.html").read_text()


def test_a_page_has_the_quantiles_of_every_session_in_prices_and_percent(home: Home, pages: Path) -> None:
    with reading(home.database) as connection:
        answer = read_view(connection, "latest_forecast", ["IBM"])
    rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
    cells = [f"<td>{r['target']}</td><td>{r['q05']:,.2f} ({100 * (r['q05'] / r['last_price'] - 1):+.1f} %)</td>" for r in rows]
    text = (pages / "IBM.html").read_text()
    assert [cell in text for cell in cells] == [True] * 5


def test_the_ends_of_a_band_are_read_by_hovering(pages: Path) -> None:
    text = (pages / "IBM.html").read_text()
    assert re.findall(r"(\d+ %) range, (lower|upper) end: %\{y:.2f\}", text)[:6] == [
        ("90 %", "lower"), ("90 %", "upper"), ("80 %", "lower"), ("80 %", "upper"), ("50 %", "lower"), ("50 %", "upper"),
    ]  # fmt: skip


def test_nothing_is_fetched_from_elsewhere(pages: Path) -> None:
    text = (pages / "IBM.html").read_text() + (pages / "index.html").read_text()
    assert re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=\"([^\"]+)\"", text) == ["plotly.min.js"]


def test_a_hostile_name_is_escaped() -> None:
    forecast = dict.fromkeys(("last_price", "q05", "q25", "q50", "q75", "q95"), 10.0)
    row = forecast | {"target": "<i>", "config": "<c>", "preset": "density"}
    page = ticker_page("<script>alert(1)</script>", [row], ["<b>"], [], script="plotly.min.js")
    assert "<script>alert" not in page
    assert "&lt;b&gt;" in page
    assert "<i>" not in page


def test_a_lag_copy_is_known_as_one() -> None:
    last = np.cumsum(np.random.default_rng(0).normal(size=200))
    assert copied_share(last, last) == pytest.approx(1.0)
    assert copied_share(np.random.default_rng(1).normal(size=200), last) < 0.05


def test_the_articles_preset_trains_once_on_its_first_four_fifths(article: Home) -> None:
    with reading(article.database) as connection:
        lineage = read_view(connection, "model_lineage", ["FB"]).rows
        history = read_view(connection, "forecast_history", ["FB"])
    origins = [row[history.columns.index("origin")] for row in history.rows]
    # 196 bars: the first 157 (80 %, rounded up) train, so the first origin is the 157th, and every later bar follows.
    assert (len(lineage), len(origins)) == (1, 196 - 157 + 1)
    assert lineage[0][2] == origins[0]


def test_the_articles_page_states_its_errors_and_its_copying(article: Home) -> None:
    text = (answers.write_pages(article, article.folder / "report", ["FB"]).parent / "FB.html").read_text()
    assert "One training of 8 updates on the first 80 % of the bars" in text
    assert re.search(r"RMSE [\d.]+; the last value alone scores [\d.]+", text)
    assert "merely copies yesterday" in text


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine: the report is not opened in a browser")
def test_a_browser_draws_the_charts(pages: Path, tmp_path: Path) -> None:
    page = pages / "IBM.html"
    dump = subprocess.run(
        [str(BROWSER), *QUIET, f"--user-data-dir={tmp_path}", "--virtual-time-budget=8000", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    ).stdout  # fmt: skip
    assert page.read_text().count('id="chart-') == 5
    assert len(re.findall(r'<svg class="main-svg"[^>]*>', dump)) >= 5
    assert "Coverage of the intervals, mode backfill" in dump
