"""Which sessions a ticker has missed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.builders import SESSIONS, at_close, at_night, small_record
from tickercast.storage.monitoring import ticker_facts
from tickercast.storage.reader import snapshot

HOUR = timedelta(hours=1)


def test_sessions_are_missed_after_the_last_origin_and_for_a_new_ticker_after_it_was_added(tmp_path: Path) -> None:
    # IBM's last origin is Thursday the 7th. MSFT has none, and was added on Monday the 4th after the close.
    with snapshot(small_record(tmp_path).database) as connection:
        ibm, msft = ticker_facts(connection, at_close(SESSIONS[5]))
        assert (ibm.missed, ibm.missed_since) == (2, at_close(SESSIONS[4]))
        assert (msft.missed, msft.missed_since) == (5, at_close(SESSIONS[1]))
        before_the_close = ticker_facts(connection, at_close(SESSIONS[5]) - HOUR)
        assert [ticker.missed for ticker in before_the_close] == [1, 4]
        assert [ticker.missed for ticker in ticker_facts(connection, at_night(SESSIONS[0]))] == [0, 0]
