"""The application: every request passes here, is checked, and is answered by a page of ours, a file, or Datasette.

Only GET and HEAD are served, and only addresses that are known: whatever else Datasette would answer does not exist.
"""

from __future__ import annotations

import re

from tickercast.jobs.web import sign_in
from tickercast.jobs.web.access import Access, Verdict
from tickercast.jobs.web.assets import asset
from tickercast.jobs.web.descriptions import DATABASE, NAMES
from tickercast.jobs.web.downloads import Download, Downloads, download_of
from tickercast.jobs.web.page_cache import PageCache
from tickercast.jobs.web.pages import OurPages
from tickercast.jobs.web.problems import Problem, problem_of
from tickercast.jobs.web.request import Receive, Request, Scope, Send
from tickercast.jobs.web.responses import MakePage, Page, problem_page, redirect, send_page

# Its pages of the record, and the files that they load.
DATASETTE_PATH = re.compile(rf"/{DATABASE}(?:/(?P<name>\w+))?(?:\.(?:json|csv))?|/-/static/[\w.-]+\.(?:js|css)")
NOT_FOUND = Problem(404, "Not found", "There is no such page.")
WRONG_HOST = Problem(421, "Wrong host", "This server does not answer to that name. The setting web.hosts lists further names.")
NOT_ALLOWED = Problem(405, "Not allowed", "These pages are read-only.")
# A proxy before this server may read the length of its body differently, and so where the next request begins.
SMUGGLED = Problem(400, "Bad request", "A request has one length.")
LONG_HEADERS = Problem(431, "Too long", "The headers of this request are too long.")
LONG_ADDRESS = Problem(414, "Too long", "This address is too long.")
HEALTH = "/healthz"  # for monitors, which do not sign in
LONGEST_ADDRESS = 8_000
LONGEST_HEADERS = 16_000


class Application:
    """An ASGI application. browse: makes the pages of Datasette."""

    def __init__(self, access: Access, cache: PageCache, ours: OurPages, browse: MakePage, downloads: Downloads) -> None:
        self.access, self.cache, self.ours, self.browse, self.downloads = access, cache, ours, browse, downloads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            page: Page | Download | None = await self._page(scope, headers, receive)
            if isinstance(page, Download):
                page = await self.downloads.send(page, receive, send, with_rows=scope["method"] != "HEAD")
        except Exception as error:  # whatever it is, a visitor gets a page, and the log a line
            page = problem_page(problem_of(error))
        if isinstance(page, Page):
            await send_page(page, send, headers, with_body=scope["method"] != "HEAD")

    async def _page(self, scope: Scope, headers: dict[str, str], receive: Receive) -> Page | Download:
        path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
        client = (scope.get("client") or ("",))[0]
        verdict = self.access.verdict(headers, client)
        if (refused := _refused(verdict, headers, len(path) + len(query))) is not None:
            return problem_page(refused)
        is_https = sign_in.is_https(headers, self.access, client)
        if path == sign_in.PATH and scope["method"] == "POST" and self.access.token:
            return await sign_in.signed_in(self.access, receive, client=client, is_https=is_https)
        if scope["method"] not in ("GET", "HEAD"):
            return problem_page(NOT_ALLOWED)
        if path.startswith("/assets/"):
            return _asset(path, query)
        if path == HEALTH:
            return await self.cache.page(HEALTH, self.ours.health)
        answer = await sign_in.signed_in_by_address(self.access, path, query, client=client, is_https=is_https)
        if answer is not None:
            return answer
        if verdict is Verdict.SIGN_IN:
            return sign_in.sign_in_form(is_wrong=False, has_token=bool(self.access.token))
        scheme = "https" if is_https else "http"
        return await self._known_page(Request(path, query, headers.get("host", ""), scheme))

    async def _known_page(self, request: Request) -> Page | Download:
        if (download := download_of(request.path, request.query)) is not None:
            return download
        if request.path == "/favicon.ico":
            return Page(b"", 204)
        if request.path == sign_in.PATH:
            return redirect("/")
        make = self.ours.page_of(request.path)
        if make is None:
            match = DATASETTE_PATH.fullmatch(request.path)
            if match is None or (match["name"] or DATABASE) not in NAMES | {DATABASE}:
                return problem_page(NOT_FOUND)
            make = self.browse
        return await self.cache.page(request, lambda: make(request))


def _refused(verdict: Verdict, headers: dict[str, str], address_length: int) -> Problem | None:
    """Return why a request is not read any further, None where it is."""
    if verdict is Verdict.WRONG_HOST:
        return WRONG_HOST
    if "transfer-encoding" in headers and "content-length" in headers:
        return SMUGGLED
    if sum(map(len, headers.values())) > LONGEST_HEADERS:
        return LONG_HEADERS
    return LONG_ADDRESS if address_length > LONGEST_ADDRESS else None


def _asset(path: str, query: str) -> Page:
    return asset(path.removeprefix("/assets/"), query) or problem_page(NOT_FOUND)
