"""Ticker symbols: which texts are valid, and the exchange and the kind of security that a symbol names.

A text is checked before anything is requested or written, because a symbol becomes part of a URL and of a path.
"""

from __future__ import annotations

import re

LONGEST = 32
PATTERN = re.compile(r"\^?[A-Z0-9][A-Z0-9.=&_-]*")
CRYPTO_PAIR = re.compile(r"[A-Z0-9]+-(USD|EUR|GBP|JPY|BTC)")
SHOWN_CHARACTERS = 40

# Yahoo's suffix of a symbol: the code of the exchange's calendar.
SUFFIX_EXCHANGES = {
    "L": "XLON", "T": "XTKS", "HK": "XHKG", "NS": "XBOM", "BO": "XBOM", "DE": "XETR", "F": "XFRA", "PA": "XPAR",
    "AS": "XAMS", "TO": "XTSE", "V": "XTSE", "AX": "XASX", "SW": "XSWX", "MI": "XMIL", "MC": "XMAD", "ST": "XSTO",
    "CO": "XCSE", "OL": "XOSL", "HE": "XHEL", "BR": "XBRU", "LS": "XLIS", "VI": "XWBO", "WA": "XWAR", "SA": "BVMF",
    "MX": "XMEX", "KS": "XKRX", "KQ": "XKRX", "TW": "XTAI", "SS": "XSHG", "SZ": "XSHG", "SI": "XSES", "JK": "XIDX",
    "BK": "XBKK", "KL": "XKLS", "NZ": "XNZE", "IR": "XDUB", "PR": "XPRA", "IS": "XIST", "TA": "XTAE", "JO": "XJSE",
}  # fmt: skip
INDEX_EXCHANGES = {"^N225": "XTKS", "^FTSE": "XLON", "^HSI": "XHKG", "^GDAXI": "XETR", "^FCHI": "XPAR", "^BSESN": "XBOM"}


class SymbolRefused(ValueError):
    """A text that is not a valid ticker symbol. The message shows it escaped and shortened."""


def parse_symbol(text: str) -> str:
    """Return the symbol in upper case.

    Valid are at most 32 ASCII letters, digits and . - = & _, after an optional ^. It begins with a letter or digit and has no
    double dot, so no symbol is a path, an option or a look-alike of another. Raises SymbolRefused.
    """
    if len(text) > LONGEST:
        raise SymbolRefused(f"{_shown(text)} is not a ticker symbol: {len(text)} characters, at most {LONGEST} are allowed")
    symbol = text.upper() if text.isascii() else text
    if not PATTERN.fullmatch(symbol) or ".." in symbol:
        raise SymbolRefused(f"{_shown(text)} is not a ticker symbol: letters, digits and . - = & _ are allowed, and ^ in front")
    return symbol


def exchange_of(symbol: str, default: str = "XNYS") -> str:
    """Return the code of the calendar of a symbol's exchange, by Yahoo's conventions; the default where it names none.

    Currencies (=X) are on 24/5, futures (=F) on us_futures, crypto pairs such as BTC-USD on 24/7.
    """
    if symbol in INDEX_EXCHANGES:
        return INDEX_EXCHANGES[symbol]
    if symbol.endswith("=X"):
        return "24/5"
    if symbol.endswith("=F"):
        return "us_futures"
    if CRYPTO_PAIR.fullmatch(symbol):
        return "24/7"
    name, _, suffix = symbol.rpartition(".")
    return SUFFIX_EXCHANGES.get(suffix, default) if name else default


def kind_of_symbol(symbol: str) -> str:
    """Return the kind of security that a symbol names by Yahoo's conventions: index, currency, crypto, else stock.

    A future (=F) counts as an index: it moves like one.
    """
    if symbol.startswith("^") or symbol.endswith("=F"):
        return "index"
    if symbol.endswith("=X"):
        return "currency"
    return "crypto" if CRYPTO_PAIR.fullmatch(symbol) else "stock"


def _shown(text: str) -> str:
    short = text[:SHOWN_CHARACTERS] + ("..." if len(text) > SHOWN_CHARACTERS else "")
    return "'" + short.encode("unicode_escape").decode("ascii") + "'"
