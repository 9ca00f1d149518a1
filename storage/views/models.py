"""The views of models: their losses by epoch, what each was trained from, and the priors with their members."""

from __future__ import annotations

from tickercast.storage.views.definition import Column, View, config, model_by_number, model_id, origin, sha256_text, ticker

LOSS_CURVE = View(
    "loss_curve",
    "The loss of every training, by epoch.",
    (
        ticker(),
        origin("m"),
        model_id("m.id"),
        Column("start", "cold or warm", "m.start"),
        Column("epoch", "pass over the history, from 0", "l.epoch", "int"),
        Column(
            "train_loss",
            "mean loss of the training targets: negative log likelihood (density), squared error (article)",
            "l.train_loss",
            "float",
        ),
        Column("validation_loss", "mean loss of the held-out targets; NULL where none is held out", "l.validation_loss", "float"),
        Column("gradient_norm", "norm of the gradient before clipping", "l.gradient_norm", "float"),
        Column("learning_rate", "step size of the optimizer", "l.learning_rate", "float"),
        *config(id_from="m"),
    ),
    """FROM losses l
JOIN models m ON m.number = l.model_number
JOIN configs c ON c.id = m.config_id
LEFT JOIN tickers t ON t.id = m.ticker_id""",
)

MODEL_LINEAGE = View(
    "model_lineage",
    "Every training: what it started from, and why.",
    (
        model_id("m.id"),
        ticker(),
        origin("m"),
        Column("role", "chain, prior or twin", "m.role"),
        Column("start", "cold or warm", "m.start"),
        Column("reason", "why it started cold, or warm", "m.reason"),
        Column("parent_id", "the model that a warm start continues", model_by_number("m.parent_number")),
        Column("depth", "number of warm starts since the cold start", "m.depth", "int"),
        Column("cold_ancestor_id", "the cold start of its chain", model_by_number("m.cold_ancestor_number")),
        Column("epochs", "number of passes over the history", "m.epochs", "int"),
        Column("seconds", "training time: its share of the stack's", "m.seconds", "float"),
        Column("checkpoint_sha256", "hash of its params and optimizer state", sha256_text("m.checkpoint_sha256")),
        Column("updates", "number of optimizer steps", "m.updates", "int"),
        *config(id_from="m"),
        Column("prior_id", "the prior that its cold start began from; NULL = none; see prior", model_by_number("m.prior_number")),
    ),
    """FROM models m
JOIN configs c ON c.id = m.config_id
LEFT JOIN tickers t ON t.id = m.ticker_id""",
)

PRIOR = View(
    "prior",
    "The pooled models that cold starts begin from, and what each was fitted on.",
    (
        model_id("p.model_id"),
        Column(
            "cutoff",
            "it read bars before this day alone; a bundled one serves later origins, another one also this session",
            "p.cutoff",
            "date",
        ),
        Column(
            "members",
            "tickers that it was fitted on, separated by commas",
            "(SELECT group_concat(m.member, ',') FROM prior_members m WHERE m.model_id = p.model_id)",
        ),
        Column(
            "kind",
            "bundled = shipped with the program; universe = fitted from the tickers that the settings name; "
            "run = of earlier versions, fitted from the tickers of a run",
            "p.kind",
        ),
        Column(
            "member_count", "number of members", "(SELECT count(*) FROM prior_members m WHERE m.model_id = p.model_id)", "int"
        ),
        Column("family", "kind of security, or the exchange whose tickers it serves", "p.family"),
        Column("diverged", "1 when its training diverged: it serves nobody", "p.diverged", "bool"),
        Column("data_sha256", "hash of the bars of all members", "p.data_sha256"),
        Column("settings", "settings of the fit, JSON", "p.settings"),
        Column("fingerprint", "what its bytes depend on: Python, NumPy, BLAS and its kernel, CPU class", "p.fingerprint"),
        *config(id_from="w"),
    ),
    """FROM priors p
JOIN models w ON w.id = p.model_id
JOIN configs c ON c.id = w.config_id""",
)

PRIOR_MEMBER = View(
    "prior_member",
    "The tickers that each prior was fitted on.",
    (
        model_id("m.model_id"),
        Column("member", "the ticker, by its first symbol", "m.member"),
        Column("bars", "number of its bars that were read", "m.bars", "int"),
        Column("last_session", "the last of them, before the cutoff", "m.last_session", "date"),
        Column("input_sha256", "hash of those bars", "m.input_sha256"),
    ),
    "FROM prior_members m",
)
