"""Bars as Parquet files, named by their content and never changed; the database names the current file of each ticker.

Page checksums are written and checked. The sha256 of the whole file is compared before any of it is parsed. Without both,
pyarrow returns wrong numbers from a damaged file without an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tickercast.storage.bars import BarHistory, Bars, Listing
from tickercast.storage.errors import Corrupt
from tickercast.storage.files import quote_ticker, sha256_of
from tickercast.storage.price_store import PriceAddress, price_store

SCHEMA_VERSION = "1"
WRITTEN_AT_ONCE = 8
FEWEST_TOGETHER = 8  # files; threads for fewer take longer to begin than they save
COLUMNS = pa.schema(
    [
        pa.field("session", pa.date32(), nullable=False),
        *(pa.field(name, pa.float64(), nullable=False) for name in ("open", "high", "low", "close")),
        pa.field("volume", pa.int64(), nullable=False),
        pa.field("dividend", pa.float64(), nullable=False),
        pa.field("split", pa.float64(), nullable=False),
        pa.field("recorded_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("source", pa.string(), nullable=False),
    ]
)
LISTING_KEYS = ("ticker", "currency", "exchange", "time_zone", "price_basis")


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A price file just written. path is below the store's address."""

    path: str
    rows: int
    first_session: date
    last_session: date
    sha256: str


@dataclass(frozen=True, slots=True)
class EncodedFile:
    """A price file that is about to be written: what the database will store about it, and its bytes."""

    written: WrittenFile
    content: bytes


def write_bars(prices: PriceAddress, history: BarHistory) -> WrittenFile:
    """Write a history to <KEY>/<start of its sha256>.parquet and return what the database stores about it.

    The history's listing names the ticker by its key, which no other ticker of the database ever has.
    """
    return write_file(prices, encode_bars(history))


def encode_bars(history: BarHistory) -> EncodedFile:
    """Return a history as the bytes of its file."""
    content = _to_parquet(history)
    digest = sha256_of(content)
    path = f"{quote_ticker(history.listing.ticker)}/{digest[:16]}.parquet"
    days = history.bars.session
    return EncodedFile(WrittenFile(path, len(days), days[0].item(), days[-1].item(), digest), content)


def write_file(prices: PriceAddress, file: EncodedFile) -> WrittenFile:
    """Write an encoded file, whole and under its name in the store when this returns. Raises what writing to the store raises."""
    price_store(prices).write(file.written.path, file.content)
    return file.written


def write_files(prices: PriceAddress, files: Sequence[EncodedFile]) -> list[WrittenFile]:
    """Write some encoded files as write_file does. Most of the time is spent waiting for the store, so some wait together."""
    if len(files) < FEWEST_TOGETHER:
        return [write_file(prices, file) for file in files]
    with ThreadPoolExecutor(WRITTEN_AT_ONCE) as pool:
        return list(pool.map(partial(write_file, prices), files))


def sha256_of_history(history: BarHistory) -> str:
    """Return the sha256 that the file of a history has. Equal histories have equal files."""
    return sha256_of(_to_parquet(history))


def read_bars(prices: PriceAddress, path: str, sha256: str) -> BarHistory:
    """Return the history in a file. Raises Corrupt when its bytes are not those that were written, or StoreUnavailable."""
    store = price_store(prices)
    content = store.read(path)
    if sha256_of(content) != sha256:
        raise Corrupt(f"{store.name(path)}: its bytes are not what was written (sha256 differs)")
    try:
        # A file has a few hundred rows to some thousands: threads would take longer to begin than to read it.
        with pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True) as file:
            table = file.read(list(COLUMNS.names), use_threads=False).cast(COLUMNS)
            meta = {key.decode(): value.decode() for key, value in file.metadata.metadata.items()}
        return BarHistory(Listing(*(meta[key] for key in LISTING_KEYS)), _from_table(table))
    except (pa.ArrowException, KeyError, OSError) as error:
        raise Corrupt(f"{store.name(path)}: {error}") from error


def _to_parquet(history: BarHistory) -> bytes:
    bars = history.bars
    arrays: list[Any] = [
        pa.array(bars.session),
        *(pa.array(getattr(bars, name)) for name in ("open", "high", "low", "close", "volume", "dividend", "split")),
        pa.array(bars.recorded_at).cast(pa.timestamp("us", tz="UTC")),
        pa.array(bars.source.tolist(), pa.string()),
    ]
    listing = {key: getattr(history.listing, key) for key in LISTING_KEYS}
    table = pa.Table.from_arrays(arrays, schema=COLUMNS.with_metadata({"schema_version": SCHEMA_VERSION, **listing}))
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return bytes(sink.getvalue())


def _from_table(table: pa.Table) -> Bars:
    def column(name: str) -> Any:
        # pyarrow returns read-only views; a copy can be sliced and sent to a worker.
        return np.array(table.column(name).combine_chunks().to_numpy(zero_copy_only=False))

    stamps = table.column("recorded_at").cast(pa.int64()).combine_chunks().to_numpy(zero_copy_only=False)
    return Bars(
        session=column("session").astype("datetime64[D]"),
        **{name: column(name) for name in ("open", "high", "low", "close", "volume", "dividend", "split")},
        recorded_at=np.array(stamps).astype("datetime64[us]"),
        source=np.array(table.column("source").to_pylist(), dtype=np.str_),
    )
