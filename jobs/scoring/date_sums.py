"""Sums of scores over all tickers by horizon, mode and target date: what skill and risk of all tickers are computed from.

They are exact: each figure is rounded once, to a multiple of 2**-60, and whole numbers are added. So they do not depend on the
order in which tickers were scored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tickercast.jobs.scoring.addends import addends
from tickercast.jobs.scoring.terms import FRACTION_BITS, SUMMED, WHOLE_BITS
from tickercast.storage.queries import ScoreColumns
from tickercast.storage.rows import DateSumRow

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LARGEST = 2.0**20  # a larger figure counts as this one, so that the sum of 100,000 tickers fits into 64 bits


@dataclass(frozen=True, slots=True)
class DateSums:
    """Sums of k dates, by horizon, mode and target.

    parts: (k, figures, 2) in the order of SUMMED: the whole multiples of 2**-26 of each figure, and the rest in 2**-60.
    """

    horizon: NDArray[np.int64]
    mode: NDArray[np.bytes_]
    target: NDArray[np.datetime64]
    parts: Integers

    def figures(self) -> Floats:
        """Return the sums as numbers (k, figures)."""
        whole, rest = self.parts[..., 0], self.parts[..., 1]
        return np.ldexp(whole, -WHOLE_BITS) + np.ldexp(rest.astype(np.float64), -WHOLE_BITS - FRACTION_BITS)

    def added(self, other: DateSums) -> DateSums:
        """Return the sums of both together, by horizon, mode and target."""
        return _merged(
            np.concatenate([self.horizon, other.horizon]), np.concatenate([self.mode, other.mode]),
            np.concatenate([self.target, other.target]), np.concatenate([self.parts, other.parts]),
        )  # fmt: skip

    def with_mode(self, mode: str) -> DateSums:
        """Return the sums of all modes together, under the name of one."""
        return _merged(self.horizon, np.full(len(self.mode), mode, "S8"), self.target, self.parts)

    def series(self) -> Iterator[tuple[int, str, DateSums]]:
        """Yield each horizon and mode with its dates, the earliest first."""
        is_first = np.ones(len(self.target), bool)
        is_first[1:] = (self.horizon[1:] != self.horizon[:-1]) | (self.mode[1:] != self.mode[:-1])
        begins = [*np.flatnonzero(is_first).tolist(), len(self.target)]
        for begin, end in pairwise(begins):
            columns = (getattr(self, field.name)[begin:end] for field in fields(self))
            yield int(self.horizon[begin]), self.mode[begin].decode(), DateSums(*columns)

    def rows(self) -> list[DateSumRow]:
        """Return the sums as the database stores them."""
        keys = zip(self.horizon.tolist(), self.mode.astype(str).tolist(), self.target.astype(str).tolist(), strict=True)
        return [DateSumRow(*key, parts.tobytes()) for key, parts in zip(keys, self.parts.astype("<i8"), strict=True)]


def stored_date_sums(rows: Iterable[DateSumRow]) -> DateSums:
    """Return the sums of some stored rows."""
    stored = list(rows)
    parts = np.frombuffer(b"".join(row.sums for row in stored), "<i8").astype(np.int64).reshape(len(stored), len(SUMMED), 2)
    return DateSums(
        np.array([row.horizon for row in stored], np.int64), np.array([row.mode for row in stored], "S8"),
        np.array([row.target for row in stored], "M8[D]"), parts,
    )  # fmt: skip


def date_sums_of(scores: ScoreColumns) -> DateSums:
    """Return the sums of some scores."""
    scaled = np.ldexp(np.clip(addends(scores), -LARGEST, LARGEST), WHOLE_BITS)
    whole = np.floor(scaled)
    parts = np.stack([whole, np.rint(np.ldexp(scaled - whole, FRACTION_BITS))], axis=-1).astype(np.int64)
    return _merged(np.asarray(scores.horizon, np.int64), np.asarray(scores.mode, "S8"), scores.target, parts)


def _merged(horizon: NDArray[Any], mode: NDArray[Any], target: NDArray[Any], parts: Integers) -> DateSums:
    order = np.lexsort([target, mode, horizon])
    horizon, mode, target = horizon[order], mode[order], target[order]
    is_first = np.ones(len(order), bool)
    is_first[1:] = (horizon[1:] != horizon[:-1]) | (mode[1:] != mode[:-1]) | (target[1:] != target[:-1])
    begins = np.flatnonzero(is_first)
    sums = np.add.reduceat(parts[order], begins, axis=0) if len(begins) else parts
    return DateSums(horizon[begins], mode[begins], target[begins], sums)
