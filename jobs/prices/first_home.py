"""What a new home begins with: where its prices come from and the tickers that it follows, checked before anything is made.

Not here: who is asked for it (jobs.cli.first_questions).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tickercast.jobs.errors import UsageError
from tickercast.jobs.exchanges.calendars import require_calendars
from tickercast.jobs.exchanges.references import REFERENCES
from tickercast.jobs.exchanges.symbols import parse_symbol
from tickercast.jobs.prices.bindings import binding_of_option
from tickercast.jobs.prices.sources.base import SourceSettings
from tickercast.jobs.terminal.text import first_names
from tickercast.jobs.workspace.choices import Adjustment
from tickercast.jobs.workspace.home import Home
from tickercast.jobs.workspace.place import SETTINGS_FILE


@dataclass(frozen=True, slots=True)
class Beginning:
    """The source of a new home, as --source names it, how a folder's prices are adjusted, and the tickers to follow.

    source: None = not chosen, which is Yahoo.
    """

    source: str | None = None
    adjustment: Adjustment | None = None
    tickers: tuple[str, ...] = ()

    def settings(self) -> dict[str, Any]:
        """Return the keys of a new settings file that are not left at their defaults. Raises SourceSettings."""
        if self.source is None:
            return {}
        binding = binding_of_option(self.source, self.adjustment)
        if binding.kind == "folder":
            return {"source.kind": "folder", "source.path": binding.path, "source.adjustment": binding.adjustment}
        if binding.kind == "sample":  # it ends before the first bundled prior serves
            members = tuple(offered_tickers("sample").tickers)
            return {"source.kind": "sample", "model.prior": "universe", "prior.universe": members}
        return {"source.kind": binding.kind}


@dataclass(frozen=True, slots=True)
class Offer:
    """What a source has: its tickers, none where it lists none, and a line for each name that it cannot give."""

    tickers: Sequence[str] = ()
    left_out: Sequence[str] = ()


def check_beginning(beginning: Beginning) -> Offer:
    """Return what the source has. Raises SourceError, SymbolRefused, CalendarError or UsageError for what cannot begin a home."""
    binding = binding_of_option(beginning.source or "yahoo", beginning.adjustment)
    offer = offered_tickers(beginning.source or "yahoo")
    if binding.kind == "folder" and beginning.adjustment is None:
        options = "add --adjustment as_traded, split or full"
        raise SourceSettings(f"it is not stated how the prices in {binding.path} are adjusted; {options}")
    if binding.kind != "folder" and beginning.adjustment is not None:
        raise SourceSettings("--adjustment belongs to a folder; add --source folder:PATH")
    if not binding.path.isprintable():
        raise UsageError(f"{binding.path!a}: a settings file cannot hold this path; give the folder another name")
    checked_tickers(beginning.tickers, offer)
    return offer


def refuse_other_source(home: Home, beginning: Beginning) -> None:
    """Raise UsageError where a home that existed takes its prices from elsewhere and no ticker is named to take them so."""
    told = {key: value for key, value in beginning.settings().items() if key.startswith("source.")}
    ours = {key: getattr(home.settings.source, key.removeprefix("source.")) for key in told}
    if ours != told and not beginning.tickers:
        cure = f"edit [source] in {SETTINGS_FILE}, or add --ticker for tickers of the other source"
        raise UsageError(f"{home.folder} exists, and its settings stay: prices come from {ours['source.kind']}; {cure}")


def offered_tickers(source: str) -> Offer:
    """Return what a source has, but no references: they are no tickers to follow. Raises SourceError when it cannot be opened."""
    binding = binding_of_option(source, None)
    if binding.kind == "sample":
        from tickercast.jobs.prices.sources.sample import SampleSource, require_sample

        require_sample()
        return Offer(SampleSource().tickers())
    if binding.kind == "folder":
        from tickercast.jobs.prices.sources.folder import FolderSource

        folder = FolderSource(binding.path, "split")  # names do not depend on the adjustment
        return Offer([name for name in folder.tickers() if name not in REFERENCES.values()], folder.left_out())
    return Offer()


def checked_tickers(texts: Iterable[str], offer: Offer) -> tuple[str, ...]:
    """Return symbols without duplicates. Raises SymbolRefused, CalendarError, and UsageError for one that the source lacks."""
    symbols = tuple(dict.fromkeys(parse_symbol(text) for text in texts))
    for symbol in symbols:
        if offer.tickers and symbol not in offer.tickers:
            raise UsageError(f"{symbol}: not in the source; it has {first_names(offer.tickers)}")
    require_calendars(symbols)
    return symbols
