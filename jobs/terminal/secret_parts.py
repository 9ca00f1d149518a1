"""Which texts of the settings and the environment are secret, and the forms in which a library may print one. No state."""

from __future__ import annotations

import base64
import html
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, unquote, unquote_plus

VARIABLES = "TICKERCAST_"
LEAST = 4  # characters: what is shorter is hidden with its URL, and is no secret by itself
# Words of many URLs that are no secret. Hiding them would make messages hard to read.
COMMON = {
    "tickercast", "password", "localhost", "http", "https", "html", "text", "markdown", "true", "false", "none", "split",
    "truncate",
}  # fmt: skip
PLAIN = {"http", "https", "sqlite", "file", "tcp", "tls"}
SERVERS = {"postgresql", "postgres"}  # of any other kind than these and PLAIN outside of [notices], all is secret
URL = re.compile(r"""[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>]+""")
HOST = re.compile(
    r"(?:localhost|(?:[a-z0-9-]+\.)+[a-z]{2,10}|[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[[0-9a-f:.]+\])(?::[0-9]+)?", re.IGNORECASE
)
# Logins of databases and object stores.
OF_STORES = {
    "PGPASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_STORAGE_KEY", "AZURE_CLIENT_SECRET",
}  # fmt: skip
PLAIN_OPTIONS = {"endpoint_override", "region", "scheme"}  # of the URL of a bucket
SEPARATORS = re.compile(r"[/?&#,;\s]+")


def of_environment(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the secrets of environment variables: of proxies, of our settings, and logins in any other URL."""
    for name, value in environment.items():
        upper = name.upper()
        if upper.endswith("_PROXY") and upper != "NO_PROXY":
            yield from parts_of_link(value if "://" in value else f"http://{value}")
        elif upper in (f"{VARIABLES}STORE__URL", f"{VARIABLES}STORE__READER_URL"):
            yield from parts_of_database(value)
        elif upper == f"{VARIABLES}STORE__PRICES":
            yield from parts_of_prices(value)
        elif upper in OF_STORES or upper == f"{VARIABLES}WEB__TOKEN":
            yield value
        elif upper.startswith(f"{VARIABLES}NOTICES__"):
            yield from _of_notices([value])
        else:
            yield from (part for url in URL.findall(value) for part in parts_of_link(url))


def of_settings(text: str) -> Iterator[str]:
    """Yield the secrets of a settings file. In one that is not valid each URL could be anything, so all of it is secret."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        yield from (part for url in URL.findall(text) for part in parts_of_notice(url))
        return
    for section, content in values.items():
        for key, value in content.items() if isinstance(content, dict) else [(section, content)]:
            yield from _of_setting(section, key, list(_texts(value)))


def _of_setting(section: str, key: str, texts: list[str]) -> Iterator[str]:
    if section == "notices":
        yield from _of_notices(texts)
    elif section == "store" and key in ("url", "reader_url"):
        yield from (part for text in texts for part in parts_of_database(text))
    elif (section, key) == ("web", "token"):
        yield from texts
    elif (section, key) == ("store", "prices"):
        yield from (part for text in texts for part in parts_of_prices(text))
        return
    for url in (url for text in (section, key, *texts) for url in URL.findall(text)):  # also where it does not belong
        kind = url.partition("://")[0].lower()
        yield from (parts_of_database if kind in SERVERS else parts_of_link if kind in PLAIN else parts_of_notice)(url)


def _of_notices(texts: Iterable[str]) -> Iterator[str]:
    """Yield the secrets of notice URLs, each of which may be a text by itself or stand inside one, as in a JSON list."""
    for text in texts:
        for url in (text, *(url.rstrip(",;]") for url in URL.findall(text))):
            yield from parts_of_notice(url)


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a value of a settings file: also what stands where it does not belong."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from _texts(each)


def parts_of_database(url: str) -> Iterator[str]:
    """Yield the secrets of a database's URL: its password and the values of its query; all of what is no URL."""
    _, found, rest = url.partition("://")
    if not found:
        yield from (url, *_password(url.rpartition("@")[0]))
    for login in _logins(rest):
        yield from _password(login)
    yield from _values(rest.partition("?")[2])


def parts_of_prices(url: str) -> Iterator[str]:
    """Yield the secrets of a bucket's URL, which it should not have: a login, and the values of options that are none of ours."""
    _, found, rest = url.partition("://")
    for login in _logins(rest if found else ""):
        yield from (login, *login.split(":"), *_password(login))
    pairs = [pair.partition("=") for pair in re.split("[&#]", url.partition("?")[2])]
    yield from (value or name for name, _, value in pairs if name not in PLAIN_OPTIONS)


def parts_of_link(url: str) -> Iterator[str]:
    """Yield the secrets of a proxy's or a mirror's URL: who logs in, the password, and the values of its query."""
    _, _, rest = url.partition("://")
    for login in _logins(rest):
        yield from (login.partition(":")[0], *_password(login), *_basic(login))
    yield from _values(rest.partition("?")[2])


def parts_of_notice(url: str) -> Iterator[str]:
    """Yield the secrets of a notice's URL: all of it but the kind, a host's name and the names in its query."""
    _, _, rest = url.partition("://")
    yield from (url, rest)
    for login in _logins(rest):
        yield from (login, *login.split(":"), *_password(login), *_basic(login))
    address, _, query = rest.partition("?")
    for segment in re.split("[@/#,;]+", address):
        if not HOST.fullmatch(segment):
            yield from (segment, *segment.split(":"))
    yield from _values(query)


def _logins(rest: str) -> Iterator[str]:
    """Yield what may be `user:password` of a URL. An @ or / that should have been encoded leaves more than one reading."""
    for address in {rest, rest.partition("?")[0], re.split("[/?#]", rest)[0]}:
        for login in (address.rpartition("@")[0], address.partition("@")[0] if "@" in address else ""):
            if login:
                yield login


def _password(login: str) -> Iterator[str]:
    password = login.partition(":")[2]
    yield from (password, *re.split("[@:/?#&]", password))


def _basic(login: str) -> Iterator[str]:
    """Yield what an HTTP header says of a login."""
    for text in (login, unquote(login)):
        yield base64.b64encode(text.encode(errors="replace")).decode().rstrip("=")


def _values(query: str) -> Iterator[str]:
    for pair in re.split("[&#]", query):
        value = pair.partition("=")[2] or pair
        yield from (value, *SEPARATORS.split(value), *re.split("[:@]", value))


def forms(part: str) -> Iterator[str]:
    """Yield a secret as it is written, decoded, and as libraries encode, escape or quote it; nothing for one too short."""
    decoded = unquote(part)
    plain = {text.strip() for text in (part, decoded, unquote(decoded), unquote_plus(part))}
    encoded = {function(text) for text in plain for function in (_quote, _quote_plus, _quote_all, _quote_twice)}
    escaped = {function(text) for text in plain for function in (_json, _repr, _escape, html.escape)}
    for text in plain | encoded | escaped:
        if len(text) >= LEAST and text.lower() not in COMMON:
            yield text


def _quote(text: str) -> str:
    return quote(text, errors="replace")


def _quote_plus(text: str) -> str:
    return quote_plus(text, errors="replace")


def _quote_all(text: str) -> str:
    return quote(text, safe="", errors="replace")


def _quote_twice(text: str) -> str:
    return _quote_all(_quote_all(text))


def _json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _repr(text: str) -> str:
    return repr(text)[1:-1]


def _escape(text: str) -> str:
    return text.encode("unicode_escape").decode()
