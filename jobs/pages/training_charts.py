"""The charts of trainings: the loss after each one with cold starts and drift marked, and the epochs of the newest cold start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tickercast.jobs.pages.axes import titled
from tickercast.jobs.pages.charts import Chart, Numbers, line, points
from tickercast.jobs.pages.ticker_charts import short
from tickercast.jobs.pages.ticker_facts import Row
from tickercast.jobs.terminal.figures import rounded
from tickercast.jobs.terminal.text import counted

NATS = "nats per target"
SQUARED_ERROR = "squared error of scaled prices"


def loss_charts(trainings: Sequence[Row], preset: str) -> list[Chart]:
    """Return the loss after each training where there are several, and the epochs of the newest cold start where it has several.

    trainings: a row for each training and epoch, in order.
    """
    last_epochs = list({row["model_id"]: row for row in trainings}.values())
    unit = SQUARED_ERROR if preset == "article" else NATS
    charts = [by_training(last_epochs, unit)] if len(last_epochs) > 1 else []
    cold = [row for row in last_epochs if row["start"] == "cold"]
    epochs = [row for row in trainings if cold and row["model_id"] == cold[-1]["model_id"]]
    return [*charts, by_epoch(epochs, unit)] if len(epochs) > 1 else charts


def by_training(trainings: Sequence[Row], unit: str) -> Chart:
    """Return the loss after each training, held out where it was measured; cold starts and drift are marked."""
    days = [row["origin"] for row in trainings]
    held_out = any(row["validation_loss"] is not None for row in trainings)
    key = "validation_loss" if held_out else "train_loss"
    data = [line(days, short((row[key] for row in trainings), 5), "newest sessions" if held_out else "training", "price")]
    marks: tuple[tuple[str, Any, str, list[Row]], ...] = (
        ("cold start", "event", "diamond", [row for row in trainings if row["start"] == "cold" and row["reason"] != "drift"]),
        ("drift", "miss", "x", [row for row in trainings if row["reason"] == "drift"]),
    )
    for name, role, symbol, rows in marks:
        if rows:
            values = short((row[key] for row in rows), 5)
            data.append(points([row["origin"] for row in rows], values, name, role, marker={"size": 9, "symbol": symbol}))
    layout = {"xaxis": {"type": "date"}, "yaxis": titled(unit)}
    return Chart(
        "losses", "Loss after each training", _training_text(trainings, key, unit), data, _training_table(trainings), layout
    )


def by_epoch(epochs: Sequence[Row], unit: str) -> Chart:
    """Return the losses of one cold start by epoch, on a logarithmic axis where they allow one."""
    numbers = [row["epoch"] for row in epochs]
    data = [line(numbers, short((row["train_loss"] for row in epochs), 5), "training", "price")]
    if any(row["validation_loss"] is not None for row in epochs):
        data.append(line(numbers, short((row["validation_loss"] for row in epochs), 5), "held out", "median"))
    shape = "log" if all(row["train_loss"] > 0 for row in epochs) else "linear"
    layout = {"xaxis": titled("epoch"), "yaxis": titled(unit) | {"type": shape}}
    first, last = (rounded(epochs[end]["train_loss"], 4) for end in (0, -1))
    passes = counted(len(epochs), "epoch")
    text = f"The cold start at {epochs[0]['origin']}: its training loss went from {first} to {last} in {passes}."
    rows = [(str(row["epoch"]), rounded(row["train_loss"], 6), _or_nothing(row["validation_loss"])) for row in epochs]
    return Chart("epochs", "Loss of the newest cold start", text, data, Numbers(("epoch", "training", "held out"), rows), layout)


def _training_text(trainings: Sequence[Row], key: str, unit: str) -> str:
    cold = sum(row["start"] == "cold" for row in trainings)
    drifted = sum(row["reason"] == "drift" for row in trainings)
    newest = trainings[-1]
    what = (
        "on the newest sessions, before it learned from the last one" if key == "validation_loss" else "of the training targets"
    )
    return (
        f"{len(trainings)} trainings, {cold} of them cold starts, {drifted} after drift. The newest, at {newest['origin']}, has "
        f"a mean loss of {rounded(newest[key], 3)} {unit} {what}; lower is better."
    )


def _training_table(trainings: Sequence[Row]) -> Numbers:
    rows = [
        (row["origin"], row["start"], row["reason"], rounded(row["train_loss"], 4), _or_nothing(row["validation_loss"], 4))
        for row in reversed(trainings)
    ]
    return Numbers(("origin", "start", "reason", "training", "newest sessions"), rows)


def _or_nothing(value: float | None, decimals: int = 6) -> str:
    return "" if value is None else rounded(value, decimals)
