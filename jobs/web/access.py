"""Who may read the pages: the Host header, the token, and a reverse proxy that has signed its user in.

On loopback everybody on the machine may read, unless a token is set; the Host header is compared, so that a page of elsewhere
cannot read ours through a name that it has pointed to 127.0.0.1 (DNS rebinding). Beyond loopback a request needs the token, or it
comes from a trusted proxy and names its user.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from http.cookies import CookieError, SimpleCookie
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from tickercast.jobs.errors import SettingsError

COOKIE = "tickercast_sign_in"
SIGNED = b"tickercast serve, sign-in"  # what the cookie proves to know the token by; it never holds the token
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})

Network = IPv4Network | IPv6Network


class Verdict(Enum):
    """What is done with a request."""

    ALLOWED = "allowed"
    WRONG_HOST = "wrong host"
    SIGN_IN = "sign in"


@dataclass(frozen=True, slots=True)
class Access:
    """The rules of one server.

    token: "" = none. user_header: lower case, "" = no proxy signs in. hosts: names in the Host header that are served, empty =
    all.
    """

    token: str
    user_header: str
    proxies: tuple[Network, ...]
    hosts: frozenset[str]

    def verdict(self, headers: Mapping[str, str], client: str) -> Verdict:
        """Return what is done with a request. client: the address that it comes from."""
        if self.hosts and host_name(headers.get("host", "")) not in self.hosts:
            return Verdict.WRONG_HOST
        if not self.token and not self.user_header:
            return Verdict.ALLOWED
        if self.user_header and headers.get(self.user_header) and self.is_proxy(client):
            return Verdict.ALLOWED
        if self.token and (self.is_token(_bearer(headers)) or self._is_signed(headers.get("cookie", ""))):
            return Verdict.ALLOWED
        return Verdict.SIGN_IN

    def is_token(self, given: str) -> bool:
        """Return whether a text is the token, in a time that does not depend on it."""
        return bool(self.token) and hmac.compare_digest(given.encode(), self.token.encode())

    def is_proxy(self, client: str) -> bool:
        """Return whether an address is one of a trusted proxy."""
        try:
            address = ip_address(client)
        except ValueError:
            return False
        # A server on `::` sees an IPv4 proxy as ::ffff:10.1.2.3.
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self.proxies)

    def cookie(self, *, is_https: bool) -> str:
        """Return the Set-Cookie header of a visitor who has signed in."""
        return f"{COOKIE}={self._signature()}; Path=/; HttpOnly; SameSite=Strict" + ("; Secure" if is_https else "")

    def _signature(self) -> str:
        return hmac.new(self.token.encode(), SIGNED, hashlib.sha256).hexdigest()

    def _is_signed(self, header: str) -> bool:
        try:
            found = SimpleCookie(header).get(COOKIE)
        except CookieError:
            return False
        return found is not None and hmac.compare_digest(found.value.encode(), self._signature().encode())


def access_of(host: str, token: str, user_header: str, trusted_proxies: tuple[str, ...], hosts: tuple[str, ...]) -> Access:
    """Return the rules for a server on an address. Raises SettingsError beyond loopback without a token or a proxy."""
    is_local = is_loopback(host)
    if not is_local and not token and not (user_header and trusted_proxies):
        raise SettingsError(
            f"web.host {host} is reached from other machines: set web.token, or web.user_header and web.trusted_proxies of a "
            "reverse proxy that signs in; nothing was served"
        )
    if user_header and not trusted_proxies:
        raise SettingsError("web.user_header: name the addresses that may set it in web.trusted_proxies; nothing was served")
    try:
        proxies = tuple(ip_network(proxy) for proxy in trusted_proxies)
    except ValueError as error:
        raise SettingsError(f"web.trusted_proxies: {error}; write an address or a network like 10.0.0.0/8") from error
    named = frozenset(name.lower() for name in hosts)
    return Access(
        token, user_header.lower(), proxies, named | LOOPBACK_NAMES | {host.lower()} if is_local or named else frozenset()
    )


def is_loopback(host: str) -> bool:
    """Return whether an address is reached from this machine alone."""
    return host == "localhost" or ip_address(host).is_loopback


def host_name(header: str) -> str:
    """Return the name in a Host header, without its port: localhost for localhost:8001, [::1] for [::1]:8001."""
    name, found, port = header.strip().lower().rpartition(":")
    return name if found and port.isdigit() and not name.endswith(":") else header.strip().lower()


def _bearer(headers: Mapping[str, str]) -> str:
    kind, _, given = headers.get("authorization", "").partition(" ")
    return given.strip() if kind.lower() == "bearer" else ""
