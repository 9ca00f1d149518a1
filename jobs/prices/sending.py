"""How a request to a source is sent that is waited for: in this thread, or by a run's own thread for requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Send(Protocol):
    """Sends a request and returns its response. Raises what the request raises."""

    def __call__(self, request: Callable[[], T], /) -> T: ...


def send_here(request: Callable[[], T], /) -> T:
    """Send a request in this thread."""
    return request()
