"""The tables of forecast, skill, status and explain, line by line, from rows as the views give them."""

from __future__ import annotations

import io
from datetime import date

import pytest

from tests.home_states import state
from tickercast.jobs.analysis.explain import ExplainedChange, Explanation
from tickercast.jobs.cli.bar_table import bar_table, between
from tickercast.jobs.cli.explain_table import explain_table
from tickercast.jobs.cli.forecast_table import forecast_table
from tickercast.jobs.cli.skill_table import BEST_FIRST, check_sort, ordered, skill_table, usual_mode
from tickercast.jobs.cli.status_table import status_table
from tickercast.jobs.cli.ticker_table import ticker_table
from tickercast.jobs.errors import UsageError
from tickercast.jobs.terminal.tables import Table, write_table
from tickercast.storage.reader import Rows

FORECAST_COLUMNS = (
    "ticker", "target", "horizon", "last_price", "q05", "q50", "q95", "mode", "currency", "width_percent", "sessions_behind",
)  # fmt: skip
FORECASTS = Rows(
    FORECAST_COLUMNS,
    [
        ("AAPL", "2026-11-27", 1, 311.3, 303.11, 312.08, 320.9, "live", "USD", 5.715, 0),
        ("AAPL", "2026-11-30", 2, 311.3, 299.5, 312.2, 325.0, "live", "USD", 8.191, 0),
        ("EURUSD=X", "2026-11-27", 1, 1.0843, 1.0791, 1.0845, 1.0902, "backfill", "USD", 1.024, 12),
    ],
).records()
SKILL_COLUMNS = (
    "ticker", "horizon", "mode", "n", "crps", "baseline_crps", "crps_skill", "coverage_80", "p_adjusted", "verdict",
)  # fmt: skip
SKILL = Rows(
    SKILL_COLUMNS,
    [
        ("*", 1, "*", 310, 0.00905, 0.00915, 0.0109, 0.8143, 0.0004, "better"),
        ("*", 1, "backfill", 249, 0.0088, 0.0089, 0.0112, 0.8101, 0.0, "better"),
        ("*", 1, "live", 61, 0.0099, 0.0098, -0.0102, 0.78, 0.4123, "not distinguishable"),
        ("AAPL", 1, "*", 310, 0.00652, 0.00655, 0.0046, 0.84, 0.519, "not distinguishable"),
        ("AAPL", 1, "backfill", 249, 0.0065, 0.0066, 0.0152, 0.84, 0.03, "better"),
        ("AAPL", 1, "live", 61, 0.0071, 0.007, -0.0143, 0.79, None, "not distinguishable"),
        ("AAPL", 2, "live", 60, 0.0101, 0.01, -0.01, 0.79, None, "not distinguishable"),
    ],
).records()


def lines(table: Table) -> list[str]:
    """Return the lines that a pipe gets."""
    stream = io.StringIO()
    write_table(table, stream)
    return stream.getvalue().splitlines()


def test_forecast_shows_a_row_a_ticker_in_prices_and_percent() -> None:
    table = forecast_table([FORECASTS[0], FORECASTS[2]], {("AAPL", 1): 4.4, ("EURUSD=X", 1): 2.0}, 1)
    assert lines(table) == [
        "ticker    target      last price  median      5-95 % range    in percent  width  mode      behind",
        "AAPL      2026-11-27  311.30 USD  312.08  303.11 to 320.90  -2.6 to +3.1   1.3x  live           0",
        "EURUSD=X  2026-11-27  1.0843 USD  1.0845  1.0791 to 1.0902  -0.5 to +0.5   0.5x  backfill      12",
    ]
    assert table.notes == ()
    assert table.hints == ("1 session ahead, mode backfill, live; --horizon N and --all-horizons show others",)


def test_forecast_shows_all_horizons_with_a_column_for_them() -> None:
    table = forecast_table(FORECASTS[:2], {}, None)
    assert lines(table) == [
        "ticker  target      ahead  last price  median      5-95 % range    in percent  width  mode  behind",
        "AAPL    2026-11-27      1  311.30 USD  312.08  303.11 to 320.90  -2.6 to +3.1         live       0",
        "AAPL    2026-11-30      2  311.30 USD  312.20  299.50 to 325.00  -3.8 to +4.4         live       0",
    ]


def test_skill_shows_all_tickers_together_first_and_then_the_live_scores_of_each() -> None:
    assert usual_mode(SKILL) == "live"
    assert lines(skill_table(SKILL, horizon=1, mode="live", sort=BEST_FIRST, limit=None)) == [
        "ticker  ahead  mode        n  CRPS bp  walk bp  skill %  in 80 %        p  verdict",
        "*           1  all       310     90.5     91.5    +1.09     81.4  < 0.001  better",
        "*           1  backfill  249     88.0     89.0    +1.12     81.0  < 0.001  better",
        "*           1  live       61     99.0     98.0    -1.02     78.0    0.412  not distinguishable",
        "AAPL        1  live       61     71.0     70.0    -1.43     79.0           not distinguishable",
    ]


def test_all_modes_together_are_not_shown_beside_the_only_one() -> None:
    rows = [row for row in SKILL if row["mode"] != "live"]
    assert usual_mode(rows) == "backfill"
    assert [
        line.split()[:3] for line in lines(skill_table(rows, horizon=1, mode="backfill", sort=BEST_FIRST, limit=None))[1:]
    ] == [
        ["*", "1", "backfill"],
        ["AAPL", "1", "backfill"],
    ]


def test_skill_of_named_tickers_has_every_horizon_and_mode() -> None:
    named = [row for row in SKILL if row["ticker"] == "AAPL"]
    assert len(lines(skill_table(named, horizon=None, mode=None, sort=None, limit=None))) == 1 + 4


@pytest.mark.parametrize(
    ("error", "hints"),
    [(None, 0), ("MSFT: Yahoo returned no bars; stored bars stay; retry", 1)],
)
def test_status_says_where_the_whole_error_is(error: str | None, hints: int) -> None:
    columns = ("ticker", "status", "last_bar", "last_origin", "sessions_behind", "last_error", "tracked", "held_bars")
    table = status_table(state(), Rows(columns, [("MSFT", "active", "2026-11-24", None, None, error, 1, 0)]).records())
    assert lines(table)[0] == "ticker  status  tracked  last bar    last origin  behind  held  last error"
    assert lines(table)[1].split("  ")[0] == "MSFT"
    assert len(table.hints) == hints


def test_tickers_are_listed_with_words_and_one_line_of_error() -> None:
    columns = ("ticker", "tracked", "status", "source", "exchange", "currency", "price_basis", "last_error", "kind")
    rows = [
        ("MSFT", 1, "active", "yahoo", "XNYS", "USD", "as_traded", None, "stock"),
        ("KO", 0, "held", "folder", "XNYS", "USD", None, "x y", None),
    ]
    table = ticker_table(Rows(columns, rows).records())
    assert lines(table) == [
        "ticker  tracked  status  kind   source  exchange  currency  price basis  last error",
        "MSFT    yes      active  stock  yahoo   XNYS      USD       as_traded",
        "KO      no       held           folder  XNYS      USD                    x y",
    ]
    assert ticker_table([]).notes[0].startswith("no tickers yet; ")


def bar(day: int, close: float, dividend: float = 0.0, split: float = 1.0) -> tuple[object, ...]:
    return (
        f"2026-03-{day:02}",
        close - 1,
        close + 1,
        close - 2,
        close,
        1200,
        dividend,
        split,
        "2026-03-30T21:00:00.000000Z",
        "yahoo",
    )


BAR_COLUMNS = ("session", "open", "high", "low", "close", "volume", "dividend", "split", "recorded_at", "source")


def test_bars_show_dividends_and_splits_only_where_there_are_any() -> None:
    table = bar_table(Rows(BAR_COLUMNS, [bar(6, 100.0), bar(9, 25.5, 0.25, 4.0)]), None)
    assert lines(table) == [
        "session      open    high    low   close  volume  dividend  split  recorded_at                  source",
        "2026-03-06  99.00  101.00  98.00  100.00    1200                   2026-03-30T21:00:00.000000Z  yahoo",
        "2026-03-09  24.50   26.50  23.50   25.50    1200    0.2500      4  2026-03-30T21:00:00.000000Z  yahoo",
    ]
    assert table.notes == ()


def test_a_table_of_bars_has_the_last_twenty_and_says_so() -> None:
    rows = Rows(BAR_COLUMNS, [bar(1 + i, 100.0) for i in range(21)])
    assert [line[:10] for line in lines(bar_table(rows, None))[1:]] == [f"2026-03-{day:02}" for day in range(2, 22)]
    assert bar_table(rows, None).notes[0].startswith("the last 20 of 21 bars; ")
    assert (len(bar_table(rows, 30).rows), bar_table(rows, 30).notes) == (21, ())


def test_bars_of_a_span_include_both_ends() -> None:
    rows = Rows(BAR_COLUMNS, [bar(1 + i, 100.0) for i in range(21)])
    found = between(rows, date(2026, 3, 3), date(2026, 3, 5))
    assert [row[0] for row in found.rows] == ["2026-03-03", "2026-03-04", "2026-03-05"]
    assert between(rows, None, None).rows == rows.rows


RANKED = Rows(
    ("ticker", "crps_skill", "p_adjusted"),
    [("*", 0.5, 0.5), ("A", 0.01, None), ("B", 0.03, 0.4), ("C", -0.02, 0.001), ("*", 0.1, 0.1)],
).records()


@pytest.mark.parametrize(
    ("sort", "limit", "tickers"),
    [
        (None, None, "**ABC"), (None, 1, "**A"), ("crps_skill", None, "**CAB"), ("crps_skill:desc", 2, "**BA"),
        ("p_adjusted", None, "**CBA"), ("p_adjusted:desc", None, "**BCA"), ("ticker:desc", None, "**CBA"),
    ],
)  # fmt: skip
def test_tickers_are_sorted_and_limited_below_the_summary(sort: str | None, limit: int | None, tickers: str) -> None:
    assert "".join(row["ticker"] for row in ordered(RANKED, sort, limit)) == tickers


def test_a_sort_column_that_is_none_is_named_with_those_there_are() -> None:
    assert check_sort("n:desc") == "n:desc"
    with pytest.raises(UsageError, match=r"view skill has no column 'crps_skil'; it has ticker, horizon, .*crps_skill"):
        check_sort("crps_skil")


def explained(before: float, restated: float, bar: float, weights: float, *, trained: bool = True) -> Explanation:
    width = ExplainedChange(1, "width", before, restated, bar, weights, before + restated + bar + weights)
    location = ExplainedChange(1, "location", 0.0004, 0.0, -3e-7, 0.0, 0.0004 - 3e-7)
    scale = ExplainedChange(1, "scale", 0.01, 0.0, 0.001, 0.0, 0.011)
    days = (date(2026, 11, 24), date(2026, 11, 25))
    return Explanation("AAPL", days, [scale, location, width], trained, "warm" if trained else "no epochs")


def test_explain_says_in_percent_what_made_the_range_wider() -> None:
    assert lines(explain_table(explained(0.027, 0.0, 0.005, -0.001))) == [
        "AAPL: one session after 2026-11-25, the 5-95 % range is 3.10 % wide, 0.40 points wider than after 2026-11-24: "
        "the new bar adds 0.50, new weights take 0.10, nothing comes from restated bars; trained at 2026-11-25: warm.",
        "",
        "ahead  percent       before  restated bars  new bar  new weights     now",
        "    1  location      0.0400              0   -3e-05            0  0.0400",
        "    1  5-95 % range  2.7000              0  +0.5000      -0.1000  3.1000",
    ]


def test_explain_never_shows_a_change_as_zero() -> None:
    text = "\n".join(lines(explain_table(explained(0.027, 1e-6, -2e-7, -1e-9, trained=False))))
    assert "less than 0.01 points wider or narrower" in text
    assert "restated bars add less than 0.01, the new bar takes less than 0.01, new weights take less than 0.01" in text
    assert "not trained since: no epochs." in text
    assert "0.0000" not in text
