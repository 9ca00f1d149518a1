"""Tasks on a Dask cluster leave the record that processes leave, and what happens to a cluster is one clear line."""

from __future__ import annotations

import pytest

from tests.conftest import Command

SPAN = ("backfill", "AAPL", "IBM", "MSFT", "--source", "sample", "--start", "2012-10-01", "--end", "2012-12-14", "--workers", "2")
SMALL = {"TICKERCAST_MODEL__HISTORY_SESSIONS": "260", "TICKERCAST_TRAINING__COLD_EPOCHS": "3", "TICKERCAST_COMPUTE__STACK": "1"}


@pytest.mark.slow
def test_dask_leaves_the_record_of_processes(tickercast: Command) -> None:
    for engine in ("processes", "dask"):
        done = tickercast("--home", engine, *SPAN, **SMALL, TICKERCAST_COMPUTE__ENGINE=engine)
        assert done.returncode == 0, done.stderr
    assert "dask: 2 workers on this machine" in done.stderr
    first, second = (tickercast("--home", engine, "verify", "--content-hash").stdout for engine in ("processes", "dask"))
    assert first == second
