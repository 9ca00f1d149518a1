"""Pages are kept while the record is the same, made once at a time, and never kept when they failed."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from tickercast.jobs.web import page_cache
from tickercast.jobs.web.page_cache import AS_IT_IS_SECONDS, LONGEST_SECONDS, SERIES_SECONDS, PageCache, record_state
from tickercast.jobs.web.responses import Page


class Visits:
    """A cache with a clock and a record that tests move on, and how often its page was made."""

    def __init__(self, database: Path) -> None:
        self.database, self.seconds, self.made, self.status = database, 100.0, 0, 200
        self.database.write_bytes(b"0")
        self.cache = PageCache(lambda: record_state(database), lambda: self.seconds)

    async def make(self) -> Page:
        """Return a page, after others had a chance to ask for it."""
        self.made += 1
        await asyncio.sleep(0)
        return Page(str(self.made).encode(), self.status)

    def visit(self, *, after: float = 0.0) -> str:
        """Return the page as it is after some seconds."""
        self.seconds += after
        return asyncio.run(self.cache.page("/", self.make)).body.decode()

    def change(self) -> None:
        """Change the record."""
        self.database.write_bytes(self.database.read_bytes() + b"0")


@pytest.fixture
def visits(tmp_path: Path) -> Visits:
    return Visits(tmp_path / "record.db")


def test_a_page_is_kept_while_the_record_is_the_same(visits: Visits) -> None:
    assert (visits.visit(), visits.visit(after=LONGEST_SECONDS - 1)) == ("1", "1")


def test_a_page_that_tells_how_long_ago_something_was_is_made_again_after_a_minute(visits: Visits) -> None:
    assert (visits.visit(), visits.visit(after=LONGEST_SECONDS)) == ("1", "2")


def test_a_change_of_the_record_is_seen_at_once(visits: Visits) -> None:
    visits.visit()
    visits.change()
    assert visits.visit(after=AS_IT_IS_SECONDS) == "2"


def test_a_page_is_kept_for_half_a_minute_while_the_record_keeps_changing(visits: Visits) -> None:
    visits.visit()
    visits.change()
    visits.visit(after=AS_IT_IS_SECONDS)
    visits.change()
    assert visits.visit(after=SERIES_SECONDS - 1) == "2"


def test_while_the_record_keeps_changing_an_older_page_is_sent_and_made_anew_for_the_next_visitor(visits: Visits) -> None:
    async def bodies() -> list[bytes]:
        seen = []
        for _ in range(6):
            seen.append((await visits.cache.page("/", visits.make)).body)
            await asyncio.sleep(0.01)  # what is made in between is finished
            visits.change()
            visits.seconds += SERIES_SECONDS - 1
        return seen

    assert asyncio.run(bodies()) == [b"1", b"2", b"2", b"2", b"2", b"3"]


def test_another_file_in_the_place_of_the_database_is_seen(visits: Visits) -> None:
    visits.visit()
    visits.database.rename(visits.database.with_name("before"))
    visits.database.write_bytes(b"0")
    assert visits.visit(after=AS_IT_IS_SECONDS) == "2"


def test_visitors_at_the_same_time_get_one_page(visits: Visits) -> None:
    async def both() -> list[Page]:
        return await asyncio.gather(*(visits.cache.page("/", visits.make) for _ in range(50)))

    assert {page.body for page in asyncio.run(both())} == {b"1"}


def test_an_error_is_not_kept(visits: Visits) -> None:
    visits.status = 503
    assert (visits.visit(), visits.visit()) == ("1", "2")


def test_kept_pages_and_their_compressed_forms_stay_within_the_limit(visits: Visits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_cache, "KEPT_BYTES", 100_000)

    async def sent(number: int) -> Page:
        async def make() -> Page:
            return Page(random.Random(number).randbytes(10_000).hex().encode())

        page = await visits.cache.page(number, make)
        assert page.compressed is not None  # as it is sent
        return page

    pages = [asyncio.run(sent(number)) for number in range(60)]
    kept = [page for page in pages if any(page is each.page for each in visits.cache._kept.values())]
    assert 0 < sum(len(page.body) + len(page.compressed or b"") for page in kept) <= 100_000
