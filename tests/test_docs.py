"""The generated pages are what the code would generate now, and no page names what is not there."""

from __future__ import annotations

import re
from pathlib import Path

from jobs.cli import reference as command_docs
from jobs.cli.app import app
from storage import docs as sql_docs

ROOT = Path(__file__).parent.parent


def test_the_sql_page_is_current() -> None:
    assert sql_docs.PATH.read_text() == sql_docs.sql_page()


def test_the_commands_page_is_current() -> None:
    assert command_docs.PATH.read_text() == command_docs.commands_page()


def test_the_readme_names_only_commands_that_exist() -> None:
    known = {c.name or c.callback.__name__ for c in app.registered_commands if c.callback} | {"db"}
    text = (ROOT / "README.md").read_text()
    assert set(re.findall(r"^(?:\.venv/bin/)?tickercast ([a-z]+)", text, flags=re.MULTILINE)) <= known


def test_links_between_pages_lead_somewhere() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text())]
    assert [(str(page), link) for page, link in links if not (page.parent / link).exists()] == []
