"""Checkpoints come back byte for byte, and nothing else is taken for one."""

from __future__ import annotations

import io
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn.checkpoints import state_from_bytes, state_to_bytes
from rnn.errors import CheckpointError
from rnn.network import NetworkShape
from rnn.training import cold_state

STATE = cold_state([7], NetworkShape(6, 8, 4, extras=2), np.float32)
CONTENT = state_to_bytes(STATE, {"ticker": "IBM", "scale": 0.5})


def test_a_checkpoint_comes_back_as_it_was() -> None:
    state, meta = state_from_bytes(CONTENT)
    assert state.params.tobytes() == STATE.params.tobytes()
    assert state.shape == STATE.shape
    assert meta == {"ticker": "IBM", "scale": 0.5}
    assert state_to_bytes(state, meta) == CONTENT


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_harmless(place: int, mask: int) -> None:
    damaged = bytearray(CONTENT)
    damaged[place] ^= mask
    try:
        state, meta = state_from_bytes(bytes(damaged))
    except CheckpointError:
        return
    assert (state.params.tobytes(), meta) == (STATE.params.tobytes(), {"ticker": "IBM", "scale": 0.5})


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
