"""Text that is safe and correct to show: escaped control characters, counted nouns, shortened lists."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

MOST_NAMES = 5


def printable(text: str) -> str:
    """Return the text with control and format characters escaped, so that it cannot steer a terminal."""
    return "".join(c if unicodedata.category(c)[0] != "C" else c.encode("unicode_escape").decode() for c in text)


def cell_width(text: str) -> int:
    """Return how many columns of a terminal a text takes: two for a wide character such as 日, none for a combining accent."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def plain(value: object) -> object:
    """Return bytes as hexadecimal text and every other value as its text; what CSV and JSON write themselves stays as it is."""
    if isinstance(value, bytes):
        return value.hex().upper()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: 1 bar, 3 bars. The noun takes an s in the plural."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def first_names(names: Sequence[str]) -> str:
    """Return the first five names and how many more there are."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
