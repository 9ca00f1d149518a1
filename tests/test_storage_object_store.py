"""A bucket as a store of price files: whole objects, faults that pass and faults that stay, and who may delete what."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tests.builders import IBM, SESSIONS, Record, at_night, bar_file
from tests.object_servers import BUCKET, environment_of, faulty_proxy, object_server, request, set_variables
from tickercast.storage import object_requests, writes
from tickercast.storage.errors import Corrupt, StoreRefused, StoreUnavailable
from tickercast.storage.object_address import object_address
from tickercast.storage.object_store import THREADS, ObjectStore
from tickercast.storage.price_cleanup import collect_old_files
from tickercast.storage.price_registry import kept_for_others, register_database, registered_databases
from tickercast.storage.price_store import StoreUser, price_store

pytestmark = pytest.mark.slow
TOMORROW = datetime.now(UTC) + timedelta(days=1)
NAMES = [f"T{number}/{number:016x}.parquet" for number in range(25)]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with object_server() as port, set_variables(environment_of(port)):
        yield port


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up at once."""
    monkeypatch.setattr(object_requests, "RETRY_SECONDS", 0.2)


def behind(proxy_port: int, url: str) -> ObjectStore:
    with set_variables(environment_of(proxy_port)):
        return ObjectStore(object_address(url))


def test_fifty_cuts_between_writes_and_reads_lose_and_change_nothing(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for pause in ("FIRST_PAUSE", "JITTER"):
        monkeypatch.setattr(object_requests, pause, 0.005)
    with faulty_proxy(port) as proxy:
        proxy.fault_of = lambda number: "cut" if number % 3 == 0 else "half" if number % 7 == 0 else ""
        store = behind(proxy.server_port, f"s3://{BUCKET}/cuts")
        for name in NAMES:
            store.write(name, name.encode() * 999)
        assert [store.read(name) for name in NAMES] == [name.encode() * 999 for name in NAMES]
        assert (sorted(store.files()), proxy.counts["cut"] + proxy.counts["half"] >= 50) == (sorted(NAMES), True)


@pytest.mark.usefixtures("impatient")
def test_a_request_is_repeated_for_as_long_as_the_store_answers_others() -> None:
    address, until = object_address(f"s3://{BUCKET}/answers"), time.monotonic() + 1

    def lost() -> bytes:
        if time.monotonic() < until:
            raise OSError("curlCode: 56, Failure when receiving data from the peer")
        return b"bars"

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(object_requests.with_retries, address, lost)
        while not answer.done():
            object_requests.with_retries(address, bytes)
            time.sleep(0.02)
    assert answer.result() == b"bars"


@pytest.mark.parametrize(
    ("fault", "error", "reason"),
    [
        ("500", StoreUnavailable, ".*; what is committed stays; repeat the command"),
        ("403", StoreRefused, "access denied; what is committed stays; credentials come from the environment"),
    ],
)
@pytest.mark.usefixtures("impatient")
def test_what_a_store_answers_for_good_is_one_line(port: int, fault: str, error: type[Exception], reason: str) -> None:
    with faulty_proxy(port) as proxy:
        proxy.fault_of = lambda _: fault
        store = behind(proxy.server_port, f"s3://{BUCKET}/faults")
        for act in (store.files, lambda: store.read("A/1.parquet"), lambda: store.write("A/1.parquet", b"1"), store.prepare):
            with pytest.raises(error, match=f"^s3://{BUCKET}/faults: {reason}"):
                act()


@pytest.mark.parametrize(
    ("url", "error", "reason"),
    [
        ("s3://bars?endpoint_override=127.0.0.1:1&scheme=http", StoreUnavailable, "nothing answers there"),
        ("s3://bars?endpoint_override=no.such.host.invalid", StoreUnavailable, "its host has no address"),
        ("s3://no-such-bucket/desk", StoreRefused, "there is no bucket no-such-bucket; create it"),
    ],
)
@pytest.mark.usefixtures("impatient")
def test_a_store_that_is_not_there_is_one_line_and_no_damage(port: int, url: str, error: type[Exception], reason: str) -> None:
    store = ObjectStore(object_address(url))
    for act in (lambda: store.read("A/1.parquet"), lambda: store.write("A/1.parquet", b"1"), store.prepare):
        with pytest.raises(error, match=reason):
            act()


def test_an_endpoint_without_a_scheme_is_refused_and_does_not_mean_amazon() -> None:
    with (
        set_variables({"AWS_ENDPOINT_URL": "10.0.0.5:9000"}),
        pytest.raises(StoreRefused, match="write it like http://HOST:9000"),
    ):
        ObjectStore(object_address("s3://bars/desk"))


@pytest.mark.usefixtures("impatient")
def test_a_store_that_is_lost_is_not_asked_for_all_that_was_to_be_read_ahead() -> None:
    store = ObjectStore(object_address("s3://bars?endpoint_override=127.0.0.1:1&scheme=http"))
    store.prefetch([f"T{number}/1.parquet" for number in range(64)])
    begun = list(store._prefetched.values())
    with pytest.raises(StoreUnavailable):
        store.read("T0/1.parquet")
    store._pool.shutdown()
    assert sum(each.cancelled() for each in begun) >= 64 - 2 * THREADS


def test_a_missing_object_is_damage_of_its_ticker(port: int) -> None:
    with pytest.raises(Corrupt, match=rf"^s3://{BUCKET}/desk/%5EVIX/1.parquet: no such object; the database names this file"):
        ObjectStore(object_address(f"s3://{BUCKET}/desk")).read("%5EVIX/1.parquet")


def test_old_objects_go_once_no_registered_database_needs_them(port: int, record: Record) -> None:
    prices = object_address(f"s3://{BUCKET}/collected")
    register_database(prices, record.database)
    register_database(prices, record.database)
    files = [bar_file(prices, "IBM", bars) for bars in (1, 2, 3, 4)]
    for file in files:
        with record.writing() as connection:
            writes.record_price_file(connection, IBM, file, [], price_basis="as_traded", at=at_night(SESSIONS[-1]))
    stranger = StoreUser("file://another.machine/home/tickercast.db", datetime.now(UTC))
    price_store(prices).add_user(stranger)
    assert collect_old_files(prices, record.database, TOMORROW) == 0
    assert kept_for_others(prices) == [f"old price files stay, since databases of other machines use {prices} (another.machine)"]
    entry = next(key for key in _keys(port, "collected/.databases/") if stranger.url.encode() in request(port, "GET", key))
    request(port, "DELETE", entry)
    assert [entry.database for entry in registered_databases(prices)] == [record.database.resolve()]
    assert (kept_for_others(prices), collect_old_files(prices, record.database, TOMORROW)) == ([], 1)
    assert sorted(price_store(prices).files()) == sorted(file.path for file in files[1:])


def _keys(port: int, prefix: str) -> list[str]:
    listed = request(port, "GET", f"{BUCKET}?list-type=2&prefix={prefix}").decode()
    return [f"{BUCKET}/{part.partition('</Key>')[0]}" for part in listed.split("<Key>")[1:]]
