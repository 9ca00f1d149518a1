"""Visit every page of a served home at each width, light and dark, write a picture of each, and print what was found.

python -m tests.browser.survey HOME FOLDER [PATH ...]
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from tests.browser.visits import SCHEMES, WIDTHS, Visit, check_page, chromium, visited
from tests.web_servers import served

PATHS = (
    "/", "/ticker/MSFT", "/compare", "/risk", "/health", "/record", "/record/skill", "/record/next_session",
    "/record?sql=select+1",
)  # fmt: skip


def survey(address: str, folder: Path, paths: Sequence[str]) -> list[Visit]:
    """Return the visits of some pages, and write a picture of each."""
    folder.mkdir(parents=True, exist_ok=True)
    visits = []
    with chromium() as browser:
        for path, width, scheme in product(paths, WIDTHS, SCHEMES):
            with visited(browser, f"{address}{path}", width, scheme) as (page, visit):
                name = re.sub(r"\W+", "-", path.removesuffix(".html")).strip("-") or "today"
                page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=True)
                check_page(page, visit)
            visits.append(visit)
            sys.stdout.write(_line(visit, path))
            sys.stdout.flush()
    return visits


def main(subject: Path, folder: Path, paths: list[str]) -> int:
    """Return the exit code: 1 where something was found."""
    if (subject / "index.html").exists():
        files = sorted(f"/{file.relative_to(subject)}" for file in subject.rglob("*.html"))
        found = survey(subject.absolute().as_uri(), folder, paths or files)
    else:
        with served(subject) as server:
            found = survey(f"http://127.0.0.1:{server.port}", folder, paths or PATHS)
    return int(any(visit.problems for visit in found))


def _line(visit: Visit, path: str) -> str:
    paint = "" if visit.first_paint is None else f"{visit.first_paint:.0f} ms"
    head = f"{path:26} {visit.width:5} {visit.scheme:6} {paint:>8} {visit.bytes / 1000:7.1f} kB {visit.stops:4} stops"
    return "".join(f"{line}\n" for line in [head, *(f"    {problem}" for problem in visit.problems)])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
