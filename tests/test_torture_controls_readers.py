"""Negative controls of the readers: a build whose `sql` has lost its guards is noticed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.torture import readers
from tests.torture.builds import Sabotage
from tests.torture.controls import Control, sentence_that_notices
from tests.torture.harness import Bench
from tests.torture.program import must_run

pytestmark = pytest.mark.slow
GUARD = "storage/query_process.py"
# `sql` opens the database with mode=ro, and nothing else keeps a query from writing.
MODE_RO_ALONE = (
    Sabotage("mode=ro alone", GUARD, "    connection.set_authorizer(_authorize)\n", ""),
    Sabotage("mode=ro alone", GUARD, '"query_only=ON", ', ""),
    Sabotage("mode=ro alone", GUARD, "    sqlite3.SQLITE_LIMIT_ATTACHED: 0,\n", ""),
)


def make_empty_home(bench: Bench) -> None:
    must_run(bench.build, bench.prepared / "home", "init")


def test_queries_that_only_mode_ro_keeps_from_writing_are_noticed(tmp_path: Path) -> None:
    harness = replace(readers.HARNESS, prepare=make_empty_home)  # a trial ends before its backfill when a query has written
    control = Control(MODE_RO_ALONE, harness, trials=1, sign="wrote")
    assert sentence_that_notices(control, tmp_path) == "readers 0: `sql` with \"VACUUM INTO 'copied.db'\" wrote copied.db"
