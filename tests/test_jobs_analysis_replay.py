"""Replay: a stored forecast is computed again to the same bytes, whatever was learned of its bars since."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Command
from tests.forecast_builders import PRIOR_SETTINGS, day_by_day, in_one_go, ten_sessions
from tests.price_builders import day_of, sample_bars, write_csv
from tests.price_homes import PriceHome
from tickercast.jobs.analysis.replay import DIFFERS, EQUAL, replay_model, replay_sample, summary_of
from tickercast.jobs.errors import UsageError
from tickercast.jobs.prices.tickers import track
from tickercast.jobs.workspace.home import Home
from tickercast.storage.bars import Bars
from tickercast.storage.errors import Corrupt

pytestmark = pytest.mark.slow
Make = Callable[[str, str], Home]


def changed(home: Home, statement: str) -> None:
    """Change rows, which no trigger then refuses."""
    connection = sqlite3.connect(home.database)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f'DROP TRIGGER "{name}"')
    connection.execute(statement)
    connection.commit()
    connection.close()


def other_close(bars: Bars, session: str) -> Bars:
    """Return the bars with another close of one session."""
    close = bars.close.copy()
    index = int(np.searchsorted(bars.session, np.datetime64(session)))
    close[index] = bars.low[index] * 1.0005
    return replace(bars, close=close)


def results(home: Home) -> Counter[str]:
    return Counter(row.result for row in replay_sample(home, None, 0))


def test_every_forecast_of_a_backfill_is_computed_again_to_the_same_bytes(make_home: Make) -> None:
    """The ten sessions have cold starts without a prior, one on schedule from a new prior, and warm starts of both kinds."""
    home = in_one_go(make_home("home", PRIOR_SETTINGS), ten_sessions())
    found = replay_sample(home, None, 0)
    assert summary_of(found) == "30 sessions replayed: 30 equal"
    assert max(row.steps for row in found) > 2
    assert [row.origin for row in replay_model(home, found[0].model_id[:10])] == [found[0].origin]
    assert len(replay_sample(home, 7, 1)) == 7


def test_every_forecast_of_daily_runs_is_computed_again_to_the_same_bytes(make_home: Make) -> None:
    assert results(day_by_day(make_home("home", PRIOR_SETTINGS), ten_sessions())) == {EQUAL: 30}


def test_a_chain_that_began_before_earlier_sessions_were_backfilled_is_computed_again_from_its_beginning(make_home: Make) -> None:
    home = in_one_go(make_home("home", PRIOR_SETTINGS), ten_sessions()[5:])
    in_one_go(home, ten_sessions()[:5])
    assert summary_of(replay_sample(home, None, 0)) == "30 sessions replayed: 30 equal"


def test_a_bar_that_was_restated_later_changes_no_replay(price_home: Callable[..., PriceHome], tmp_path: Path) -> None:
    bars, folder = sample_bars("IBM", "2011-01-03"), tmp_path / "own"
    days = [day_of(text) for text in ("2012-06-08", "2012-06-11", "2012-06-12")]
    made = price_home()
    write_csv(folder, "IBM", bars.through(days[0]))
    track(made.home, made.engine, ["IBM"], source=f"folder:{folder}", adjustment="as_traded")
    made.run(days[0])
    for day in days[1:]:
        write_csv(folder, "IBM", other_close(bars.through(day), "2012-05-03"))
        made.run(day)
    assert made.rows("restatement", "session") == [("2012-05-03",)]
    assert results(made.home) == {EQUAL: 3}


@pytest.mark.parametrize(
    "statement",
    ["UPDATE forecasts SET q95 = q95 * 1.0000001", "UPDATE models SET id = 'f' || substr(id, 2) WHERE role = 'chain'"],
)
def test_a_changed_number_or_model_is_found(make_home: Make, statement: str) -> None:
    home = in_one_go(make_home("home", PRIOR_SETTINGS), ten_sessions()[:1])
    changed(home, statement)
    found = replay_sample(home, None, 0)
    assert {row.result for row in found} == {DIFFERS}
    with pytest.raises(Corrupt, match="3 sessions replayed: 3 differs"):
        summary_of(found)


def test_a_number_that_is_no_model_is_a_usage_error(make_home: Make) -> None:
    home = in_one_go(make_home("home", PRIOR_SETTINGS), ten_sessions()[:1])
    with pytest.raises(UsageError, match="zzz: no model of a stored forecast has such an id"):
        replay_model(home, "zzz")


def test_the_command_prints_each_session_and_how_many_were_equal(tickercast: Command) -> None:
    span = ("--source", "sample", "--start", "2012-11-01", "--end", "2012-11-05", "--workers", 1)
    assert tickercast("backfill", "IBM", *span, TICKERCAST_MODEL__HISTORY_SESSIONS="260").returncode == 0
    done = tickercast("replay", "--all", "--sample", 2, "--format", "csv", TICKERCAST_MODEL__HISTORY_SESSIONS="260")
    assert (done.returncode, done.stderr) == (0, "2 sessions replayed: 2 equal\n")
    assert done.stdout.splitlines()[0] == "ticker,origin,model_id,steps,result,detail"
    assert tickercast("replay").returncode == tickercast("replay", "abc", "--all").returncode == 2
