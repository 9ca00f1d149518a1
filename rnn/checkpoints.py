"""A checkpoint: one network's params and optimizer moments, and a few facts about it, as bytes.

An npz file of plain arrays without pickle. Its dates are fixed, so equal networks have equal bytes. Reading checks every
size before it allocates memory. The scales that a ticker learns on top of a prior are a few numbers: JSON text.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tickercast.rnn.errors import CheckpointError, ShapeError
from tickercast.rnn.optimizers import Moments
from tickercast.rnn.params import NetworkShape
from tickercast.rnn.scales import Scales
from tickercast.rnn.state import State

# Version 1: one layer of Elman cells; its shape has no cell and layers. Version 2: the shape has both. Version 3: moments may be
# left out, as arrays without columns.
VERSION = 3
READABLE = (1, 2, 3)
LARGEST_BYTES = 50_000_000
SUMS = ("score", "information", "targets")  # of the scales that a ticker learns, see rnn.scales
ARRAYS = ("params", "mean", "square", "steps")
# What a zip file says of each member: the version that reads it, its time and day (1 January 1980, the earliest), the system
# and version that made it, and its mode.
ZIP_VERSION, DOS_EPOCH, MADE_BY_UNIX, OWNER_MAY_READ = 20, (0, 1 << 5 | 1), 3 << 8 | 20, 0o600 << 16
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
    members = (("head", np.frombuffer(head, np.uint8)), *zip(ARRAYS, arrays, strict=True))
    return _archive((f"{name}.npy".encode(), _npy_header(a.dtype.str, a.shape) + a.tobytes()) for name, a in members)


def params_to_bytes(state: State, meta: Meta) -> bytes:
    """Return the checkpoint of a stack of one network without its moments, a third of the size; they are read as zeros."""
    none = np.zeros((1, 0), state.params.dtype)
    return state_to_bytes(State(state.shape, state.params, Moments(none, none, np.zeros(1, np.int64))), meta)


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
    if mean.shape == square.shape == (1, 0):
        mean, square = np.zeros_like(params), np.zeros_like(params)
    if not params.shape == mean.shape == square.shape == (1, shape.size) or steps.shape != (1,):
        raise CheckpointError(f"checkpoint arrays of shape {params.shape}; its sizes need (1, {shape.size})")
    if not all(np.isfinite(array).all() for array in (params, mean, square)):
        raise CheckpointError("checkpoint params are not finite")
    return State(shape, params, Moments(mean, square, steps)), head["meta"]


def holds_scales(content: bytes) -> bool:
    """Return whether a checkpoint is one of scales, by its first byte."""
    return content[:1] == b"{"


def scales_to_bytes(scales: Scales, meta: Meta) -> bytes:
    """Return the checkpoint of one ticker's scales, JSON text: the shortest digits that give back every float."""
    sums = {name: getattr(scales, name)[0].tolist() for name in SUMS}
    return json.dumps({"version": VERSION, **sums, "meta": meta}, sort_keys=True, separators=(",", ":")).encode()


def scales_from_bytes(content: bytes) -> tuple[Scales, Meta]:
    """Return the scales of a checkpoint, a stack of one, and its meta. Raises CheckpointError."""
    try:
        head = json.loads(content)
        sums = [np.array([head[name]], np.float64) for name in SUMS]
        meta = dict(head["meta"])
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"not a checkpoint: {error}") from error
    if len({array.shape for array in sums}) > 1 or sums[0].ndim != 2 or not all(np.isfinite(array).all() for array in sums):
        raise CheckpointError("checkpoint of scales whose sums are not finite numbers, one for each horizon")
    return Scales(*sums), meta


def _archive(members: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return a zip file of uncompressed members, name and content each: the bytes that zipfile writes, in half its time.

    Source: the zip format as PKWARE's APPNOTE 6.3 describes it, sections 4.3.7, 4.3.12 and 4.3.16.
    """
    parts: list[bytes] = []
    entries: list[bytes] = []
    offset = 0
    for name, content in members:
        facts = (ZIP_VERSION, 0, 0, *DOS_EPOCH, zlib.crc32(content), len(content), len(content), len(name), 0)
        parts += [struct.pack("<4s5H3L2H", b"PK\x03\x04", *facts), name, content]
        entries += [struct.pack("<4s6H3L5H2L", b"PK\x01\x02", MADE_BY_UNIX, *facts, 0, 0, 0, OWNER_MAY_READ, offset), name]
        offset = sum(map(len, parts))
    directory = b"".join(entries)
    count = len(parts) // 3
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(directory), offset, 0)
    return b"".join((*parts, directory, end))


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
