"""The URL of price files in an object store, as `store.prices` has it. Nothing is loaded or asked here."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

SCHEMES = ("s3", "gs", "gcs", "abfs", "abfss", "hdfs")
OPTIONS = ("endpoint_override", "region", "scheme")
CREDENTIALS = "credentials come from the environment, as in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"


class AddressRefused(ValueError):
    """A URL that no store can have. The message does not show the URL, which may hold a password."""


@dataclass(frozen=True, slots=True)
class ObjectAddress:
    """A bucket with a prefix. url: as in the settings. Its text is the URL without options."""

    url: str

    def __str__(self) -> str:
        return self.url.partition("?")[0].rstrip("/")

    @property
    def scheme(self) -> str:
        """Return the kind of store: s3, gs and so on."""
        return self.url.partition("://")[0]

    @property
    def key(self) -> str:
        """Return bucket/prefix."""
        return str(self).partition("://")[2]

    @property
    def options(self) -> dict[str, str]:
        """Return the options of the URL."""
        return dict(parse_qsl(self.url.partition("?")[2]))


def is_url(text: str) -> bool:
    """Return whether a value of `store.prices` is a URL and not a path."""
    return "://" in text


def object_address(url: str) -> ObjectAddress:
    """Return the address that a URL gives. Raises AddressRefused."""
    scheme, _, rest = url.partition("://")
    if scheme not in SCHEMES:
        raise AddressRefused(f"{scheme}:// is no known object store; write a path, or a URL like s3://bucket/prefix")
    login, found, _ = rest.partition("?")[0].rpartition("@")
    if found and (":" in login or scheme in ("s3", "hdfs")):
        raise AddressRefused(f"a URL of prices has no login; {CREDENTIALS}")
    if not urlsplit(url).netloc:
        raise AddressRefused("the URL names no bucket; write it like s3://bucket/prefix")
    _refuse_options(urlsplit(url).query)
    return ObjectAddress(url)


def _refuse_options(query: str) -> None:
    options = parse_qsl(query, keep_blank_values=True)
    if any(name not in OPTIONS for name, _ in options):
        raise AddressRefused(f"an option of the URL is none of {', '.join(OPTIONS)}; {CREDENTIALS}")
    if "@" in query or "%40" in query:
        raise AddressRefused(f"an option of the URL has a login; {CREDENTIALS}")
