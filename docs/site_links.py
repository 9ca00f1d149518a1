"""Links of the pages on the site, for MkDocs: a page links to any file of the repository as in the repository itself.

README.md is the site's first page and CHANGELOG.md one of its pages. Any other file outside of docs/ that a page links to is
copied into the site's folder `repository/`. MkDocs calls the functions `on_...` below. The build fails where a link is broken,
and where a page would load something from another host.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changes.md"}
LINK = re.compile(r"(?<=\]\()([^)#:\s]+)")
OUTSIDE = re.compile(r"<(?:script|img|iframe|link|source|video)\b[^>]*?(?:src|href)=\"?((?:https?:)?//[^\s\">]+)")
UNNAMED_SEARCH = '<div class="md-search" data-md-component="search" role="dialog"'
CODE_BLOCK = re.compile(r"^(?:```.*?^```| {4}[^\n]*)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from outside of docs/, and the files that pages link to."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    for target in sorted({target for page in files.documentation_pages() for target in _targets(page)} - set(PAGES)):
        if not target.startswith("docs/") and (ROOT / target).is_file():
            files.append(File.generated(config, _place(target), abs_src_path=str(ROOT / target)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return a page's text with its links as they are on the site."""
    here = PurePosixPath(page.file.src_uri).parent

    def moved(link: re.Match[str]) -> str:
        return os.path.relpath(_place(_target(page.file, link[1])), here)

    return LINK.sub(moved, markdown)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Return a page's HTML, with a name for the search. Raises PluginError when it would load something from another host."""
    if found := OUTSIDE.search(output):
        raise PluginError(f"{page.file.src_uri} loads {found[1]}; the site has to work without a network")
    return output.replace(UNNAMED_SEARCH, f'{UNNAMED_SEARCH} aria-label="Search"')


def _targets(file: File) -> set[str]:
    """Return the files that a page links to, as paths in the repository."""
    text = CODE_BLOCK.sub("", file.content_string)
    return {_target(file, link) for link in LINK.findall(text)}


def _target(file: File, link: str) -> str:
    source = Path(file.abs_src_path or "").relative_to(ROOT)
    return os.path.normpath(source.parent / link)


def _place(target: str) -> str:
    """Return where a file of the repository is on the site, as a path below docs/."""
    if target in PAGES:
        return PAGES[target]
    return target.removeprefix("docs/") if target.startswith("docs/") else f"repository/{target}"
