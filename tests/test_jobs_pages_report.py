"""The report: pages as files that a web server may read, which need no network, lead nowhere else, and draw in a browser."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.html_pages import Page
from tickercast.jobs.errors import UsageError
from tickercast.jobs.pages.report import write_public, write_report
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.workspace.home import Home, create_home
from tickercast.storage.database import open_writer, reading, upgrade_database
from tickercast.storage.errors import StoreUnwritable, UnknownStoredTicker
from tickercast.storage.queries import read_view

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
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


def report(home: Home, folder: Path, tickers: list[str] | None = None) -> list[tuple[int, int]]:
    """Write a report and return the progress that it showed."""
    shown: list[tuple[int, int]] = []
    write_report(home.place, folder, NOW, lambda done, total: shown.append((done, total)), tickers)
    return shown


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
def pages(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("public") / "web" / "pages"
    before = os.umask(0o077)
    try:
        report(home, folder)
    finally:
        os.umask(before)
    return folder


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def html_of(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_text() for name in files_of(folder) if name.endswith(".html")}


def test_there_is_a_page_for_each_ticker_and_what_the_pages_load(pages: Path) -> None:
    assert {"index.html", "health.html", "compare.html", "risk.html", "ticker/IBM.html", "ticker/MSFT.html"} <= files_of(pages)
    assert {"assets/style.css", "assets/charts.js", "assets/tables.js", "assets/plotly.min.js"} <= files_of(pages)


def test_a_web_server_may_read_the_files_whatever_the_umask(pages: Path) -> None:
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [pages.parent, pages, *pages.rglob("*")]}
    assert {oct(mode) for path, mode in modes.items() if path.is_dir()} == {"0o755"}
    assert {oct(mode) for path, mode in modes.items() if path.is_file()} == {"0o644"}


def test_every_link_leads_to_a_file_of_the_report(pages: Path) -> None:
    dead = [
        (name, url)
        for name, html in html_of(pages).items()
        for url in [*Page(html).links, *Page(html).loads]
        if (path := urlsplit(url).path) and url != "data:," and not ((pages / name).parent / unquote(path)).is_file()
    ]
    assert dead == []


def test_every_page_is_well_formed_and_runs_nothing_but_files(pages: Path) -> None:
    assert {name: Page(html).faults for name, html in html_of(pages).items() if Page(html).faults} == {}


def test_every_page_says_when_it_was_made(pages: Path) -> None:
    assert [name for name, html in html_of(pages).items() if "Made at 2026-11-27 12:00 UTC" not in Page(html).text] == []


def test_a_page_shows_the_newest_forecasts_of_sql(home: Home, pages: Path) -> None:
    with reading(home.database) as connection:
        answer = read_view(connection, "latest_forecast", ["IBM"])
    newest = dict(zip(answer.columns, answer.rows[0], strict=True))
    assert f"{newest['q95']:,.2f}" in (pages / "index.html").read_text()
    assert f"{newest['q95']:,.2f}" in (pages / "ticker/IBM.html").read_text()


def test_progress_counts_every_page(home: Home, tmp_path: Path) -> None:
    shown = report(home, tmp_path / "pages")
    assert [done for done, _ in shown] == list(range(1, shown[-1][1] + 1))


def test_a_report_of_one_ticker_leads_to_no_other(home: Home, tmp_path: Path) -> None:
    report(home, tmp_path / "pages", ["MSFT"])
    assert set(html_of(tmp_path / "pages")) == {"index.html", "compare.html", "ticker/MSFT.html"}
    assert "IBM" not in Page((tmp_path / "pages/index.html").read_text()).text


def test_a_page_of_a_ticker_that_is_gone_is_removed_and_a_strangers_page_stays(home: Home, tmp_path: Path) -> None:
    report(home, tmp_path)
    shutil.copy(tmp_path / "ticker/IBM.html", tmp_path / "ticker/GONE.html")
    (tmp_path / "ticker/mine.html").write_text("<p>mine</p>")
    report(home, tmp_path)
    assert sorted(path.name for path in (tmp_path / "ticker").iterdir()) == ["IBM.html", "MSFT.html", "mine.html"]


def test_a_report_is_refused_where_it_makes_no_sense(home: Home, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a file of the home"):
        report(home, home.prices)
    with pytest.raises(UnknownStoredTicker, match="AAPL"):
        report(home, tmp_path, ["AAPL"])


def test_a_file_in_the_way_is_one_line_and_leaves_no_half_page(tmp_path: Path) -> None:
    (tmp_path / "index.html").mkdir()
    with pytest.raises(StoreUnwritable, match=r"index\.html: .*; earlier pages stay"):
        write_public(tmp_path / "index.html", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


def test_the_articles_preset_trains_once_on_its_first_four_fifths(article: Home) -> None:
    with reading(article.database) as connection:
        lineage = read_view(connection, "model_lineage", ["FB"]).rows
        history = read_view(connection, "forecast_history", ["FB"])
    origins = [row[history.columns.index("origin")] for row in history.rows]
    # 196 bars: the first 157 (80 %, rounded up) train, so the first origin is the 157th, and every later bar follows.
    assert (len(lineage), len(origins)) == (1, 196 - 157 + 1)
    assert lineage[0][2] == origins[0]


def test_the_articles_page_states_its_errors_and_its_copying(article: Home, tmp_path: Path) -> None:
    report(article, tmp_path, ["FB"])
    text = Page((tmp_path / "ticker/FB.html").read_text()).text
    assert "One training of 8 updates on the first 80 % of the bars" in text
    assert re.search(r"RMSE [\d.]+; the last value alone scores [\d.]+", text)
    assert "merely copies yesterday" in text


def dom_of(page: Path, profile: Path) -> str:
    """Return a page as a browser has it after its scripts. A machine with much to do draws nothing at first now and then."""
    command = [str(BROWSER), *QUIET, f"--user-data-dir={profile}", "--window-size=1280,9000", "--virtual-time-budget=8000"]
    found = ""
    for _ in range(8):
        done = subprocess.run([*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
        found = done.stdout
        if "js-plotly-plot" in found:
            break
    return found


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine: the report is not opened in a browser")
def test_a_browser_draws_the_charts_that_are_in_view(pages: Path, tmp_path: Path) -> None:
    page = pages / "ticker/IBM.html"
    charts = page.read_text().count('class="plot"')
    assert charts >= 5
    assert len(re.findall(r'class="plot js-plotly-plot"', dom_of(page, tmp_path))) == charts
