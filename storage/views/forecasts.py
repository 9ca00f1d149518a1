"""The views of forecasts: the newest ones, and all of them with their distributions."""

from __future__ import annotations

from storage.views.definition import Column, View, config, horizon, mode, model_id, origin, target, ticker

QUANTILES = tuple(
    Column(
        f"q{level:02}",
        f"price that the target is below with {level} % probability, on the origin's share scale",
        f"f.q{level:02}",
    )
    for level in (5, 10, 25, 50, 75, 90, 95)
)
PUBLISHED = (
    origin("f"),
    target(),
    horizon("f"),
    Column("last_price", "price at the origin, in the ticker's currency on its price basis", "f.last_price"),
    *QUANTILES,
    Column("made_at", "instant the forecast was made, UTC", "f.made_at"),
    mode("f"),
    model_id("f.model_id"),
)

# The newest origin of each ticker and config, then one config for each ticker: the active one where it has forecasts.
RANKED = """newest AS (
    SELECT t.id AS ticker_id, t.symbol, c.id AS config_id, c.preset, c.active,
        (SELECT max(m.origin) FROM forecasts m WHERE m.ticker_id = t.id AND m.config_id = c.id) AS origin
    FROM tickers t CROSS JOIN configs c
), ranked AS (
    SELECT n.*, row_number() OVER (PARTITION BY n.ticker_id ORDER BY n.active DESC, n.origin DESC, n.config_id) AS place
    FROM newest n WHERE n.origin IS NOT NULL
)"""

LATEST_FORECAST = View(
    "latest_forecast",
    "The newest forecasts of each ticker under the active config; a ticker without any has its newest under another config.",
    (ticker("r"), *PUBLISHED, *config("r", id_from="f", field_from="f")),
    """FROM ranked r
JOIN forecasts f ON f.ticker_id = r.ticker_id AND f.config_id = r.config_id AND f.origin = r.origin
WHERE r.place = 1""",
    ctes=RANKED,
)

FORECAST_HISTORY = View(
    "forecast_history",
    "Every stored forecast, with its distribution and the baseline's.",
    (
        ticker(),
        *PUBLISHED,
        Column("location", "location of the Student-t log return, natural-log return", "f.location"),
        Column("scale", "scale of the Student-t log return, natural-log return", "f.scale"),
        Column("dof", "degrees of freedom; NULL = normal", "f.dof"),
        Column("baseline_location", "location of the random walk, natural-log return", "f.baseline_location"),
        Column("baseline_scale", "scale of the random walk, natural-log return", "f.baseline_scale"),
        Column("baseline_dof", "degrees of freedom of the random walk; NULL = normal", "f.baseline_dof"),
        Column("known_at", "latest instant at which a bar it used was recorded, UTC", "f.known_at"),
        Column("input_sha256", "hash of the bars it used", "f.input_sha256"),
        Column("price_basis", "as_traded, split_adjusted or fully_adjusted", "f.price_basis"),
        Column("run_id", "the run that made it; see run_summary", "f.run_id"),
        *config(id_from="f", field_from="f"),
    ),
    """FROM forecasts f
JOIN tickers t ON t.id = f.ticker_id
JOIN configs c ON c.id = f.config_id""",
)
