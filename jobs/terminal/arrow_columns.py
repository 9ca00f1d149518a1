"""Arrow columns from Python values, with the type that holds them all.

They are built from NumPy's buffers: pyarrow's own conversion loads pandas, 50 MB, to see whether a list is one of its series.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from tickercast.jobs.terminal.text import plain

LARGEST_EXACT = 2**53  # whole numbers up to here are floats without loss
SINGLE_TYPES: dict[type, pa.DataType] = {
    bool: pa.bool_(), int: pa.int64(), float: pa.float64(), bytes: pa.binary(), date: pa.date32(),
}  # fmt: skip
NUMBERS = {pa.int64(): np.dtype(np.int64), pa.float64(): np.dtype(np.float64)}


def column_type(kinds: set[type]) -> pa.DataType:
    """Return the Arrow type that holds all values of some Python types: text for a mixture, null where there are none."""
    if not kinds:
        return pa.null()
    if kinds == {int, float}:
        return pa.float64()
    return SINGLE_TYPES.get(next(iter(kinds)), pa.string()) if len(kinds) == 1 else pa.string()


def column_of(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    """Return values as a column of a type from column_type. Raises OverflowError for a number that it does not hold exactly."""
    kinds = set(map(type, values))
    if not kinds - {type(None)}:
        return pa.nulls(len(values), type_)
    if type_ in NUMBERS:
        return _numbers(values, kinds, type_)
    if pa.types.is_string(type_) or pa.types.is_binary(type_):
        return _texts(values, kinds, type_)
    return pa.array(values, type=type_)


def _numbers(values: Sequence[Any], kinds: set[type], type_: pa.DataType) -> pa.Array:
    if int in kinds and pa.types.is_floating(type_) and any(_is_inexact(value) for value in values):
        raise OverflowError("a float does not hold this whole number")
    is_whole = type(None) not in kinds
    numbers = np.array(values if is_whole else [0 if value is None else value for value in values], dtype=NUMBERS[type_])
    return pa.Array.from_buffers(type_, len(values), [None if is_whole else validity(values), pa.py_buffer(numbers)])


def _is_inexact(value: Any) -> bool:
    return type(value) is int and abs(value) > LARGEST_EXACT


def _texts(values: Sequence[Any], kinds: set[type], type_: pa.DataType) -> pa.Array:
    if kinds == {str}:
        contents = [value.encode(errors="backslashreplace") for value in values]
    elif pa.types.is_binary(type_):
        contents = [value or b"" for value in values]
    else:
        contents = [b"" if value is None else str(plain(value)).encode(errors="backslashreplace") for value in values]
    offsets = np.zeros(len(values) + 1, dtype=np.int32)
    np.cumsum(list(map(len, contents)), out=offsets[1:])
    present = validity(values) if type(None) in kinds else None
    return pa.Array.from_buffers(type_, len(values), [present, pa.py_buffer(offsets), pa.py_buffer(b"".join(contents))])


def validity(values: Sequence[Any]) -> pa.Buffer:
    """Return the bits of the values that are there."""
    return pa.py_buffer(np.packbits([value is not None for value in values], bitorder="little"))
