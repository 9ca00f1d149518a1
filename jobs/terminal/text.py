"""Text that is safe and correct to show: escaped control characters, counted nouns, shortened lists."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

MOST_NAMES = 5


def printable(text: str) -> str:
    """Return the text with control and format characters escaped, so that it cannot steer a terminal."""
    return "".join(c if unicodedata.category(c)[0] != "C" else c.encode("unicode_escape").decode() for c in text)


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: 1 bar, 3 bars. The noun takes an s in the plural."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def first_names(names: Sequence[str]) -> str:
    """Return the first five names and how many more there are."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
