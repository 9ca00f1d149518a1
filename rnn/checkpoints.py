"""A checkpoint: one network's params and optimizer memory, and a few facts about it, as bytes.

An npz of plain arrays, never pickled, with fixed dates, so that equal networks have equal bytes. Read with every size
checked before memory is taken for it.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn.errors import CheckpointError, ShapeError
from rnn.optimizers import Moments
from rnn.params import NetworkShape
from rnn.training import State

# 1: one layer of Elman cells, whose shape names neither. 2: the shape names cell and layers. Both are read.
VERSION = 2
READ = (1, 2)
LARGEST_BYTES = 50_000_000
ARRAYS = ("params", "mean", "square", "steps")
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can hold
SIZES = ("features", "hidden", "outputs", "extras", "cell", "layers")
Meta = dict[str, Any]


def state_to_bytes(state: State, meta: Meta) -> bytes:
    """Return the checkpoint of one network. meta: what JSON can hold, returned as it was."""
    arrays = (state.params, state.moments.mean, state.moments.square, state.moments.steps)
    shape = {name: getattr(state.shape, name) for name in SIZES}
    head = json.dumps({"version": VERSION, "shape": shape, "meta": meta}, sort_keys=True).encode()
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for name, array in (("head", np.frombuffer(head, np.uint8)), *zip(ARRAYS, arrays, strict=True)):
            content = _npy_header(array.dtype.str, array.shape) + array.tobytes()
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", EPOCH), content)
    return sink.getvalue()


def state_from_bytes(content: bytes) -> tuple[State, Meta]:
    """Return the network of a checkpoint and its meta. Raises CheckpointError, which names what is wrong."""
    if len(content) > LARGEST_BYTES:
        raise CheckpointError(f"a checkpoint of {len(content)} bytes: more than {LARGEST_BYTES}")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _refuse_large(archive)
            arrays = {name: _array(archive, name) for name in ("head", *ARRAYS)}
        head = json.loads(arrays["head"].tobytes())
        if head["version"] not in READ:
            raise CheckpointError(f"checkpoint version {head['version']}; this program reads {READ[0]} to {READ[-1]}")
        shape = NetworkShape(**head["shape"])
    except (zipfile.BadZipFile, zlib.error, ValueError, KeyError, TypeError, EOFError, NotImplementedError, ShapeError) as error:
        raise CheckpointError(f"not a checkpoint: {error}") from error
    params, mean, square, steps = (arrays[name] for name in ARRAYS)
    if not params.shape == mean.shape == square.shape == (1, shape.size) or steps.shape != (1,):
        raise CheckpointError(f"checkpoint arrays of shape {params.shape}; its sizes want (1, {shape.size})")
    if not all(np.isfinite(array).all() for array in (params, mean, square)):
        raise CheckpointError("checkpoint params are not finite")
    return State(shape, params, Moments(mean, square, steps)), head["meta"]


@cache  # a record writes thousands of checkpoints of one shape
def _npy_header(dtype: str, shape: tuple[int, ...]) -> bytes:
    part = io.BytesIO()
    np.lib.format.write_array_header_1_0(part, {"descr": dtype, "fortran_order": False, "shape": shape})
    return part.getvalue()


def _refuse_large(archive: zipfile.ZipFile) -> None:
    declared = sum(entry.file_size for entry in archive.infolist())
    if declared > LARGEST_BYTES:
        raise CheckpointError(f"a checkpoint that unpacks to {declared} bytes: more than {LARGEST_BYTES}")


def _array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with archive.open(f"{name}.npy") as part:
        array = np.lib.format.read_array(io.BytesIO(part.read()), allow_pickle=False)
    return np.array(array)
