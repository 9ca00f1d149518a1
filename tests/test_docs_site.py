"""The site: links of a page are moved to where their file is there, and nothing is loaded from another host."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("mkdocs", reason="the site needs the extra docs")
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site_links() -> ModuleType:
    """Return the hook of MkDocs, which is no part of a package."""
    specification = importlib.util.spec_from_file_location("site_links", ROOT / "docs" / "site_links.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("target", "place"),
    [("README.md", "index.md"), ("CHANGELOG.md", "changes.md"), ("docs/guides/moving.md", "guides/moving.md"),
     ("deploy/compose.yaml", "repository/deploy/compose.yaml")],
)  # fmt: skip
def test_a_file_of_the_repository_has_its_place_on_the_site(site_links: ModuleType, target: str, place: str) -> None:
    assert site_links._place(target) == place


@pytest.mark.parametrize(
    ("html", "outside"),
    [('<script src="https://example.org/a.js"></script>', "https://example.org/a.js"),
     ('<link rel="stylesheet" href="//example.org/a.css">', "//example.org/a.css"), ('<a href="https://example.org">', None),
     ('<img alt="x" src="assets/page-today.png">', None)],
)  # fmt: skip
def test_what_a_browser_would_load_from_another_host_is_found(site_links: ModuleType, html: str, outside: str | None) -> None:
    found = site_links.OUTSIDE.search(html)
    assert (found[1] if found else None) == outside
