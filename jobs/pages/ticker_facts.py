"""What the page of a ticker shows, read from the public views in a few short queries.

A query names its ticker and its config, so that it reads the rows of one ticker however many the record has. Only the newest
rows of each kind are read, so that a page stays small: forecasts from an origin on that is looked up once
(storage.newest_origins). Not here: texts, charts (ticker_charts and others) and the timeline.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from tickercast.jobs.pages.rows import Row, records
from tickercast.storage.connection import Reader
from tickercast.storage.errors import UnknownStoredTicker, not_stored
from tickercast.storage.newest_origins import NEWEST_ORIGIN, first_of_newest
from tickercast.storage.reader import unknown_symbols
from tickercast.storage.widths import usual_widths

FAN_SESSIONS = 30
PAST_TARGETS = 504  # two years

# Of each config with forecasts of the ticker: a record may have dozens of configs and thousands of origins.
CONFIGS = f"""SELECT c.id AS config, c.preset, c.field, c.active, ({NEWEST_ORIGIN}) AS origin
FROM configs c ORDER BY c.active DESC, origin DESC NULLS LAST, c.id"""
NEWEST = """SELECT origin, target, horizon, last_price, q05, q10, q25, q50, q75, q90, q95, made_at, mode, model_id, config,
preset, field, context, location, scale, dof, baseline_location, baseline_scale, baseline_dof, price_basis
FROM forecast_history WHERE ticker = ? AND config = ? AND origin = ? ORDER BY horizon"""
BARS = """SELECT session, open, close, adjusted_return, settled, currency FROM bar
WHERE ticker = ? AND session <= ? ORDER BY session DESC LIMIT ?"""
# The outcomes one session ahead from an origin on. Targets have the same order.
PAST = """SELECT origin, target, mode, state, last_price, q05, q25, q50, q75, q95, realised_return, realised_price,
inside_50, inside_80, inside_90, crps, baseline_crps, pit FROM outcome
WHERE ticker = ? AND config = ? AND horizon = 1 AND origin >= ? ORDER BY origin"""
MODELS = "SELECT model_id FROM forecast_history WHERE ticker = ? AND config = ? AND horizon = 1 AND origin >= ?"
TRAININGS = f"SELECT model_id, origin, start, reason FROM model_lineage WHERE model_id IN ({MODELS}) ORDER BY origin"
LOSSES = f"SELECT model_id, epoch, train_loss, validation_loss FROM loss_curve WHERE model_id IN ({MODELS}) ORDER BY epoch"
# Of a cold start that only drops what was learned: it has no epoch.
NO_LOSS = {"epoch": None, "train_loss": None, "validation_loss": None}
SKILL = """SELECT ticker, horizon, mode, n, first_target, last_target, mae, baseline_mae, crps, baseline_crps, crps_skill,
coverage_50, coverage_80, coverage_90, hit_rate, p_value, p_adjusted, verdict, computed_at
FROM skill WHERE ticker = ? AND config = ? ORDER BY horizon, mode"""
# Days of the company's reports after the origin, up to the last target.
REPORTS_AHEAD = "SELECT DISTINCT date FROM company_event WHERE ticker = ? AND date > ? AND date <= ? ORDER BY date"
# Sessions with a bar after a config's newest origin, up to the newest one of any config, which view `freshness` counts from.
OLDER_BY = "SELECT count(*) FROM bar WHERE ticker = ? AND session > ? AND session <= ?"
FRESHNESS = "SELECT * FROM freshness WHERE ticker = ?"
LINEAGE = """SELECT model_id, origin, start, reason, parent_id, depth, cold_ancestor_id, epochs, updates, seconds,
checkpoint_sha256, prior_id FROM model_lineage WHERE model_id = ?"""
PRIOR = "SELECT model_id, cutoff, kind, family, member_count, members, fingerprint FROM prior WHERE model_id = ?"


@dataclass(frozen=True, slots=True)
class Lineage:
    """What made the newest forecast: its model, its chain's cold start and the prior of that; None where there is none."""

    model: Row | None
    cold_start: Row | None
    prior: Row | None


@dataclass(frozen=True, slots=True)
class TickerFacts:
    """The facts of one ticker under one config. Rows have the columns of the views that they come from.

    configs: those with forecasts of the ticker, the shown one first. forecasts: the newest, by horizon. sessions_behind: sessions
    closed since their origin. usual_width: median width of its year one session ahead, percent. bars: up to the origin, oldest
    first. past: outcomes one session ahead, oldest first, without pending ones. trainings: a row for each training and epoch,
    oldest first; one without an epoch has a row without losses. reports_ahead: days of the company's reports after the origin, up
    to the last target. All but freshness and bars are empty before the first forecast.
    """

    ticker: str
    freshness: Row
    configs: list[Row]
    forecasts: list[Row]
    sessions_behind: int
    usual_width: float | None
    bars: list[Row]
    past: list[Row]
    skill: list[Row]
    trainings: list[Row]
    lineage: Lineage
    reports_ahead: list[str]

    @property
    def config(self) -> Row:
        """Return the config that is shown. There is one as soon as there are forecasts."""
        return self.configs[0]

    @property
    def settled(self) -> list[Row]:
        """Return the past forecasts that are scored."""
        return [row for row in self.past if row["state"] == "settled"]

    @property
    def currency(self) -> str:
        """Return the currency of the prices, empty without a bar."""
        return self.bars[-1]["currency"] if self.bars else ""


class UnknownStoredConfig(UnknownStoredTicker):
    """A ticker has no forecasts under the config that was asked for."""


def ticker_facts(connection: Reader, ticker: str, config: str | None = None) -> TickerFacts:
    """Return the facts of a ticker under a config; None = the active one, or its newest where that has no forecasts.

    Raises UnknownStoredTicker, and UnknownStoredConfig for a config without forecasts of the ticker.
    """
    if unknown_symbols(connection, [ticker]):
        raise not_stored(ticker)
    freshness = records(connection, FRESHNESS, ticker)[0]
    configs = _shown_first(configs_of(connection, ticker), ticker, config)
    if not configs:
        bars = records(connection, BARS, ticker, "9999-12-31", FAN_SESSIONS)[::-1]
        return TickerFacts(ticker, freshness, [], [], 0, None, bars, [], [], [], Lineage(None, None, None), [])
    shown, origin = configs[0]["config"], configs[0]["origin"]
    forecasts = records(connection, NEWEST, ticker, shown, origin)
    since = first_of_newest(connection, ticker, shown, PAST_TARGETS)
    past = records(connection, PAST, ticker, shown, since)
    return TickerFacts(
        ticker=ticker,
        freshness=freshness,
        configs=configs,
        forecasts=forecasts,
        sessions_behind=freshness["sessions_behind"]
        + connection.execute(OLDER_BY, (ticker, origin, freshness["last_origin"])).fetchone()[0],
        usual_width=usual_widths(connection, [(ticker, shown, origin, 1)]).get((ticker, 1)),
        bars=records(connection, BARS, ticker, origin, FAN_SESSIONS)[::-1],
        past=[row for row in past if row["realised_return"] is not None],
        skill=records(connection, SKILL, ticker, shown),
        trainings=_trainings(connection, ticker, shown, since),
        lineage=_lineage(connection, forecasts[0]["model_id"]),
        reports_ahead=[row["date"] for row in records(connection, REPORTS_AHEAD, ticker, origin, forecasts[-1]["target"])],
    )


def configs_of(connection: Reader, ticker: str) -> list[Row]:
    """Return the configs under which a ticker has forecasts, with its newest origin: the active one first, then the newest."""
    return [row for row in records(connection, CONFIGS, ticker) if row["origin"] is not None]


def _shown_first(configs: list[Row], ticker: str, wanted: str | None) -> list[Row]:
    if wanted is None:
        return configs
    shown = [row for row in configs if row["config"] == wanted]
    if not shown:
        raise UnknownStoredConfig(f"{ticker}: no forecasts under config {wanted[:40]}; view `config` lists the configs")
    return shown + [row for row in configs if row["config"] != wanted]


def _trainings(connection: Reader, ticker: str, config: str, since: str) -> list[Row]:
    """Return a row for each training of the origins from one on and each of its epochs, oldest first."""
    losses: dict[str, list[Row]] = defaultdict(list)
    for row in records(connection, LOSSES, ticker, config, since):
        losses[row["model_id"]].append(row)
    trainings = records(connection, TRAININGS, ticker, config, since)
    return [training | loss for training in trainings for loss in losses.get(training["model_id"], [NO_LOSS])]


def _lineage(connection: Reader, model_id: str) -> Lineage:
    def found(query: str, key: str | None) -> Row | None:
        return next(iter(records(connection, query, key)), None) if key else None

    model = found(LINEAGE, model_id)
    if model is None:
        return Lineage(None, None, None)
    cold_start = model if model["start"] == "cold" else found(LINEAGE, model["cold_ancestor_id"])
    return Lineage(model, cold_start, found(PRIOR, model["prior_id"]))
