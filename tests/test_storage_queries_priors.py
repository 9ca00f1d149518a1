"""Queries of priors: those of a universe, and what a run says once where priors of earlier versions are stored."""

from __future__ import annotations

from tests.builders import COLD_ORIGIN, CONFIG, SESSIONS, WARM_ORIGIN, Record, at_night, model_row
from tickercast.storage import queries, writes
from tickercast.storage.schema import Prior


def test_the_priors_of_a_universe_are_those_fitted_for_an_exchange_diverged_ones_too(record: Record) -> None:
    names = {"later": ("universe", "XNYS"), "london": ("universe", "XLON"), "old": ("run", "XNYS"), "file": ("bundled", "XNYS")}
    models = [model_row(name, WARM_ORIGIN, role="prior", ticker_id=None, reason="refit") for name in names]
    priors = [
        {"model_id": name, "kind": kind, "family": family, "cutoff": WARM_ORIGIN, "diverged": 1, "data_sha256": "2b",
         "settings": "{}", "fingerprint": "cpu"} for name, (kind, family) in names.items()
    ]  # fmt: skip
    with record.writing() as connection:
        writes.insert_models(connection, models, run_id=1)
        writes.insert_mappings(connection, Prior, priors)
    with record.reading() as connection:
        found = queries.universe_priors(connection, CONFIG, "XNYS")
        assert [(p.model_id, p.cutoff, p.content) for p in found] == [
            ("prior", COLD_ORIGIN, b"params of prior"), ("later", WARM_ORIGIN, None)
        ]  # fmt: skip
        assert queries.universe_priors(connection, "another config", "XNYS") == []
        sizes = [(p.model_id, p.members, p.bytes) for p in queries.summarised_priors(connection, CONFIG)]
        assert sizes == [("prior", 1, len(b"params of prior")), ("london", 0, 0), ("later", 0, 0), ("old", 0, 0)]


def test_an_upgrade_is_told_by_one_run_where_priors_of_runs_are_stored(record: Record) -> None:
    with record.writing() as connection:
        assert not queries.is_first_without_priors_of_runs(connection)
    record.force("UPDATE priors SET kind = 'run'")
    with record.writing() as connection:
        assert queries.is_first_without_priors_of_runs(connection)
        writes.record_event(connection, "upgrade", "told", at=at_night(SESSIONS[-1]), run_id=1)
        assert not queries.is_first_without_priors_of_runs(connection)
