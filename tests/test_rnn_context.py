"""Inputs beside a ticker's own bars, against loops and arithmetic by hand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tickercast.rnn.context import AHEAD, REPORT_NAMES, reference_columns, report_columns

Z = np.random.default_rng(5).normal(0, 1.5, (2, 400))
REPORTS = np.array([30, 93, 155, 220, 281, 350, 402])


def columns_by_loops(z: NDArray[np.float64], reports: list[int]) -> NDArray[np.float64]:
    """Return (n, 11) for one ticker whose reports are known."""
    n, size = len(z), np.abs(z)
    weight, sized, day = np.zeros(n + 10), np.zeros(n + 10), np.zeros(n + 10)
    for report in reports:
        past = [p for p in reports if p + 1 < report and p >= 20 and p + 1 < n]
        after = (1 + sum(size[p + 1] > size[p] for p in past)) / (2 + len(past))
        excess = (7.5 + sum(min(max(size[p], size[p + 1]), 8) for p in past)) / (3 + len(past)) - 2.5
        day[report] = 1
        for place, share in ((report, 1 - after), (report + 1, after)):
            weight[place] += share
            sized[place] += share * excess
    rows = [[*weight[t : t + 6], day[t], day[t + 1], sized[t + 1], sum(sized[t + 1 : t + 6]), 1] for t in range(n)]
    return np.array(rows)


def test_report_columns_are_those_of_plain_loops() -> None:
    columns = report_columns([REPORTS, None], Z, 20)
    assert columns.shape == (2, 400, len(REPORT_NAMES))
    assert np.allclose(columns[0], columns_by_loops(Z[0], REPORTS.tolist()))


def test_where_no_reports_are_known_every_column_is_zero() -> None:
    assert not report_columns([REPORTS, None], Z, 20)[1].any()


def test_a_ticker_has_the_same_columns_alone_and_with_another() -> None:
    alone = report_columns([REPORTS[:3]], Z[1:], 20)
    assert np.array_equal(alone[0], report_columns([REPORTS, REPORTS[:3]], Z, 20)[1])


def test_returns_after_a_session_do_not_change_its_columns() -> None:
    changed = Z.copy()
    changed[:, 301:] *= 7
    before, after = (report_columns([REPORTS, None], z, 20)[0, :301] for z in (Z, changed))
    assert np.array_equal(before, after)


def test_a_report_counts_from_five_sessions_before_it() -> None:
    columns = report_columns([np.array([200])], Z[:1], 20)[0]
    assert not columns[200 - AHEAD - 1, :-1].any()
    assert columns[200 - AHEAD, AHEAD] == 0.5


def test_the_reference_is_the_log_of_its_daily_volatility_over_the_tickers() -> None:
    columns = reference_columns(np.array([[np.sqrt(252.0) * 2, np.nan]]), np.array([[0.01, 0.01]]))
    assert np.allclose(columns[0], [[np.log(2) + 0.4, 1], [0, 0]])


def test_more_reports_of_another_ticker_change_no_byte() -> None:
    few, many = np.array([40, 110, 173, 240]), np.arange(25, 390, 30)
    assert np.array_equal(report_columns([few, many], Z, 20)[0], report_columns([few, few], Z, 20)[0])
