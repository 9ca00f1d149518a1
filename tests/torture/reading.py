"""Readers of a home that others write: plain sqlite3, pandas with SQLAlchemy, and the command `sql`.

They read only the public views, as docs/sql.md tells. Not here: who writes meanwhile (readers).
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.torture.oracle import DATABASE

HORIZONS = 5
# What one snapshot must say, each a number. The first ones only grow, the others stay zero.
GROWING = {
    "forecasts": "SELECT count(*) FROM forecast_history",
    "scores": "SELECT count(*) FROM scored_forecast",
    "models": "SELECT count(*) FROM model_lineage",
    "losses": "SELECT count(*) FROM loss_curve",
}
ZERO = {
    "forecasts without all horizons": f"""SELECT count(*) FROM (SELECT 1 FROM forecast_history GROUP BY ticker, origin, config
        HAVING count(*) <> {HORIZONS} OR min(horizon) <> 1 OR max(horizon) <> {HORIZONS})""",
    "forecasts whose model is missing": """SELECT count(*) FROM forecast_history
        WHERE model_id IS NOT NULL AND model_id NOT IN (SELECT model_id FROM model_lineage)""",
    "due scores that are missing": """SELECT (SELECT count(*) FROM forecast_history f JOIN
        (SELECT ticker, max(origin) AS newest FROM forecast_history GROUP BY ticker) l ON l.ticker = f.ticker
        WHERE f.target < l.newest) - (SELECT count(*) FROM scored_forecast s JOIN
        (SELECT ticker, max(origin) AS newest FROM forecast_history GROUP BY ticker) l ON l.ticker = s.ticker
        WHERE s.target < l.newest)""",
    "tickers whose newest origin differs between two views": """SELECT count(*) FROM freshness f JOIN
        (SELECT ticker, max(origin) AS newest FROM forecast_history GROUP BY ticker) l ON l.ticker = f.ticker
        WHERE f.last_origin <> l.newest""",
}
TOGETHER = "SELECT " + ", ".join(f'({query}) AS "{name}"' for name, query in (GROWING | ZERO).items())
PAUSE_SECONDS = 0.05  # within a snapshot, before it is read once more, and after it


@dataclass
class Seen:
    """What a reader saw. grown: snapshots in which there was more than in the one before."""

    snapshots: int = 0
    grown: int = 0
    broken: list[str] = field(default_factory=list)
    last: dict[str, int] = field(default_factory=dict)

    def add(self, first: Mapping[str, int], again: Mapping[str, int]) -> None:
        """Judge a snapshot that was read twice, and compare it with the one before."""
        self.snapshots += 1
        if first != again:
            self.broken.append(f"a snapshot changed from {dict(first)} to {dict(again)}")
        self.broken += [f"{first[name]} {name}" for name in ZERO if first[name]]
        self.broken += [
            f"{name} fell from {self.last[name]} to {first[name]}" for name in self.last if first[name] < self.last[name]
        ]
        self.grown += any(first[name] > self.last.get(name, 0) for name in GROWING)
        self.last = {name: first[name] for name in GROWING}


Snapshots = Iterator[tuple[Mapping[str, int], Mapping[str, int]]]


def plain(home: Path) -> Snapshots:
    """Yield snapshots of a client that waits for no lock: each is one transaction, on a new connection now and then."""
    while True:
        with closing(sqlite3.connect(f"file:{home / DATABASE}?mode=ro", uri=True, timeout=0, isolation_level=None)) as connection:
            for _ in range(5):
                connection.execute("BEGIN")
                first = {name: connection.execute(query).fetchone()[0] for name, query in (GROWING | ZERO).items()}
                time.sleep(PAUSE_SECONDS)
                again = {name: connection.execute(query).fetchone()[0] for name, query in (GROWING | ZERO).items()}
                connection.execute("COMMIT")
                yield first, again


def frames(home: Path) -> Snapshots:
    """Yield snapshots of pandas on SQLAlchemy."""
    import pandas as pd
    import sqlalchemy as sa

    engine = sa.create_engine(f"sqlite:///file:{home / DATABASE}?mode=ro&uri=true", isolation_level="AUTOCOMMIT")
    while True:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            first = _counted(pd.read_sql("SELECT * FROM forecast_history", connection), pd.read_sql(TOGETHER, connection))
            time.sleep(PAUSE_SECONDS)
            again = _counted(pd.read_sql("SELECT * FROM forecast_history", connection), pd.read_sql(TOGETHER, connection))
            connection.exec_driver_sql("COMMIT")
            yield first, again


def _counted(forecasts: Any, numbers: Any) -> dict[str, int]:
    """Return the numbers of a snapshot, with what pandas itself finds in all of its forecasts."""
    found = {name: int(numbers[name].iloc[0]) for name in numbers}
    sizes = forecasts.groupby(["ticker", "origin", "config"]).size()
    return {**found, "forecasts": len(forecasts), "forecasts without all horizons": int((sizes != HORIZONS).sum())}


def command(home: Path, environment: Mapping[str, str]) -> Snapshots:
    """Yield what the command `sql` says. Its one query is the snapshot, so it cannot be read twice."""
    arguments = [sys.executable, "-m", "tickercast", "--home", str(home), "sql", TOGETHER, "--format", "json"]
    while True:
        done = subprocess.run(arguments, capture_output=True, text=True, env=dict(environment), cwd=home.parent, check=False)
        if done.returncode:
            raise sqlite3.OperationalError(f"`sql` ended with code {done.returncode}: {done.stderr[-200:]}")
        [row] = json.loads(done.stdout)
        yield row, row


def read_until(ended: Callable[[], bool], snapshots: Snapshots) -> Seen:
    """Return what a reader saw until something ended. A reader that cannot read is an error of the product."""
    seen = Seen()
    try:
        while not ended():
            seen.add(*next(snapshots))
            time.sleep(PAUSE_SECONDS)
    except Exception as error:  # whatever it is, a user's program would have ended by it
        seen.broken.append(f"a reader failed: {type(error).__name__}: {error}")
    return seen
