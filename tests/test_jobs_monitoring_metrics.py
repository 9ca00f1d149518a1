"""The metrics: their names, values and labels as Prometheus' own parser reads them, and the file for node_exporter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tests.home_states import BEATING, FAILING, FRESH, HELD, LATE, NOW, UNTRACKED, state
from tickercast.jobs.errors import UsageError
from tickercast.jobs.monitoring.backups import backup_name, newest_backup
from tickercast.jobs.monitoring.metrics import registry_of
from tickercast.jobs.monitoring.monitor import LatestState, write_metrics
from tickercast.jobs.monitoring.state import CONDITIONS, HomeState
from tickercast.jobs.monitoring.textfile import write_textfile
from tickercast.jobs.runs.backup import back_up
from tickercast.jobs.workspace.home import Home
from tickercast.jobs.workspace.limits import Limits, read_limits
from tickercast.jobs.workspace.place import Place
from tickercast.storage.errors import StorageError
from tickercast.storage.notices import NoticeRow

EVERYTHING = state(
    FRESH, LATE, FAILING, HELD, UNTRACKED, daemon=BEATING, is_alive=True, runs=(("daemon", "done", 5), ("run", "partial", 1)),
    forecasts=35, complete_run=NOW - timedelta(hours=2), backup=NOW - timedelta(hours=20),
)  # fmt: skip


def text_of(found: HomeState) -> str:
    return generate_latest(registry_of(lambda: found)).decode()


def values_of(text: str) -> dict[tuple[str, ...], float]:
    """Return the value of each sample by its name and the values of its labels."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


def unreadable() -> HomeState:
    raise StorageError("tickercast.db: disk I/O error")


def test_the_metrics_say_what_status_says() -> None:
    found = values_of(text_of(EVERYTHING))
    assert found["tickercast_tickers", "fresh"] == 1
    assert found["tickercast_tickers", "not_tracked"] == 1
    assert found["tickercast_sessions_behind", "LATE"] == 2
    assert found["tickercast_failed_runs_in_a_row", "FAIL"] == 3
    assert found["tickercast_quarantined_bars", "HELD"] == 2
    assert found["tickercast_runs", "daemon", "done"] == 5
    assert found[("tickercast_forecasts",)] == 35
    assert found[("tickercast_check_code",)] == 3
    assert found[("tickercast_daemon_up",)] == 1
    assert found[("tickercast_disk_free_bytes",)] == 50e9
    assert found[("tickercast_last_backup_timestamp_seconds",)] == NOW.timestamp() - 20 * 3600
    assert found[("tickercast_last_complete_run_timestamp_seconds",)] == NOW.timestamp() - 2 * 3600
    assert found[("tickercast_daemon_last_beat_timestamp_seconds",)] == NOW.timestamp() - 30


def test_lasting_notices_are_counted_by_kind_also_where_there_is_none() -> None:
    found = values_of(text_of(replace(EVERYTHING, lasting=(NoticeRow("backup", "backup", NOW, "none was made"),))))
    counts = {kind: value for (name, *labels), value in found.items() if name == "tickercast_lasting_notices" for kind in labels}
    assert counts == {"backup": 1, "integrity": 0, "disk": 0, "failing": 0, "late": 0, "quarantined": 0}


def test_every_metric_has_a_help_text_and_a_type() -> None:
    families = list(text_string_to_metric_families(text_of(EVERYTHING)))
    assert [family.name for family in families if not family.documentation or family.type != "gauge"] == []


def test_only_tracked_tickers_are_a_label_without_a_fixed_set_of_values() -> None:
    samples = [sample for family in text_string_to_metric_families(text_of(EVERYTHING)) for sample in family.samples]
    labels = {(name, value) for sample in samples for name, value in sample.labels.items()}
    assert {name for name, _ in labels} == {"condition", "kind", "status", "ticker"}
    assert {value for name, value in labels if name == "condition"} == {word.replace(" ", "_") for word in CONDITIONS}
    assert {value for name, value in labels if name == "ticker"} == {"AAPL", "LATE", "FAIL", "HELD"}


def test_what_is_unknown_has_no_sample() -> None:
    found = values_of(text_of(state(FRESH)))
    assert [name for name, *_ in found if "last_" in name or "next_" in name or "start" in name] == []


def test_a_symbol_is_escaped() -> None:
    odd = replace(FRESH, symbol='A"B\\C')
    assert ("tickercast_sessions_behind", 'A"B\\C') in values_of(text_of(state(odd)))


def test_a_database_that_cannot_be_read_is_the_only_metric() -> None:
    text = generate_latest(registry_of(unreadable)).decode()
    assert values_of(text) == {("tickercast_database_readable",): 0}


def test_the_textfile_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "tickercast.prom"
    path.write_text("old\n")
    write_textfile(path, lambda: EVERYTHING)
    assert values_of(path.read_text()) == values_of(text_of(EVERYTHING))
    assert [file.name for file in tmp_path.iterdir()] == ["tickercast.prom"]


def test_the_textfile_never_replaces_a_file_of_a_store(make_home: Callable[[str, str], Home]) -> None:
    home = make_home("home", "")
    before = home.database.read_bytes()
    with pytest.raises(UsageError, match="is a file of the home"):
        write_textfile(home.database, lambda: EVERYTHING)
    assert home.database.read_bytes() == before


def test_the_textfile_never_replaces_a_device(tmp_path: Path) -> None:
    link = tmp_path / "link.prom"
    link.symlink_to("/dev/null")
    with pytest.raises(UsageError, match="not a regular file"):
        write_textfile(link, lambda: EVERYTHING)
    assert Path("/dev/null").is_char_device()


def test_a_relative_textfile_begins_at_the_home(make_home: Callable[[str, str], Home]) -> None:
    home = make_home("home", '[monitor]\ntextfile = "out.prom"\n')
    assert write_metrics(home.place) is None
    assert values_of((home.folder / "out.prom").read_text())[("tickercast_daemon_up",)] == 0


def test_a_textfile_in_a_missing_folder_is_a_line(make_home: Callable[[str, str], Home]) -> None:
    home = make_home("home", '[monitor]\ntextfile = "missing/out.prom"\n')
    assert write_metrics(home.place) == f"{home.folder}/missing/out.prom: No such file or directory"


def test_a_textfile_whose_name_cannot_be_one_is_a_line(make_home: Callable[[str, str], Home]) -> None:
    home = make_home("home", '[monitor]\ntextfile = "a\\u0000b"\n')
    assert "null byte" in (write_metrics(home.place) or "")


def test_a_home_without_the_setting_has_no_textfile(record_place: Place) -> None:
    assert write_metrics(record_place) is None
    assert list(record_place.folder.glob("*.prom")) == []


@pytest.fixture
def record_place(make_home: Callable[[str, str], Home]) -> Place:
    return make_home("plain", "").place


def test_the_newest_backup_is_that_of_this_home_and_not_from_the_future(make_home: Callable[[str, str], Home]) -> None:
    home, other = make_home("home", ""), make_home("other", "")
    folder = home.folder.parent / "backups"
    folder.mkdir()
    for of, hours in ((home, 50), (home, 26), (other, 2), (home, -2)):
        at = NOW - timedelta(hours=hours)
        back_up(of, folder / backup_name(at), now=at)
    (folder / "tickercast-20269999T000000Z.tar").write_bytes(b"")
    (folder / backup_name(NOW)).write_bytes(b"no backup")
    assert newest_backup(home.place, folder, NOW) == NOW - timedelta(hours=26)
    assert newest_backup(home.place, folder / "missing", NOW) is None


@pytest.mark.parametrize(
    "line",
    [
        "port = nan", "port = inf", "port = true", f"port = 1{400 * '0'}", 'port = "many"', 'host = "no address"',
        "grace_minutes = nan", "grace_minutes = 1e300", "textfile = 3",
    ],
)  # fmt: skip
def test_a_wrong_value_leaves_the_monitor_as_it_is(make_home: Callable[[str, str], Home], line: str) -> None:
    home = make_home("home", "[monitor]\nport = 9464\ngrace_minutes = 30\n")
    read = LatestState(home.place, is_daemon=True)
    (home.folder / "tickercast.toml").write_text(f"[monitor]\n{line}\n")
    assert read().limits == Limits(port=9464, grace_minutes=30)


def test_a_default_stands_in_for_a_wrong_value_where_no_limits_precede(make_home: Callable[[str, str], Home]) -> None:
    folder = make_home("home", "").folder
    (folder / "tickercast.toml").write_text('[monitor]\nport = 9464\ngrace_minutes = nan\nhost = "no address"\n')
    assert read_limits(folder, {}) == Limits(port=9464)


def test_a_broken_settings_file_leaves_the_monitor_as_it_is(make_home: Callable[[str, str], Home]) -> None:
    home = make_home("home", "[monitor]\nport = 9464\n")
    read = LatestState(home.place, is_daemon=True)
    settings = home.folder / "tickercast.toml"
    settings.write_text("[monitor\n")
    assert read.limits().port == 9464
    settings.write_text("[monitor]\nport = 9465\n")
    assert read.limits().port == 9465
    settings.unlink()
    assert read.limits().port == 0
