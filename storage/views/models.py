"""The views of models: their losses by epoch, and what each was trained from."""

from __future__ import annotations

from storage.views.definition import Column, View, config, model_id, origin, ticker

LOSS_CURVE = View(
    "loss_curve",
    "The loss of every training, by epoch.",
    (
        ticker(),
        origin("m"),
        model_id("m.id"),
        Column("start", "cold or warm", "m.start"),
        Column("epoch", "pass over the history, from 0", "l.epoch"),
        Column(
            "train_loss",
            "mean loss of the training targets: negative log likelihood (density), squared error (article)",
            "l.train_loss",
        ),
        Column("validation_loss", "mean loss of the held-out targets; NULL where none is held out", "l.validation_loss"),
        Column("gradient_norm", "norm of the gradient before clipping", "l.gradient_norm"),
        Column("learning_rate", "step size of the optimizer", "l.learning_rate"),
        *config(id_from="m"),
    ),
    """FROM losses l
JOIN models m ON m.id = l.model_id
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
        Column("parent_id", "the model that a warm start continues", "m.parent_id"),
        Column("depth", "number of warm starts since the cold start", "m.depth"),
        Column("cold_ancestor_id", "the cold start of its chain", "m.cold_ancestor_id"),
        Column("epochs", "number of passes over the history", "m.epochs"),
        Column("seconds", "training time: its share of the stack's", "m.seconds"),
        Column("checkpoint_sha256", "hash of its params and optimizer state", "m.checkpoint_sha256"),
        Column("updates", "number of optimizer steps", "m.updates"),
        *config(id_from="m"),
    ),
    """FROM models m
JOIN configs c ON c.id = m.config_id
LEFT JOIN tickers t ON t.id = m.ticker_id""",
)
