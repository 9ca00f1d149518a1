"""The views of scores: each scored forecast, skill against the random walk and other models, and calibration."""

from __future__ import annotations

from tickercast.storage.views.definition import (
    FORECASTS,
    Column,
    View,
    config,
    context,
    horizon,
    mode,
    model_by_number,
    model_id,
    origin,
    target,
    ticker,
)
from tickercast.storage.views.forecasts import LAST_PRICE, MADE_AT, QUANTILES

COVERED = (50, 80, 90)  # the central intervals, in percent
COVERAGE = "share of targets inside the central {level} % interval"
DECILES = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
MONTH = "substr(CAST(f.target AS TEXT), 1, 7)"
FIRST_SCORE = "scores s ON s.origin_id = f.origin_id AND s.horizon = f.horizon AND s.revision = 0"

SCORED_FORECAST = View(
    "scored_forecast",
    "Forecasts whose target has settled, with the outcome; revision 0 only.",
    (
        ticker(),
        origin("o"),
        target(),
        horizon("s"),
        mode("o"),
        Column(
            "realised_return",
            "natural-log return from origin to target, adjusted for splits and dividends",
            "s.realised_return",
            "float",
        ),
        Column(
            "realised_price",
            "last_price * exp(realised_return): the outcome, on the origin's share scale",
            "s.realised_price",
            "float",
        ),
        next(quantile for quantile in QUANTILES if quantile.name == "q50"),
        Column("abs_error", "|realised_return - location|, natural-log return", "abs(s.realised_return - f.location)", "float"),
        Column("baseline_abs_error", "abs_error of the random walk", "abs(s.realised_return - f.baseline_location)", "float"),
        Column("crps", "continuous ranked probability score, natural-log return; lower is better", "s.crps", "float"),
        Column("baseline_crps", "crps of the random walk", "s.baseline_crps", "float"),
        Column("pit", "forecast CDF at the realised return (PIT)", "s.pit", "float"),
        *(
            Column(
                f"inside_{level}",
                f"1 when the realised price is inside the central {level} % interval",
                f"s.inside_{level}",
                "bool",
            )
            for level in COVERED
        ),
        Column("revision", "always 0; a later restatement of the target adds rows that this view omits", "s.revision", "int"),
        *config(id_from="o", field_from="o"),
        LAST_PRICE,
        *(quantile for quantile in QUANTILES if quantile.name != "q50"),
        MADE_AT,
        model_id(model_by_number("o.model_number")),
        context("o"),
    ),
    f"""FROM {FORECASTS}
JOIN tickers t ON t.id = o.ticker_id
JOIN configs c ON c.id = o.config_id
JOIN {FIRST_SCORE}""",
)

SKILL = View(
    "skill",
    "Accuracy of the forecasts against the random walk, by ticker, horizon and mode.",
    (
        Column("ticker", "current symbol; * = all tickers, tested on their mean by target date", "coalesce(t.symbol, '*')"),
        horizon("s"),
        Column("mode", "live, catchup or backfill, as the forecasts were made; * = all of them together", "s.mode"),
        Column("n", "number of scored forecasts; for *, of target dates", "s.n", "int"),
        Column("first_target", "first target scored", "s.first_target", "date"),
        Column("last_target", "last target scored", "s.last_target", "date"),
        Column("mae", "mean abs_error, natural-log return", "s.mae", "float"),
        Column("baseline_mae", "mae of the random walk", "s.baseline_mae", "float"),
        Column("crps", "mean CRPS, natural-log return", "s.crps", "float"),
        Column("baseline_crps", "mean CRPS of the random walk", "s.baseline_crps", "float"),
        Column("crps_skill", "1 - crps / baseline_crps; above 0 is better than the random walk", "s.crps_skill", "float"),
        *(Column(f"coverage_{level}", COVERAGE.format(level=level), f"s.coverage_{level}", "float") for level in COVERED),
        Column("hit_rate", "share of forecasts whose location has the sign of the realised return", "s.hit_rate", "float"),
        Column(
            "dm_statistic", "Diebold-Mariano statistic on CRPS; negative = better than the random walk", "s.dm_statistic", "float"
        ),
        Column("p_value", "p-value of the Diebold-Mariano test, two-sided", "s.p_value", "float"),
        Column("p_adjusted", "p_value after Benjamini-Hochberg over tickers x horizons", "s.p_adjusted", "float"),
        Column("verdict", "better, worse or not distinguishable (n < 60 or p_adjusted > 0.05)", "s.verdict"),
        Column("computed_at", "instant of the test, UTC", "s.computed_at", "instant"),
        *config(id_from="s"),
    ),
    """FROM skill_tests s
JOIN configs c ON c.id = s.config_id
LEFT JOIN tickers t ON t.id = s.ticker_id""",
)

WARM_START = View(
    "warm_start",
    "Accuracy and cost of warm starts against cold twins trained at the same origins (backfill --twins).",
    (
        ticker(),
        horizon("b"),
        Column("n", "number of scored origins that have a twin", "count(*)", "int"),
        Column("crps", "mean CRPS of the warm forecasts, natural-log return", "avg(s.crps)", "float"),
        Column("twin_crps", "mean CRPS of the cold twins", "avg(b.crps)", "float"),
        Column("gain", "1 - crps / twin_crps: above 0, warm is better", "1 - avg(s.crps) / avg(b.crps)", "float"),
        Column("seconds", "mean training time of a warm start", "avg(m.seconds)", "float"),
        Column("twin_seconds", "mean training time of a cold twin", "avg(w.seconds)", "float"),
        *config(id_from="o"),
    ),
    """FROM baseline_forecasts b
JOIN origins o ON o.id = b.origin_id
JOIN tickers t ON t.id = o.ticker_id
JOIN configs c ON c.id = o.config_id
JOIN scores s ON s.origin_id = b.origin_id AND s.horizon = b.horizon AND s.revision = 0
JOIN models m ON m.number = o.model_number
LEFT JOIN models w ON w.ticker_id = o.ticker_id AND w.config_id = o.config_id AND w.origin = o.origin AND w.role = 'twin'
WHERE b.name = 'cold twin' AND b.crps IS NOT NULL
GROUP BY t.symbol, b.horizon, o.config_id, c.preset, c.field""",
)

BASELINE_SKILL = View(
    "baseline_skill",
    "Other models' forecasts of the same settled targets, scored with the same estimator (backfill --baselines).",
    (
        ticker(),
        horizon("b"),
        Column("name", "the other model", "b.name"),
        Column("n", "number of targets for which both have a score", "count(*)", "int"),
        Column(
            "crps", "ours: twice the mean pinball loss over the levels 0.05 to 0.95, natural-log return", "avg(u.crps)", "float"
        ),
        Column("other_crps", "the other model's, by the same estimator", "avg(b.crps)", "float"),
        Column("ratio", "crps / other_crps: below 1, ours is better", "avg(u.crps) / avg(b.crps)", "float"),
        *config(id_from="o"),
    ),
    """FROM baseline_forecasts b
JOIN baseline_forecasts u ON u.origin_id = b.origin_id AND u.horizon = b.horizon AND u.name = 'tickercast'
JOIN origins o ON o.id = b.origin_id
JOIN tickers t ON t.id = o.ticker_id
JOIN configs c ON c.id = o.config_id
WHERE b.name NOT IN ('tickercast', 'cold twin')
GROUP BY t.symbol, b.horizon, b.name, o.config_id, c.preset, c.field""",
)


def pit_share(decile: int) -> Column:
    """Return the column of one bar of the PIT histogram. decile: 0 to 9; each includes its upper end, the first also 0."""
    low, high = decile / 10, (decile + 1) / 10
    inside = f"s.pit {'>=' if decile == 0 else '>'} {low} AND s.pit <= {high}"
    meaning = f"share of PIT values in the {DECILES[decile]} decile; 0.1 when calibrated"
    return Column(f"pit_{decile}", meaning, f"avg(CASE WHEN {inside} THEN 1.0 ELSE 0.0 END)", "float")


CALIBRATION = View(
    "calibration",
    "Coverage of the intervals and a histogram of the PIT, by ticker and month of the target.",
    (
        ticker(),
        horizon("s"),
        mode("o"),
        Column("month", "month of the targets, YYYY-MM", MONTH),
        Column("n", "number of scored forecasts", "count(*)", "int"),
        *(Column(f"coverage_{level}", COVERAGE.format(level=level), f"avg(s.inside_{level})", "float") for level in COVERED),
        *(pit_share(decile) for decile in range(10)),
        *config(id_from="o"),
    ),
    f"""FROM {FORECASTS}
JOIN tickers t ON t.id = o.ticker_id
JOIN configs c ON c.id = o.config_id
JOIN {FIRST_SCORE}
GROUP BY t.symbol, s.horizon, o.mode, {MONTH}, o.config_id, c.preset, c.field""",
)
