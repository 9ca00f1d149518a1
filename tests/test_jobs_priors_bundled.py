"""The bundled priors: a ticker forecasts the same whoever else is there, none knows its cutoff or later, bars make the files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Command
from tests.forecast_builders import hash_of, moved, sample, scrambled_after, sessions, ticker_rows
from tests.price_builders import write_csv
from tickercast.jobs.analysis.prior_list import list_priors
from tickercast.jobs.analysis.views import prior_notices
from tickercast.jobs.exchanges.calendars import exchange_calendar
from tickercast.jobs.forecasting.tasks import newest_prior
from tickercast.jobs.prices.tickers import track
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.runs.bundle import BundledPrior, as_prior, bundled_priors, matching_priors, mismatch
from tickercast.jobs.runs.daily import run_once
from tickercast.jobs.runs.refit import FIT_CONFIG, refit_bundled
from tickercast.jobs.workspace.config import BUNDLE, PRESETS
from tickercast.jobs.workspace.home import Home
from tickercast.rnn.checkpoints import state_from_bytes
from tickercast.rnn.density import density_shape
from tickercast.rnn.features import NAMES
from tickercast.storage.database import open_writer, reading
from tickercast.storage.verify import find_problems

CONFIG = PRESETS["density"]
MANIFESTS = {
    1: "a3c42feabd3cf1186740f7a8106e57044326e9509dc622c98c223c540071ea25",
    2: "ca361f50730e553ef5e269b6ec3ae9ef1d93f93d970c6f7f19989d212832a519",
}  # by version
SETTINGS = "[model]\nhistory_sessions = 260\n[training]\ntune_epochs = 1\n"
FEW = ("AAPL", "GOOG", "IBM", "MSFT")
Make = Callable[[str, str], Home]
OF_ORIGIN = "FROM baseline_forecasts b JOIN origins o ON o.id = b.origin_id JOIN tickers t ON t.id = o.ticker_id"
OF_TWIN = "WHERE b.name = 'cold twin' AND t.symbol = 'IBM'"
TWINS = f"SELECT o.origin, b.horizon, b.location, b.scale, b.dof {OF_ORIGIN} {OF_TWIN}"
SHOWN = "SELECT ticker, horizon, n, crps, twin_crps, gain FROM warm_start WHERE ticker = 'IBM' ORDER BY horizon"
COMPARED = f"""SELECT avg(s.crps), avg(b.crps) {OF_ORIGIN} JOIN scored_forecast s ON s.ticker = t.symbol
AND s.origin = o.origin AND s.horizon = b.horizon {OF_TWIN} GROUP BY b.horizon ORDER BY b.horizon"""


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a folder source of a few tickers, whose real prices of earlier years stand on sessions up to February 2016."""
    folder = tmp_path_factory.mktemp("feed")
    for ticker in FEW:
        write_csv(folder, ticker, moved(sample(ticker)))
    return f"folder:{folder}"


def backfilled(home: Home, feed: str, *tickers: str, days: tuple[str, str] = ("2015-12-28", "2016-01-08"), **options: Any) -> str:
    first, last = (date.fromisoformat(day) for day in days)
    engine = open_writer(home.database)
    request = BackfillRequest(tickers, first, last, source=feed, adjustment="as_traded", **{"workers": 1, **options})
    told = backfill_span(home, engine, request)
    engine.dispose()
    return told


def test_every_file_is_the_one_of_its_manifest_and_a_changed_one_needs_a_new_version() -> None:
    folder = Path(__file__).parent.parent / "jobs" / "forecasting" / "bundled"
    manifest = (folder / "manifest.json").read_bytes()
    assert json.loads(manifest)["version"] == BUNDLE
    assert hashlib.sha256(manifest).hexdigest() == MANIFESTS[BUNDLE]
    stated = {prior.file: prior.sha256 for prior in bundled_priors()}
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.npz")} == stated


@pytest.mark.parametrize("prior", bundled_priors(), ids=lambda prior: prior.file)
def test_a_bundled_prior_read_enough_bars_before_its_cutoff_alone_and_has_the_default_network(prior: BundledPrior) -> None:
    assert all(bars >= 300 and last < prior.cutoff for _, bars, last, _ in prior.members)
    assert len(prior.members) > 20
    state, meta = state_from_bytes(prior.content())
    assert state.shape == density_shape(len(NAMES), CONFIG.hidden, CONFIG.horizons, CONFIG.cell, CONFIG.layers)
    assert meta == {"family": prior.family, "cutoff": prior.cutoff.isoformat()}
    assert mismatch(prior, CONFIG) is None


@pytest.mark.parametrize(
    ("origin", "cutoff"),
    [
        ("2014-12-31", None), ("2015-01-01", None), ("2015-01-02", "2015-01-01"), ("2015-12-31", "2015-01-01"),
        ("2016-01-01", "2015-01-01"), ("2016-01-04", "2016-01-01"), ("2024-03-01", "2024-01-01"), ("2024-03-04", "2024-03-01"),
        ("2035-01-01", "2024-03-01"),
    ],
)  # fmt: skip
def test_an_origin_has_the_newest_prior_whose_cutoff_is_before_it(origin: str, cutoff: str | None) -> None:
    by_id = {as_prior(prior, CONFIG).model_id: str(prior.cutoff) for prior in bundled_priors()}
    found = newest_prior([as_prior(prior, CONFIG) for prior in matching_priors(CONFIG)], date.fromisoformat(origin), "stock")
    assert (by_id[found.model_id] if found else None) == cutoff


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"cell": "lstm"}, "cell lstm"), ({"hidden": 8}, "hidden 8"), ({"layers": 2}, "layers 2"),
        ({"horizons": 3}, "horizons 3"),
        ({"field": "open"}, "field open"),
    ],
)  # fmt: skip
def test_a_bundled_prior_serves_only_configs_of_its_own_network(changed: dict[str, Any], said: str) -> None:
    other = replace(CONFIG, **changed)
    assert matching_priors(other) == ()
    assert mismatch(bundled_priors()[0], other) == said


@pytest.mark.slow
def test_equal_bars_give_equal_files_and_bars_from_the_cutoff_on_change_nothing(tmp_path: Path) -> None:
    small = replace(FIT_CONFIG, prior_steps=2, prior_sessions=350)
    cutoff, rng = date(2012, 6, 1), np.random.default_rng(0)
    plain = {ticker: sample(ticker).select(slice(-800, None)) for ticker in ("IBM", "MSFT")}
    later = {ticker: scrambled_after(bars, cutoff - timedelta(days=1), rng) for ticker, bars in plain.items()}
    earlier = {ticker: scrambled_after(bars, cutoff - timedelta(days=9), rng) for ticker, bars in plain.items()}
    files = []
    for name, bars in {"a": plain, "b": plain, "later": later, "earlier": earlier}.items():
        for ticker, series in bars.items():
            write_csv(tmp_path / name, ticker, replace(series, split=np.ones(len(series)), dividend=np.zeros(len(series))))
        told = refit_bundled(
            tmp_path / f"out-{name}", source=f"folder:{tmp_path / name}", adjustment="split", cutoffs=[cutoff], workers=1,
            config=small,
        )  # fmt: skip
        assert told.startswith("1 priors of 2 tickers")
        files.append({path.name: path.read_bytes() for path in (tmp_path / f"out-{name}").iterdir()})
    assert files[0] == files[1]
    assert files[0] == files[2]
    assert files[0]["stock-2012-06-01.npz"] != files[3]["stock-2012-06-01.npz"]


@pytest.mark.slow
def test_a_home_of_one_ticker_of_two_and_of_four_give_a_ticker_the_same_bytes(make_home: Make, feed: str) -> None:
    alone, pair, all_four = (make_home(name, SETTINGS) for name in ("alone", "pair", "four"))
    backfilled(alone, feed, "IBM")
    backfilled(pair, feed, "MSFT", days=("2015-12-28", "2015-12-30"))
    backfilled(pair, feed, "IBM", "MSFT")
    backfilled(all_four, feed, *FEW, workers=2)
    assert ticker_rows(alone, "IBM") == ticker_rows(pair, "IBM") == ticker_rows(all_four, "IBM")
    assert len(ticker_rows(alone, "IBM")) > 40
    assert ticker_rows(pair, "MSFT") == ticker_rows(all_four, "MSFT")


@pytest.mark.slow
def test_daily_is_backfill_across_a_cutoff_and_a_chain_keeps_its_prior(make_home: Make, feed: str) -> None:
    days, cold = sessions("2015-12-29", "2016-01-12"), date(2016, 1, 8)
    # Of these sessions the index of one alone is divisible by its own.
    settings = SETTINGS + f"cold_every = {exchange_calendar('XNYS').session_index(cold)}\n"
    source = f'[source]\nkind = "folder"\npath = "{feed[7:]}"\nadjustment = "as_traded"\n'
    once, daily = make_home("once", settings), make_home("daily", source + settings)
    told = backfilled(once, feed, "IBM", "MSFT", days=(days[0].isoformat(), days[-1].isoformat()))
    assert "prior: bundled stock 2015-01-01 to 2016-01-01 (95 members)" in told
    engine = open_writer(daily.database)
    track(daily, engine, ["IBM", "MSFT"])
    for day in days:
        run_once(daily, engine, now=datetime.combine(day, time(23), UTC), workers=1)
    engine.dispose()
    assert hash_of(once) == hash_of(daily)
    with reading(once.database) as connection:
        lineage = connection.exec_driver_sql(
            "SELECT DISTINCT m.origin, p.cutoff FROM model_lineage m JOIN prior p ON p.model_id = m.prior_id "
            "WHERE m.role = 'chain' ORDER BY 1"
        ).fetchall()
        shown = connection.exec_driver_sql("SELECT cutoff, kind, family, member_count, diverged FROM prior ORDER BY 1").fetchall()
        problems = find_problems(connection, once.prices)
    assert [tuple(row) for row in lineage] == [(day.isoformat(), "2016-01-01" if day >= cold else "2015-01-01") for day in days]
    assert shown == [("2015-01-01", "bundled", "stock", 95, 0), ("2016-01-01", "bundled", "stock", 95, 0)]
    assert problems == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "cold_every", "days", "said"),
    [
        ("gru", 0, ("2016-01-07", "2016-01-08"), "; prior: bundled stock 2016-01-01 (95 members)"),
        ("lstm", 0, ("2016-01-07", "2016-01-08"), "; no bundled prior for cell lstm: cold starts begin from scratch"),
        ("gru", 0, ("2014-12-30", "2014-12-31"), "; no bundled prior before 2015-01-02: cold starts begin from scratch"),
        ("gru", 0, ("2014-12-31", "2015-01-02"), "; no bundled prior before 2015-01-02: cold starts begin from scratch"),
        (
            "gru",
            1,
            ("2014-12-31", "2015-01-02"),
            "; prior: bundled stock 2015-01-01 (95 members), from scratch before 2015-01-02",
        ),
    ],
)
def test_the_closing_line_says_which_prior_served(
    make_home: Make, tmp_path: Path, cell: str, cold_every: int, days: tuple[str, str], said: str
) -> None:
    write_csv(tmp_path / "csv", "IBM", moved(sample("IBM"), last=days[1], count=200))
    model = f'[model]\nhistory_sessions = 140\ncell = "{cell}"\n'
    home = make_home("home", f"{model}[training]\ncold_epochs = 1\ncold_every = {cold_every}\n")
    told = backfilled(home, f"folder:{tmp_path / 'csv'}", "IBM", days=days)
    assert said in told
    assert told.count("prior") == 1


@pytest.mark.slow
def test_the_list_says_which_prior_serves_which_ticker(make_home: Make, feed: str) -> None:
    home, other = make_home("home", SETTINGS), make_home("other", "[model]\nhidden = 8\n")
    backfilled(home, feed, "IBM", "MSFT", days=("2016-01-07", "2016-01-07"))
    rows = {(row.family, row.cutoff): row for row in list_priors(home, date(2016, 1, 8))}
    assert len(rows) == len(bundled_priors())
    assert {row.cutoff: row.serves for row in rows.values() if row.serves} == {"2016-01-01": "IBM,MSFT"}
    row = rows["stock", "2016-01-01"]
    assert (row.kind, row.members) == ("bundled", 95)
    assert {row.serves for row in list_priors(other, date(2016, 1, 8))} == {"no config of hidden 8"}


@pytest.mark.slow
def test_the_command_fits_the_files_of_any_folder_and_says_what_it_needs(tickercast: Command, tmp_path: Path) -> None:
    for ticker in ("IBM", "MSFT"):
        write_csv(tmp_path / "csv", ticker, sample(ticker).select(slice(-700, None)))
    fit = ("prior", "fit", "--bundled", "--source", "folder:csv", "--adjustment", "split", "--workers", 1)
    done = tickercast(*fit, "--cutoff", "2012-01-01", "--cutoff", "2012-06-01", "--out", "made")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "2 priors of 2 tickers are in made; 0 of them equal the shipped ones byte for byte\n"
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == [
        "manifest.json", "stock-2012-01-01.npz", "stock-2012-06-01.npz"
    ]  # fmt: skip
    early, unsaid = tickercast(*fit, "--cutoff", "2010-06-01", "--out", "none"), tickercast("prior", "fit", "--source", "sample")
    assert (early.returncode, unsaid.returncode) == (2, 2)
    assert "cutoff 2010-06-01: no tickers of one kind have enough bars just before it; nothing was written" in early.stderr
    assert not (tmp_path / "none").exists()
    assert "add --bundled --source folder:PATH" in unsaid.stderr


@pytest.mark.slow
def test_a_twin_is_what_a_cold_start_at_its_origin_forecasts_and_the_view_compares_the_scored_ones(
    make_home: Make, feed: str
) -> None:
    days = sessions("2016-01-12", "2016-01-20")
    home, cold = make_home("home", SETTINGS), make_home("cold", SETTINGS)
    backfilled(home, feed, "IBM", "MSFT", days=(str(days[0]), str(days[-1])), with_twins=True)
    for day in map(str, days[1:]):
        backfilled(cold, feed, "IBM", days=(day, day), force_cold=True)
    with reading(home.database) as connection:
        twins, shown, expected = (connection.exec_driver_sql(query).fetchall() for query in (TWINS, SHOWN, COMPARED))
    with reading(cold.database) as connection:
        forecasts = connection.exec_driver_sql("SELECT origin, horizon, location, scale, dof FROM forecast_history").fetchall()
        starts = connection.exec_driver_sql("SELECT DISTINCT start FROM model_lineage WHERE role = 'chain'").scalars().all()
    assert starts == ["cold"]
    assert sorted(twins) == sorted(forecasts)
    assert len(twins) == 5 * len(days[1:])
    assert [row[:3] for row in shown] == [("IBM", 1, 3), ("IBM", 2, 2), ("IBM", 3, 1)]
    assert [row[3:5] for row in shown] == [pytest.approx(row) for row in expected]
    assert all(gain == pytest.approx(1 - ours / theirs) for *_, ours, theirs, gain in shown)


@pytest.mark.slow
def test_status_tells_of_a_prior_older_than_a_year(make_home: Make, tmp_path: Path) -> None:
    for last, name in (("2025-12-31", "csv-old"), ("2024-06-28", "csv-fresh")):
        days = np.array(sessions("2020-01-01", last)[-320:], dtype="datetime64[D]")
        write_csv(tmp_path / name, "IBM", replace(sample("IBM").select(slice(-320, None)), session=days))
    old, fresh = make_home("old", SETTINGS), make_home("fresh", SETTINGS)
    backfilled(old, f"folder:{tmp_path / 'csv-old'}", "IBM", days=("2025-12-30", "2025-12-30"))
    backfilled(fresh, f"folder:{tmp_path / 'csv-fresh'}", "IBM", days=("2024-06-27", "2024-06-27"))
    assert prior_notices(fresh.database) == []
    (notice,) = prior_notices(old.database)
    assert notice.startswith("the newest prior is older than a year (stock 2024-03-01)")
    assert 'set model.prior to "universe"' in notice


@pytest.mark.slow
def test_the_closing_line_names_the_prior_of_each_family(make_home: Make, tmp_path: Path) -> None:
    for ticker in ("IBM", "MSFT"):
        write_csv(tmp_path / "csv", ticker, moved(sample(ticker)))
    home = make_home("home", SETTINGS)
    engine = open_writer(home.database)
    source = {"source": f"folder:{tmp_path / 'csv'}", "adjustment": "as_traded"}
    track(home, engine, ["IBM"], **source)
    track(home, engine, ["MSFT"], kind="fund", **source)
    engine.dispose()
    told = backfilled(home, f"folder:{tmp_path / 'csv'}", "IBM", "MSFT", days=("2016-01-07", "2016-01-07"))
    assert "prior: bundled stock 2016-01-01 (95 members), fund 2016-01-01 (146 members)" in told
