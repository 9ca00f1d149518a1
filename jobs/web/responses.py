"""A response as it is kept and sent: with a tag, so that an unchanged page is not sent twice, and compressed once."""

from __future__ import annotations

import gzip
import hashlib
import html
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from tickercast.jobs.web.problems import Problem
from tickercast.jobs.web.request import Request, Send

HTML = "text/html; charset=utf-8"
LEAST_COMPRESSED = 1_000  # bytes
OVERHEAD_BYTES = 1_000  # of a page that is kept, beside its body
LEVEL = 6
ENDS_CONNECTION = (400, 405, 408, 414, 421, 431)
FOREVER = "public, max-age=31536000, immutable"
NOT_COMPRESSED = ("image/png", "font/", "application/octet-stream")
# Sent with every response. Frames and other origins get nothing of it.
SAFE = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
)
_SAME = "default-src 'none'; img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
# Our pages have no script of their own but files; the chart library sets styles from its script.
OUR_POLICY = _SAME + "script-src 'self'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
# Datasette's pages have scripts in their text.
DATASETTE_POLICY = _SAME + "script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"


@dataclass(frozen=True)
class Page:
    """A body with its status, its type and further headers. policy: its Content-Security-Policy."""

    body: bytes
    status: int = 200
    content_type: str = HTML
    headers: tuple[tuple[str, str], ...] = field(default=())
    policy: str = OUR_POLICY
    cache_control: str = "private, no-cache"

    @cached_property
    def tag(self) -> str:
        """Return the entity tag."""
        return f'W/"{hashlib.sha256(self.body).hexdigest()[:24]}"'

    @cached_property
    def compressed(self) -> bytes | None:
        """Return the body compressed by gzip, None where that is not worth it."""
        if len(self.body) < LEAST_COMPRESSED or self.content_type.startswith(NOT_COMPRESSED):
            return None
        return gzip.compress(self.body, LEVEL, mtime=0)

    @cached_property
    def cached_forever(self) -> Page:
        """Return the same page for an address that changes with its content."""
        return replace(self, cache_control=FOREVER)

    @property
    def size(self) -> int:
        """Return the bytes that it takes when it is kept, as it is and compressed."""
        return OVERHEAD_BYTES + len(self.body) + len(self.compressed or b"")


MakePage = Callable[[Request], Awaitable[Page]]


def redirect(location: str, *headers: tuple[str, str], status: int = 302) -> Page:
    """Return a response that sends a browser to another path of this server."""
    return Page(b"", status, headers=(("Location", location), *headers), cache_control="no-store")


def problem_page(problem: Problem) -> Page:
    """Return the page of an error."""
    retry = (("Retry-After", "10"),) if problem.status == 503 else ()
    closed = (("Connection", "close"),) if problem.status in ENDS_CONNECTION else ()
    body = f"<p>{html.escape(problem.text)}</p><p><a href='/'>Today</a></p>"
    return Page(plain_html(problem.title, body), problem.status, headers=retry + closed, cache_control="no-store")


def plain_html(title: str, body: str) -> bytes:
    """Return a page that needs neither the database nor a template. body: HTML."""
    name = html.escape(title)
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>{name} - Tickercast</title><link rel='stylesheet' href='/assets/plain.css'></head>"
        f"<body><main><h1>{name}</h1>{body}</main></body></html>"
    ).encode()


async def send_page(page: Page, send: Send, request: Mapping[str, str], *, with_body: bool) -> None:
    """Send a page. request: the headers of the request. with_body: not for HEAD."""
    is_same = page.status == 200 and page.tag in request.get("if-none-match", "")
    compressed = page.compressed if "gzip" in request.get("accept-encoding", "") and not is_same else None
    body = b"" if is_same else compressed or page.body
    headers = [("Content-Type", page.content_type), ("Cache-Control", page.cache_control), *SAFE, *page.headers]
    headers += [("Content-Security-Policy", page.policy), ("Vary", "Accept-Encoding")]
    if page.status == 200:
        headers.append(("ETag", page.tag))
    if compressed is not None:
        headers.append(("Content-Encoding", "gzip"))
    if not is_same:
        headers.append(("Content-Length", str(len(body))))
    encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": 304 if is_same else page.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body if with_body else b""})
