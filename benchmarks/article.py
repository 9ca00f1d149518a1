"""The article's preset beside the article's own program: seconds, and RMSE in dollars over the same test targets.

    python benchmarks/article.py GOOGL.csv [--peer article_rnn.py]

GOOGL.csv: the split-adjusted prices of 2020-04-01..2023-03-31. --peer: a program that takes the CSV and prints its own line; it
runs before ours in the same run. Both train 200 epochs on the first 80 % of `open`; one thread.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from tickercast.jobs.pages.article import copied_share

TARGETS = 101  # what the article's test part leaves after its first window


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", type=Path)
    parser.add_argument("--peer", type=Path)
    options = parser.parse_args()
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    if options.peer:
        print("peer:", flush=True)
        subprocess.run([sys.executable, str(options.peer), str(options.csv)], check=True, env=environment)
    folder = Path(tempfile.mkdtemp(prefix="tickercast-article-"))
    shutil.copy(options.csv, folder / "GOOGL.csv")
    home = folder / "home"
    arguments = ["backfill", "GOOGL", "--preset", "article", "--source", f"folder:{folder}", "--adjustment", "split"]
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "tickercast", "--home", str(home), *arguments], check=True, env=environment)
    whole = time.perf_counter() - began
    report(home, options.csv, whole)


def report(home: Path, csv: Path, whole_seconds: float) -> None:
    """Print ours over the last targets that have a bar; the newest forecast has none yet."""
    connection = sqlite3.connect(home / "tickercast.db")
    history = pd.read_sql("SELECT target, last_price, q50 FROM forecast_history ORDER BY target", connection)
    seconds, updates = connection.execute("SELECT seconds, updates FROM model_lineage").fetchone()
    connection.close()
    opens = pd.read_csv(csv).set_index("date")["open"]
    known = history[history["target"].isin(opens.index)].tail(TARGETS)
    came = opens[known["target"]].to_numpy()
    rmse = [float(np.sqrt(np.mean((known[name].to_numpy() - came) ** 2))) for name in ("q50", "last_price")]
    copied = copied_share(known["q50"].to_numpy(), known["last_price"].to_numpy())
    print(f"ours: training {seconds:.2f} s ({updates} updates), whole command {whole_seconds:.1f} s")
    print(f"test RMSE {rmse[0]:.3f} over {len(known)} targets, last value {rmse[1]:.3f}")
    print(f"share of the forecast's move that copies yesterday's: {copied:.3f}")


if __name__ == "__main__":
    main()
