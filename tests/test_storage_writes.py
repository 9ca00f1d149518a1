"""Writes: what is inserted, decided, superseded and pruned, and what is left alone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from tests.builders import (
    CONFIG,
    IBM,
    MSFT,
    SESSIONS,
    WARM_ORIGIN,
    Record,
    bar_file,
    checkpoint_row,
    model_row,
    other_row,
)
from tickercast.storage import writes
from tickercast.storage.bars import ChangedValue, Listing
from tickercast.storage.rows import TWIN
from tickercast.storage.schema import Checkpoint

NOON = datetime(2024, 3, 13, 12, tzinfo=UTC)
NOON_TEXT = "2024-03-13T12:00:00.000000Z"
GATES = "SELECT session, code, state, message, recorded_at, decided_at FROM gate_verdicts ORDER BY session, code"
HELD = ("2024-03-04", "jump", "held", "a jump", "2024-03-04T23:00:00.000000Z", None)  # the one of the record


def verdict(day: date, code: str, state: str, message: str = "found") -> dict[str, Any]:
    return {"session": day, "code": code, "state": state, "message": message}


def add_chain(record: Record, cold: str, warm: int) -> None:
    """Add a chain of one cold and some warm starts, named cold, cold-1, cold-2 ..., each with a checkpoint."""
    names = [cold, *(f"{cold}-{depth}" for depth in range(1, warm + 1))]
    rows = [model_row(cold, date(2024, 2, 1))]
    for depth in range(1, warm + 1):
        parent = {"parent_id": names[depth - 1], "depth": depth, "cold_ancestor_id": cold}
        rows.append(model_row(names[depth], date(2024, 2, 1 + depth), start="warm", **parent))
    with record.writing() as connection:
        writes.insert_models(connection, rows, run_id=1)
        writes.insert_mappings(connection, Checkpoint, [checkpoint_row(name) for name in names])


def checkpoints(record: Record) -> set[str]:
    return {model_id for (model_id,) in record.rows("SELECT model_id FROM checkpoints")}


def session_of_march(day: int, number: int, hour: int = 21) -> dict[str, object]:
    instants = {"open_at": datetime(2024, 3, day, 14, 30, tzinfo=UTC), "close_at": datetime(2024, 3, day, hour, tzinfo=UTC)}
    return {"exchange": "XLON", "session": date(2024, 3, day), "number": number, **instants}


def test_closed_sessions_stay_as_stored_and_future_ones_are_corrected(record: Record) -> None:
    first = [session_of_march(day, day) for day in (11, 12, 13, 14)]
    later = [session_of_march(11, 99), session_of_march(12, 12), session_of_march(14, 13), session_of_march(15, 14, hour=18)]
    with record.writing() as connection:
        assert writes.store_sessions(connection, "XLON", first, now=datetime(2024, 3, 11, tzinfo=UTC)) == []
        changed = writes.store_sessions(connection, "XLON", later, now=datetime(2024, 3, 11, 21, tzinfo=UTC))
    assert changed == [date(2024, 3, 13), date(2024, 3, 14)]
    assert record.rows("SELECT session, number, close_at FROM sessions WHERE exchange = 'XLON' ORDER BY session") == [
        ("2024-03-11", 11, "2024-03-11T21:00:00.000000Z"), ("2024-03-12", 12, "2024-03-12T21:00:00.000000Z"),
        ("2024-03-14", 13, "2024-03-14T21:00:00.000000Z"), ("2024-03-15", 14, "2024-03-15T18:00:00.000000Z"),
    ]  # fmt: skip


def test_a_new_ticker_has_its_symbol_from_the_beginning(record: Record) -> None:
    listing = Listing("AAPL", "USD", "XNYS", "America/New_York", "")
    with record.writing() as connection:
        key = writes.add_ticker(connection, "AAPL", listing, source="yahoo", tracked=True, at=NOON)
    stored = "SELECT symbol, key, source, tracked, status, price_basis, added_at FROM tickers WHERE id = ?"
    assert record.rows(stored.replace("?", str(key))) == [("AAPL", "AAPL", "yahoo", 1, "active", None, NOON_TEXT)]
    assert record.rows(f"SELECT symbol, valid_from, valid_to FROM symbols WHERE ticker_id = {key}") == [
        ("AAPL", "0001-01-01", None)
    ]


def test_a_rename_keeps_the_old_symbol_with_its_dates(record: Record) -> None:
    with record.writing() as connection:
        writes.rename_ticker(connection, IBM, "IBMX", on=date(2024, 3, 11))
    assert record.rows("SELECT symbol, key FROM tickers") == [("IBMX", "IBM"), ("MSFT", "MSFT")]
    assert record.rows("SELECT symbol, valid_from, valid_to FROM symbols WHERE ticker_id = 1 ORDER BY valid_from") == [
        ("IBM", "0001-01-01", "2024-03-11"),
        ("IBMX", "2024-03-11", None),
    ]


def test_a_second_rename_on_a_day_replaces_the_first(record: Record) -> None:
    with record.writing() as connection:
        writes.rename_ticker(connection, IBM, "IBMX", on=date(2024, 3, 11))
        writes.rename_ticker(connection, IBM, "IBMY", on=date(2024, 3, 11))
    symbols = record.rows("SELECT symbol, valid_to FROM symbols WHERE ticker_id = 1 ORDER BY valid_from")
    assert (symbols[0], symbols[-1]) == (("IBM", "2024-03-11"), ("IBMY", None))


def test_one_config_is_active_and_an_old_one_keeps_its_settings(record: Record) -> None:
    row = {"id": "new", "preset": "article", "field": "open", "settings": "{}", "created_at": NOON}
    with record.writing() as connection:
        writes.ensure_config(connection, row, active_id="new")
        writes.ensure_config(connection, {**row, "id": CONFIG}, active_id="new")
    assert record.rows("SELECT id, preset, active FROM configs ORDER BY id") == [(CONFIG, "density", 0), ("new", "article", 1)]


def test_a_new_run_marks_the_killed_ones_as_interrupted(record: Record) -> None:
    with record.writing() as connection:
        killed = writes.start_run(connection, kind="run", at=NOON, config_id=CONFIG, fingerprint="cpu")
        started = writes.start_run(connection, kind="daemon", at=NOON, config_id=CONFIG, fingerprint="cpu")
        writes.update_run(connection, started, tickers_ok=2)
    assert (killed, started) == (2, 3)
    assert record.rows("SELECT id, status, message, tickers_ok FROM runs ORDER BY id") == [
        (1, "done", None, 1),
        (2, "interrupted", "killed; what it committed stays", 0),
        (3, "running", None, 2),
    ]


def test_a_new_price_file_supersedes_the_current_one_of_its_ticker_alone(record: Record) -> None:
    file = bar_file(record.prices, "IBM", 3)
    changed = [ChangedValue(SESSIONS[0], "close", 100.0, 100.5), ChangedValue(SESSIONS[0], "high", 101.0, 101.5)]
    with record.writing() as connection:
        writes.record_price_file(connection, IBM, file, changed, price_basis="split_adjusted", at=NOON)
    current = record.rows("SELECT ticker_id, path, rows, last_session, price_basis FROM price_files WHERE superseded_at IS NULL")
    assert (IBM, file.path, 3, "2024-03-06", "split_adjusted") in current
    assert sorted(row[0] for row in current) == [IBM, MSFT]
    assert record.rows("SELECT ticker_id, rows, superseded_at FROM price_files WHERE superseded_at NOT NULL") == [
        (IBM, 5, NOON_TEXT)
    ]
    assert record.rows(f"SELECT session, field, old_value, new_value FROM restatements WHERE recorded_at = '{NOON_TEXT}'") == [
        ("2024-03-04", "close", 100.0, 100.5),
        ("2024-03-04", "high", 101.0, 101.5),
    ]


def test_new_verdicts_are_added_and_known_ones_are_not_repeated(record: Record) -> None:
    rows = [verdict(SESSIONS[0], "jump", "held", "a jump again"), verdict(SESSIONS[1], "gap", "ok")]
    with record.writing() as connection:
        assert writes.record_verdicts(connection, IBM, rows, at=NOON) == 1
    assert record.rows(GATES) == [HELD, ("2024-03-05", "gap", "ok", "found", NOON_TEXT, None)]


def test_a_held_verdict_that_is_refused_now_is_decided(record: Record) -> None:
    with record.writing() as connection:
        assert writes.record_verdicts(connection, IBM, [verdict(SESSIONS[0], "jump", "refused", "gone")], at=NOON) == 0
    assert record.rows(GATES) == [(*HELD[:2], "refused", "gone", HELD[4], NOON_TEXT)]


def test_a_refusal_decides_no_verdict_of_another_code_session_or_ticker(record: Record) -> None:
    with record.writing() as connection:
        writes.record_verdicts(connection, IBM, [verdict(SESSIONS[0], "rescaled", "held")], at=NOON)
        writes.record_verdicts(connection, IBM, [verdict(SESSIONS[1], "jump", "held")], at=NOON)
        writes.record_verdicts(connection, MSFT, [verdict(SESSIONS[0], "jump", "held")], at=NOON)
        writes.record_verdicts(connection, IBM, [verdict(SESSIONS[0], "jump", "refused")], at=NOON)
    held = "SELECT ticker_id, session, code FROM gate_verdicts WHERE state = 'held' ORDER BY ticker_id, session"
    assert record.rows(held) == [
        (IBM, "2024-03-04", "rescaled"),
        (IBM, "2024-03-05", "jump"),
        (MSFT, "2024-03-04", "jump"),
    ]


def test_a_decided_verdict_is_not_decided_again(record: Record) -> None:
    with record.writing() as connection:
        assert writes.decide_verdicts(connection, IBM, [SESSIONS[0]], state="ok", at=NOON) == 1
        assert writes.decide_verdicts(connection, IBM, [SESSIONS[0]], state="refused", at=NOON) == 0
        writes.record_verdicts(connection, IBM, [verdict(SESSIONS[0], "jump", "refused")], at=NOON)
    assert record.rows(GATES) == [(*HELD[:2], "ok", "a jump", HELD[4], NOON_TEXT)]


def test_a_decision_covers_all_codes_of_the_sessions_given_unless_one_is_named(record: Record) -> None:
    more = [verdict(SESSIONS[0], "rescaled", "held"), verdict(SESSIONS[1], "jump", "held")]
    with record.writing() as connection:
        writes.record_verdicts(connection, IBM, more, at=NOON)
        assert writes.decide_verdicts(connection, IBM, SESSIONS[:2], state="ok", at=NOON, code="rescaled") == 1
        assert writes.decide_verdicts(connection, IBM, [SESSIONS[0]], state="ok", at=NOON) == 1
    assert [row[:3] for row in record.rows(GATES)] == [
        ("2024-03-04", "jump", "ok"),
        ("2024-03-04", "rescaled", "ok"),
        ("2024-03-05", "jump", "held"),
    ]


def test_pruning_keeps_the_cold_start_and_the_newest_two_of_a_chain(record: Record) -> None:
    add_chain(record, "long", warm=5)
    before = checkpoints(record)
    with record.writing() as connection:
        writes.prune_checkpoints(connection, ["long"], 2)
    assert before - checkpoints(record) == {"long-1", "long-2", "long-3"}


@pytest.mark.parametrize(("warm", "dropped"), [(0, set()), (1, set()), (2, set()), (3, {"long-1"})])
def test_pruning_drops_nothing_of_a_short_chain(record: Record, warm: int, dropped: set[str]) -> None:
    add_chain(record, "long", warm=warm)
    before = checkpoints(record)
    with record.writing() as connection:
        writes.prune_checkpoints(connection, ["long"], 2)
    assert before - checkpoints(record) == dropped


def test_pruning_leaves_other_chains_twins_and_priors_alone(record: Record) -> None:
    add_chain(record, "long", warm=4)
    add_chain(record, "other", warm=4)
    record.force("UPDATE models SET role = 'twin' WHERE id = 'long-1'")
    before = checkpoints(record)
    with record.writing() as connection:
        writes.prune_checkpoints(connection, ["long", "prior"], 2)
    assert before - checkpoints(record) == {"long-2"}


def test_each_twin_gets_its_own_score(record: Record) -> None:
    with record.writing() as connection:
        others = [other_row(WARM_ORIGIN, 1, "garch", None), *(other_row(WARM_ORIGIN, h, TWIN, None) for h in (1, 2))]
        writes.insert_baseline_forecasts(connection, others)
        writes.score_twins(connection, {(2, 1): 0.25, (2, 2): 0.5})
    assert record.rows("SELECT name, horizon, crps FROM baseline_forecasts WHERE origin_id = 2") == [
        (TWIN, 1, 0.25),
        ("garch", 1, None),
        (TWIN, 2, 0.5),
    ]
    assert record.rows(f"SELECT crps FROM baseline_forecasts WHERE origin_id = 1 AND name = '{TWIN}'") == [(0.005,)]


def test_skill_of_a_config_is_replaced_and_of_another_config_kept(record: Record) -> None:
    with record.writing() as connection:
        writes.replace_skill(connection, "another", [], computed_at=NOON)
    assert record.rows("SELECT count(*) FROM skill_tests") == [(1,)]
    with record.writing() as connection:
        writes.replace_skill(connection, CONFIG, [], computed_at=NOON)
    assert record.rows("SELECT count(*) FROM skill_tests") == [(0,)]


def test_an_event_is_stored_with_what_it_is_about(record: Record) -> None:
    with record.writing() as connection:
        writes.record_event(connection, "diverged", "training diverged", at=NOON, run_id=1, ticker_id=MSFT, session=SESSIONS[1])
    assert record.rows("SELECT at, run_id, ticker_id, session, kind, message FROM events WHERE kind = 'diverged'") == [
        (NOON_TEXT, 1, MSFT, "2024-03-05", "diverged", "training diverged")
    ]
