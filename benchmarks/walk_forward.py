"""Time a walk-forward backfill as its user runs it, and what it leaves.

    python benchmarks/walk_forward.py [--source folder:PATH --adjustment split] [--start D] [--end D] [--workers N]

Without a source: the five sample tickers, 250 sessions. Prints seconds, peak memory of the largest process, rows, and bytes
by table.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# The bytes of each table with its indexes.
BYTES = """SELECT m.tbl_name, sum(d.pgsize) AS bytes FROM dbstat d JOIN sqlite_master m ON m.name = d.name
GROUP BY m.tbl_name ORDER BY bytes DESC"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("source", "sample"), ("adjustment", None), ("start", None), ("end", None), ("workers", None)):
        parser.add_argument(f"--{name}", default=default)
    options = vars(parser.parse_args())
    if options["source"] == "sample" and options["start"] is None:
        options["start"] = "2012-03-02"
    home = Path(tempfile.mkdtemp(prefix="tickercast-bench-"))
    given = [word for name, value in options.items() if value is not None for word in (f"--{name}", value)]
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "tickercast", "--home", str(home), "backfill", *given], check=True)
    seconds = time.perf_counter() - began
    peak_megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    database = home / "tickercast.db"
    connection = sqlite3.connect(database)
    rows = {
        table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in ("forecasts", "scores", "models", "losses", "checkpoints")
    }
    origins = connection.execute("SELECT count(*) FROM origins").fetchone()[0]
    sizes = connection.execute(BYTES).fetchall()
    connection.close()
    print(f"machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    print(f"seconds: {seconds:.1f}, {1000 * seconds / max(origins, 1):.2f} ms a ticker-origin")
    print(f"peak memory of the largest process: {peak_megabytes:.0f} MB")
    print(f"rows: {', '.join(f'{name} {count}' for name, count in rows.items())}")
    print(f"database: {database.stat().st_size / 1e6:.1f} MB; bytes a forecast:")
    for table, size in sizes:
        print(f"  {table:20} {size / max(rows['forecasts'], 1):7.1f}")


if __name__ == "__main__":
    main()
