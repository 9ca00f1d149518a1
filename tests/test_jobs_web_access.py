"""Who may read the pages: the token, the proxy, the Host header, and where a server may listen without them."""

from __future__ import annotations

import pytest

from tickercast.jobs.errors import SettingsError
from tickercast.jobs.web.access import Verdict, access_of, host_name

TOKEN = "a token of a test"


def signed_by_cookie(name: str) -> dict[str, str]:
    """Return the headers of a visitor who signed in with a token."""
    cookie = access_of("127.0.0.1", name, "", (), ()).cookie(is_https=False)
    return {"host": "10.0.0.5", "cookie": cookie.partition(";")[0]}


def test_on_loopback_everybody_may_read() -> None:
    assert access_of("127.0.0.1", "", "", (), ()).verdict({"host": "localhost:8001"}, "127.0.0.1") is Verdict.ALLOWED


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8001", "", "localhost:8001@evil.example"])
def test_on_loopback_a_name_of_elsewhere_is_refused(host: str) -> None:
    assert access_of("127.0.0.1", "", "", (), ()).verdict({"host": host}, "127.0.0.1") is Verdict.WRONG_HOST


def test_a_name_that_the_settings_add_is_served() -> None:
    access = access_of("127.0.0.1", "", "", (), ("Forecasts.example",))
    assert access.verdict({"host": "forecasts.example"}, "127.0.0.1") is Verdict.ALLOWED


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::"])
def test_beyond_loopback_nothing_is_served_without_a_sign_in(host: str) -> None:
    with pytest.raises(SettingsError, match=r"web\.token"):
        access_of(host, "", "", (), ())


def test_a_header_of_users_needs_proxies_that_may_set_it() -> None:
    with pytest.raises(SettingsError, match="trusted_proxies"):
        access_of("127.0.0.1", "", "X-User", (), ())


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}, signed_by_cookie("another token, long")],
)
def test_without_the_token_a_visitor_signs_in(headers: dict[str, str]) -> None:
    assert access_of("0.0.0.0", TOKEN, "", (), ()).verdict(headers, "10.0.0.9") is Verdict.SIGN_IN


@pytest.mark.parametrize("headers", [{"authorization": f"Bearer {TOKEN}"}, signed_by_cookie(TOKEN)])
def test_the_token_and_its_cookie_are_allowed(headers: dict[str, str]) -> None:
    assert access_of("0.0.0.0", TOKEN, "", (), ()).verdict(headers, "10.0.0.9") is Verdict.ALLOWED


def test_the_cookie_does_not_hold_the_token() -> None:
    cookie = access_of("0.0.0.0", TOKEN, "", (), ()).cookie(is_https=True)
    assert TOKEN not in cookie
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict; Secure")


def test_a_user_whom_a_trusted_proxy_names_is_allowed() -> None:
    access = access_of("0.0.0.0", "", "X-User", ("10.1.0.0/16",), ())
    assert access.verdict({"x-user": "ann"}, "10.1.2.3") is Verdict.ALLOWED


def test_a_proxy_is_known_on_a_socket_of_both_families() -> None:
    access = access_of("::", "", "X-User", ("10.1.0.0/16",), ())
    assert access.verdict({"x-user": "ann"}, "::ffff:10.1.2.3") is Verdict.ALLOWED


def test_a_user_whom_somebody_else_names_is_not() -> None:
    access = access_of("0.0.0.0", "", "X-User", ("10.1.0.0/16",), ())
    assert access.verdict({"x-user": "ann"}, "10.2.2.3") is Verdict.SIGN_IN


def test_a_proxy_that_names_no_user_is_not_allowed() -> None:
    access = access_of("0.0.0.0", "", "X-User", ("10.1.0.0/16",), ())
    assert access.verdict({"x-user": ""}, "10.1.2.3") is Verdict.SIGN_IN


@pytest.mark.parametrize(("header", "name"), [("LOCALHOST:80", "localhost"), ("[::1]:8001", "[::1]"), ("[::1]", "[::1]")])
def test_a_host_header_is_read_without_its_port(header: str, name: str) -> None:
    assert host_name(header) == name
