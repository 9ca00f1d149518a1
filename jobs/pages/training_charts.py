"""The charts of trainings: the loss after each one with cold starts and drift marked, and the epochs of the newest cold start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tickercast.jobs.pages.axes import titled
from tickercast.jobs.pages.charts import Chart, Numbers, line, points, short
from tickercast.jobs.pages.rows import Row
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
    has_losses = any(row["train_loss"] is not None for row in last_epochs)
    charts = [by_training(last_epochs, unit)] if len(last_epochs) > 1 and has_losses else []
    cold = [row for row in last_epochs if row["start"] == "cold"]
    epochs = [row for row in trainings if cold and row["model_id"] == cold[-1]["model_id"]]
    return [*charts, by_epoch(epochs, unit)] if len(epochs) > 1 else charts


def by_training(trainings: Sequence[Row], unit: str) -> Chart:
    """Return the loss after each training, held out where it was measured; cold starts and drift are marked.

    A cold start without a loss, which only drops what was learned, is marked at the height of the training before it.
    """
    held_out = any(row["validation_loss"] is not None for row in trainings)
    key = "validation_loss" if held_out else "train_loss"
    known = [row for row in trainings if row[key] is not None]
    name = "newest sessions" if held_out else "training"
    data = [line([row["origin"] for row in known], short((row[key] for row in known), 5), name, "price")]
    heights = dict(zip([row["model_id"] for row in trainings], _carried([row[key] for row in trainings]), strict=True))
    marks: tuple[tuple[str, Any, str, list[Row]], ...] = (
        ("cold start", "event", "diamond", [row for row in trainings if row["start"] == "cold" and row["reason"] != "drift"]),
        ("drift", "miss", "x", [row for row in trainings if row["reason"] == "drift"]),
    )
    for name, role, symbol, rows in marks:
        if rows:
            values = short((heights[row["model_id"]] for row in rows), 5)
            data.append(points([row["origin"] for row in rows], values, name, role, marker={"size": 9, "symbol": symbol}))
    layout = {"xaxis": {"type": "date"}, "yaxis": titled(unit)}
    text = _training_text(trainings, known, key, unit)
    return Chart("losses", "Loss after each training", text, data, _training_table(trainings), layout)


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


def _carried(values: Sequence[float | None]) -> list[float | None]:
    """Return values with each missing one replaced by the last known before it, and those before the first by the first."""
    last = next((value for value in values if value is not None), None)
    carried = []
    for value in values:
        last = last if value is None else value
        carried.append(last)
    return carried


def _training_text(trainings: Sequence[Row], known: Sequence[Row], key: str, unit: str) -> str:
    cold = sum(row["start"] == "cold" for row in trainings)
    drifted = sum(row["reason"] == "drift" for row in trainings)
    counts = f"{len(trainings)} trainings, {cold} of them cold starts, {drifted} after drift."
    newest = known[-1]
    when = "on the newest sessions, before it learned from the last one"
    what = when if key == "validation_loss" else "of the training targets"
    loss = rounded(newest[key], 3)
    return f"{counts} The newest, at {newest['origin']}, has a mean loss of {loss} {unit} {what}; lower is better."


def _training_table(trainings: Sequence[Row]) -> Numbers:
    def cells(row: Row) -> tuple[str, ...]:
        return (
            row["origin"],
            row["start"],
            row["reason"],
            *(_or_nothing(row[key], 4) for key in ("train_loss", "validation_loss")),
        )

    return Numbers(("origin", "start", "reason", "training", "newest sessions"), [cells(row) for row in reversed(trainings)])


def _or_nothing(value: float | None, decimals: int = 6) -> str:
    return "" if value is None else rounded(value, decimals)
