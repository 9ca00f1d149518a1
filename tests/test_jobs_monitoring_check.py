"""What `status --check` says of a home: ticker by ticker, at weekends, with a daemon, with cron, and with a dead daemon."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.builders import SESSIONS, Record, at_close
from tests.home_states import BEATING, EARLIER, FAILING, FRESH, HELD, LATE, NOW, PLENTY, SHORT, SUSPENDED, UNTRACKED, state
from tickercast.jobs.monitoring.check import check
from tickercast.jobs.monitoring.state import HomeState, condition_of, read_state
from tickercast.jobs.workspace.limits import Limits
from tickercast.jobs.workspace.locks import daemon_lock, writer_lock
from tickercast.jobs.workspace.place import Place
from tickercast.storage.monitoring import TickerFacts
from tickercast.storage.notices import NoticeRow


def code_and_word(found: HomeState) -> tuple[int, str]:
    judged = check(found)
    return int(judged.code), judged.line.split(":")[0]


@pytest.mark.parametrize(
    ("tickers", "code", "word"),
    [
        ((), 0, "OK"),
        ((FRESH,), 0, "OK"),
        ((FRESH, UNTRACKED), 0, "OK"),
        ((FRESH, SUSPENDED), 0, "OK"),
        ((FRESH, SHORT), 0, "OK"),
        ((FRESH, LATE), 3, "WARNING"),
        ((FRESH, FAILING), 3, "WARNING"),
        ((FRESH, HELD), 3, "WARNING"),
        ((HELD,), 3, "WARNING"),
        ((LATE,), 4, "CRITICAL"),
        ((LATE, FAILING, SUSPENDED), 4, "CRITICAL"),
        ((LATE, HELD), 3, "WARNING"),
        ((SUSPENDED,), 4, "CRITICAL"),
    ],
    ids=lambda value: ",".join(t.symbol for t in value) if isinstance(value, tuple) else str(value),
)
def test_the_check_of_some_tickers(tickers: tuple[TickerFacts, ...], code: int, word: str) -> None:
    assert code_and_word(state(*tickers)) == (code, word)


def test_the_line_names_what_is_wrong_first_and_since_when() -> None:
    assert check(state(FRESH, LATE, FAILING, HELD)).line == (
        "WARNING: 1 failing (FAIL since 2026-11-26T14:00Z); 1 late (LATE since 2026-11-26T14:00Z); "
        "1 quarantined (HELD since 2026-11-26T14:00Z); 1 of 4 tracked tickers fresh"
    )


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"daemon": BEATING, "is_alive": True}, 0, "daemon running since 2026-11-26T14:00Z"),
        ({"daemon": BEATING}, 4, "daemon died: it was last alive at 2026-11-26T22:59Z"),
        ({"daemon": replace(BEATING, state="stopped")}, 0, "daemon stopped at 2026-11-26T22:59Z"),
        ({"daemon": BEATING, "is_alive": True, "is_hung": True}, 4, "daemon hangs"),
        ({"daemon": BEATING, "one_shot_run": NOW}, 0, "no daemon; last `tickercast run` at 2026-11-26T23:00Z"),
        ({"daemon": BEATING, "one_shot_run": EARLIER}, 4, "daemon died"),
        ({"one_shot_run": EARLIER}, 0, "1 of 1 tracked ticker fresh"),
    ],
)
def test_the_check_of_a_daemon(changes: dict[str, object], code: int, said: str) -> None:
    judged = check(state(FRESH, **changes))
    assert (int(judged.code), said in judged.line) == (code, True), judged.line


@pytest.mark.parametrize(
    ("minutes", "changes", "code"),
    [(60, {}, 3), (59, {}, 0), (60, {"daemon": BEATING, "is_alive": True}, 0)],
    ids=["after an hour", "before", "with a daemon"],
)
def test_tickers_without_any_forecast_and_without_a_daemon_are_a_warning(
    minutes: int, changes: dict[str, object], code: int
) -> None:
    new = replace(FRESH, symbol="NEW", last_origin=None, added_at=NOW - timedelta(minutes=minutes))
    judged = check(state(new, **changes))
    assert (int(judged.code), "no forecast yet; `tickercast run`" in judged.line) == (code, code == 3)
    assert int(check(state(new, FRESH)).code) == 0, "another ticker has forecasts, so something makes them"


def test_a_home_that_tracks_nothing_says_so() -> None:
    assert check(state(UNTRACKED)).line == "OK: no ticker is tracked; `tickercast track MSFT` follows one"


def test_a_ticker_of_the_sample_is_named_as_ended() -> None:
    assert check(state(replace(LATE, source="sample"))).line == "OK: 1 ended (LATE); 0 of 1 tracked ticker fresh"


def test_a_bar_that_a_gate_refused_is_known_while_no_later_one_is_stored(record: Record) -> None:
    record.force(
        "DELETE FROM gate_verdicts",
        "INSERT INTO gate_verdicts (ticker_id, session, code, state, message, recorded_at) "
        "SELECT id, '2030-01-02', 'range', 'refused', 'close above high', '2026-11-26T14:00:00.000000Z' FROM tickers "
        "WHERE symbol = 'IBM'",
        "INSERT INTO gate_verdicts (ticker_id, session, code, state, message, recorded_at) "
        "SELECT id, '1990-01-02', 'range', 'refused', 'old', '2026-11-26T14:00:00.000000Z' FROM tickers WHERE symbol = 'MSFT'",
    )
    ibm, msft = read_state(place_of(record), Limits(), NOW).tickers
    assert (ibm.refusal, msft.refusal) == ("the bar of 2030-01-02 was refused: close above high", None)


def test_a_short_disk_is_a_warning() -> None:
    short = state(FRESH, disk=replace(PLENTY, free=499 * 10**6))
    assert code_and_word(short) == (3, "WARNING")
    assert "0.5 GB of disk free, less than notices.disk_free_megabytes = 500;" in check(short).line
    assert code_and_word(replace(short, disk=replace(PLENTY, free=500 * 10**6))) == (0, "OK")


@pytest.mark.parametrize(
    ("kind", "subject", "said"),
    [
        ("integrity", "IBM", "WARNING: integrity: IBM damaged since 2026-11-26T14:00Z; 1 of 1 tracked ticker fresh"),
        ("integrity", "record", "WARNING: integrity: record damaged since 2026-11-26T14:00Z; 1 of 1 tracked ticker fresh"),
        ("backup", "backup", "WARNING: backup: failed or overdue since 2026-11-26T14:00Z; 1 of 1 tracked ticker fresh"),
    ],
)
def test_damage_and_failed_backups_are_a_warning_while_their_notice_lasts(kind: str, subject: str, said: str) -> None:
    found = state(FRESH, lasting=(NoticeRow(kind, subject, EARLIER, "because"),))
    assert (int(check(found).code), check(found).line) == (3, said)


def test_damage_is_named_before_all_else() -> None:
    notices = (NoticeRow("backup", "backup", EARLIER, "because"), NoticeRow("integrity", "IBM", EARLIER, "because"))
    judged = check(state(FRESH, LATE, daemon=BEATING, lasting=notices))
    assert (int(judged.code), judged.line.split(";")[0]) == (4, "CRITICAL: integrity: IBM damaged since 2026-11-26T14:00Z")
    assert "daemon died" in judged.line


def test_the_state_has_the_notices_that_last(record: Record) -> None:
    instants = "'2026-11-26T14:00:00.000000Z'"
    record.force(
        "INSERT INTO notices (kind, subject, began_at, message, ended_at) VALUES "
        f"('integrity', 'record', {instants}, 'a', NULL), ('backup', 'backup', {instants}, 'b', {instants})"
    )
    found = read_state(place_of(record), Limits(), NOW)
    assert [notice.subject for notice in found.lasting_of("integrity")] == ["record"]
    assert found.lasting_of("backup") == []


@pytest.mark.parametrize(
    ("ticker", "condition"),
    [
        (replace(LATE, source="sample"), "ended"),
        (replace(FRESH, last_origin=None), "new"),
        (replace(FRESH, last_origin=None, missed=1), "late"),
        (replace(FRESH, last_origin=None, has_sessions=0), "new"),
        (replace(FRESH, last_origin=None, has_sessions=0, added_at=NOW - timedelta(days=5)), "late"),
        (replace(HELD, failures=2), "quarantined"),
        (replace(FAILING, missed=1), "failing"),
    ],
)
def test_a_ticker_is_in_one_condition(ticker: TickerFacts, condition: str) -> None:
    assert condition_of(ticker, NOW) == condition


def place_of(record: Record) -> Place:
    return Place(record.database.parent, "", "")


@pytest.mark.parametrize(
    ("minutes", "missed"),
    [(104, 0), (105, 1)],
    ids=["within the grace", "after it"],
)
def test_a_session_is_late_45_and_60_minutes_after_its_close(record: Record, minutes: int, missed: int) -> None:
    # The record's newest origin is a Thursday; Friday's bar is stored and has no forecast.
    record.force("UPDATE gate_verdicts SET state = 'ok'")
    now = at_close(SESSIONS[4]) + timedelta(minutes=minutes)
    ibm = read_state(place_of(record), Limits(), now).tickers[0]
    assert (ibm.symbol, ibm.missed) == ("IBM", missed)


def test_nothing_becomes_late_at_a_weekend(record: Record) -> None:
    found = [read_state(place_of(record), Limits(), at_close(SESSIONS[4]) + timedelta(hours=hours)) for hours in (3, 24, 66)]
    assert [state.tickers[0].missed for state in found] == [1, 1, 1]
    monday = read_state(place_of(record), Limits(), at_close(SESSIONS[5]) + timedelta(hours=2))
    assert monday.tickers[0].missed == 2


def test_failures_are_counted_from_the_last_success(record: Record) -> None:
    runs = "INSERT INTO runs (id, kind, status, started_at, tickers_ok, tickers_failed, forecasts, fingerprint) VALUES "
    rows: list[tuple[int, str, str, int]] = [
        (2, "daemon", "failed", 1),
        (3, "daemon", "done", 2),
        (4, "daemon", "failed", 3),
        (5, "backfill", "done", 4),
    ]
    rows += [(6, "run", "partial", 5), (7, "daemon", "running", 6)]
    values = [
        f"({id_}, '{kind}', '{status}', '2026-11-0{day}T00:00:00.000000Z', 0, 0, 0, 'x')" for id_, kind, status, day in rows
    ]
    record.force(
        runs + ", ".join(values),
        "INSERT INTO run_tickers VALUES (2, 1, 'failed', 0, 'a'), (3, 1, 'ok', 0, NULL), (4, 1, 'failed', 0, 'b'), "
        "(5, 1, 'ok', 0, NULL), (6, 1, 'failed', 0, 'c')",
    )
    ibm, msft = read_state(place_of(record), Limits(), NOW).tickers
    assert (ibm.failures, ibm.failing_since, ibm.failure) == (2, datetime(2026, 11, 3, tzinfo=UTC), "c")
    assert (msft.failures, msft.failing_since) == (0, None)


def test_a_daemon_lives_while_it_holds_its_lock(record: Record) -> None:
    place = place_of(record)
    assert not read_state(place, Limits(), NOW).is_alive
    with daemon_lock(place.folder):
        found = read_state(place, Limits(), NOW)
        assert (found.is_alive, found.is_hung) == (True, True), "its row is years old"
        with writer_lock(place.folder, command="backfill", wait_seconds=0):
            assert not read_state(place, Limits(), NOW).is_hung, "nobody can write"
    assert not read_state(place, Limits(), NOW).is_dead, "it has removed its note, so it was stopped"
    (place.folder / "daemon.holder").touch()
    assert read_state(place, Limits(), NOW).is_dead


def test_growth_is_told_only_by_daily_runs_of_some_days(record: Record, tmp_path: Path) -> None:
    assert read_state(place_of(record), Limits(), NOW).disk.growth is None
    started = (NOW - timedelta(days=10)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    record.force(f"UPDATE runs SET kind = 'daemon', forecasts = 2, started_at = '{started}'")
    disk = read_state(place_of(record), Limits(), NOW).disk
    assert disk.growth == pytest.approx(disk.database / 4 * 2 / 10), "four forecasts are stored, two of them in ten days"
