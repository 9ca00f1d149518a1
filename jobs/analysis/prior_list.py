"""The priors that cold starts of a home may begin from: the program's own files, or those that the record has of a universe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date

from tickercast.jobs.exchanges.calendars import exchange_calendar
from tickercast.jobs.exchanges.symbols import kind_of_symbol
from tickercast.jobs.forecasting.identity import bundled_prior_id
from tickercast.jobs.forecasting.prior import FAMILIES
from tickercast.jobs.forecasting.tasks import newest_prior
from tickercast.jobs.runs.bundle import BUNDLED, bundled_priors, mismatch
from tickercast.jobs.runs.priors import priors_of
from tickercast.jobs.workspace.config import Config
from tickercast.jobs.workspace.home import Home
from tickercast.storage import queries
from tickercast.storage.database import Connection, reading


@dataclass(frozen=True, slots=True)
class PriorSummary:
    """A prior. serves: the stored tickers whose next cold start begins from it; bytes: the size of its file or checkpoint."""

    cutoff: str
    kind: str
    family: str
    members: int
    serves: str
    bytes: int
    fingerprint: str


COLUMNS = tuple(field.name for field in fields(PriorSummary))


def list_priors(home: Home, today: date) -> list[PriorSummary]:
    """Return the bundled priors and those of the active config's universe, oldest first."""
    config = home.settings.config()
    with reading(home.database) as connection:
        tickers = _served(connection, config, today)
        return [*_bundled(config, tickers), *_of_universe(connection, config, tickers)]


def _served(connection: Connection, config: Config, today: date) -> dict[str, list[str]]:
    """Return the tickers that each prior serves today, by its id."""
    served: dict[str, list[str]] = {}
    for ticker in queries.list_tickers(connection):
        family = FAMILIES[ticker.kind or kind_of_symbol(ticker.symbol)]
        prior = newest_prior(priors_of(connection, config, exchange_calendar(ticker.exchange)), today, family)
        if prior:
            served.setdefault(prior.model_id, []).append(ticker.symbol)
    return served


def _bundled(config: Config, tickers: dict[str, list[str]]) -> Iterator[PriorSummary]:
    for prior in bundled_priors():
        difference = mismatch(prior, config)
        serves = f"no config of {difference}" if difference else ",".join(tickers.get(bundled_prior_id(config, prior.sha256), []))
        yield PriorSummary(
            str(prior.cutoff), BUNDLED, prior.family, len(prior.members), serves, len(prior.content()), prior.fingerprint
        )


def _of_universe(connection: Connection, config: Config, tickers: dict[str, list[str]]) -> Iterator[PriorSummary]:
    for prior in queries.summarised_priors(connection, config.id):
        yield PriorSummary(
            str(prior.cutoff), prior.kind, prior.family, prior.members, ",".join(tickers.get(prior.model_id, [])),
            prior.bytes, prior.fingerprint,
        )  # fmt: skip
