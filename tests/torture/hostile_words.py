"""Hostile words of a command line, drawn by a seed: symbols, paths, numbers and texts that no command should trip over."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from pathlib import Path

FIXED = (
    "", " ", "-", "--", "---", "-x", "--=", "=", ".", "..", "/", "//", "~", "~root", "~nobody/x", "*", "?", "@file", "#", "%", "%00",
    "%2e%2e%2f%2e%2e%2foutside%2fkept.txt", "..%2foutside", "{0}", "%s%n%n", "$(touch pwned)", "`touch pwned`", "; touch pwned",
    "| tee pwned", "&& touch pwned", "a b", "a\tb", "a\nb", "a\r\nb", "\x1b[2J\x1b[31mred", "\x07", "\x7f", "\x85", "\u202egnp.exe",
    "\u2028", "\ufeffAAA", "\u200bAAA", "ＡＡＡ", "ａａａ", "AAA\u0301", "é", "ß", "İ", "ﬁ", "😀", "𝔸𝔸𝔸", "\U0010ffff", "\ud800",
    "\udcff", "AAA\udc80", "\udcc3\udc28", "CON", "NUL", "aux.csv", "AAA.", ".AAA", "A/B", "A\\B", "AAA;BBB", "AAA,BBB", "'", '"',
    "AAA' OR '1'='1", "AAA'; DROP TABLE forecasts; --", "^VIX", "BRK.B", "BTC-USD", "EURUSD=X", "aaa", " AAA ", "None", "null", "true",
    "nan", "inf", "-inf", "1e308", "1e-400", "-1", "0", "-0", "0x10", "1_000", "１２", "1.5", "9" * 400, "-" + "9" * 40, "2**63",
    "9223372036854775808", "2024-02-30", "0000-00-00", "0001-01-01", "9999-12-31", "99999-01-01", "2024-13-01", "24-1-1", "2024-W01-1",
    "2024-01-02T25:00Z", "2024-01-02T00:00:60Z", "2024-01-02T00:00+99:99", "9999-12-31T23:59Z", "0001-01-01T00:00Z", "now", "tomorrow",
    "2024-01-02..", "..2024-01-02", "2024-01-02=0:0", "2024-01-02=1:99999999999999999999", "2024-01-02=-5", "2024-01-02=nan",
    "folder:", "folder:.", "folder:/", "folder:/dev", "folder:/proc/self", "folder:/nonexistent", "yahoo", "sample", "http://x", "file:///x",
    "ticker:desc:desc", "rowid", "__class__", "../../etc/passwd", "/etc/passwd", "/etc/shadow", "/proc/self/environ", "/proc/self/mem",
    "/proc/self/fd/0", "/dev/null", "/dev/zero", "/dev/full", "/dev/stdin", "/dev/stdout", "/dev/tty", "/dev/urandom", "/nonexistent/x.csv",
)  # fmt: skip
SPECIAL = (
    "canary", "canary folder", "fifo", "link to canary", "link to folder", "link to itself", "link to the database", "sparse file",
    "broken tar", "database", "settings", "price folder", "empty file", "binary file", "unreadable file", "socket", "deep folder",
)  # fmt: skip
PLAIN = {
    "TICKER": ("AAA", "BBB"), "OLD": ("AAA", "BBB"), "NEW": ("CCC", "AAA"), "FILE": ("out.csv", "out.json", "out.parquet", "out.txt"),
    "DIR": ("pages",), "QUERY.sql": ("query.sql",), "YYYY-MM-DD": ("2024-08-12", "2024-09-03"), "SECONDS": ("0", "0.2", "1"),
    "YYYY-MM-DDTHH:MMZ": ("2024-08-12T23:00Z", "2024-09-03T23:00Z"), "N": ("1", "2", "5"), "COLUMN[:desc]": ("crps", "ticker:desc"),
    '"SELECT ..."': ("SELECT 1", "SELECT * FROM latest_forecast"), "DAY..DAY,...": ("2024-08-01..2024-08-20",),
    "YYYY-MM-DD=NEW:OLD": ("2024-08-12=4:1",), "YYYY-MM-DD=AMOUNT": ("2024-08-12=1.5",), "yahoo|folder:PATH|sample": ("folder:feed",),
}  # fmt: skip
UNKNOWN = (
    "--colour",
    "--he",
    "--hom",
    "--format=",
    "-h",
    "-hx",
    "--no-all",
    "--version",
    "--",
    "-1",
    "--help=1",
    "--out",
    "--home",
)


@dataclass(frozen=True, slots=True)
class Paths:
    """Files and folders that hostile words name, by a description."""

    by_name: dict[str, Path]
    feed: Path

    def word(self, rng: random.Random) -> str:
        """Return the path of one of them: absolute, from the current folder, or written oddly."""
        path = self.by_name[rng.choice(SPECIAL)]
        forms = (
            str(path),
            f"../{path.parent.name}/{path.name}",
            f"{path.parent}/.//{path.name}",
            f"{path}/",
            f"folder:{path}",
        )
        return rng.choice(forms)


def hostile_word(rng: random.Random, paths: Paths) -> str:
    """Return one hostile word that an argument of a process can be: without NUL, and with bytes that are not UTF-8 as Python has
    them.
    """
    word = _drawn(rng, paths)
    try:
        os.fsencode(word)
    except UnicodeEncodeError:
        return word.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
    return word


def _drawn(rng: random.Random, paths: Paths) -> str:
    kind = rng.randrange(10)
    if kind < 5:
        return rng.choice(FIXED)
    if kind < 7:
        return paths.word(rng)
    if kind == 7:
        return _any_text(rng, rng.choice((1, 2, 8, 40)))
    if kind == 8:
        return _raw_bytes(rng, rng.choice((1, 3, 12)))
    return rng.choice(("A", "../", "/", "é", "\udcfe", "9", "-", "%2e", "a/", " ")) * rng.choice(
        (100, 255, 256, 300, 4096, 20_000)
    )


def plain_word(rng: random.Random, metavar: str, paths: Paths) -> str:
    """Return a word that fits a parameter, by its metavar."""
    if metavar == "yahoo|folder:PATH|sample":
        return f"folder:{paths.feed}"
    known = PLAIN.get(metavar.strip("[]"))
    return rng.choice(known or metavar.split("|"))


def _any_text(rng: random.Random, length: int) -> str:
    ranges = ((1, 0x7F), (0x80, 0x24F), (0x300, 0x36F), (0x590, 0x6FF), (0x2000, 0x206F), (0xFE00, 0xFFFD), (0x1F300, 0x1F6FF))
    return "".join(chr(rng.randint(*rng.choice(ranges))) for _ in range(length))


def _raw_bytes(rng: random.Random, length: int) -> str:
    """Return bytes as Python has them in an argument: what is not UTF-8 as surrogates."""
    return bytes(rng.randint(1, 255) for _ in range(length)).decode("utf-8", "surrogateescape")
