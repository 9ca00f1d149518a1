"""Visit every page of a served home at each width, light and dark, write a picture of each, and print what was found.

python -m tests.browser.survey HOME FOLDER [PATH ...]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.browser.visits import SCHEMES, WIDTHS, Visit, check_page, chromium, visited
from tests.web_servers import served

PATHS = ("/", "/ticker/MSFT", "/compare", "/risk", "/health", "/record", "/record/latest_forecast", "/record/outcome")


def survey(home: Path, folder: Path, paths: tuple[str, ...]) -> list[Visit]:
    """Return the visits of some pages of a home, and write a picture of each."""
    folder.mkdir(parents=True, exist_ok=True)
    visits = []
    with served(home) as server, chromium() as browser:
        for path in paths:
            for width in WIDTHS:
                for scheme in SCHEMES:
                    with visited(browser, f"http://127.0.0.1:{server.port}{path}", width, scheme) as (page, visit):
                        name = re.sub(r"\W+", "-", path).strip("-") or "today"
                        page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=True)
                        check_page(page, visit)
                    visits.append(visit)
                    sys.stdout.write(_line(visit, path))
                    sys.stdout.flush()
    return visits


def _line(visit: Visit, path: str) -> str:
    paint = "" if visit.first_paint is None else f"{visit.first_paint:.0f} ms"
    head = f"{path:26} {visit.width:5} {visit.scheme:6} {paint:>8} {visit.bytes / 1000:7.1f} kB {visit.stops:4} stops"
    return "".join(f"{line}\n" for line in [head, *(f"    {problem}" for problem in visit.problems)])


if __name__ == "__main__":
    found = survey(Path(sys.argv[1]), Path(sys.argv[2]), tuple(sys.argv[3:]) or PATHS)
    sys.exit(1 if any(visit.problems for visit in found) else 0)
