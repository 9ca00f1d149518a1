"""Two thousand damaged chart answers through the real client: a typed error or coherent bars, never anything else."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.prices.gates import apply_gates
from jobs.prices.sources.base import SourceError
from jobs.prices.sources.sample import SampleSource
from storage.bars import PRICE_FIELDS, Bars
from tests.loopback_yahoo import body_of, loopback_yahoo, yahoo_at

pytestmark = pytest.mark.slow

MUTANTS = 1000  # of each of two seeds
SLOWEST_SECONDS = 20.0
ODD: tuple[Any, ...] = (None, -1, 0, 1e300, -1e300, 1e-300, 2**70, "12", "", "NaN", True, [], {}, [None], {"a": 1})
Mutator = Callable[[random.Random, Any], None]


def original() -> bytes:
    bars = SampleSource().fetch("MSFT", None).bars
    return body_of("T", bars.select((bars.session > np.datetime64("2003-01-02")) & (bars.session < np.datetime64("2003-04-01"))))


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value in a document."""
    items = list(node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ())
    return [path] * bool(path) + [inner for key, value in items for inner in places(value, (*path, key))]


def holder(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        document = document[key]
    return document


def odd_values(chance: random.Random, document: Any) -> None:
    for path in chance.sample(places(document), chance.randint(1, 4)):
        try:
            holder(document, path)[path[-1]] = chance.choice(ODD)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took this place away


def lost_values(chance: random.Random, document: Any) -> None:
    path = chance.choice(places(document))
    del holder(document, path)[path[-1]]


def swapped_rows(chance: random.Random, document: Any) -> None:
    result = document["chart"]["result"][0]
    lists = [result["timestamp"], *result["indicators"]["quote"][0].values()]
    for values in chance.sample(lists, chance.randint(1, len(lists))):
        chance.shuffle(values)


def scaled_stretch(chance: random.Random, document: Any) -> None:
    quote = document["chart"]["result"][0]["indicators"]["quote"][0]
    begin, factor = chance.randrange(5, 55), chance.choice([100, 0.01, 0.5, 1e9, -1, 0])
    for name in PRICE_FIELDS:
        quote[name][begin : begin + 5] = [value * factor for value in quote[name][begin : begin + 5]]


def absurd_events(chance: random.Random, document: Any) -> None:
    result = document["chart"]["result"][0]
    stamps = chance.sample(result["timestamp"], 5)
    amounts = [chance.choice([0, -3, 1e9, 1e300, 1e-9]) for _ in stamps]
    parts = [chance.choice([0, 1]) for _ in stamps]
    told = zip(stamps, amounts, parts, strict=True)
    pairs = [(str(t), {"date": t, "amount": a, "numerator": a, "denominator": d}) for t, a, d in told]
    result["events"] = {"splits": dict(pairs), "dividends": dict(pairs)}


TREES: tuple[Mutator, ...] = (odd_values, odd_values, lost_values, swapped_rows, scaled_stretch, absurd_events)


def mutant(chance: random.Random, body: bytes) -> bytes:
    kind = chance.randrange(10)
    if kind == 0:
        return body[: chance.randrange(len(body))]
    if kind == 1:
        begin, end = sorted(chance.sample(range(len(body)), 2))
        return body[:begin] + body[chance.randrange(len(body)) :][: end - begin] + body[end:]
    if kind == 2:
        damaged = bytearray(body)
        for _ in range(chance.randint(1, 20)):
            damaged[chance.randrange(len(body))] = chance.randrange(256)
        return bytes(damaged)
    document = json.loads(body)
    chance.choice(TREES)(chance, document)
    return json.dumps(document).encode()


def is_sound(bars: Bars) -> bool:
    """Return whether bars are finite, positive, coherent, and one a session in order."""
    prices = np.array([getattr(bars, name) for name in PRICE_FIELDS])
    wide = (bars.low <= np.minimum(bars.open, bars.close) * 1.0001) & (bars.high * 1.0001 >= np.maximum(bars.open, bars.close))
    ordered = (np.diff(bars.session) > np.timedelta64(0, "D")).all()
    actions = (bars.split > 0) & np.isfinite(bars.split) & (bars.dividend >= 0) & np.isfinite(bars.dividend) & (bars.volume >= 0)
    within = np.isfinite(prices).all() and (prices > 0).all() and (prices <= 1e12).all()
    return bool(within and wide.all() and ordered and actions.all())


@pytest.mark.parametrize("seed", range(2))
def test_a_damaged_answer_is_a_typed_error_or_sound_bars(seed: int, tmp_path: Path) -> None:
    chance, body = random.Random(seed), original()
    ends = {"error": 0, "bars": 0, "gated": 0}
    with loopback_yahoo() as server:
        yahoo = yahoo_at(server.url, tmp_path)
        for number in range(MUTANTS):
            server.record("T", mutant(chance, body))
            began = time.monotonic()
            try:
                bars = yahoo.fetch("T", date(2003, 1, 2)).bars
            except SourceError:
                ends["error"] += 1
                continue
            finally:
                assert time.monotonic() - began < SLOWEST_SECONDS, number
            judgement = apply_gates(None, bars)
            assert is_sound(judgement.admitted), number
            moves = np.abs(np.diff(np.log(judgement.admitted.close * np.cumprod(judgement.admitted.split))))
            assert (moves < np.log(5)).all() or len(judgement.verdicts) or len(judgement.admitted) < 60, number
            ends["gated" if judgement.verdicts else "bars"] += 1
    assert min(ends.values()) > MUTANTS / 100  # each way was gone often
