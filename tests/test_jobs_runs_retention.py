"""Retention removes what the settings no longer keep, and nothing that a replay or a reference needs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.builders import IBM, Record
from tests.forecast_builders import SMALL_SETTINGS, day_by_day, hash_of, ten_sessions
from tickercast.jobs.analysis.replay import replay_sample, summary_of
from tickercast.jobs.runs.retention import next_retention, retain, retain_when_due
from tickercast.jobs.runs.upkeep import STEPS
from tickercast.jobs.workspace.home import Home
from tickercast.storage import writes
from tickercast.storage.database import open_writer, reading
from tickercast.storage.price_cleanup import collect_old_files
from tickercast.storage.schema import Notice
from tickercast.storage.verify import find_deep_problems, find_problems

Make = Callable[[str, str], Home]
LEAST = "[retention]\nprice_files = 0\nprice_hours = 1\nruns_days = 30\nnotices_days = 1\nupgrade_copies = 1\n"
NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


def rows(home: Home, query: str) -> list[tuple[object, ...]]:
    with reading(home.database) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def kept_after(home: Home, now: datetime) -> list[str]:
    engine = open_writer(home.database)
    try:
        return retain(home, engine, now)
    finally:
        engine.dispose()


@pytest.mark.slow
@pytest.mark.sqlite_file
def test_the_whole_record_is_replayed_and_verified_after_the_least_retention(make_home: Make) -> None:
    home = day_by_day(make_home("home", f'{SMALL_SETTINGS}prior = "none"\n{LEAST}'), ten_sessions()[3:7])
    before, forecasts = hash_of(home), rows(home, "SELECT * FROM forecast_history ORDER BY ticker, origin, horizon")
    assert len(list(home.prices.glob("*/*.parquet"))) > 3
    removed = kept_after(home, NOW)
    collect_old_files(home.prices, home.database, datetime.now(UTC) + timedelta(hours=2), 0)
    assert removed == ["12 ticker outcomes"]
    assert hash_of(home) == before
    assert rows(home, "SELECT * FROM forecast_history ORDER BY ticker, origin, horizon") == forecasts
    assert rows(home, "PRAGMA foreign_key_check") == []
    with reading(home.database) as connection:
        assert find_problems(connection, home.prices) + find_deep_problems(connection, home.prices) == []
    assert summary_of(replay_sample(home, None, 0)) == "12 sessions replayed: 12 equal"
    assert len(list(home.prices.glob("*/*.parquet"))) == 3


def test_old_outcomes_and_runs_go_and_runs_that_a_row_refers_to_stay(record: Record) -> None:
    with record.writing() as connection:
        for days in (40, 35, 20):
            run_id = writes.start_run(connection, kind="run", at=NOW - timedelta(days=days), config_id=None, fingerprint="f")
            writes.record_run_tickers(connection, [{"run_id": run_id, "ticker_id": IBM, "status": "ok", "origins": 0}])
            writes.update_run(connection, run_id, status="done")
            if days == 35:
                writes.record_event(connection, "training", "it diverged", at=NOW, run_id=run_id)
    before = record.rows("SELECT id FROM runs")
    with record.writing() as connection:
        assert writes.remove_run_tickers(connection, NOW - timedelta(days=30)) >= 2
        assert writes.remove_unused_runs(connection, NOW - timedelta(days=30)) == 1
    assert set(before) - set(record.rows("SELECT id FROM runs")) == {before[-3]}
    assert record.rows("SELECT run_id FROM run_tickers") == [before[-1]]
    assert record.rows("PRAGMA foreign_key_check") == []


def test_a_notice_goes_some_days_after_its_end(record: Record) -> None:
    ends = [None, NOW, NOW - timedelta(days=400)]
    with record.writing() as connection:
        rows = [
            {"kind": "late", "subject": str(i), "began_at": NOW, "message": "m", "ended_at": end} for i, end in enumerate(ends)
        ]
        writes.insert_mappings(connection, Notice, rows)
        assert writes.remove_ended_notices(connection, NOW - timedelta(days=365)) == 1
    assert record.rows("SELECT subject FROM notices WHERE subject <> 'IBM' ORDER BY 1") == [("0",), ("1",)]


def test_a_setting_that_keeps_fewer_checkpoints_holds_for_chains_that_have_ended_too(record: Record) -> None:
    with record.writing() as connection:
        before = connection.exec_driver_sql("SELECT count(*) FROM checkpoints").scalar_one()
        assert writes.prune_checkpoints(connection, None, 2) == 0
        removed = writes.prune_checkpoints(connection, None, 0)
    warm = "SELECT count(*) FROM checkpoints c JOIN models m ON m.id = c.model_id WHERE m.start = 'warm' AND m.role = 'chain'"
    assert (record.rows(warm), removed > 0) == ([(0,)], True)
    assert record.rows("SELECT count(*) FROM checkpoints") == [(before - removed,)]


@pytest.mark.sqlite_file
def test_the_newest_copies_before_upgrades_stay_and_files_of_other_names_too(make_home: Make) -> None:
    home = make_home("home", LEAST)
    names = [f"tickercast.db.000{i}.2025010{day}T000000.backup" for i, day in ((5, 3), (6, 2), (4, 4))]
    for name in (*names, "tickercast.db.mine.backup", "other.db.0005.20250101T000000.backup"):
        (home.folder / name).touch()
    assert kept_after(home, NOW) == ["2 upgrade backups"]
    assert sorted(path.name for path in home.folder.glob("*.backup")) == [
        "other.db.0005.20250101T000000.backup",
        "tickercast.db.0004.20250104T000000.backup",
        "tickercast.db.mine.backup",
    ]


def test_it_is_done_once_a_day_and_again_when_that_is_not_known(make_home: Make) -> None:
    assert STEPS["retention"] is retain_when_due
    home, day = make_home("home", ""), timedelta(days=1)
    assert retain_when_due(home, NOW) == NOW + day == retain_when_due(home, NOW + day / 2)
    assert next_retention(home, NOW - day) == NOW - day  # the clock went back
    (home.cache / "retention-done").unlink()
    assert retain_when_due(home, NOW + day / 2) == NOW + 1.5 * day
