"""Price files in a bucket of an object store, by pyarrow.fs. The only module that imports it.

An object appears whole or not at all, so there is nothing to rename: a file is put under its name, and a second put of that name
has the same bytes. pyarrow offers no conditional put (If-None-Match); none is needed. Not here: retries and what a failure means
(storage.object_requests).
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from socket import gethostname
from typing import Any

import pyarrow as pa
from pyarrow import fs

from tickercast.storage.errors import Corrupt, LibraryMissing, StoreRefused, StoreUnavailable
from tickercast.storage.files import sha256_of
from tickercast.storage.object_address import ObjectAddress
from tickercast.storage.object_requests import SILENCE_SECONDS, missing_bucket, with_retries
from tickercast.storage.price_store import StoreUser

REGISTER = ".databases"
CONNECT_SECONDS = 5.0
ATTEMPTS = 1  # of the library: storage.object_requests repeats
THREADS = 16


class ObjectStore:
    """The price files below one prefix of a bucket. Its register of databases has a small object for each."""

    def __init__(self, address: ObjectAddress) -> None:
        self.address = address
        self.machine = gethostname()
        self._pool = ThreadPoolExecutor(THREADS, "objects")
        self._prefetched: dict[str, Future[bytes]] = {}
        self._file_system = _file_system(address)

    def name(self, path: str) -> str:
        """Return the URL of a file."""
        return f"{self.address}/{path}"

    def prepare(self) -> None:
        """Raise StoreUnavailable or StoreRefused unless the bucket is there and answers."""
        if with_retries(self.address, lambda: self._file_system.get_file_info(self._bucket)).type == fs.FileType.NotFound:
            raise missing_bucket(self.address)

    def read(self, path: str) -> bytes:
        """Return a file's bytes. Raises Corrupt for one that is missing, else what prepare raises."""
        begun = self._prefetched.pop(path, None)
        if begun is not None:
            with suppress(CancelledError):
                return begun.result()
        return self._read(path)

    def prefetch(self, paths: Sequence[str]) -> None:
        """Begin to read files that are read next. Of an earlier call, what nobody read is dropped."""
        self._cancel_prefetched()
        self._prefetched = {path: self._pool.submit(self._prefetch, path) for path in paths}

    def write(self, path: str, content: bytes) -> None:
        """Put a file. Raises StoreUnavailable or StoreRefused."""
        with_retries(self.address, lambda: self._put(path, content))

    def remove(self, paths: Collection[str]) -> int:
        """Remove files, and return how many are gone. One that may not be removed stays, and a later run tries again."""
        return sum(self._pool.map(self._removed, paths))

    def files(self) -> dict[str, float]:
        """Return when each file was written, by its path."""
        prefix = f"{self.address.key}/"
        selector = fs.FileSelector(self.address.key, allow_not_found=True, recursive=True)
        found = [
            info
            for info in with_retries(self.address, lambda: self._file_system.get_file_info(selector))
            if info.type == fs.FileType.File
        ]
        paths = {info.path.removeprefix(prefix): info.mtime.timestamp() for info in found}
        return {path: at for path, at in paths.items() if path.count("/") == 1 and not path.startswith(REGISTER)}

    def written_at(self, path: str) -> float:
        """Return when a file was written; infinity for one that another home has just removed."""
        info = with_retries(self.address, lambda: self._file_system.get_file_info(self._key(path)))
        return math.inf if info.mtime is None else float(info.mtime.timestamp())

    def users(self) -> list[StoreUser]:
        """Return every database that was ever registered, oldest first."""
        selector = fs.FileSelector(self._key(REGISTER), allow_not_found=True)
        infos = [
            info
            for info in with_retries(self.address, lambda: self._file_system.get_file_info(selector))
            if info.type == fs.FileType.File
        ]
        lines = [self.read(f"{REGISTER}/{info.base_name}").decode().split() for info in infos]
        return sorted((StoreUser(url, datetime.fromisoformat(since)) for since, url in lines), key=lambda user: user.since)

    def add_user(self, user: StoreUser) -> None:
        """Register a database: an object of its own, so two homes do not overwrite each other."""
        self.write(f"{REGISTER}/{sha256_of(user.url.encode())[:16]}", f"{user.since.isoformat()} {user.url}\n".encode())

    @property
    def _bucket(self) -> str:
        return self.address.key.partition("/")[0]

    def _key(self, path: str) -> str:
        return f"{self.address.key}/{path}"

    def _read(self, path: str) -> bytes:
        try:
            return with_retries(self.address, lambda: self._bytes(path))
        except FileNotFoundError as error:
            self.prepare()  # a missing bucket is no damage
            raise Corrupt(f"{self.name(path)}: no such object; the database names this file") from error

    def _prefetch(self, path: str) -> bytes:
        try:
            return self._read(path)
        except (StoreUnavailable, StoreRefused):
            self._cancel_prefetched()  # they would fail as slowly, and a program waits for them at its end
            raise

    def _cancel_prefetched(self) -> None:
        for unread in list(self._prefetched.values()):
            unread.cancel()

    def _bytes(self, path: str) -> bytes:
        with self._file_system.open_input_stream(self._key(path), compression=None) as stream:
            return bytes(stream.read())

    def _put(self, path: str, content: bytes) -> None:
        with self._file_system.open_output_stream(self._key(path), compression=None) as stream:
            stream.write(content)

    def _removed(self, path: str) -> bool:
        try:
            self._file_system.delete_file(self._key(path))
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True


def _file_system(address: ObjectAddress) -> Any:
    """Return pyarrow's file system of an address. Raises LibraryMissing, and StoreRefused where it cannot be made."""
    try:
        return _s3(address) if address.scheme == "s3" else fs.FileSystem.from_uri(_with_limits(address))[0]
    except ImportError as error:
        raise LibraryMissing(f"{address}: pyarrow was built without it: pip install 'tickercast[s3]'") from error
    except (OSError, pa.ArrowException) as error:
        raise StoreRefused(f"{address}: cannot be opened ({str(error).splitlines()[0]})") from error


def _s3(address: ObjectAddress) -> Any:
    return fs.S3FileSystem(
        **_endpoint(os.environ) | address.options,
        connect_timeout=CONNECT_SECONDS,
        request_timeout=SILENCE_SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        background_writes=False,
        allow_delayed_open=True,  # so that a file is one request
    )


def _with_limits(address: ObjectAddress) -> str:
    """Return a URL with bounded retries where its kind of store has none of ours."""
    if address.scheme not in ("gs", "gcs"):
        return address.url
    return f"{address.url}{'&' if '?' in address.url else '?'}retry_limit_seconds={SILENCE_SECONDS:.0f}"


def _endpoint(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what the usual variables say of the server. pyarrow reads them for a whole URL alone, which has no timeouts.

    Raises StoreRefused for one that is no URL: without it the requests would go to Amazon.
    """
    url = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or ""
    scheme, found, host = url.partition("://")
    if url and not found:
        raise StoreRefused("AWS_ENDPOINT_URL is no URL; write it like http://HOST:9000")
    return {"scheme": scheme, "endpoint_override": host.rstrip("/")} if found else {}
