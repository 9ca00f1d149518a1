"""Prices in a bucket of an S3 server: every command works as with a folder, and the record has the same bytes."""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.command_server import CommandServer
from tests.conftest import Command, run_tickercast
from tests.object_servers import (
    BUCKET,
    KEY_ID,
    SECRET,
    FaultyProxy,
    environment_of,
    faulty_proxy,
    object_server,
    request,
    set_variables,
)
from tickercast.jobs.workspace.home import Home
from tickercast.jobs.workspace.outage import work_through_outages
from tickercast.storage import object_requests
from tickercast.storage.database import Engine
from tickercast.storage.object_address import object_address
from tickercast.storage.price_store import price_store

pytestmark = pytest.mark.slow
PRICES = f"s3://{BUCKET}/desk/prices"
SPAN = ("--source", "sample", "--start", "2013-02-15", "IBM", "MSFT")


@dataclass(frozen=True, slots=True)
class Desk:
    """A home whose prices are in a bucket, behind a proxy. first: the backfill that made it, while the proxy failed."""

    server: CommandServer
    folder: Path
    port: int
    proxy: FaultyProxy
    first: subprocess.CompletedProcess[str]

    def run(self, *arguments: str, home: str = "bucket") -> subprocess.CompletedProcess[str]:
        return run_tickercast(self.server, self.folder, "--home", home, *arguments, **_variables(self.proxy))

    def key_of(self, symbol: str) -> str:
        """Return bucket/key of the current file of a ticker."""
        found = self.run("sql", f"SELECT path FROM price_file WHERE ticker = '{symbol}'", "--format", "csv")
        return f"{BUCKET}/desk/prices/{found.stdout.split()[1]}"


def _variables(proxy: FaultyProxy) -> dict[str, str]:
    return {**environment_of(proxy.server_port), "TICKERCAST_STORE__PRICES": PRICES}


@pytest.fixture(scope="module")
def desk(command_server: CommandServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder, rng = tmp_path_factory.mktemp("desk"), random.Random(5)
    with object_server() as port, faulty_proxy(port) as proxy:
        proxy.fault_of = lambda _: rng.choice(["", "", "", "500", "cut", "half"])
        first = run_tickercast(command_server, folder, "--home", "bucket", "backfill", *SPAN, **_variables(proxy))
        proxy.fault_of = lambda _: ""
        yield Desk(command_server, folder, port, proxy, first)


def test_a_record_over_a_bucket_that_fails_again_and_again_has_the_bytes_of_one_over_a_folder(
    desk: Desk, tickercast: Command
) -> None:
    assert (desk.first.returncode, min(desk.proxy.counts[fault] for fault in ("500", "cut", "half")) > 0) == (0, True)
    assert tickercast("--home", "folder", "backfill", *SPAN).returncode == 0
    assert desk.run("verify", "--content-hash").stdout == tickercast("--home", "folder", "verify", "--content-hash").stdout
    assert "bars equal their files" in desk.run("verify", "--deep").stderr


def test_neither_output_nor_home_holds_what_opens_the_bucket(desk: Desk) -> None:
    told = desk.run("status")
    written = b"".join(path.read_bytes() for path in (desk.folder / "bucket").rglob("*") if path.is_file())
    shown = (told.stdout + told.stderr + desk.first.stderr).encode() + written
    assert (f"prices in {PRICES}" in told.stdout + told.stderr, SECRET.encode() in shown, KEY_ID.encode() in shown) == (
        True, False, False,
    )  # fmt: skip


def test_a_damaged_object_fails_its_ticker_alone_and_repair_mends_it(desk: Desk) -> None:
    key = desk.key_of("IBM")
    sound = request(desk.port, "GET", key)
    request(desk.port, "PUT", key, sound[:-9])
    found = desk.run("backfill", *SPAN)
    assert (found.returncode, "1 of 2 tickers" in found.stderr, "sha256 differs" in found.stderr) == (3, True, True)
    assert desk.run("repair", "IBM").returncode == 0
    assert request(desk.port, "GET", key) == sound


def test_a_backup_has_the_objects_and_a_restore_puts_them_back(desk: Desk) -> None:
    key = desk.key_of("MSFT")
    sound = request(desk.port, "GET", key)
    (desk.folder / "bucket" / "tickercast.toml").write_text(f'[store]\nprices = "{PRICES}"\n')
    assert desk.run("backup", "record.tar").returncode == 0
    request(desk.port, "DELETE", key)
    assert "no such object" in desk.run("verify").stderr
    assert desk.run("restore", "record.tar", home="again").returncode == 0
    assert (request(desk.port, "GET", key), desk.run("verify", home="again").returncode) == (sound, 0)


def test_work_outlasts_an_outage_of_the_store_and_says_so_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_requests, "RETRY_SECONDS", 0.1)
    with set_variables(_variables(desk.proxy)):
        address, told = object_address(f"{PRICES}/outage"), list[str]()

        def work(home: Home, _engine: Engine) -> bytes:
            desk.proxy.fault_of = lambda number: "cut" if not told else ""
            store = price_store(address)
            store.write("IBM/1.parquet", b"bars")
            return store.read("IBM/1.parquet")

        done = work_through_outages(desk.folder / "bucket", work, command="run", wait_seconds=1, tell=told.append)
    assert (done, len(told), told[1]) == (b"bars", 2, "the server is back after 1 s; the work resumes")
    assert re.match(f"{PRICES}/outage: .*; what is committed stays; waiting for the server, for 10 min at most", told[0])


def test_a_store_that_denies_access_is_one_line_and_exit_5(desk: Desk) -> None:
    desk.proxy.fault_of = lambda _: "403"
    ended = desk.run("backfill", *SPAN)
    desk.proxy.fault_of = lambda _: ""
    assert (ended.returncode, ended.stderr.count("\n")) == (5, 1)
    assert f"error: {PRICES}: access denied; what is committed stays" in ended.stderr
