"""A checkpoint: one network's params and optimizer moments, and a few facts about it, as bytes.

An npz file of plain arrays without pickle. Its dates are fixed, so equal networks have equal bytes. Reading checks every
size before it allocates memory.
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
from rnn.state import State

# Version 1: one layer of Elman cells; its shape has no cell and layers. Version 2: the shape has both.
VERSION = 2
READABLE = (1, 2)
LARGEST_BYTES = 50_000_000
ARRAYS = ("params", "mean", "square", "steps")
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can hold
# The names of a shape's sizes in the file, and in NetworkShape.
SIZES = {
    "features": "features",
    "hidden": "hidden",
    "outputs": "outputs",
    "extras": "head_params",
    "cell": "cell",
    "layers": "layers",
}
Meta = dict[str, Any]


def state_to_bytes(state: State, meta: Meta) -> bytes:
    """Return the checkpoint of a stack of one network. meta: anything JSON can hold; state_from_bytes returns it."""
    arrays = (state.params, state.moments.mean, state.moments.square, state.moments.steps)
    shape = {stored: getattr(state.shape, name) for stored, name in SIZES.items()}
    head = json.dumps({"version": VERSION, "shape": shape, "meta": meta}, sort_keys=True).encode()
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for name, array in (("head", np.frombuffer(head, np.uint8)), *zip(ARRAYS, arrays, strict=True)):
            content = _npy_header(array.dtype.str, array.shape) + array.tobytes()
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", EPOCH), content)
    return sink.getvalue()


def state_from_bytes(content: bytes) -> tuple[State, Meta]:
    """Return the network of a checkpoint and its meta. Raises CheckpointError, whose text names the fault."""
    if len(content) > LARGEST_BYTES:
        raise CheckpointError(f"a checkpoint of {len(content)} bytes: more than {LARGEST_BYTES}")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _refuse_large(archive)
            arrays = {name: _array(archive, name) for name in ("head", *ARRAYS)}
        head = json.loads(arrays["head"].tobytes())
        if head["version"] not in READABLE:
            raise CheckpointError(f"checkpoint version {head['version']}; this program reads {READABLE[0]} to {READABLE[-1]}")
        shape = NetworkShape(**{SIZES[stored]: size for stored, size in head["shape"].items()})
    except (
        zipfile.BadZipFile,
        zlib.error,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        EOFError,
        NotImplementedError,
        ShapeError,
    ) as error:
        raise CheckpointError(f"not a checkpoint: {error}") from error
    params, mean, square, steps = (arrays[name] for name in ARRAYS)
    if not params.shape == mean.shape == square.shape == (1, shape.size) or steps.shape != (1,):
        raise CheckpointError(f"checkpoint arrays of shape {params.shape}; its sizes need (1, {shape.size})")
    if not all(np.isfinite(array).all() for array in (params, mean, square)):
        raise CheckpointError("checkpoint params are not finite")
    return State(shape, params, Moments(mean, square, steps)), head["meta"]


@cache  # a backfill writes thousands of checkpoints of one shape
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
