"""The generated pages are what the code generates now, and no page names a command or a place that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.doc_examples import blocks_of
from tickercast.jobs.cli import reference as command_docs
from tickercast.jobs.cli.app import COMMANDS
from tickercast.storage import docs as sql_docs
from tickercast.storage.newest_schema import SCRIPT

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
RUN = {ROOT / "README.md", ROOT / "docs" / "tutorial.md", *(ROOT / "docs" / "guides").glob("*.md")}  # by test_docs_examples.py
COMMAND_LINE = re.compile(r"(?:^ *|`)(?:\.venv/bin/)?tickercast ((?:--\w+ \S+ )*)([a-z]+)", re.MULTILINE)
LINK = re.compile(r"\]\(([^):]+)\)")
IN_NAVIGATION = re.compile(r"^ +- .+: (\S+\.md)$", re.MULTILINE)


def commands_in(text: str) -> set[str]:
    """Return the commands of a page's `tickercast COMMAND` and indented command lines."""
    return {command for _, command in COMMAND_LINE.findall(text)}


def anchors_of(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as Markdown viewers make them: lower case, words joined by hyphens."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def is_broken(page: Path, link: str) -> bool:
    """Return whether a link of a page leads to no file, or to no heading of its file."""
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    return not target.exists() or (anchor != "" and anchor not in anchors_of(target))


def test_the_script_of_the_newest_schema_is_what_the_migrations_make() -> None:
    assert SCRIPT.read_text() == sql_docs.schema_script()


def test_the_sql_page_is_current() -> None:
    assert sql_docs.PATH.read_text() == sql_docs.sql_page()


def test_the_commands_page_is_current() -> None:
    assert command_docs.PATH.read_text() == command_docs.commands_page()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_only_commands_that_exist(page: Path) -> None:
    assert commands_in(page.read_text()) - {"db", "prior", *(command.__name__ for command in COMMANDS)} == set()


def test_the_readme_shows_the_main_commands() -> None:
    assert {"init", "track", "daemon", "backfill", "sql", "serve", "verify"} <= commands_in((ROOT / "README.md").read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_a_page_lead_to_a_file_and_a_heading(page: Path) -> None:
    assert [link for link in LINK.findall(page.read_text()) if is_broken(page, link)] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page not in RUN], ids=lambda page: page.name)
def test_a_shell_block_that_no_test_runs_says_so(page: Path) -> None:
    assert list(map(str, blocks_of(page, "sh"))) == []


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    pages = {str(page.relative_to(ROOT / "docs")) for page in PAGES if page.parent != ROOT}
    assert pages - set(IN_NAVIGATION.findall((ROOT / "mkdocs.yml").read_text())) == set()


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("    tickercast nosuch A\n    .venv/bin/tickercast --home X init  # creates\n", {"nosuch", "init"}),
        ("Use `tickercast backfill MSFT`; the word tickercast alone is no command.", {"backfill"}),
    ],
)
def test_commands_are_found_in_indented_lines_and_in_code(text: str, commands: set[str]) -> None:
    assert commands_in(text) == commands


@pytest.mark.parametrize(
    ("link", "broken"),
    [("docs/sql.md", False), ("docs/none.md", True), ("docs/sql.md#sql-views", False), ("docs/sql.md#none", True),
     ("#first-steps", False), ("#none", True)],
)  # fmt: skip
def test_a_link_is_broken_without_its_file_or_heading(link: str, broken: bool) -> None:
    assert is_broken(ROOT / "README.md", link) == broken
