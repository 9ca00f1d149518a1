"""What reads a whole record on a server receives its rows some at a time: all at once take a gigabyte for a million forecasts."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from tests.builders import Record
from tests.postgres_records import copied_record
from tests.postgres_server import PostgresCluster
from tickercast.storage import verify
from tickercast.storage.database import reading

pytestmark = pytest.mark.slow


def test_hashing_and_checking_a_record_fetch_rows_in_parts(postgres: PostgresCluster, sound_record: Record) -> None:
    whole: list[str] = []

    def note(_c: Any, cursor: Any, statement: str, *_: Any) -> None:
        if not isinstance(cursor, psycopg.ServerCursor):
            whole.append(" ".join(statement.split()))

    with reading(copied_record(sound_record.database, postgres)) as connection:
        event.listen(connection, "before_cursor_execute", note)
        verify.content_hash(connection)
        verify.find_problems(connection, sound_record.prices)
    of_all_rows = {" ".join(query.split()) for query in (*verify.HASHED, verify.CHECKPOINTS, verify.CURRENT_FILES)}
    assert of_all_rows & set(whole) == set()
