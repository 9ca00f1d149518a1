"""Print the hashes of some small records, so that two checkouts can be compared byte for byte.

    python benchmarks/same_bytes.py [--checkout DIR] [--only NAME] > before.txt     # and again after a change; then diff

Each record is made by the command line of the checkout, in a temporary home, from the sample's prices. A line holds the name,
the content hash, and a hash of what the views `skill`, `calibration`, `gate` and `restatement` show. Instants and messages are
left out.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

VIEWS = {
    "skill": "ticker, horizon, mode, n, mae, crps, baseline_crps, coverage_80, hit_rate, dm_statistic, p_adjusted, verdict",
    "calibration": "*",
    "gate": "ticker, session, code, state, close",
    "restatement": "ticker, session, field, old_value, new_value",
}
SMALL = "[model]\nhistory_sessions = 260\n[training]\ncold_epochs = 3\ncold_every = 20\n"
PRIORS = "prior_every = 30\nprior_steps = 3\nprior_sessions = 400\n"
TICKERS = ("AAPL", "IBM", "MSFT")
SPAN = ("--start", "2012-09-04", "--end", "2012-11-15")
DAYS = ("2012-11-05", "2012-11-06", "2012-11-07", "2012-11-08", "2012-11-09", "2012-11-12", "2012-11-13")


class Checkout:
    """The command line of one checkout, run as a user would, in a home of its own for each record."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, home: Path, *arguments: object) -> str:
        """Return what a command writes to stdout. A command that fails some tickers (exit 3) counts as run."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TICKERCAST_")}
        done = subprocess.run(
            [sys.executable, "-m", "tickercast", "--home", str(home), *map(str, arguments)],
            cwd=self.folder, env={**kept, "PYTHONPATH": str(self.folder)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode not in (0, 3):
            raise SystemExit(f"{arguments}: exit {done.returncode}: {done.stderr}")
        return done.stdout

    def home(self, folder: Path, settings: str) -> Path:
        """Return a new home with some settings."""
        folder.mkdir()
        (folder / "tickercast.toml").write_text(settings, encoding="utf-8")
        self.run(folder, "init")
        return folder

    def prices(self, home: Path, ticker: str) -> list[dict[str, str]]:
        """Return the rows of a sample ticker's stored bars."""
        return list(csv.DictReader(io.StringIO(self.run(home, "bars", ticker, "--format", "csv"))))

    def hashes(self, home: Path) -> str:
        shown = "".join(self.run(home, "sql", f"SELECT {c} FROM {v}", "--format", "csv") for v, c in VIEWS.items())
        return f"{self.run(home, 'verify', '--content-hash').strip()} {hashlib.sha256(shown.encode()).hexdigest()[:16]}"


def with_priors(settings: str, *members: str) -> str:
    """Return settings, of which [training] is the last section, with the prior of a universe."""
    universe = f"[prior]\nuniverse = {json.dumps(members or TICKERS)}\n"
    return settings.replace("[model]\n", '[model]\nprior = "universe"\n') + PRIORS + universe


def from_sample(settings: str, *arguments: str) -> Callable[[Checkout, Path], Path]:
    """Return a maker of a record that one backfill of the sample leaves."""

    def make(checkout: Checkout, folder: Path) -> Path:
        home = checkout.home(folder / "home", settings)
        checkout.run(home, "backfill", *TICKERS, "--source", "sample", *arguments)
        return home

    return make


def forced_cold(checkout: Checkout, folder: Path) -> Path:
    """A backfill that a second one with --cold continues."""
    home = from_sample(with_priors(SMALL), SPAN[0], SPAN[1], "--end", "2012-10-15")(checkout, folder)
    checkout.run(home, "backfill", *TICKERS, "--source", "sample", *SPAN, "--cold")
    return home


def write_folder(checkout: Checkout, folder: Path, names: dict[str, str]) -> Path:
    """Write the sample's bars up to 2013 as CSV files under other names; the last month of the first one is cut out."""
    sample = checkout.home(folder / "sample", SMALL)
    checkout.run(sample, "backfill", *names.values(), "--source", "sample", "--start", "2012-12-03", "--end", "2012-12-03")
    prices = folder / "feed"
    prices.mkdir()
    for name, ticker in names.items():
        rows = [r for r in checkout.prices(sample, ticker) if "2009" <= r["session"] <= "2012-11-16"]
        with (prices / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["date", "open", "high", "low", "close", "volume", "dividend", "split"])
            writer.writerows(
                [r[c] for c in ("session", "open", "high", "low", "close", "volume", "dividend", "split")] for r in rows
            )
    return prices


def three_exchanges(checkout: Checkout, folder: Path) -> Path:
    """A backfill over New York, London and Tokyo, in two overlapping parts, with two workers."""
    feed = write_folder(checkout, folder, {"AAA": "AAPL", "BBB.L": "IBM", "CCC.T": "MSFT", "DDD": "GOOG"})
    home = checkout.home(folder / "home", with_priors(SMALL, "AAA", "BBB.L", "CCC.T", "DDD"))
    source = ("--source", f"folder:{feed}", "--adjustment", "as_traded", "--workers", "2")
    checkout.run(home, "backfill", "AAA", "BBB.L", "CCC.T", "DDD", *source, "--start", "2012-10-01", "--end", "2012-10-19")
    checkout.run(home, "backfill", "AAA", "BBB.L", "CCC.T", "DDD", *source, *SPAN)
    return home


def day_by_day(checkout: Checkout, folder: Path) -> Path:
    """Daily runs with a bad bar, a held jump that is released, a restated close and a tracked ticker that comes late."""
    feed = write_folder(checkout, folder, {"AAA": "AAPL", "BBB": "IBM", "CCC": "MSFT"})
    source = f'[source]\nkind = "folder"\npath = "{feed}"\nadjustment = "as_traded"\n'
    home = checkout.home(folder / "home", source + with_priors(SMALL, "AAA", "BBB", "CCC"))
    checkout.run(home, "track", "AAA", "BBB")
    whole = {path: path.read_text(encoding="utf-8") for path in feed.glob("*.csv")}
    for day in DAYS:
        for path, text in whole.items():
            lines = text.splitlines()
            kept = [lines[0], *(line for line in lines[1:] if line[:10] <= day)]
            path.write_text("\n".join(edited(path.stem, day, kept)) + "\n", encoding="utf-8")
        if day == DAYS[3]:
            checkout.run(home, "track", "CCC")
        checkout.run(home, "run", "--now", f"{day}T23:30:00Z", "--workers", "1")
    return home


def edited(ticker: str, day: str, lines: list[str]) -> list[str]:
    """Return a feed's lines of a day: BBB's close of 7 November is wrong until the 9th, AAA has a bad row on the 8th."""
    if ticker == "BBB" and "2012-11-07" <= day < "2012-11-09":
        return [times_close(line, 1.01) if line.startswith("2012-11-07") else line for line in lines]
    if ticker == "AAA" and day == "2012-11-08":
        return [times_close(line, -1.0) if line.startswith(day) else line for line in lines]
    if ticker == "BBB" and day >= "2012-11-12":
        return [times_all(line, 0.01) if line.startswith("2012-11-12") else line for line in lines]
    return lines


def times_close(line: str, factor: float) -> str:
    cells = line.split(",")
    return ",".join([*cells[:4], str(float(cells[4]) * factor), *cells[5:]])


def times_all(line: str, factor: float) -> str:
    cells = line.split(",")
    return ",".join([cells[0], *(str(float(cell) * factor) for cell in cells[1:5]), *cells[5:]])


RECORDS: dict[str, Callable[[Checkout, Path], Path]] = {
    "default": from_sample("", "--start", "2012-10-01", "--end", "2012-11-15"),
    "twins": from_sample(SMALL, *SPAN, "--twins"),
    "cold": forced_cold,
    "workers": from_sample(with_priors(SMALL), *SPAN, "--workers", "2"),
    "baselines": from_sample(SMALL, "--start", "2012-10-15", "--end", "2012-11-15", "--baselines"),
    "elman": from_sample(
        '[model]\ncell = "elman"\nhistory_sessions = 260\n[training]\ncold_epochs = 2\nprior_every = 0\n', *SPAN
    ),
    "lstm": from_sample(
        '[model]\ncell = "lstm"\nlayers = 2\nhorizons = 3\nfield = "open"\nhistory_sessions = 260\n[training]\ncold_epochs = 2\n'
        'optimizer = "adamw"\nschedule = "half_cosine"\npatience = 1\nprior_every = 0\n', *SPAN,
    ),
    "recalibrated": from_sample(
        with_priors(
            '[model]\nrecalibrate = true\nhistory_sessions = 260\n[training]\nlearning_rate = 0.02\n'
            "warm_epochs = 3\ncold_every = 30\n"
        ), *SPAN,
    ),
    "drift": from_sample(
        with_priors(
            "[model]\nhistory_sessions = 260\n[training]\nlearning_rate = 0.5\nwarm_epochs = 4\ncold_epochs = 2\n"
            "cold_every = 30\n"
        ), *SPAN,
    ),
    "article": from_sample("", "--preset", "article", "--start", "2013-01-02"),
    "three exchanges": three_exchanges,
    "day by day": day_by_day,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkout", type=Path, default=Path(__file__).parent.parent)
    parser.add_argument("--only", choices=sorted(RECORDS))
    options = parser.parse_args()
    checkout = Checkout(options.checkout.resolve())
    for name, make in RECORDS.items():
        if options.only in (None, name):
            with tempfile.TemporaryDirectory(prefix="tickercast-bytes-") as folder:
                print(f"{name:16} {checkout.hashes(make(checkout, Path(folder)))}", flush=True)


if __name__ == "__main__":
    main()
