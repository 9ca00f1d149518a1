"""Every page in Chromium, once: axe-core finds nothing, nothing is requested from elsewhere, and a keyboard reaches all of it.

`python -m tests.browser.survey HOME FOLDER` does the same at each width, light and dark, and takes pictures.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.builders import Record
from tests.web_servers import WebServer, served

pytestmark = pytest.mark.slow
pytest.importorskip("playwright", reason="playwright is not installed: the pages are not visited in a browser")
pytest.importorskip("datasette", reason="the extra web is not installed")

from tests.browser.visits import CHROMIUM, Browser, check_page, chromium, visited  # noqa: E402 - after the libraries are known

needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine: the pages are not visited in a browser")
# Each page once; all widths and both schemes are among the visits.
VISITS = (
    ("/", 390, "light"), ("/ticker/IBM", 1280, "dark"), ("/compare?t=IBM&t=MSFT", 1600, "light"),
    ("/risk", 390, "dark"), ("/health", 1280, "light"), ("/record/skill", 1280, "dark"),
    ("/record?sql=select+1+as+a", 390, "light"),
)  # fmt: skip
FAULTY = """<html lang="en"><title>t</title><main><h1>t</h1><p style="color: #ccc; background: #fff">faint</p>
<p style="width: 3000px">wide</p><div style="overflow: auto; width: 50px"><p style="width: 500px">12.5</p></div>
<a href="#a">first</a><button id="b">trap</button><a href="#c">last</a>
<script>document.getElementById('b').onkeydown = e => e.preventDefault(); missing();</script></main>"""
EXPECTED = ("axe: color-contrast", "the body is ", "Tab goes back to <button ", "Tab does not reach <a ", "script: ")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def server(sound_record: Record, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    record = sound_record.copy_to(tmp_path_factory.mktemp("served"))
    with served(record.database.parent) as server:
        yield server


@needs_chromium
@pytest.mark.parametrize(("path", "width", "scheme"), VISITS)
def test_a_page_has_no_fault(browser: Browser, server: WebServer, path: str, width: int, scheme: str) -> None:
    with visited(browser, f"http://127.0.0.1:{server.port}{path}", width, scheme) as (page, visit):
        check_page(page, visit)
    assert visit.problems == []
    assert 0 < visit.bytes < 300_000


@needs_chromium
def test_enter_in_the_search_opens_the_ticker_of_that_name(browser: Browser, server: WebServer) -> None:
    with visited(browser, f"http://127.0.0.1:{server.port}/", 390, "light") as (page, _):
        page.fill("input[type=search]", "ibm")
        page.press("input[type=search]", "Enter")
        page.wait_for_url("**/ticker/IBM")


@needs_chromium
def test_faults_of_a_page_are_found(browser: Browser) -> None:
    with visited(browser, "about:blank", 390, "light") as (page, visit):
        page.set_content(FAULTY)
        check_page(page, visit)
    assert [start for start in EXPECTED if not any(problem.startswith(start) for problem in visit.problems)] == []
