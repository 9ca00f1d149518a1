"""What `explain` shows to people: a paragraph about the range one session ahead, and a table of all horizons in percent."""

from __future__ import annotations

from tickercast.jobs.analysis.explain import ExplainedChange, Explanation
from tickercast.jobs.terminal.tables import Table, TableColumn

COLUMNS = (
    TableColumn("ahead", "number"),
    TableColumn("percent"),
    TableColumn("before", "number"),
    TableColumn("restated bars", "number", rank=1),
    TableColumn("new bar", "number"),
    TableColumn("new weights", "number"),
    TableColumn("now", "number"),
)
FIGURES = {"width": "5-95 % range", "location": "location"}  # the scale moves with the range
PARTS = {"restated_bars": "restated bars", "new_bar": "the new bar", "new_weights": "new weights"}
SMALLEST = 0.005  # percentage points: what rounds to 0.00


def explain_table(explanation: Explanation) -> Table:
    """Return the table, with the paragraph as its heading."""
    shown = [change for change in explanation.changes if change.what in FIGURES]
    return Table(COLUMNS, [_cells(change) for change in shown], heading=paragraph(explanation))


def paragraph(explanation: Explanation) -> str:
    """Return in words how wide the range is one session ahead, what made it wider or narrower, and the training behind it."""
    width = next(change for change in explanation.changes if (change.horizon, change.what) == (1, "width"))
    earlier, newest = explanation.origins
    trained = f"trained at {newest}" if explanation.trained else "not trained since"
    return (
        f"{explanation.ticker}: one session after {newest}, the 5-95 % range is {100 * width.now:.2f} % wide, "
        f"{_difference(100 * (width.now - width.before))} than after {earlier}: {_parts(width)}; "
        f"{trained}: {explanation.reason}.\n"
    )


def _difference(points: float) -> str:
    if abs(points) < SMALLEST:
        return "less than 0.01 points wider or narrower"
    return f"{abs(points):.2f} points {'wider' if points > 0 else 'narrower'}"


def _parts(width: ExplainedChange) -> str:
    points = {words: 100 * getattr(width, name) for name, words in PARTS.items()}
    told = [_part(words, value) for words, value in points.items() if value]
    unchanged = [words for words, value in points.items() if not value]
    return ", ".join([*told, *([f"nothing comes from {' or '.join(unchanged)}"] if unchanged else [])])


def _part(words: str, points: float) -> str:
    verb = ("adds" if points > 0 else "takes") if words.startswith("the ") else ("add" if points > 0 else "take")
    return f"{words} {verb} {abs(points):.2f}" if abs(points) >= SMALLEST else f"{words} {verb} less than 0.01"


def _cells(change: ExplainedChange) -> list[str]:
    parts = [_signed(100 * part) for part in (change.restated_bars, change.new_bar, change.new_weights)]
    before, now = (f"{100 * value:.4f}" if abs(value) >= 5e-7 else _signed(100 * value) for value in (change.before, change.now))
    return [str(change.horizon), FIGURES[change.what], before, *parts, now]


def _signed(points: float) -> str:
    """Return percentage points with their sign: 0 only where nothing changed, and one digit of what is too small for four."""
    if points == 0:
        return "0"
    return f"{points:+.4f}" if abs(points) >= 5e-5 else f"{points:+.0e}"
