"""What is worth a notice, when it ends, and what one message says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.builders import Record
from tickercast.jobs.clock import utc_minute
from tickercast.jobs.errors import SettingsError
from tickercast.jobs.monitoring import conditions
from tickercast.jobs.monitoring.conditions import changes, damage, next_late, outside_intervals, ticker_conditions
from tickercast.jobs.monitoring.messages import LONGEST_BODY, LONGEST_TITLE, message_of
from tickercast.jobs.workspace.limits import Limits
from tickercast.jobs.workspace.settings import read_settings
from tickercast.storage.errors import StoreUnavailable
from tickercast.storage.monitoring import TickerFacts
from tickercast.storage.notices import NewOutcome, NoticeRow
from tickercast.storage.reader import snapshot

FRIDAY, MONDAY = date(2026, 11, 20), date(2026, 11, 23)
NOW = datetime(2026, 11, 26, 23, tzinfo=UTC)
CLOSE = NOW - timedelta(hours=6, minutes=45)
FRESH = TickerFacts(
    id=1, symbol="AAPL", tracked=1, status="active", source="yahoo", exchange="XNYS", added_at=CLOSE, last_bar="2026-11-26",
    last_origin="2026-11-26", last_error=None, missed=0, missed_since=None, has_sessions=1, held_bars=0, held_since=None,
)  # fmt: skip
LATE = replace(FRESH, missed=1, missed_since=CLOSE)
ALMOST = replace(FRESH, missed=1, missed_since=CLOSE + timedelta(seconds=1))
FAILED_TWICE = replace(FRESH, failures=2, failing_since=CLOSE, failure="AAPL: no answer")
FAILED_THRICE = replace(FAILED_TWICE, failures=3)
HELD = replace(LATE, held_bars=2, held_since=CLOSE, status="held")
HOME = Path("home")


def begun(ticker: TickerFacts, *lasting: NoticeRow) -> list[str]:
    """Return the kinds of notices that begin for a ticker."""
    return [row.kind for row in changes(lasting, ticker_conditions([ticker], Limits(), NOW), NOW)[0]]


def ended(ticker: TickerFacts, kind: str) -> bool:
    """Return whether a notice that lasts has ended by what is known of its ticker."""
    return changes([row(kind, "AAPL")], ticker_conditions([ticker], Limits(), NOW), NOW)[1] != []


def row(kind: str, subject: str, **more: datetime) -> NoticeRow:
    return NoticeRow(kind, subject, CLOSE, f"{subject} {kind}: because", **more)


def rows(kind: str, count: int, **more: datetime) -> list[NoticeRow]:
    return [row(kind, f"T{number:03}", **more) for number in range(count)]


@pytest.mark.parametrize(
    ("ticker", "kinds"),
    [
        (FRESH, []),
        (LATE, ["late"]),
        (ALMOST, []),
        (FAILED_TWICE, []),
        (FAILED_THRICE, ["failing"]),
        (HELD, ["quarantined"]),
        (replace(FAILED_TWICE, missed=1, missed_since=CLOSE), ["late"]),
        (replace(FAILED_THRICE, missed=1, missed_since=CLOSE), ["failing"]),
        (replace(LATE, status="suspended"), []),
        (replace(LATE, status="too_short"), []),
        (replace(LATE, source="sample"), []),
        (replace(LATE, tracked=0), []),
        (replace(FRESH, has_sessions=0, added_at=NOW - timedelta(days=3)), []),
        (replace(FRESH, has_sessions=0, added_at=NOW - timedelta(days=5)), ["late"]),
    ],
)
def test_what_begins_for_a_ticker(ticker: TickerFacts, kinds: list[str]) -> None:
    assert begun(ticker) == kinds


def test_what_lasts_does_not_begin_again() -> None:
    assert begun(LATE, row("late", "AAPL")) == []
    assert begun(LATE, row("late", "MSFT"), row("failing", "AAPL")) == ["late"]


@pytest.mark.parametrize(
    ("kind", "ticker", "is_over"),
    [
        ("late", FRESH, True),
        ("late", ALMOST, False),
        ("late", replace(LATE, status="suspended"), False),
        ("late", replace(FAILED_THRICE, missed=2, missed_since=CLOSE), False),
        ("late", replace(LATE, tracked=0), True),
        ("failing", FAILED_TWICE, False),
        ("failing", LATE, True),
        ("quarantined", HELD, False),
        ("quarantined", LATE, True),
    ],
)
def test_what_ends_for_a_ticker(kind: str, ticker: TickerFacts, is_over: bool) -> None:
    assert ended(ticker, kind) == is_over


@pytest.mark.parametrize(
    ("dof", "realised_return", "is_told"),
    [
        (None, 0.0241, False),  # a normal's quantile of 99 % is 2.326 scales above its location
        (None, 0.0242, True),
        (None, -0.0223, False),
        (None, -0.0224, True),
        (5.0, 0.0345, False),  # and a Student-t's of 5 degrees 3.365
        (5.0, 0.0347, True),
    ],
)
def test_a_price_outside_of_its_98_percent_interval(dof: float | None, realised_return: float, is_told: bool) -> None:
    outcome = NewOutcome("IBM", "close", FRIDAY, MONDAY, CLOSE, 100.0, 0.0009, 0.01, dof, realised_return)
    found = list(outside_intervals([outcome]))
    assert bool(found) == is_told
    assert all(item.at == CLOSE for item in found)


def test_the_message_about_such_a_price() -> None:
    (found,) = outside_intervals([NewOutcome("IBM", "close", FRIDAY, MONDAY, CLOSE, 100.0, 0.0, 0.01, None, 0.05)])
    # 100 exp(0.05), and 100 exp(2.326348 * 0.01) with either sign
    assert found.message == (
        "IBM: the close of 2026-11-23 is 105.13, outside the 98 % interval 97.70 to 102.35, forecast from 2026-11-20"
    )


@pytest.mark.parametrize(
    ("failures", "known", "found"),
    [(0, set(), []), (1, set(), ["IBM"]), (0, {"IBM"}, ["IBM"]), (0, {"record"}, ["record"])],
)
def test_damage_is_looked_for_where_a_run_failed_and_lasts_until_it_is_mended(
    record: Record, failures: int, known: set[str], found: list[str]
) -> None:
    [(ticker_id, path)] = record.rows(
        "SELECT t.id, p.path FROM price_files p JOIN tickers t ON t.id = p.ticker_id WHERE t.symbol = 'IBM'"
    )
    (record.prices / path).write_bytes(b"no Parquet")
    facts = replace(FRESH, id=ticker_id, symbol="IBM", failures=failures)
    with snapshot(record.database) as connection:
        assert [item.subject for item in damage(connection, record.prices, [facts], known)] == found


def test_damage_that_is_known_lasts_while_the_store_of_prices_does_not_answer(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(_path: str) -> bytes:
        raise StoreUnavailable("away")

    monkeypatch.setattr(conditions, "price_store", lambda _address: SimpleNamespace(read=read))
    [(ticker_id,)] = record.rows("SELECT t.id FROM tickers t WHERE t.symbol = 'IBM'")
    failing = replace(FRESH, id=ticker_id, symbol="IBM", failures=1)
    with snapshot(record.database) as connection:
        found = list(damage(connection, record.prices, [failing], {"MSFT"}))
    assert [(item.subject, item.begins) for item in found] == [("MSFT", False)]


def test_the_next_look_is_when_the_next_ticker_becomes_late() -> None:
    assert next_late([FRESH, LATE, ALMOST], Limits(), NOW) == NOW + timedelta(seconds=1)
    assert next_late([FRESH, LATE], Limits(), NOW) is None


def test_500_failing_tickers_are_one_short_message_with_the_first_few_and_the_number() -> None:
    message = message_of([*rows("failing", 500), *rows("late", 2)], HOME)
    first, *others, home = message.body.splitlines()
    assert message.title == "Tickercast: 500 tickers failing, 2 tickers late"
    assert first == "500 tickers failing: T000, T001, T002, T003, T004 and 495 more. The first: T000 failing: because"
    assert others == ["T000 late: because", "T001 late: because"]
    assert home.startswith("Home: home on ")


@pytest.mark.parametrize(
    ("told", "title", "mood"),
    [
        ([row("late", "AAPL")], "AAPL late", "warning"),
        ([row("late", "AAPL", told_at=NOW, ended_at=NOW)], "AAPL no longer late", "success"),
        ([row("late", "AAPL", ended_at=NOW)], "AAPL late, AAPL no longer late", "success"),
        ([row("disk", "disk")], "disk short", "warning"),
        ([row("disk", "disk", told_at=NOW, ended_at=NOW)], "disk no longer short", "success"),
        ([row("late", "AAPL", told_at=NOW, ended_at=NOW), row("integrity", "IBM")],
         "IBM damaged, AAPL no longer late", "failure"),
        ([row("outside", "IBM", ended_at=CLOSE)], "IBM outside its 98 % interval", "warning"),
    ],
)  # fmt: skip
def test_the_title_and_the_mood_of_a_message(told: Sequence[NoticeRow], title: str, mood: str) -> None:
    message = message_of(told, HOME)
    assert (message.title, message.mood) == (f"Tickercast: {title}", mood)


def test_the_end_of_damage_names_what_is_still_damaged() -> None:
    over = row("integrity", "record", told_at=NOW, ended_at=NOW)
    last = [row("integrity", "record (deep check)", told_at=NOW), row("late", "AAPL", told_at=NOW)]
    began = f"record no longer damaged; it began at {utc_minute(CLOSE)}"
    assert message_of([over], HOME, last).body.splitlines()[0] == f"{began}; still damaged: record (deep check)"
    assert message_of([over], HOME).body.splitlines()[0] == began


def test_a_message_has_a_bounded_length() -> None:
    long = [replace(row(kind, "AAPL"), message="x" * 9999) for kind in ("late", "failing", "quarantined", "integrity", "disk")]
    message = message_of([*long, *(replace(one, ended_at=NOW) for one in long)], HOME)
    assert (len(message.title), len(message.body)) == (LONGEST_TITLE, LONGEST_BODY)


@pytest.mark.parametrize(
    "url", ["hook-token", "json:/hook-token", "json://", "json:// hook-token", "://hook-token", "json:///hook-token"]
)
def test_a_text_that_is_no_url_is_one_error_without_the_text(tmp_path: Path, url: str) -> None:
    (tmp_path / "tickercast.toml").write_text(f'[notices]\nurls = ["json://host/path", "{url}"]\n')
    with pytest.raises(SettingsError, match=r"^notices\.urls: URL 2 is none; write it like ") as refused:
        read_settings(tmp_path / "tickercast.toml", {})
    assert "token" not in str(refused.value)


@pytest.mark.parametrize("urls", ['"json://hook-token"', '["json://host/x", 3]', '[["hook-token"]]', '{ "hook-token" = 1 }'])
def test_urls_of_another_type_are_an_error_without_them(tmp_path: Path, urls: str) -> None:
    (tmp_path / "tickercast.toml").write_text(f"[notices]\nurls = {urls}\n")
    with pytest.raises(SettingsError, match=r"^notices\.urls") as refused:
        read_settings(tmp_path / "tickercast.toml", {})
    assert "token" not in str(refused.value)
