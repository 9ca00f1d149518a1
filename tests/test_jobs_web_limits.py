"""What a visitor cannot make the server keep: connections without a request, a form that never ends, names of files."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

pytest.importorskip("datasette", reason="the extra web is not installed")

from tickercast.jobs.web import assets, sign_in
from tickercast.jobs.web.access import access_of
from tickercast.jobs.web.server import IDLE_SECONDS, close_silent

TOKEN = "a token of a test"
ACCESS = access_of("127.0.0.1", TOKEN, "", (), ())


@dataclass(eq=False)
class Cycle:
    """What the server sees of a request of uvicorn."""

    response_complete: bool


UNANSWERED, ANSWERED = Cycle(False), Cycle(True)


class Connection:
    """What the server sees of a connection of uvicorn. cycle: its newest request."""

    def __init__(self, cycle: Any) -> None:
        self.cycle, self.transport, self.is_closed = cycle, self, False

    def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize(("cycle", "is_closed"), [(None, True), (ANSWERED, True), (UNANSWERED, False)])
def test_a_connection_that_sends_no_whole_request_is_closed(cycle: Any, is_closed: bool) -> None:
    connection = Connection(cycle)
    since = close_silent([connection], {})
    close_silent([connection], {key: first - IDLE_SECONDS - 1 for key, first in since.items()})
    assert connection.is_closed is is_closed


def test_a_connection_with_one_request_after_another_stays() -> None:
    connection = Connection(ANSWERED)
    since = close_silent([connection], {})
    connection.cycle = Cycle(True)
    close_silent([connection], {key: first - IDLE_SECONDS - 1 for key, first in since.items()})
    assert not connection.is_closed


def test_a_form_that_comes_in_endless_pieces_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"", "more_body": True}

    monkeypatch.setattr(sign_in, "BODY_SECONDS", 0.05)
    answer = asyncio.run(sign_in.signed_in(ACCESS, receive, client="10.0.0.9", is_https=False))
    assert answer.status == 408


def test_signing_in_by_address_leads_to_no_other_server() -> None:
    query = "token=a+token+of+a+test"
    answer = asyncio.run(sign_in.signed_in_by_address(ACCESS, "//evil.example/x", query, client="10.0.0.9", is_https=False))
    assert answer is not None
    assert dict(answer.headers)["Location"] == "/evil.example/x"


def test_names_that_are_no_files_of_ours_are_not_kept() -> None:
    before = assets._asset.cache_info().currsize
    found = [assets.asset(f"style-{number}.css", "") for number in range(3)]
    assert found == [None] * 3
    assert assets._asset.cache_info().currsize == before
