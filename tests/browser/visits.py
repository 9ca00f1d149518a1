"""One visit of a page in Chromium: what went wrong on it, and what it weighs.

A page is scrolled to its end, so that its charts are drawn, checked by axe-core, and walked through with the Tab key alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or ""
# Without these, Chromium looks for its maker's hosts at every start.
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")  # fmt: skip
WIDTHS, SCHEMES = (390, 1280, 1600), ("light", "dark")
HEIGHT = 900
SPARE_TABS = 50  # for elements that only have a tabindex
LOCAL = ("127.0.0.1", "localhost", "")
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
RUN_AXE = """async () => (await axe.run({resultTypes: ['violations'], preload: location.protocol !== 'file:'})).violations.map(
    v => v.id + ' (' + v.impact + '): ' + v.nodes.slice(0, 3).map(n => n.target.join(' ')).join(', '))"""
# Elements that a keyboard has to reach: what can be focused, and what scrolls sideways with nothing in it that can.
MARK = """() => {
    const active = 'a[href], button, input:not([type=hidden]), select, textarea, summary';
    const wanted = [...document.querySelectorAll(active)];
    for (const e of document.querySelectorAll('body *')) {
        const scrolls = ['auto', 'scroll'].includes(getComputedStyle(e).overflowX) && e.scrollWidth > e.clientWidth + 1;
        if (scrolls && e.clientWidth && !e.querySelector(active)) wanted.push(e);
    }
    const shown = wanted.filter(
        e => e.checkVisibility({visibilityProperty: true}) && !e.disabled && !e.closest('.js-plotly-plot'));
    shown.forEach((e, i) => { e.dataset.stop = i; });
    return shown.map(e => e.outerHTML.slice(0, 90));
}"""
FOCUSED = """() => {
    const e = document.activeElement;
    const isOut = e === document.body || e === document.documentElement;
    return [isOut, e.dataset.stop ?? null, e.outerHTML.slice(0, 90), !!e.closest('.js-plotly-plot')];
}"""
TO_THE_BEGINNING = "() => { const b = document.body; b.tabIndex = -1; b.focus(); b.removeAttribute('tabindex'); scrollTo(0, 0); }"
SCROLL = """async () => { for (let y = 0; y < document.documentElement.scrollHeight; y += 500) {
    scrollTo(0, y); await new Promise(r => setTimeout(r, 40)); } scrollTo(0, 0); }"""
SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
# The bytes that were sent for a page and its files, without the chart library.
SIZE = """() => [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
    .filter(e => !e.name.includes('plotly.min.js')).reduce((sum, e) => sum + e.transferSize, 0)"""
FIRST_PAINT = "() => performance.getEntriesByName('first-contentful-paint').map(e => e.startTime)[0] ?? null"


@dataclass(slots=True)
class Visit:
    """What a visit of a page found. problems: one line each. first_paint: milliseconds. bytes: without the chart library."""

    address: str
    width: int
    scheme: str
    problems: list[str] = field(default_factory=list)
    first_paint: float | None = None
    bytes: int = 0
    stops: int = 0


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield a browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Browser, address: str) -> Iterator[Page]:
    """Yield a page as a new visitor has it once it is loaded."""
    context = browser.new_context(viewport={"width": 1280, "height": HEIGHT})
    try:
        page = context.new_page()
        page.goto(address, wait_until="load")
        yield page
    finally:
        context.close()


@contextmanager
def visited(browser: Browser, address: str, width: int, scheme: str) -> Iterator[tuple[Page, Visit]]:
    """Yield a page that was loaded and scrolled through, and what was found so far."""
    visit = Visit(address, width, scheme)
    context = browser.new_context(
        viewport={"width": width, "height": HEIGHT},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.on("console", lambda said: _note(visit, f"console {said.type}: {said.text}", said.type in ("error", "warning")))
    page.on("pageerror", lambda error: _note(visit, f"script: {error}"))
    page.on("request", lambda sent: _note(visit, f"request to {sent.url}", not _is_local(sent.url)))
    page.on("requestfailed", lambda sent: _note(visit, f"request failed: {sent.url}"))
    page.on("response", lambda got: _note(visit, f"{got.status} for {got.url}", got.status >= 400))
    try:
        page.goto(address, wait_until="load")
        page.evaluate(SCROLL)
        page.wait_for_load_state("networkidle")
        visit.first_paint, visit.bytes = page.evaluate(FIRST_PAINT), page.evaluate(SIZE)
        yield page, visit
    finally:
        context.close()


def check_page(page: Page, visit: Visit) -> None:
    """Note what axe-core finds, a body that scrolls sideways, and what the keyboard does not reach."""
    sideways = page.evaluate(SIDEWAYS)
    _note(visit, f"the body is {sideways} pixels wider than the window", sideways > 0)
    page.evaluate(AXE)
    for violation in page.evaluate(RUN_AXE):
        _note(visit, f"axe: {violation}")
    _open_all(page, visit)
    _walk(page, visit)


def _open_all(page: Page, visit: Visit) -> None:
    """Open each list of numbers that is folded, with the keyboard alone."""
    for summary in page.locator("details > summary").all():
        if summary.is_visible() and not summary.evaluate("e => e.parentElement.open"):
            summary.focus()
            page.keyboard.press("Enter")
            _note(visit, f"Enter does not open {summary.inner_text()!r}", not summary.evaluate("e => e.parentElement.open"))


def _walk(page: Page, visit: Visit) -> None:
    """Press Tab from the beginning to the end, and note what it never reaches, and what it does not leave."""
    wanted = page.evaluate(MARK)
    page.evaluate(TO_THE_BEGINNING)
    reached: list[str] = []
    for _ in range(len(wanted) + SPARE_TABS):
        page.keyboard.press("Tab")
        is_out, stop, html, is_in_chart = page.evaluate(FOCUSED)
        if is_out or [stop] == reached[:1]:
            break
        visit.stops += 1
        _note(visit, f"a tab stop in a chart: {html}", is_in_chart)
        if stop in reached:
            _note(visit, f"Tab goes back to {html}")
            break
        if stop is not None:
            reached.append(stop)
    for index, html in enumerate(wanted):
        _note(visit, f"Tab does not reach {html}", str(index) not in reached)


def _note(visit: Visit, problem: str, is_one: bool = True) -> None:
    if is_one and problem not in visit.problems:
        visit.problems.append(problem)


def _is_local(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("data", "blob", "file", "about") or (parts.hostname or "") in LOCAL
