"""What happened to a ticker: events, quarantined and refused bars, restatements, reports and cold starts, newest first.

Rows come from public views. Findings of one gate that were recorded at the same instant are one entry: a file's hundred bad bars
are one thing to know.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from tickercast.jobs.pages.rows import Row, records
from tickercast.jobs.terminal.text import counted
from tickercast.storage.connection import Reader

MOST_ROWS = 200  # read of each view
AHEAD_DAYS = 14  # reports that are due within them stand in the timeline too

EVENTS = "SELECT at, kind, session, message FROM event WHERE ticker = ? ORDER BY at DESC LIMIT ?"
GATES = """SELECT session, code, state, message, recorded_at, decided_at FROM gate
WHERE ticker = ? ORDER BY recorded_at DESC, session DESC LIMIT ?"""
RESTATEMENTS = """SELECT session, field, old_value, new_value, recorded_at, forecasts_affected FROM restatement
WHERE ticker = ? ORDER BY recorded_at DESC, session DESC LIMIT ?"""
# Each as it was first recorded.
REPORTS = """SELECT kind, date, recorded_at, source FROM (
    SELECT kind, date, recorded_at, source, row_number() OVER (PARTITION BY kind, date ORDER BY recorded_at) AS place
    FROM company_event WHERE ticker = ? AND date BETWEEN ? AND ?) e
WHERE place = 1 ORDER BY date DESC LIMIT ?"""

STATES = {"held": "quarantined", "refused": "refused", "ok": "noted"}


@dataclass(frozen=True, slots=True)
class Happening:
    """One entry: the day it is about, ISO; its kind in a word or two; what happened; since when the record knows, UTC text."""

    day: str
    kind: str
    text: str
    known_at: str


def timeline(connection: Reader, ticker: str, trainings: Sequence[Row], today: date) -> list[Happening]:
    """Return what happened to a ticker, newest day first. trainings: rows of TickerFacts, for its cold starts.

    Reports, and what gates noted of old bars, are told from the first of these trainings on; reports also two weeks ahead.
    """
    since = trainings[0]["origin"] if trainings else ""
    soon = (today + timedelta(AHEAD_DAYS)).isoformat()
    gates = records(connection, GATES, ticker, MOST_ROWS)
    found = [
        *_of_events(records(connection, EVENTS, ticker, MOST_ROWS)),
        *_of_gates(row for row in gates if row["state"] != "ok" or row["decided_at"] or row["session"] >= since),
        *_of_restatements(records(connection, RESTATEMENTS, ticker, MOST_ROWS)),
        *_of_reports(records(connection, REPORTS, ticker, since, soon, MOST_ROWS), today),
        *_of_cold_starts(trainings),
    ]
    return sorted(found, key=lambda entry: (entry.day, entry.known_at), reverse=True)


def _of_events(rows: Iterable[Row]) -> list[Happening]:
    return [Happening(row["session"] or row["at"][:10], row["kind"], row["message"], row["at"]) for row in rows]


def _of_gates(rows: Iterable[Row]) -> list[Happening]:
    def finding(row: Row) -> tuple[str, ...]:
        return row["recorded_at"], row["code"], row["state"], row["message"], row["decided_at"] or ""

    found = []
    for _, group in groupby(sorted(rows, key=lambda row: (*finding(row), row["session"])), finding):
        ours = list(group)
        first, last = ours[0], ours[-1]
        span = first["session"] if len(ours) == 1 else f"{counted(len(ours), 'bar')}, {first['session']} to {last['session']}"
        released = first["state"] == "ok" and first["decided_at"]
        state = "released" if released else STATES[first["state"]]
        text = f"{first['message']} ({span}; gate {first['code']})"
        found.append(
            Happening(last["session"], f"{state} bar" if len(ours) == 1 else f"{state} bars", text, first["recorded_at"])
        )
    return found


def _of_restatements(rows: Iterable[Row]) -> list[Happening]:
    return [
        Happening(
            row["session"],
            "restatement",
            f"{row['field']} {row['old_value']:,.6g} became {row['new_value']:,.6g}; "
            f"{counted(row['forecasts_affected'], 'forecast')} had used the old value",
            row["recorded_at"],
        )
        for row in rows
    ]


def _of_reports(rows: Iterable[Row], today: date) -> list[Happening]:
    return [
        Happening(
            row["date"],
            "report due" if row["date"] > today.isoformat() else "report",
            f"{row['kind']}, from {'a file' if row['source'] == 'file' else row['source']}",
            row["recorded_at"],
        )
        for row in rows
    ]


def _of_cold_starts(trainings: Sequence[Row]) -> list[Happening]:
    starts = {row["model_id"]: row for row in trainings if row["start"] == "cold"}
    return [
        Happening(row["origin"], "drift" if row["reason"] == "drift" else "cold start", _reason(row), row["origin"])
        for row in starts.values()
    ]


def _reason(row: Row) -> str:
    if row["reason"] == "drift":
        return "what it had learned did worse than the prior alone, so the chain started cold"
    return f"the chain started cold: {row['reason']}"
