"""The views of forecasts: the newest ones, all of them with their distributions, and all of them with their outcomes."""

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
    sha256_text,
    target,
    ticker,
)

QUANTILES = tuple(
    Column(
        f"q{level:02}",
        f"price that the target is below with {level} % probability, on the origin's share scale",
        f"f.q{level:02}",
        "float",
    )
    for level in (5, 10, 25, 50, 75, 90, 95)
)
LAST_PRICE = Column("last_price", "price at the origin, in the ticker's currency on its price basis", "o.last_price", "float")
MADE_AT = Column("made_at", "instant the forecast was made, UTC", "o.made_at", "instant")
PUBLISHED = (
    origin("o"),
    target(),
    horizon("f"),
    LAST_PRICE,
    *QUANTILES,
    MADE_AT,
    mode("o"),
    model_id(model_by_number("o.model_number")),
)

# The newest origin of each ticker and config, and once for all horizons how far it is behind. Then one config for each ticker:
# the active one where it has forecasts. The partition names the symbol too, so that a query of one ticker computes no other.
RANKED = """newest AS (
    SELECT t.id AS ticker_id, t.symbol, t.exchange, t.currency, c.id AS config_id, c.preset, c.active,
        (SELECT max(m.origin) FROM origins m WHERE m.ticker_id = t.id AND m.config_id = c.id) AS origin
    FROM tickers t CROSS JOIN configs c
), ranked AS (
    SELECT n.*,
        row_number() OVER (PARTITION BY n.ticker_id, n.symbol ORDER BY n.active DESC, n.origin DESC, n.config_id) AS place, (
        SELECT count(*) FROM sessions s WHERE s.exchange = n.exchange AND s.session > n.origin
        AND s.close_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now')) AS sessions_behind
    FROM newest n WHERE n.origin IS NOT NULL
)"""

LATEST_FORECAST = View(
    "latest_forecast",
    "The newest forecasts of each ticker under the active config; a ticker without any has its newest under another config.",
    (
        ticker("r"),
        *PUBLISHED,
        *config("r", id_from="o", field_from="o"),
        Column("currency", "currency of the prices", "r.currency"),
        Column(
            "move_percent", "median forecast price against last_price, percent", "100.0 * (f.q50 / o.last_price - 1)", "float"
        ),
        Column("width_percent", "q95 - q05 in percent of last_price", "100.0 * (f.q95 - f.q05) / o.last_price", "float"),
        Column(
            "sessions_behind",
            "sessions closed by now since origin",
            "r.sessions_behind",
            "int",
        ),
        context("o"),
    ),
    """FROM ranked r
JOIN origins o ON o.ticker_id = r.ticker_id AND o.config_id = r.config_id AND o.origin = r.origin
JOIN forecasts f ON f.origin_id = o.id
WHERE r.place = 1""",
    ctes=RANKED,
)

FORECAST_HISTORY = View(
    "forecast_history",
    "Every stored forecast, with its distribution and the baseline's.",
    (
        ticker(),
        *PUBLISHED,
        Column("location", "location of the Student-t log return, natural-log return", "f.location", "float"),
        Column("scale", "scale of the Student-t log return, natural-log return", "f.scale", "float"),
        Column("dof", "degrees of freedom; NULL = normal", "f.dof", "float"),
        Column("baseline_location", "location of the random walk, natural-log return", "f.baseline_location", "float"),
        Column("baseline_scale", "scale of the random walk, natural-log return", "f.baseline_scale", "float"),
        Column("baseline_dof", "degrees of freedom of the random walk; NULL = normal", "f.baseline_dof", "float"),
        Column("known_at", "latest instant at which a bar it used was recorded, UTC", "o.known_at", "instant"),
        Column("input_sha256", "hash of the bars it used", sha256_text("o.input_sha256")),
        Column("price_basis", "as_traded, split_adjusted or fully_adjusted", "o.price_basis"),
        Column("run_id", "the run that made it; see run_summary", "o.run_id", "int"),
        *config(id_from="o", field_from="o"),
        context("o"),
    ),
    f"""FROM {FORECASTS}
JOIN tickers t ON t.id = o.ticker_id
JOIN configs c ON c.id = o.config_id""",
)

# The return of a target whose bar is stored but not settled: the sum of the daily ones, of the field that is forecast.
PROVISIONAL_RETURN = """(
        SELECT sum(CASE o.field WHEN 'open' THEN d.adjusted_open_return ELSE d.adjusted_return END) FROM bars d
        WHERE d.ticker_id = o.ticker_id AND d.session > o.origin AND d.session <= f.target)"""
REALISED = f"CASE WHEN s.origin_id IS NOT NULL THEN s.realised_return WHEN b.session IS NOT NULL THEN {PROVISIONAL_RETURN} END"

OUTCOME = View(
    "outcome",
    "Every forecast with what is known of its outcome so far.",
    (
        ticker("o"),
        origin("o"),
        target("o"),
        horizon("o"),
        Column(
            "state",
            "pending = the target's bar is not stored; provisional = stored, and may still be corrected; settled = scored",
            "o.state",
        ),
        mode("o"),
        Column("last_price", LAST_PRICE.meaning, "o.last_price", "float"),
        *(Column(q.name, q.meaning, f"o.{q.name}", "float") for q in QUANTILES),
        Column(
            "realised_return",
            "natural-log return from origin to target, adjusted for splits and dividends; NULL while pending",
            "o.realised_return",
            "float",
        ),
        Column("realised_price", "last_price * exp(realised_return), on the origin's share scale", "o.realised_price", "float"),
        *(
            Column(
                f"inside_{100 - 2 * tail}",
                f"1 when the realised price is inside the central {100 - 2 * tail} % interval; NULL while pending",
                f"o.realised_price BETWEEN o.q{tail:02} AND o.q{100 - tail}",
                "bool",
                optional=True,
            )
            for tail in (25, 10, 5)
        ),
        Column("crps", "continuous ranked probability score, natural-log return; NULL until settled", "o.crps", "float"),
        Column("baseline_crps", "crps of the random walk; NULL until settled", "o.baseline_crps", "float"),
        Column("pit", "forecast CDF at the realised return (PIT); NULL until settled", "o.pit", "float"),
        Column("made_at", MADE_AT.meaning, "o.made_at", "instant"),
        model_id(model_by_number("o.model_number")),
        *config("o", id_from="o", field_from="o"),
        context("o"),
    ),
    f"""FROM (
    SELECT r.*, r.last_price * exp(r.realised_return) AS realised_price FROM (
        SELECT f.*, o.config_id, o.origin, o.field, o.last_price, o.mode, o.made_at, o.model_number, o.context,
            t.symbol, c.preset, s.crps, s.baseline_crps, s.pit,
            CASE WHEN s.origin_id IS NOT NULL THEN 'settled' WHEN b.session IS NOT NULL THEN 'provisional'
                ELSE 'pending' END AS state,
            {REALISED} AS realised_return
        FROM {FORECASTS}
        JOIN tickers t ON t.id = o.ticker_id
        JOIN configs c ON c.id = o.config_id
        LEFT JOIN scores s ON s.origin_id = f.origin_id AND s.horizon = f.horizon AND s.revision = 0
        LEFT JOIN bars b ON b.ticker_id = o.ticker_id AND b.session = f.target) r) o""",
)
