"""What `init` asks on a terminal: the source, a folder's adjustment, the tickers. Nothing is made before the last answer.

A wrong answer is asked for again, with the reason. Enter accepts what is in brackets.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, get_args

from tickercast.jobs.cli.options import say
from tickercast.jobs.errors import Interrupted, UsageError
from tickercast.jobs.exchanges.symbols import SymbolRefused
from tickercast.jobs.prices.first_home import Beginning, Offer, checked_tickers, offered_tickers
from tickercast.jobs.prices.sources.base import SourceError
from tickercast.jobs.prices.sources.folder_files import price_files
from tickercast.jobs.runs.interrupts import Stopped
from tickercast.jobs.terminal.text import counted, first_names, printable
from tickercast.jobs.workspace.choices import Adjustment, SourceKind

YAHOO_TICKERS = "MSFT AAPL ^GSPC"
ALL = "all"
SOURCES = """Where do prices come from?
  yahoo   Yahoo Finance, over the internet
  folder  your own CSV or Parquet files
  sample  five tickers from 2000 to 2013, without a network"""
ADJUSTMENTS = """How are the files' prices adjusted?
  as_traded  not at all: a split is a jump
  split      for splits, as most vendors give them
  full       for splits and dividends"""

Answer = TypeVar("Answer")


def can_ask() -> bool:
    """Return whether somebody sits at a terminal who can answer."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def ask_beginning(home: Path) -> Beginning:
    """Return what the user wants a new home to begin with. Raises Interrupted after Ctrl-C, UsageError at the end of input."""
    say(f"A new home: {home}. Enter accepts the answer in brackets; Ctrl-C creates nothing.")
    try:
        return _asked()
    except KeyboardInterrupt as stop:
        number = stop.signal_number if isinstance(stop, Stopped) else signal.SIGINT
        sys.stderr.write("\n")
        raise Interrupted("interrupted; nothing was created", number) from None


def _asked() -> Beginning:
    say(f"\n{SOURCES}")
    kind = _ask("source", "yahoo", _source)
    if kind == "folder":
        source, offer = _ask("folder", _likely_folder(), _folder)
        say(f"\n{ADJUSTMENTS}")
        adjustment = _ask("adjustment", "split", _adjustment)
    else:
        source, offer, adjustment = kind, offered_tickers(kind), None
    return Beginning(source, adjustment, _tickers(offer))


def _tickers(offer: Offer) -> tuple[str, ...]:
    for line in offer.left_out:
        say(f"  {line}")
    if not offer.tickers:
        say("\nWhich tickers do you want to follow? Write Yahoo's symbols, separated by spaces.")
        return _ask("tickers", YAHOO_TICKERS, lambda text: checked_tickers(_words(text), offer))
    say(f"\nIt has {counted(len(offer.tickers), 'ticker')}: {first_names(offer.tickers)}. Which do you want to follow?")

    def chosen(text: str) -> tuple[str, ...]:
        return checked_tickers(offer.tickers if text.lower() == ALL else _words(text), offer)

    return _ask("tickers", ALL, chosen)


def _ask(name: str, default: str, check: Callable[[str], Answer]) -> Answer:
    """Return a checked answer. default: what Enter alone means; empty = something must be written."""
    while True:
        sys.stderr.write(printable(f"{name} [{default}]: " if default else f"{name}: "))
        sys.stderr.flush()
        answer = _line() or default
        try:
            if not answer:
                raise UsageError("an answer is needed")
            return check(answer)
        except (SourceError, SymbolRefused, UsageError) as problem:
            say(f"  {problem}")


def _line() -> str:
    line = sys.stdin.buffer.readline()
    if not line:
        sys.stderr.write("\n")
        raise UsageError("the questions were not answered; nothing was created; `tickercast init --help` has options for them")
    return os.fsdecode(line).strip()


def _source(text: str) -> str:
    if text.lower() not in get_args(SourceKind):
        raise UsageError(f"{text!r} is not one of {', '.join(get_args(SourceKind))}")
    if text.lower() == "sample":
        offered_tickers("sample")  # so that a missing extra is told here
    return text.lower()


def _folder(text: str) -> tuple[str, Offer]:
    source = f"folder:{text.strip(chr(39) + chr(34))}"  # a path dropped into a terminal comes in quotes
    return source, offered_tickers(source)


def _adjustment(text: str) -> Adjustment:
    for known in get_args(Adjustment):
        if text.lower() == known:
            found: Adjustment = known
            return found
    raise UsageError(f"{text!r} is not one of {', '.join(get_args(Adjustment))}")


def _likely_folder() -> str:
    """Return ./prices, or the current folder, where there are price files; else an empty text."""
    return next((str(path) for path in (Path("prices"), Path()) if path.is_dir() and _has_prices(path)), "")


def _has_prices(folder: Path) -> bool:
    try:
        return bool(price_files(folder))
    except SourceError:
        return False


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()
