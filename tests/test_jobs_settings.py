"""Settings, symbols and calendars: what shapes a forecast, what a ticker is, when a session counts."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from jobs.errors import SettingsError
from jobs.exchanges.calendars import CalendarError, exchange_calendar
from jobs.exchanges.symbols import SymbolRefused, exchange_of, parse_symbol
from jobs.workspace.config import PRESETS
from jobs.workspace.settings import Settings, known_keys, read_settings, settings_template


def settings_of(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> Settings:
    (tmp_path / "t.toml").write_text(text)
    return read_settings(tmp_path / "t.toml", environment or {})


def test_the_template_names_every_key_and_means_the_defaults(tmp_path: Path) -> None:
    template = settings_template()
    assert all(f"# {key.split('.')[1]} = " in template for key in known_keys())
    uncommented = "\n".join(line.removeprefix("# ") if " = " in line else line for line in template.splitlines()[2:])
    assert settings_of(tmp_path, uncommented).config() == settings_of(tmp_path, "").config() == PRESETS["density"]


def test_the_environment_overrides_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKERCAST_MODEL__HIDDEN", "9")
    assert settings_of(tmp_path, "[model]\nhidden = 5\nhorizons = 3\n").config().hidden == 9
    assert settings_of(tmp_path, "[model]\nhidden = 5\nhorizons = 3\n").config().horizons == 3


def test_the_config_hash_covers_the_model_and_the_training_only(tmp_path: Path) -> None:
    plain = settings_of(tmp_path, "").config().id
    assert settings_of(tmp_path, "[compute]\nworkers = 1\n[yahoo]\ntimeout_seconds = 5\n").config().id == plain
    assert settings_of(tmp_path, "[training]\nwarm_epochs = 3\n").config().id != plain


def test_a_history_too_short_for_its_window_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="history_sessions is 120"):
        settings_of(tmp_path, "[model]\nhistory_sessions = 120\n").config()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[model]\ncell = "rnn"\n', "model.cell"), ("[model]\nlayers = 4\n", "model.layers"),
        ('[training]\noptimizer = "lion"\n', "training.optimizer"), ("[training]\npatience = -1\n", "training.patience"),
    ],
)  # fmt: skip
def test_a_network_that_there_is_not_is_refused_by_its_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        settings_of(tmp_path, text)


@pytest.mark.parametrize(
    ("symbol", "exchange"),
    [
        ("BRK-B", "XNYS"), ("^GSPC", "XNYS"), ("EURUSD=X", "24/5"), ("BTC-USD", "24/7"), ("GC=F", "us_futures"),
        ("0700.HK", "XHKG"), ("M&M.NS", "XBOM"), ("^N225", "XTKS"), ("BMW.DE", "XETR"),
    ],
)  # fmt: skip
def test_odd_but_real_symbols_have_their_exchange(symbol: str, exchange: str) -> None:
    assert exchange_of(parse_symbol(symbol.lower())) == exchange
    assert exchange_calendar(exchange).is_session(date(2024, 3, 6))


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "../../x", "/etc/passwd", "A\\B", "A\0B", "%2e%2e", "-A", "--help", "@file", "=cmd", "A B", "A\n",
     "\uff21APL", "\u0410APL", "A\u200bB", "\u202eA", "\U0001f600", "A;B", "'", "A" * 33, "A" * 10_000_000],
    ids=lambda text: repr(text[:8]),
)  # fmt: skip
def test_texts_that_are_no_symbols_are_refused_in_a_short_line(text: str) -> None:
    with pytest.raises(SymbolRefused) as refused:
        parse_symbol(text)
    assert len(str(refused.value)) < 700
    assert str(refused.value).isprintable()


def test_a_session_counts_after_its_close_and_the_wait() -> None:
    calendar = exchange_calendar("XNYS")
    # 2026-11-27 closes early, at 13:00 in New York = 18:00 UTC; the 26th is Thanksgiving.
    assert calendar.last_closed_session(datetime(2026, 11, 27, 18, 44, tzinfo=UTC), 45) == date(2026, 11, 25)
    assert calendar.last_closed_session(datetime(2026, 11, 27, 18, 45, tzinfo=UTC), 45) == date(2026, 11, 27)


def test_targets_are_sessions_and_numbers_count_them() -> None:
    calendar = exchange_calendar("XNYS")
    assert calendar.shift(date(2026, 11, 25), 1) == date(2026, 11, 27)
    assert calendar.number(date(2026, 11, 27)) - calendar.number(date(2026, 11, 25)) == 1
    assert calendar.number(date(1980, 1, 2)) == 0


def test_a_day_that_is_no_session_has_no_number() -> None:
    with pytest.raises(CalendarError, match="no session"):
        exchange_calendar("XNYS").number(date(2026, 11, 26))
    with pytest.raises(CalendarError, match="no calendar"):
        exchange_calendar("NOWHERE")


def test_the_session_rows_are_the_calendars() -> None:
    rows = list(exchange_calendar("XNYS").rows(date(2024, 3, 8), date(2024, 3, 11)))
    assert [row["session"] for row in rows] == [date(2024, 3, 8), date(2024, 3, 11)]
    # The clocks changed on the Sunday between: 21:00 UTC, then 20:00.
    assert [row["close_at"].hour for row in rows] == [21, 20]
    assert np.diff([row["number"] for row in rows]).tolist() == [1]
