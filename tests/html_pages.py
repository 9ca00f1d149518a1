"""What tests ask of every page: that it is well formed, and that a browser may run nothing in it but our own files."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "link", "input", "br", "img", "hr", "path"}
DATA = "application/json"


class Page(HTMLParser):
    """Reads a page. faults: what is wrong with it. links: where it leads. loads: the files it needs. text: its words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self._open: list[str] = []
        self._ids: list[str] = []
        self._named: list[str] = []
        self._words: list[str] = []
        self.feed(html)
        self.faults += [f"<{tag}> is never closed" for tag in self._open]
        self.faults += [f"two elements are called {name}" for name in set(self._ids) if self._ids.count(name) > 1]
        self.faults += [f"nothing is called {name}" for name in self._named if name not in self._ids]

    @property
    def text(self) -> str:
        """Return the words of the page, one blank between them."""
        return " ".join(" ".join(self._words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self._open.append(tag)
        if tag == "script" and "src" not in given and given.get("type") != DATA:
            self.faults.append("a script in the page")
        self.faults += [f"<{tag}> has {name}" for name in given if name.startswith("on") or name == "style"]
        self.links += [given["href"]] if tag == "a" else []
        self.loads += [given[name] for name in ("src", "href") if name in given and tag in ("script", "link", "img")]
        self._ids += [given["id"]] if "id" in given else []
        for name in ("aria-labelledby", "aria-describedby", "data-search", "data-chart"):
            self._named += given.get(name, "").split()

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing")

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] not in ("script", "style"):
            self._words.append(data)
