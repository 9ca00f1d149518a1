"""Which source a ticker's prices come from: a kind, a folder's path and an adjustment, bound at the first stored bar.

Before that bar a ticker takes any source: the one that a command names, else the one that `track` stored, else that of the
settings. Afterwards another source is refused; only the path of a folder may change. Not here: the sources themselves.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from tickercast.jobs.prices.read_files import ReadFiles
from tickercast.jobs.prices.sources import open_source
from tickercast.jobs.prices.sources.base import PacedSource, Source, SourceError, SourceSettings, SourceUnavailable
from tickercast.jobs.prices.sources.folder import FolderSource
from tickercast.jobs.workspace.choices import SourceKind
from tickercast.jobs.workspace.home import Home
from tickercast.storage.errors import TickerSourceFixed
from tickercast.storage.paths import user_path
from tickercast.storage.queries import TickerRow

OWN_ADJUSTMENT = "as_traded"  # of the sources that state it themselves: Yahoo and the sample


@dataclass(frozen=True, slots=True)
class Binding:
    """A source by kind, absolute path (of a folder) and adjustment. An empty adjustment is not stated yet."""

    kind: str
    path: str = ""
    adjustment: str = ""

    @property
    def option(self) -> str:
        """Return the binding as the option --source names it."""
        return f"{self.kind}:{self.path}" if self.path else self.kind


def binding_of_option(source: str, adjustment: str | None) -> Binding:
    """Return the binding that the option --source names. Raises SourceSettings for an unknown kind or a missing folder."""
    kind, _, path = source.partition(":")
    if kind not in get_args(SourceKind):
        raise SourceSettings(f"{kind!r} is not a source; use yahoo, folder:PATH or sample")
    if kind != "folder":
        return Binding(kind, "", OWN_ADJUSTMENT)
    if not path or not user_path(path).exists():
        raise SourceSettings(f"folder {path!r} does not exist; give folder:PATH")
    return Binding(kind, _absolute(path), adjustment or "")


class Sources:
    """The sources of one run: each ticker's own, opened once. asked: what the option --source names, None without."""

    def __init__(self, home: Home, source: str | None = None, adjustment: str | None = None) -> None:
        self.home, self.adjustment = home, adjustment or ""
        if adjustment and not source:
            source = _folder_of_settings(home)
        self.asked = binding_of_option(source, adjustment) if source else None
        self.read_files = ReadFiles(home.cache)
        self._opened: dict[Binding, Source] = {}

    @property
    def default(self) -> Binding:
        """Return the binding of a ticker that has none yet: the option's, else the one of the settings."""
        settings = self.home.settings.source
        stated = self.adjustment or settings.adjustment
        if self.asked:
            return replace(self.asked, adjustment=self.asked.adjustment or stated)
        if settings.kind != "folder":
            return Binding(settings.kind, "", OWN_ADJUSTMENT)
        return Binding("folder", _absolute(settings.path) if settings.path else "", stated)

    def binding_of(self, ticker: TickerRow | None) -> Binding:
        """Return where a ticker's prices come from. Raises SourceSettings where the folder of its prices is not known."""
        if ticker is None or (not ticker.is_bound and (self.asked or not ticker.adjustment)):
            return self.default
        if ticker.adjustment:
            return Binding(ticker.source, ticker.source_path, ticker.adjustment)
        # Stored before tickers had a path: the folder is the one that an option or the settings name.
        if ticker.source != "folder":
            return Binding(ticker.source, "", OWN_ADJUSTMENT)
        settings = self.home.settings.source
        if self.asked is None and not settings.path:
            raise SourceSettings(f"{ticker.symbol}: the folder of its prices is not stored; {_cure(ticker.symbol)}")
        stated = self.adjustment or settings.adjustment
        path = self.asked.path if self.asked else _absolute(settings.path)
        return Binding("folder", path, stated)

    def kept_binding(self, ticker: TickerRow) -> tuple[Binding, bool]:
        """Return a stored ticker's binding and whether its source is live, also where the source cannot be opened."""
        try:
            binding = self.binding_of(ticker)
            return binding, self.open(binding).live
        except SourceError:
            return Binding(ticker.source, ticker.source_path, ticker.adjustment), False

    def open(self, binding: Binding, symbol: str = "T") -> Source:
        """Return an open source. Raises SourceError; SourceUnavailable where a folder of stored tickers has moved."""
        if binding not in self._opened:
            if binding.kind == "folder" and binding.path and not Path(binding.path).exists():
                cure = f"mount it again; if it has moved: `tickercast track {symbol} --source folder:NEWPATH`"
                raise SourceUnavailable(f"{symbol}: folder {binding.path} does not exist; {cure}")
            self._opened[binding] = open_source(self.home, binding.option, binding.adjustment)
        return self._opened[binding]

    def forget_rows(self) -> None:
        """Free the rows that folders hold in memory, once all tickers are fetched."""
        for source in self._opened.values():
            if isinstance(source, FolderSource):
                source.forget_rows()

    def tickers(self) -> list[str]:
        """Return the tickers of the default source. Raises SourceError."""
        return self.open(self.default).tickers()

    def left_out(self) -> list[str]:
        """Return a line for each name in the default source that cannot be a ticker. Raises SourceError."""
        return self.open(self.default).left_out()

    def is_live(self, ticker: TickerRow) -> bool:
        """Return whether a stored ticker's source is live, so that a missing bar is a fault."""
        return self.open(self.binding_of(ticker)).live

    @property
    def has_live(self) -> bool:
        """Return whether a live source was opened."""
        return any(source.live for source in self._opened.values())

    def pace_notes(self) -> list[str]:
        """Return how live sources have slowed this run down."""
        notes = (source.pace_note() for source in self._opened.values() if isinstance(source, PacedSource))
        return [note for note in notes if note is not None]

    @property
    def requests(self) -> int:
        """Return how many requests the opened sources sent over a network."""
        return sum(source.requests for source in self._opened.values())


def refuse_other_source(sources: Sources, tickers: Sequence[TickerRow | None]) -> None:
    """Raise TickerSourceFixed, before anything is fetched, when an option names another source than a bound ticker's.

    Raises SourceError for a source of the option that cannot be opened. None in tickers: one that is not stored.
    """
    if sources.asked is None:
        return
    if any(ticker is None or not ticker.is_bound or ticker.source != sources.asked.kind for ticker in tickers):
        sources.open(sources.default)
    for ticker in tickers:
        if ticker is None or not ticker.is_bound:
            continue
        _refuse_other_kind(ticker, sources.asked)
        if ticker.source_path and not _same_path(ticker.source_path, sources.asked.path):
            cure = f"leave --source out, or if the folder has moved: `tickercast track {ticker.symbol} --source folder:NEWPATH`"
            raise TickerSourceFixed(f"{ticker.symbol} keeps its folder {ticker.source_path}; nothing was fetched; {cure}")


def bound_to(sources: Sources, ticker: TickerRow) -> Binding | None:
    """Return what the options bind a stored ticker to, None when they name no source.

    A ticker with bars may get another path of its folder alone. Raises TickerSourceFixed.
    """
    if sources.asked is None:
        return None
    if not ticker.is_bound:
        return sources.default
    _refuse_other_kind(ticker, sources.asked)
    kept = ticker.adjustment or sources.default.adjustment
    return replace(sources.asked, adjustment=kept)


def _refuse_other_kind(ticker: TickerRow, asked: Binding) -> None:
    """Raise TickerSourceFixed where a bound ticker has another kind of source or another adjustment."""
    other_adjustment = asked.adjustment and ticker.adjustment and asked.adjustment != ticker.adjustment
    if ticker.source == asked.kind and not other_adjustment:
        return
    ours = f"{ticker.source} ({ticker.adjustment})" if other_adjustment else ticker.source
    theirs = f"{asked.kind} ({asked.adjustment})" if other_adjustment else asked.kind
    raise TickerSourceFixed(
        f"{ticker.symbol} keeps its source {ours} for life; nothing was fetched from {theirs}; leave --source out, "
        "or store the other prices under another symbol or in another home"
    )


def _folder_of_settings(home: Home) -> str:
    """Return the settings' folder, of which an adjustment without a source speaks. Raises SourceSettings without one."""
    settings = home.settings.source
    if settings.kind != "folder":
        raise SourceSettings("--adjustment belongs to a folder; add --source folder:PATH")
    return f"folder:{settings.path}"


def _cure(symbol: str) -> str:
    return f"`tickercast track {symbol} --source folder:PATH --adjustment as_traded|split|full`"


def _absolute(path: str) -> str:
    return os.path.normpath(user_path(path).absolute())


def _same_path(ours: str, theirs: str) -> bool:
    return os.path.realpath(ours) == os.path.realpath(theirs)
