"""Damaged chart responses through the real client, and what becomes of each: `python -m tests.yahoo_mutants SEED COUNT`.

It prints a JSON object: how many responses had which outcome. Sound outcomes are a typed error, bars, and gated bars.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from tests.loopback_yahoo import LoopbackYahoo, body_of, loopback_yahoo, yahoo_at
from tests.price_builders import sample_bars, span
from tickercast.jobs.prices.gates import Judgement, apply_gates
from tickercast.jobs.prices.sources.base import SourceError
from tickercast.jobs.prices.sources.yahoo import YahooSource
from tickercast.storage.bars import PRICE_FIELDS, Bars

SOUND = frozenset({"error", "bars", "gated"})
START = date(2003, 1, 2)
ODD: tuple[Any, ...] = (None, -1, 0, 1e300, -1e300, 1e-300, 2**70, "12", "", "NaN", True, [], {}, [None], {"a": 1})
Mutator = Callable[[random.Random, Any], None]


def paths_of(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value in a document."""
    items = list(node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ())
    return [path] * bool(path) + [inner for key, value in items for inner in paths_of(value, (*path, key))]


def parent_of(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        document = document[key]
    return document


def odd_values(chance: random.Random, document: Any) -> None:
    for path in chance.sample(paths_of(document), chance.randint(1, 4)):
        try:
            parent_of(document, path)[path[-1]] = chance.choice(ODD)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change removed this value


def lost_values(chance: random.Random, document: Any) -> None:
    path = chance.choice(paths_of(document))
    del parent_of(document, path)[path[-1]]


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
    values = zip(stamps, amounts, parts, strict=True)
    pairs = [(str(t), {"date": t, "amount": a, "numerator": a, "denominator": d}) for t, a, d in values]
    result["events"] = {"splits": dict(pairs), "dividends": dict(pairs)}


TREES: tuple[Mutator, ...] = (odd_values, odd_values, lost_values, swapped_rows, scaled_stretch, absurd_events)


def mutant(chance: random.Random, body: bytes) -> bytes:
    """Return a body that is cut, spliced, has other bytes, or has other values in its document."""
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
    """Return whether bars are finite, positive, coherent, and one per session in order."""
    prices = np.array([getattr(bars, name) for name in PRICE_FIELDS])
    wide = (bars.low <= np.minimum(bars.open, bars.close) * 1.0001) & (bars.high * 1.0001 >= np.maximum(bars.open, bars.close))
    ordered = (np.diff(bars.session) > np.timedelta64(0, "D")).all()
    actions = (bars.split > 0) & np.isfinite(bars.split) & (bars.dividend >= 0) & np.isfinite(bars.dividend) & (bars.volume >= 0)
    within = np.isfinite(prices).all() and (prices > 0).all() and (prices <= 1e12).all()
    return bool(within and wide.all() and ordered and actions.all())


def has_unexplained_jump(judgement: Judgement) -> bool:
    """Return whether a long admitted history moves by a factor of 5 between two bars and no gate has a verdict."""
    bars = judgement.admitted
    moves = np.abs(np.diff(np.log(bars.close * np.cumprod(bars.split))))
    return bool((moves >= np.log(5)).any()) and not judgement.verdicts and len(bars) >= 60


def outcome(yahoo: YahooSource) -> str:
    """Return what the client and the gates make of a response: error, bars, gated, or what is wrong with the result."""
    try:
        bars = yahoo.fetch("T", START).bars
    except SourceError:
        return "error"
    judgement = apply_gates(None, bars)
    if not is_sound(judgement.admitted):
        return "unsound bars"
    if has_unexplained_jump(judgement):
        return "unexplained jump"
    return "gated" if judgement.verdicts else "bars"


def outcomes(server: LoopbackYahoo, cache: Path, seed: int | str, count: int) -> Iterator[str]:
    """Yield the outcome of each damaged response."""
    chance = random.Random(seed)
    body = body_of("T", span(sample_bars("MSFT", "2003-01-03"), "2003-01-03", "2003-03-31"))
    yahoo = yahoo_at(server.url, cache)
    for _ in range(count):
        server.record("T", mutant(chance, body))
        yield outcome(yahoo)


def main() -> None:
    """Count the outcomes of damaged responses."""
    with loopback_yahoo() as server, tempfile.TemporaryDirectory(dir=".") as cache:
        sys.stdout.write(json.dumps(Counter(outcomes(server, Path(cache), sys.argv[1], int(sys.argv[2])))))


if __name__ == "__main__":
    main()
