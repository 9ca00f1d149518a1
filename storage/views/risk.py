"""The view of risk: value at risk and expected shortfall of the newest forecasts, and how often outcomes were below."""

from __future__ import annotations

from tickercast.storage.views.definition import Column, View, config, horizon

TESTED = "NULL for *, for horizons above 1 (their forecasts overlap) and below 60 scores"


def figure(name: str, meaning: str, sql: str | None = None) -> Column:
    """Return a column of numbers with a fraction; without SQL the table's column of the same name."""
    return Column(name, meaning, sql or f"s.{name}", "float")


COUNTS = (
    Column("n", "number of scored forecasts", "s.n", "int"),
    Column("exceedances", "scored forecasts whose outcome was below the value at risk (pit < level)", "s.exceedances", "int"),
    figure("expected", "n * level: exceedances that the level promises", "s.n * s.level"),
    figure("rate", "exceedances / n", "CASE WHEN s.n > 0 THEN 1.0 * s.exceedances / s.n END"),
    Column("first_target", "first target scored", "s.first_target", "date"),
    Column("last_target", "last target scored", "s.last_target", "date"),
)
TESTS = (
    figure("kupiec_statistic", f"Kupiec's likelihood ratio: as many exceedances as promised? {TESTED}"),
    figure("kupiec_p", "its p-value, chi-squared with 1 degree of freedom"),
    figure(
        "independence_statistic",
        "Christoffersen's likelihood ratio: is an exceedance as likely after one as after none? NULL where none was followed",
    ),
    figure("independence_p", "its p-value, chi-squared with 1 degree of freedom"),
    figure("conditional_statistic", "conditional coverage: the sum of both statistics"),
    figure("conditional_p", "its p-value, chi-squared with 2 degrees of freedom"),
    figure(
        "date_statistic",
        "for *: test of the exceedances by target date, horizon - 1 lags, positive with too many; NULL below 60 dates",
    ),
    figure("date_p", "its p-value, two-sided"),
    figure(
        "p_adjusted",
        "conditional_p (else kupiec_p; for *, date_p) after Benjamini-Hochberg over the tickers; for *, over the horizons",
    ),
    Column(
        "verdict",
        "too many, too few or dependent exceedances, or not distinguishable from the promise (no test or p_adjusted > 0.05)",
        "s.verdict",
    ),
    figure("mean_exceedance", "mean realised_return of the exceedances, natural-log return"),
    figure("mean_shortfall", "mean expected shortfall of those forecasts, natural-log return"),
)
NEWEST = (
    Column("origin", "origin of the newest forecast, ISO date", "s.origin", "date"),
    Column("target", "target of the newest forecast, ISO date", "s.target", "date"),
    figure("last_price", "price at its origin", "o.last_price"),
    figure("var_return", "value at risk: natural-log return that the outcome is below with probability level"),
    figure("var_price", "last_price * exp(var_return)", "o.last_price * exp(s.var_return)"),
    figure("var_percent", "value at risk as a price change, percent; negative = a loss", "100.0 * (exp(s.var_return) - 1)"),
    figure("es_return", "expected shortfall: mean natural-log return of outcomes below the value at risk; NULL = infinite"),
    figure("es_percent", "mean price change of those outcomes, percent; negative = a loss"),
)

RISK = View(
    "risk",
    "Value at risk and expected shortfall of the newest forecasts, and how often outcomes were below the value at risk.",
    (
        Column("ticker", "current symbol; * = all tickers together", "coalesce(t.symbol, '*')"),
        horizon("s"),
        Column("mode", "of the scored forecasts: live, catchup or backfill; * = all of them together", "s.mode"),
        figure("level", "probability of an outcome below the value at risk: 0.01 or 0.05"),
        *COUNTS,
        *TESTS,
        *NEWEST,
        Column("computed_at", "instant of the computation, UTC", "s.computed_at", "instant"),
        *config(id_from="s"),
    ),
    """FROM risk_tests s
JOIN configs c ON c.id = s.config_id
LEFT JOIN tickers t ON t.id = s.ticker_id
LEFT JOIN origins o ON o.ticker_id = s.ticker_id AND o.config_id = s.config_id AND o.origin = s.origin""",
)
