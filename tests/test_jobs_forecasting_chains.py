"""Chains: why a ticker is trained, which checkpoints are stored, and names that depend on content alone."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from tests.forecast_builders import sample
from tickercast.jobs.forecasting.chains import Chains, checkpoints_to_keep
from tickercast.jobs.forecasting.identity import PriorIdentity, model_id_of, prior_identity, seed_of
from tickercast.jobs.forecasting.inputs import ModelInput, history_of
from tickercast.jobs.forecasting.model import ModelState, network_of, state_bytes
from tickercast.jobs.forecasting.prior import fit_settings
from tickercast.jobs.forecasting.recalibration import PastForecast
from tickercast.jobs.forecasting.tasks import (
    Origin,
    OriginTask,
    Parent,
    Prior,
    TickerTask,
    newest_prior,
    prior_index_of,
    prior_indices_of,
    priors_of_block,
)
from tickercast.jobs.workspace.config import PRESETS
from tickercast.rnn.params import NetworkShape
from tickercast.rnn.state import cold_state
from tickercast.storage.bars import Bars
from tickercast.storage.rows import CheckpointRow, ModelRow

CONFIG = PRESETS["density"]
MONDAY, TUESDAY = date(2024, 3, 4), date(2024, 3, 5)
PARENT = Parent("parent", MONDAY, 3, "ancestor", "hash", b"")


@pytest.fixture(scope="module")
def bars() -> Bars:
    return sample("IBM")


def chains(bars: Bars, parent: Parent | None, force_cold: bool = False) -> Chains:
    return Chains([TickerTask(1, "IBM", "as_traded", bars, frozenset(), parent)], frozenset({1} if force_cold else ()))


@pytest.mark.parametrize(
    ("parent", "bar_before", "scheduled", "hash_now", "expected"),
    [
        (None, MONDAY, False, "hash", (None, "first origin")),
        (PARENT, MONDAY, False, "hash", (PARENT, "warm")),
        (PARENT, TUESDAY, False, "hash", (None, "first origin")),  # the parent served an older bar: a session was left out
        (PARENT, MONDAY, True, "hash", (PARENT, "schedule")),
        (PARENT, MONDAY, False, "other", (PARENT, "restatement")),
        (PARENT, MONDAY, True, "other", (PARENT, "restatement")),
    ],
)
def test_a_ticker_starts_warm_unless_there_is_a_reason_for_a_cold_start(
    bars: Bars, parent: Parent | None, bar_before: date, scheduled: bool, hash_now: str, expected: tuple[Parent | None, str]
) -> None:
    started = chains(bars, parent).start_of(1, bar_before, is_scheduled_cold=scheduled, hash_before=lambda: hash_now)
    assert started == expected


def test_a_forced_cold_start_happens_once() -> None:
    forced = chains(sample("IBM"), PARENT, force_cold=True)
    reasons = [forced.start_of(1, MONDAY, is_scheduled_cold=False, hash_before=lambda: "hash")[1] for _ in range(2)]
    assert reasons == ["command", "warm"]


def test_a_new_chain_needs_no_force_and_uses_it_up(bars: Bars) -> None:
    forced = chains(bars, None, force_cold=True)
    assert forced.start_of(1, MONDAY, is_scheduled_cold=False, hash_before=lambda: "hash") == (None, "first origin")
    assert forced.force_cold == set()


def checkpoints(*names: str) -> list[CheckpointRow]:
    return [CheckpointRow(name, "", b"") for name in names]


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (("cold",), ["cold"]),
        (("cold", "w1", "w2"), ["cold", "w1", "w2"]),
        (("cold", "w1", "w2", "w3"), ["cold", "w2", "w3"]),
        (("w7", "w8"), ["w7", "w8"]),  # continued from the record: its cold start is stored already
        (("w7", "w8", "w9"), ["w8", "w9"]),
    ],
)
def test_of_a_chain_the_cold_start_and_the_newest_two_are_stored(names: tuple[str, ...], kept: list[str]) -> None:
    assert [row.model_id for row in checkpoints_to_keep(checkpoints(*names), "cold")] == kept


@pytest.mark.parametrize(("index", "every", "serving"), [(63, 63, 63), (64, 63, 63), (125, 63, 63), (126, 63, 126), (5, 63, 0)])
def test_a_prior_serves_from_its_session_until_the_next_one(index: int, every: int, serving: int) -> None:
    assert prior_index_of(index, every) == serving


def test_origins_of_one_period_share_their_prior() -> None:
    assert prior_indices_of([1, 64, 70], 63) == {0, 63}


@pytest.mark.parametrize(
    ("origin", "serving"),
    [(date(2024, 2, 29), None), (MONDAY, "a"), (TUESDAY, "b"), (date(2024, 3, 7), "b"), (date(2024, 3, 8), "a")],
)
def test_the_newest_prior_that_serves_an_origin_is_its_prior(origin: date, serving: str | None) -> None:
    priors = [Prior("a", MONDAY, b""), Prior("b", TUESDAY, b"", date(2024, 3, 8))]
    for order in (priors, priors[::-1]):
        found = newest_prior(order, origin, "stock")
        assert (found.model_id if found else None) == serving


def test_a_block_gets_the_newest_priors_of_its_origins_and_those_of_its_chains() -> None:
    priors = [Prior(name, date(2024, 1, day), b"") for day, name in enumerate("abcde", start=1)]
    needed = priors_of_block(priors, [date(2024, 1, 4), date(2024, 1, 5)], {"stock"}, iter(["b", None, "b", "c"]))
    assert [prior.model_id for prior in needed] == ["b", "c", "d", "e"]


def test_a_prior_of_a_family_serves_its_kinds_alone() -> None:
    priors = [Prior("stock", MONDAY, b"", family="stock"), Prior("fund", TUESDAY, b"", family="fund")]
    for family in ("stock", "fund"):
        found = newest_prior(priors, date(2024, 3, 8), family)
        assert found is not None
        assert found.model_id == family
    assert newest_prior(priors, date(2024, 3, 8), "crypto") is None


def test_a_seed_is_of_ticker_origin_and_config() -> None:
    text = f"IBM|2024-03-04|{CONFIG.id}"
    assert seed_of("IBM", MONDAY, CONFIG) == int(hashlib.sha256(text.encode()).hexdigest()[:16], 16) // 2
    others = [seed_of("MSFT", MONDAY, CONFIG), seed_of("IBM", TUESDAY, CONFIG), seed_of("IBM", MONDAY, PRESETS["article"])]
    assert len({seed_of("IBM", MONDAY, CONFIG), *others}) == 4


CONTENT = {"role": "chain", "reason": "warm", "parent_id": "p", "prior_id": "q", "input_sha256": "h"}


@pytest.mark.parametrize("changed", sorted(CONTENT))
def test_a_model_is_another_one_when_any_part_of_it_differs(changed: str) -> None:
    first = model_id_of("IBM", MONDAY, CONFIG, **CONTENT)  # type: ignore[arg-type]
    assert model_id_of("IBM", MONDAY, CONFIG, **CONTENT) == first  # type: ignore[arg-type]
    assert model_id_of("IBM", MONDAY, CONFIG, **{**CONTENT, changed: "x"}) != first  # type: ignore[arg-type]


def test_a_model_id_is_a_hash_of_sorted_json() -> None:
    content = {
        "ticker": "IBM", "origin": "2024-03-04", "config": CONFIG.id, "role": "chain", "reason": "warm", "prior": "q",
        "parent": "p", "input": "h",
    }  # fmt: skip
    expected = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
    assert model_id_of("IBM", MONDAY, CONFIG, **CONTENT) == expected  # type: ignore[arg-type]


def test_a_prior_is_another_one_when_a_member_or_its_bars_differ() -> None:
    members = {"IBM": "a", "MSFT": "b"}
    first = prior_identity("XNYS", MONDAY, "{}", members)
    assert prior_identity("XNYS", MONDAY, "{}", dict(reversed(members.items()))) == first
    others = [
        prior_identity("XLON", MONDAY, "{}", members),
        prior_identity("XNYS", TUESDAY, "{}", members),
        prior_identity("XNYS", MONDAY, fit_settings(CONFIG), members),
        prior_identity("XNYS", MONDAY, "{}", {"IBM": "a"}),
        prior_identity("XNYS", MONDAY, "{}", {**members, "IBM": "c"}),
    ]
    assert len({first, *others}) == 6


def test_a_priors_id_and_seed_are_of_a_hash_of_sorted_json() -> None:
    content = {
        "settings": "{}", "family": "XNYS", "members": {"IBM": "a"}, "origin": "2024-03-04", "role": "prior",
    }  # fmt: skip
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    assert prior_identity("XNYS", MONDAY, "{}", {"IBM": "a"}) == PriorIdentity(digest[:32], int(digest[:16], 16) // 2)


def past(session: date) -> tuple[PastForecast, ...]:
    return (PastForecast(session, np.zeros(1), np.ones(1), np.ones(1), np.ones(1)),)


def state(seed: int = 1) -> ModelState:
    return ModelState(cold_state([seed], NetworkShape(1, 1, 1)), ({"mean": 0.5},))


def task_at(bars: Bars, session: date, parent: Parent | None = None) -> OriginTask:
    ticker = TickerTask(1, "IBM", "as_traded", bars, frozenset({session}), parent)
    reason = "warm" if parent else "first origin"
    model_input = ModelInput(history_of(bars, "close"))
    return OriginTask(
        ticker, Origin(session, 1, ()), model_input, f"hash {session}", None, f"hash {session}", reason, parent, None, 1
    )


def row_of(name: str, ancestor: str, depth: int, session: date) -> ModelRow:
    return ModelRow(
        name, 1, "config", session, "chain", "warm", "warm", None, None, depth, ancestor, 1, 1, 1, "", "return", 0.5, ""
    )


def extend(chain: Chains, bars: Bars, name: str, *, ancestor: str, depth: int, session: date) -> ModelState:
    """Add a model to a chain and return its state."""
    made = state(depth)
    content = CheckpointRow(name, "", f"params of {name}".encode())
    chain.extend(task_at(bars, session), row_of(name, ancestor, depth, session), made, content)
    return made


def test_a_new_model_is_its_tickers_parent_and_takes_over_the_past_forecasts(bars: Bars) -> None:
    chain = chains(bars, replace(PARENT, past=past(MONDAY)))
    made = extend(chain, bars, "new", ancestor="ancestor", depth=4, session=TUESDAY)
    [parent] = chain.parents.values()
    assert (parent.model_id, parent.session, parent.depth, parent.cold_ancestor_id) == ("new", TUESDAY, 4, "ancestor")
    assert (parent.input_sha256, parent.checkpoint) == (f"hash {TUESDAY}", b"params of new")
    assert [forecast.session for forecast in parent.past] == [MONDAY]
    assert chain.state_of(1) is made


def test_the_first_model_of_a_ticker_has_no_past_forecasts(bars: Bars) -> None:
    chain = chains(bars, None)
    extend(chain, bars, "new", ancestor="new", depth=0, session=MONDAY)
    assert (chain.parents[1].model_id, chain.parents[1].past) == ("new", ())


def test_a_model_that_served_an_older_bar_serves_no_more(bars: Bars) -> None:
    chain = chains(bars, replace(PARENT, past=past(MONDAY)))
    chain.start_of(1, TUESDAY, is_scheduled_cold=False, hash_before=lambda: "hash")
    assert chain.parents == {}


def test_a_model_from_the_record_has_the_state_of_its_checkpoint(bars: Bars) -> None:
    stored = state(7)
    chain = chains(bars, replace(PARENT, checkpoint=state_bytes(stored, "IBM", MONDAY, CONFIG)))
    found = chain.state_of(1)
    assert np.array_equal(network_of(found).params, network_of(stored).params)
    assert found.figures == ({"mean": 0.5},)
    assert chain.state_of(1) is found  # it is parsed once


def test_bars_restated_after_a_model_of_this_stack_do_not_make_it_start_cold(bars: Bars) -> None:
    chain = chains(bars, PARENT)
    extend(chain, bars, "new", ancestor="ancestor", depth=4, session=TUESDAY)
    parent, reason = chain.start_of(1, TUESDAY, is_scheduled_cold=False, hash_before=lambda: "other")
    assert (chain.parents[1], reason) == (parent, "warm")


def test_the_checkpoints_to_store_are_kept_by_chain(bars: Bars) -> None:
    chain = chains(bars, None)
    for depth, name in enumerate(["c", "w1", "w2", "w3"]):
        extend(chain, bars, name, ancestor="c", depth=depth, session=MONDAY)
    extend(chain, bars, "d", ancestor="d", depth=0, session=TUESDAY)
    kept = {ancestor: [row.model_id for row in rows] for ancestor, rows in chain.checkpoints.items()}
    assert kept == {"c": ["c", "w2", "w3"], "d": ["d"]}


def test_a_model_that_serves_another_origin_stays_the_parent_of_the_next(bars: Bars) -> None:
    chain = chains(bars, PARENT)
    chain.note_published(task_at(bars, TUESDAY, PARENT), past(TUESDAY))
    served = chain.parents[1]
    assert (served.session, served.input_sha256) == (TUESDAY, f"hash {TUESDAY}")
    assert [forecast.session for forecast in served.past] == [TUESDAY]
    assert (served.model_id, served.depth, served.cold_ancestor_id) == ("parent", 3, "ancestor")


def test_after_its_end_a_chain_starts_with_a_first_origin(bars: Bars) -> None:
    chain = chains(bars, PARENT)
    chain.end(1)
    assert chain.start_of(1, MONDAY, is_scheduled_cold=False, hash_before=lambda: "hash") == (None, "first origin")
