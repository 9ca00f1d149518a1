"""Requests to an object store: they are repeated while their failure may pass, and what fails for good is one line.

Not here: which requests there are (storage.object_store).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TypeVar

import pyarrow as pa
from tenacity import RetryCallState, RetryError, Retrying, retry_if_exception_type, wait_exponential_jitter

from tickercast.storage.errors import StoreRefused, StoreUnavailable
from tickercast.storage.object_address import CREDENTIALS, ObjectAddress

SILENCE_SECONDS = 10.0  # without a byte
RETRY_SECONDS = 10.0  # since the store last answered any request; work that writes waits longer (jobs.workspace.outage)
LONGEST_SECONDS = 120.0  # of one request, while the store answers others
FIRST_PAUSE, LONGEST_PAUSE, JITTER = 0.1, 2.0, 0.2
DENIED = ("ACCESS_DENIED", "INVALID_ACCESS_KEY", "SIGNATURE", "EXPIRED_TOKEN", "INVALID_CLIENT_TOKEN", "status 403", "status 401")
NO_BUCKET = ("NO_SUCH_BUCKET", "bucket does not exist")
ELSEWHERE = ("status 301", "status 307", "PermanentRedirect")

Result = TypeVar("Result")

_last_answers: dict[str, float] = {}  # when each store last answered, by its URL and time.monotonic


class _Transient(Exception):
    """A request failed in a way that may pass."""


def with_retries(address: ObjectAddress, request: Callable[[], Result]) -> Result:
    """Return the answer to a request. Raises FileNotFoundError and StoreRefused.

    Raises StoreUnavailable where the store answers nothing for RETRY_SECONDS, and one request never within LONGEST_SECONDS.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(_Transient),
        wait=wait_exponential_jitter(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE, jitter=JITTER),
        stop=lambda state: _is_given_up(address, state),
    )
    try:
        answer: Result = retrying(_once, address, request)
        return answer
    except RetryError as error:
        raise StoreUnavailable(
            f"{address}: {error.last_attempt.exception()}; what is committed stays; repeat the command once it answers"
        ) from error


def missing_bucket(address: ObjectAddress) -> StoreRefused:
    """Return the error about a bucket that is missing."""
    bucket = address.key.partition("/")[0]
    return StoreRefused(f"{address}: there is no bucket {bucket}; create it, or mend store.prices in the settings")


def _is_given_up(address: ObjectAddress, state: RetryCallState) -> bool:
    """Return whether a request is not repeated. A store that loses many requests is there as long as it answers some."""
    since_start = state.seconds_since_start or 0.0
    silent_since = max(state.start_time, _last_answers.get(address.url, 0.0))
    return time.monotonic() - silent_since >= RETRY_SECONDS or since_start >= LONGEST_SECONDS


def _once(address: ObjectAddress, request: Callable[[], Result]) -> Result:
    try:
        answer = request()
        _last_answers[address.url] = time.monotonic()
        return answer
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException) as error:
        raise _translated(address, str(error)) from error


def _translated(address: ObjectAddress, text: str) -> Exception:
    """Return the error that says what a failure of the library means."""
    if any(sign in text for sign in NO_BUCKET):
        return missing_bucket(address)
    if any(sign in text for sign in DENIED):
        return StoreRefused(f"{address}: access denied; what is committed stays; {CREDENTIALS}: check them")
    if any(sign in text for sign in ELSEWHERE):
        return StoreRefused(f"{address}: the bucket is in another region; name it in AWS_REGION, or as ?region=...")
    return _Transient(_reason(text))


def _reason(text: str) -> str:
    """Return in a few words why a request failed."""
    if "resolve host" in text:
        return "its host has no address (DNS)"
    if "Could not connect" in text or "Failed to connect" in text:
        return "nothing answers there"
    if "Timeout" in text:
        return f"no answer in {SILENCE_SECONDS:.0f} s"
    if "curlCode" in text:
        return "the connection was lost"
    if status := re.search(r"HTTP status (\d+)", text):
        return f"it answers with HTTP status {status[1]}"
    detail = text.rpartition("operation: ")[2].partition(" (Request ID")[0]
    return f"a request failed ({detail.strip()})"
