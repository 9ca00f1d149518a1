"""The views of prices: bars, restated bars, the findings of the gates, and the current Parquet files."""

from __future__ import annotations

from tickercast.storage.views.definition import Column, View, ticker

BAR = View(
    "bar",
    "The newest record of every stored bar.",
    (
        ticker(),
        Column("session", "session of the bar, ISO date", "b.session", "date"),
        Column("open", "price at the open, in the ticker's currency on its price basis", "b.open", "float"),
        Column("high", "highest price", "b.high", "float"),
        Column("low", "lowest price", "b.low", "float"),
        Column("close", "price at the close", "b.close", "float"),
        Column("volume", "number of shares traded", "b.volume", "int"),
        Column(
            "adjusted_return",
            "natural-log return of the close from the bar before, adjusted for splits and dividends; NULL for the first",
            "b.adjusted_return",
            "float",
        ),
        Column(
            "settled",
            "1 once a later session is stored: the bar was delivered again, and targets on it are scored",
            "b.session < (SELECT p.last_session FROM price_files p WHERE p.ticker_id = b.ticker_id AND p.superseded_at IS NULL)",
            "bool",
        ),
        Column("dividend", "dividend per share", "b.dividend", "float"),
        Column("split", "split on that session; 1 = none", "b.split", "float"),
        Column("currency", "currency of the prices", "t.currency"),
        Column("price_basis", "as_traded, split_adjusted or fully_adjusted", "t.price_basis"),
        Column("recorded_at", "instant this record of the bar was stored, UTC", "b.recorded_at", "instant"),
    ),
    """FROM bars b
JOIN tickers t ON t.id = b.ticker_id""",
)

RESTATEMENT = View(
    "restatement",
    "Stored bars that the source changed later, and how many forecasts had used the old value.",
    (
        ticker(),
        Column("session", "session of the bar", "r.session", "date"),
        Column("field", "open, high, low, close, volume, dividend or split", "r.field"),
        Column("old_value", "as first recorded", "r.old_value", "float"),
        Column("new_value", "as recorded later", "r.new_value", "float"),
        Column("recorded_at", "instant the change was recorded, UTC", "r.recorded_at", "instant"),
        Column(
            "forecasts_affected",
            "number of forecasts made before that instant from this session or a later one",
            """(SELECT count(*) FROM forecasts f JOIN origins o ON o.id = f.origin_id
        WHERE o.ticker_id = r.ticker_id AND o.origin >= r.session AND o.made_at < r.recorded_at)""",
            "int",
        ),
    ),
    """FROM restatements r
JOIN tickers t ON t.id = r.ticker_id""",
)

GATE = View(
    "gate",
    "What the gates found, by session: bars quarantined or refused, and stretches of bars to know about.",
    (
        ticker(),
        Column("session", "session of the bar, or the first of a stretch", "g.session", "date"),
        Column("code", "the gate; docs/prices.md explains each", "g.code"),
        Column(
            "state",
            "held = quarantined until a decision; refused; ok = a note, or a quarantined bar that was released",
            "g.state",
        ),
        Column("message", "the finding", "g.message"),
        Column("open", "open of a bar that was quarantined, as traded where the source reports splits", "g.open", "float"),
        Column("high", "its high", "g.high", "float"),
        Column("low", "its low", "g.low", "float"),
        Column("close", "its close", "g.close", "float"),
        Column("volume", "its volume", "g.volume", "int", optional=True),
        Column("dividend", "its dividend per share", "g.dividend", "float"),
        Column("split", "its split; 1 = none", "g.split", "float"),
        Column("recorded_at", "instant the finding was first recorded, UTC", "g.recorded_at", "instant"),
        Column("decided_at", "instant a quarantined bar was released or refused, UTC", "g.decided_at", "instant"),
    ),
    """FROM gate_verdicts g
JOIN tickers t ON t.id = g.ticker_id""",
)

PRICE_FILE = View(
    "price_file",
    "The Parquet file that holds each ticker's current bars.",
    (
        ticker(),
        Column("path", "path below the prices folder", "p.path"),
        Column("rows", "number of rows in the file: a restated session has several", "p.rows", "int"),
        Column("first_session", "first session stored", "p.first_session", "date"),
        Column("last_session", "last session stored", "p.last_session", "date"),
        Column("price_basis", "as_traded, split_adjusted or fully_adjusted", "p.price_basis"),
        Column("sha256", "hash of the file", "p.sha256"),
    ),
    """FROM price_files p
JOIN tickers t ON t.id = p.ticker_id
WHERE p.superseded_at IS NULL""",
)
