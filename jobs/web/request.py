"""A request: what a page may depend on, and how an ASGI server hands one over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Request:
    """What a page may depend on. path: with its escapes."""

    path: str
    query: str
    host: str
    scheme: str

    def all(self, name: str) -> list[str]:
        """Return the values of a field in the query."""
        return [value for field, value in parse_qsl(self.query) if field == name]

    def first(self, name: str) -> str | None:
        """Return the first value of a field in the query, None without one."""
        return next(iter(self.all(name)), None)
