"""Signing in with the token: a form, or once `?token=`. Both set a cookie and redirect to an address without it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qs, parse_qsl, urlencode

from tickercast.jobs.terminal.logs import log_event
from tickercast.jobs.web.access import Access
from tickercast.jobs.web.problems import Problem
from tickercast.jobs.web.request import Receive
from tickercast.jobs.web.responses import Page, plain_html, problem_page, redirect

PATH = "/sign-in"
LONGEST_BODY = 4_096
BODY_SECONDS = 10.0  # for all of it, however many pieces it comes in
REFUSED_SECONDS = 1.0  # a wrong token is answered after that
TOO_SLOW = Problem(408, "Too slow", "The form did not arrive in time.")


def sign_in_form(*, is_wrong: bool, has_token: bool) -> Page:
    """Return the page that asks for the token, or says how else one signs in."""
    said = "<p role='alert'>Wrong token.</p>" if is_wrong else ""
    form = (
        f"{said}<form method='post' action='{PATH}'><label for='token'>Token (setting web.token)</label>"
        "<input id='token' name='token' type='password' autocomplete='current-password' required autofocus>"
        "<button>Sign in</button></form>"
    )
    body = form if has_token else "<p>The reverse proxy in front of this server has to sign you in.</p>"
    return Page(plain_html("Sign in", body), 401, headers=(("WWW-Authenticate", "Bearer"),), cache_control="no-store")


async def signed_in(access: Access, receive: Receive, *, client: str, is_https: bool) -> Page:
    """Return the answer to the form that was sent."""
    body = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while len(body) <= LONGEST_BODY:
                message = await receive()
                body += message.get("body", b"")
                if not message.get("more_body"):
                    break
    except TimeoutError:
        return problem_page(TOO_SLOW)
    fields = parse_qs(body[:LONGEST_BODY].decode("latin-1"))
    return await _answer(access, fields.get("token", [""])[0], "/", client=client, is_https=is_https)


async def signed_in_by_address(access: Access, path: str, query: str, *, client: str, is_https: bool) -> Page | None:
    """Return the answer to an address with `token=`, None for another one."""
    fields = parse_qsl(query, keep_blank_values=True)
    token = next((value for name, value in fields if name == "token"), None)
    if token is None or not access.token:
        return None
    rest = urlencode([(name, value) for name, value in fields if name != "token"])
    location = f"/{path.lstrip('/')}"  # with two slashes it would name another server
    return await _answer(access, token, location + (f"?{rest}" if rest else ""), client=client, is_https=is_https)


async def _answer(access: Access, token: str, location: str, *, client: str, is_https: bool) -> Page:
    if access.is_token(token):
        return redirect(location, ("Set-Cookie", access.cookie(is_https=is_https)), status=303)
    log_event("warning", "sign-in refused", client=client)
    await asyncio.sleep(REFUSED_SECONDS)
    return sign_in_form(is_wrong=True, has_token=True)


def is_https(headers: Mapping[str, str], access: Access, client: str) -> bool:
    """Return whether the visitor's browser uses https, as a trusted proxy says."""
    return access.is_proxy(client) and headers.get("x-forwarded-proto", "").lower() == "https"
