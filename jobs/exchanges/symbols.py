"""Ticker symbols: which texts are one, and the exchange that a symbol names. Called before anything is requested."""

from __future__ import annotations

import re

LONGEST = 32
PATTERN = re.compile(r"\^?[A-Z0-9][A-Z0-9.=&_-]*")
SHOWN = 40

# Yahoo's suffix of a symbol -> the exchange's calendar.
SUFFIXES = {
    "L": "XLON", "T": "XTKS", "HK": "XHKG", "NS": "XBOM", "BO": "XBOM", "DE": "XETR", "F": "XFRA", "PA": "XPAR",
    "AS": "XAMS", "TO": "XTSE", "V": "XTSE", "AX": "XASX", "SW": "XSWX", "MI": "XMIL", "MC": "XMAD", "ST": "XSTO",
    "CO": "XCSE", "OL": "XOSL", "HE": "XHEL", "BR": "XBRU", "LS": "XLIS", "VI": "XWBO", "WA": "XWAR", "SA": "BVMF",
    "MX": "XMEX", "KS": "XKRX", "KQ": "XKRX", "TW": "XTAI", "SS": "XSHG", "SZ": "XSHG", "SI": "XSES", "JK": "XIDX",
    "BK": "XBKK", "KL": "XKLS", "NZ": "XNZE", "IR": "XDUB", "PR": "XPRA", "IS": "XIST", "TA": "XTAE", "JO": "XJSE",
}  # fmt: skip
INDICES = {"^N225": "XTKS", "^FTSE": "XLON", "^HSI": "XHKG", "^GDAXI": "XETR", "^FCHI": "XPAR", "^BSESN": "XBOM"}


class SymbolRefused(ValueError):
    """A text that is no ticker symbol; the message shows it escaped and shortened."""


def parse_symbol(text: str) -> str:
    """Return the symbol in upper case. Raises SymbolRefused for anything else than letters, digits and . - = & _ or a
    leading ^, at most 32 of them, so that no symbol is a path, an option or a look-alike."""
    if len(text) > LONGEST:
        raise SymbolRefused(f"{_shown(text)} is no ticker symbol: {len(text)} characters, at most {LONGEST}")
    symbol = text.upper() if text.isascii() else text
    if not PATTERN.fullmatch(symbol) or ".." in symbol:
        raise SymbolRefused(f"{_shown(text)} is no ticker symbol: letters, digits and . - = & _ are allowed, and ^ in front")
    return symbol


def exchange_of(symbol: str, default: str = "XNYS") -> str:
    """Return the calendar of a symbol's exchange, by Yahoo's conventions."""
    if symbol in INDICES:
        return INDICES[symbol]
    if symbol.endswith("=X"):
        return "24/5"
    if symbol.endswith("=F"):
        return "us_futures"
    if re.fullmatch(r"[A-Z0-9]+-(USD|EUR|GBP|JPY|BTC)", symbol):
        return "24/7"
    return SUFFIXES.get(symbol.rpartition(".")[2], default) if "." in symbol else default


def _shown(text: str) -> str:
    short = text[:SHOWN] + ("..." if len(text) > SHOWN else "")
    return "'" + short.encode("unicode_escape").decode("ascii") + "'"
