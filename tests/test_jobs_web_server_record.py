"""The pages of a record on a server: each address of Datasette answers as it does of the same record in a file."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.builders import Record
from tests.conftest import Command
from tests.postgres_records import copied_record, reading_login
from tests.postgres_server import PostgresCluster
from tests.web_servers import served
from tickercast.storage.views import VIEWS

pytestmark = pytest.mark.slow
pytest.importorskip("datasette", reason="the extra web is not installed")

from tickercast.jobs.web.browsing import record_datasette  # noqa: E402
from tickercast.jobs.web.server_dialect import as_regex, with_names  # noqa: E402
from tickercast.storage.postgres.query_pool import ServerPool  # noqa: E402
from tickercast.storage.query_pool import Pool, QueryPool  # noqa: E402

FILTERS = (
    "ticker=IBM", "ticker__not=IBM", "ticker__contains=b", "ticker__endswith=m", "ticker__startswith=i", "close__gt=101",
    "close__gte=101", "close__lt=101.5", "close__lte=101", "session__gt=2024", "ticker__like=i%25", "ticker__notlike=i%25",
    "close__like=10%25", "ticker__glob=I*", "ticker__glob=[IM]?[MF]*", "session__in=2024-03-04,2024-03-06", "close__in=[100,101]",
    "session__notin=2024-03-04", "session__date=2024-03-05", "recorded_at__date=2024-03-05", "adjusted_return__isnull=1",
    "adjusted_return__notnull=1", "adjusted_return__isblank=1", "ticker__notblank=1", "volume=1000", "close__gt=100&ticker=IBM",
    "_where=close+%3E+101", "ticker=IBM&_sort=adjusted_return", "ticker=IBM&_sort_desc=adjusted_return", "_facet=ticker",
    "_facet=session&_facet=ticker", "_facet_date=session", "_facet_size=1&_facet=session", "_col=ticker&_col=close",
    "_nocol=open", "ticker=IBM&_size=3&_next=3&_sort=close", "_size=0", "_shape=array", "_shape=arrays",
    "ticker=IBM&_sort_desc=session&_size=2",
)  # fmt: skip
QUERIES = (
    "select ticker, count(*) as n from (select * from bar) group by ticker order by ticker",
    "select :a || ticker as t from bar order by 1",
    "select count(*) from (select ticker from (select * from bar) where close > 101)", "select 'from (x)' as t",
)  # fmt: skip


@pytest.fixture(scope="module")
def pools(sound_record: Record, postgres: PostgresCluster) -> Iterator[tuple[Pool, Pool]]:
    """Yield what runs queries on the small record: in its file, and on a server by a login that may only read."""
    found = (
        QueryPool(sound_record.database),
        ServerPool(reading_login(postgres, copied_record(sound_record.database, postgres))),
    )
    yield found
    for pool in found:
        pool.close()


def answers(pool: Pool, addresses: list[str]) -> list[tuple[int, Any]]:
    """Return the status and the content of each address."""

    async def ask() -> list[tuple[int, Any]]:
        datasette = record_datasette(pool)
        await datasette.invoke_startup()
        found = [await datasette.client.get(address) for address in addresses]
        return [(each.status_code, content(each.text)) for each in found]

    return asyncio.run(ask())


def content(text: str) -> Any:
    """Return an answer without its query and the time that took. Rows that an order leaves equal are sorted by their text."""
    found = json.loads(text) if text.startswith(("{", "[")) else text
    if isinstance(found, dict):
        found = {name: value for name, value in found.items() if name not in ("query_ms", "query")}
    rows = found.get("rows", []) if isinstance(found, dict) else found if isinstance(found, list) else []
    if len({repr(row)[:8] for row in rows}) > 1:  # of several tickers
        rows.sort(key=repr)
    return found


def test_every_filter_order_and_facet_has_the_same_answer(pools: tuple[Pool, Pool]) -> None:
    addresses = [f"/record/bar.json?_sort=session&{one}" if "_sort" not in one else f"/record/bar.json?{one}" for one in FILTERS]
    file, server = (answers(pool, addresses) for pool in pools)
    assert {status for status, _ in file} == {200}
    assert [(a, f, s) for a, f, s in zip(addresses, file, server, strict=True) if f != s] == []


def test_every_view_and_its_csv_has_a_page(pools: tuple[Pool, Pool]) -> None:
    addresses = [f"/record/{view.name}{kind}" for view in VIEWS for kind in ("", ".csv", ".json?_shape=objects")]
    assert [address for address, (status, _) in zip(addresses, answers(pools[1], addresses), strict=True) if status != 200] == []


def test_queries_of_visitors_are_answered_or_refused_in_a_line(pools: tuple[Pool, Pool]) -> None:
    asked = [f"/record.json?a=x&_shape=arrays&sql={query.replace(' ', '+')}" for query in QUERIES]
    file, server = (answers(pool, asked) for pool in pools)
    assert [status for status, _ in server] == [200] * len(QUERIES)
    assert [found["rows"] for _, found in server] == [found["rows"] for _, found in file]
    [(status, refused)] = answers(pools[1], ["/record.json?sql=select+pg_advisory_lock(1)"])
    assert (status, refused["error"].count("\n")) == (400, 0)
    assert "pg_advisory_lock: only reading is allowed" in refused["error"]


def test_a_subquery_gets_a_name_where_it_has_none() -> None:
    assert with_names("select 1 from (select ')' from (select 2)) where 3") == (
        "select 1 from (select ')' from (select 2) AS nameless1) AS nameless2 where 3"
    )
    assert with_names("select 1 from (select 2) named") == "select 1 from (select 2) named"


def test_a_pattern_of_glob_is_a_regular_expression() -> None:
    assert as_regex("[IM]B?.*") == r"^[IM]B.\..*$"


def test_a_server_that_restarts_is_told_and_served_again(
    sound_record: Record, postgres: PostgresCluster, tickercast: Command
) -> None:
    server = copied_record(sound_record.database, postgres)
    home = {"TICKERCAST_STORE__URL": server.url}
    refused = tickercast("--home", sound_record.database.parent, "serve", **home)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "store.reader_url is not set" in refused.stderr
    reader = reading_login(postgres, server)
    with served(sound_record.database.parent, TICKERCAST_STORE__READER_URL=reader.url, **home) as pages:
        before = [pages.get(path).status for path in ("/", "/ticker/IBM", "/record/bar", "/record/bar.csv?_stream=1")]
        postgres.stop()
        try:
            gone = [pages.get(path) for path in ("/health", "/record/skill")]
        finally:
            postgres.start()
        after = [pages.get(path).status for path in ("/health", "/record/skill")]
    assert before == [200] * 4
    assert [page.status for page in gone] == [503, 503]
    assert after == [200, 200]
