"""Checkpoints are read back byte for byte, and all other bytes are refused."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickercast.rnn.checkpoints import state_from_bytes, state_to_bytes
from tickercast.rnn.errors import CheckpointError
from tickercast.rnn.params import NetworkShape
from tickercast.rnn.state import cold_state

SHAPE = NetworkShape(6, 8, 4, head_params=2, cell="gru", layers=2)
STATE = cold_state([7], SHAPE, np.float32)
OLD = (Path(__file__).parent / "data/checkpoint_v1.npz").read_bytes()  # written by the version that had Elman cells alone
META = {"ticker": "IBM", "scale": 0.5}
CONTENT = state_to_bytes(STATE, META)


def read_if_accepted(content: bytes) -> tuple[bytes, dict[str, object]] | None:
    """Return the params and meta of a checkpoint, None if it is refused."""
    try:
        state, meta = state_from_bytes(content)
    except CheckpointError:
        return None
    return state.params.tobytes(), meta


def test_a_checkpoint_comes_back_as_it_was() -> None:
    state, meta = state_from_bytes(CONTENT)
    assert state.params.tobytes() == STATE.params.tobytes()
    assert state.shape == STATE.shape
    assert meta == META
    assert state_to_bytes(state, meta) == CONTENT


def test_a_checkpoint_has_the_bytes_that_zipfile_writes_for_its_arrays() -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(CONTENT)) as archive, zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as copy:
        assert archive.testzip() is None
        for entry in archive.infolist():
            copy.writestr(zipfile.ZipInfo(entry.filename, (1980, 1, 1, 0, 0, 0)), archive.read(entry))
    assert sink.getvalue() == CONTENT


def test_numpy_reads_a_checkpoint() -> None:
    with np.load(io.BytesIO(CONTENT), allow_pickle=False) as arrays:
        assert arrays["params"].tobytes() == STATE.params.tobytes()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_harmless(place: int, mask: int) -> None:
    damaged = bytearray(CONTENT)
    damaged[place] ^= mask
    assert read_if_accepted(bytes(damaged)) in (None, (STATE.params.tobytes(), META))


@given(st.integers(0, len(CONTENT) - 1))
@settings(max_examples=50, deadline=None)
def test_a_truncated_checkpoint_is_refused(length: int) -> None:
    with pytest.raises(CheckpointError):
        state_from_bytes(CONTENT[:length])


def test_a_pickle_is_refused_and_not_run() -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        part = io.BytesIO()
        np.save(part, np.array([{"a": 1}], dtype=object), allow_pickle=True)
        archive.writestr("head.npy", part.getvalue())
    with pytest.raises(CheckpointError):
        state_from_bytes(sink.getvalue())
    with pytest.raises(CheckpointError):
        state_from_bytes(pickle.dumps({"params": 1}))


def test_a_bomb_is_refused_before_it_unpacks() -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("head.npy", b"\0" * 60_000_000)
    with pytest.raises(CheckpointError, match="unpacks to"):
        state_from_bytes(sink.getvalue())


def test_a_checkpoint_of_version_1_is_read() -> None:
    state, meta = state_from_bytes(OLD)
    assert state.shape == NetworkShape(6, 8, 4, head_params=2, cell="elman", layers=1)
    assert hashlib.sha256(state.params.tobytes()).hexdigest().startswith("4c64aef4ef0b5401")
    assert meta == META


def with_head(**changes: object) -> bytes:
    """Return CONTENT with its head changed."""
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(CONTENT)) as source, zipfile.ZipFile(sink, "w") as archive:
        head = json.loads(np.load(io.BytesIO(source.read("head.npy"))).tobytes())
        head.update(changes)
        for name in source.namelist():
            content = source.read(name)
            if name == "head.npy":
                part = io.BytesIO()
                np.save(part, np.frombuffer(json.dumps(head).encode(), np.uint8))
                content = part.getvalue()
            archive.writestr(name, content)
    return sink.getvalue()


SIZES = {"features": 6, "hidden": 8, "outputs": 4, "extras": 2, "cell": "gru", "layers": 2}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"version": 4}, "version 4; this program reads 1 to 3"),
        ({"shape": {**SIZES, "hidden": 9}}, "its sizes need"),
        ({"shape": {**SIZES, "cell": "transformer"}}, "transformer"),
        ({"shape": {**SIZES, "layers": 10**9}}, "layers"),
        ({"shape": {**SIZES, "width": 3}}, "width"),
        ({"shape": {**SIZES, "hidden": "8"}}, "not a checkpoint"),
        ({"shape": [1, 2]}, "not a checkpoint"),
    ],
)
def test_a_forged_head_is_refused_by_what_is_wrong(changes: dict[str, object], text: str) -> None:
    with pytest.raises(CheckpointError, match=text):
        state_from_bytes(with_head(**changes))
