"""Symbols: valid texts, refused texts, and the exchange that a symbol names by Yahoo's conventions."""

from __future__ import annotations

import exchange_calendars
import pytest

from tickercast.jobs.exchanges.symbols import INDEX_EXCHANGES, SUFFIX_EXCHANGES, SymbolRefused, exchange_of, parse_symbol

# Yahoo's suffixes with the time zone of the city where the exchange is. The others are in CODES.
SUFFIX_ZONES = {
    "L": "Europe/London", "T": "Asia/Tokyo", "HK": "Asia/Hong_Kong", "NS": "Asia/Kolkata", "BO": "Asia/Kolkata",
    "DE": "Europe/Berlin", "F": "Europe/Berlin", "PA": "Europe/Paris", "AS": "Europe/Amsterdam", "TO": "America/Toronto",
    "V": "America/Toronto", "AX": "Australia/Sydney", "SW": "Europe/Zurich", "MI": "Europe/Rome", "MC": "Europe/Madrid",
    "ST": "Europe/Stockholm", "CO": "Europe/Copenhagen", "OL": "Europe/Oslo", "HE": "Europe/Helsinki", "BR": "Europe/Brussels",
    "LS": "Europe/Lisbon", "VI": "Europe/Vienna", "WA": "Europe/Warsaw", "SA": "America/Sao_Paulo", "MX": "America/Mexico_City",
    "TW": "Asia/Taipei", "SS": "Asia/Shanghai", "SZ": "Asia/Shanghai",
    "SI": "Asia/Singapore", "JK": "Asia/Jakarta", "BK": "Asia/Bangkok", "KL": "Asia/Kuala_Lumpur", "NZ": "Pacific/Auckland",
    "IR": "Europe/Dublin", "PR": "Europe/Prague", "IS": "Europe/Istanbul", "JO": "Africa/Johannesburg",
}  # fmt: skip
# The library takes 12 s to build Seoul's calendar, and some of its versions cannot build Tel Aviv's.
CODES = {"KS": "XKRX", "KQ": "XKRX", "TA": "XTAE"}
INDEX_ZONES = {
    "^N225": "Asia/Tokyo", "^FTSE": "Europe/London", "^HSI": "Asia/Hong_Kong", "^GDAXI": "Europe/Berlin",
    "^FCHI": "Europe/Paris", "^BSESN": "Asia/Kolkata",
}  # fmt: skip


def zone_of(code: str) -> str:
    """Return the time zone of an exchange by the calendar library, from a month that every calendar covers."""
    return str(exchange_calendars.get_calendar(code, start="2024-01-02", end="2024-01-31").tz)


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("msft", "MSFT"), ("BRK-B", "BRK-B"), ("^gspc", "^GSPC"), ("eurusd=x", "EURUSD=X"), ("0700.hk", "0700.HK"),
        ("m&m.ns", "M&M.NS"), ("A_B", "A_B"), ("7", "7"), ("A" * 32, "A" * 32),
    ],
)  # fmt: skip
def test_a_valid_symbol_is_returned_in_upper_case(text: str, symbol: str) -> None:
    assert parse_symbol(text) == symbol


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "../../x", "/etc/passwd", "A\\B", "A\0B", "%2e%2e", "-A", "--help", "@file", "=cmd", "A B", "A\n",
     "\uff21APL", "\u0410APL", "A\u200bB", "\u202eA", "\U0001f600", "A;B", "'", "^", "^^A", "A^", "_A", "A..B", "\u017f",
     "A" * 33, "A" * 10_000_000],
    ids=lambda text: repr(text[:8]),
)  # fmt: skip
def test_other_texts_are_refused_in_a_short_line(text: str) -> None:
    with pytest.raises(SymbolRefused) as refused:
        parse_symbol(text)
    assert len(str(refused.value)) < 700
    assert str(refused.value).isprintable()


def test_a_refused_text_is_shown_up_to_40_characters() -> None:
    with pytest.raises(SymbolRefused, match=r"^'A{40}\.\.\.' is not a ticker symbol: 41 characters, at most 32 are allowed$"):
        parse_symbol("A" * 41)


def test_a_refused_text_of_33_characters_is_shown_whole() -> None:
    with pytest.raises(SymbolRefused, match=r"^'B{33}' is not a ticker symbol: 33 characters"):
        parse_symbol("B" * 33)


def test_a_refused_look_alike_is_shown_escaped() -> None:
    with pytest.raises(SymbolRefused, match=r"^'\\u0410APL' is not a ticker symbol: letters, digits and \. - = & _ are allowed"):
        parse_symbol("\u0410APL")


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "zone"), SUFFIX_ZONES.items())
def test_a_suffix_names_an_exchange_of_its_city(suffix: str, zone: str) -> None:
    assert zone_of(exchange_of(f"ABC.{suffix}")) == zone


@pytest.mark.slow
@pytest.mark.parametrize(("index", "zone"), INDEX_ZONES.items())
def test_an_index_names_the_exchange_of_its_city(index: str, zone: str) -> None:
    assert zone_of(exchange_of(index)) == zone


@pytest.mark.parametrize(("suffix", "code"), CODES.items())
def test_a_suffix_names_a_code_of_the_calendar_library(suffix: str, code: str) -> None:
    assert exchange_of(f"ABC.{suffix}") == code
    assert code in exchange_calendars.get_calendar_names()


def test_every_suffix_and_index_is_checked_here() -> None:
    assert set(SUFFIX_EXCHANGES) == set(SUFFIX_ZONES) | set(CODES)
    assert set(INDEX_EXCHANGES) == set(INDEX_ZONES)


@pytest.mark.parametrize(
    ("symbol", "exchange"),
    [
        ("MSFT", "XNYS"), ("^GSPC", "XNYS"), ("BRK-B", "XNYS"), ("BRK.B", "XNYS"), ("A.", "XNYS"), ("EURUSD=X", "24/5"),
        ("GC=F", "us_futures"), ("BTC-USD", "24/7"), ("ETH-EUR", "24/7"), ("BTC-GBP", "24/7"), ("BTC-JPY", "24/7"),
        ("ETH-BTC", "24/7"), ("BTC-CHF", "XNYS"), ("A-USDX", "XNYS"), ("A.B-USD", "XNYS"),
    ],
)  # fmt: skip
def test_a_symbol_without_an_exchange_has_the_calendar_of_its_kind(symbol: str, exchange: str) -> None:
    assert exchange_of(symbol) == exchange


def test_the_default_exchange_is_used_only_without_a_suffix() -> None:
    assert exchange_of("ABC", "XLON") == "XLON"
    assert exchange_of("ABC.XYZ", "XLON") == "XLON"
    assert exchange_of("ABC.T", "XLON") == "XTKS"
