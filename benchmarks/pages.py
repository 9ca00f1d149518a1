"""How soon a browser shows a page, and what the page weighs.

    python benchmarks/pages.py HOME [--visits 20] [PATH ...]

Serves the home, and visits each page in Chromium as a new visitor each time, whose cache is empty. Without PATH it visits the
pages of 20 tickers, spread over the record, and Today, Compare, Risk and Health. The first paint counts from the beginning of the
visit, so the server's work is in it; the first visit of all is left out, because it starts the browser. The weight is what was
sent, compressed, without the chart library.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.browser.visits import FIRST_PAINT, SIZE, Browser, chromium, opened
from tests.web_servers import served
from tickercast.jobs.workspace.place import open_place
from tickercast.storage.reader import snapshot

PAGES = ("/", "/compare", "/risk", "/health")
TICKERS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("paths", nargs="*", metavar="PATH")
    parser.add_argument("--visits", type=int, default=20, help="of each page")
    wanted = parser.parse_args()
    with snapshot(open_place(wanted.home.absolute()).database) as connection:
        symbols = [row[0] for row in connection.execute("SELECT DISTINCT ticker FROM latest_forecast ORDER BY 1")]
    tickers = symbols[:: max(1, len(symbols) // TICKERS)][:TICKERS]
    groups = {path: [path] * wanted.visits for path in wanted.paths or PAGES}
    if not wanted.paths:
        groups = {"/ticker/...": [f"/ticker/{quote(symbol, safe='')}" for symbol in tickers], **groups}
    print(f"{len(symbols)} tickers with forecasts; first paint in ms")
    print(f"{'page':24} {'visits':>6} {'median':>8} {'largest':>8} {'kB':>7}")
    with served(wanted.home) as server, chromium() as browser:
        address = f"http://127.0.0.1:{server.port}"
        paint_of(browser, f"{address}/")
        for name, paths in groups.items():
            found = [paint_of(browser, f"{address}{path}") for path in paths]
            paints = [paint for paint, _ in found]
            weight = max(size for _, size in found) / 1000
            print(f"{name:24} {len(found):6} {statistics.median(paints):8.0f} {max(paints):8.0f} {weight:7.1f}")


def paint_of(browser: Browser, address: str) -> tuple[float, int]:
    """Return the first paint of a page in milliseconds, and its bytes."""
    with opened(browser, address) as page:
        while (paint := page.evaluate(FIRST_PAINT)) is None:
            page.wait_for_timeout(20)
        return paint, page.evaluate(SIZE)


if __name__ == "__main__":
    main()
