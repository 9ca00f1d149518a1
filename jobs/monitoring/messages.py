"""The one message about all notices that began or ended since the last one: 500 tickers are one line, not 500 messages."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from tickercast.jobs.clock import utc_minute
from tickercast.jobs.monitoring.delivery import Message, Mood
from tickercast.jobs.terminal.secrets import hide_secrets
from tickercast.jobs.terminal.text import MOST_NAMES, first_names
from tickercast.storage.notices import NoticeRow

BEGUN = {
    "integrity": "damaged",
    "backup": "no backup",
    "disk": "disk short",
    "failing": "failing",
    "late": "late",
    "quarantined": "with quarantined bars",
    "outside": "outside its 98 % interval",
}
ENDED = {
    "integrity": "no longer damaged",
    "backup": "backups work again",
    "disk": "disk no longer short",
    "failing": "no longer failing",
    "late": "no longer late",
    "quarantined": "without quarantined bars",
}
WITHOUT_SUBJECT = ("backup", "disk")
LONGEST_TITLE, LONGEST_BODY = 120, 3000


def message_of(rows: Sequence[NoticeRow], folder: Path, lasting: Sequence[NoticeRow] = ()) -> Message:
    """Return the message about notices whose beginning or end nobody was told of.

    folder: of the home, which is named. lasting: the notices that last; where damage ends, what is still damaged is named.
    """
    begun = [row for row in rows if row.told_at is None]
    ended = [row for row in rows if row.ended_at is not None and row.kind in ENDED]
    phrases = [*_phrases(begun, BEGUN), *_phrases(ended, ENDED)]
    lines = [*_begun_lines(begun), *_ended_lines(ended, lasting), f"Home: {folder} on {socket.gethostname()}"]
    title = _shortened(f"Tickercast: {', '.join(phrases)}", LONGEST_TITLE)
    return Message(title, _shortened("\n".join(lines), LONGEST_BODY), _mood(begun))


def trial_message(folder: Path) -> Message:
    """Return the message that shows whether URLs work."""
    return Message("Tickercast: a test", f"Notices arrive here.\nHome: {folder} on {socket.gethostname()}", "info")


def _phrases(rows: Sequence[NoticeRow], words: dict[str, str]) -> Iterator[str]:
    """Yield what happened in a few words for each kind: MSFT late, 500 tickers failing, disk short."""
    for kind, group in _by_kind(rows, words):
        if kind in WITHOUT_SUBJECT:
            yield words[kind]
        else:
            yield f"{group[0].subject if len(group) == 1 else f'{len(group)} tickers'} {words[kind]}"


def _begun_lines(rows: Sequence[NoticeRow]) -> Iterator[str]:
    for kind, group in _by_kind(rows, BEGUN):
        if len(group) > MOST_NAMES:
            names = first_names([row.subject for row in group])
            yield f"{len(group)} tickers {BEGUN[kind]}: {names}. The first: {group[0].message}"
        else:
            yield from (row.message for row in group)


def _ended_lines(rows: Sequence[NoticeRow], lasting: Sequence[NoticeRow]) -> Iterator[str]:
    damaged = [row.subject for row in lasting if row.kind == "integrity"]
    for kind, group in _by_kind(rows, ENDED):
        began = utc_minute(min(row.began_at for row in group))
        names = "" if kind in WITHOUT_SUBJECT else f"{first_names([row.subject for row in group])} "
        still = f"; still damaged: {first_names(damaged)}" if kind == "integrity" and damaged else ""
        yield f"{names}{ENDED[kind]}; it began at {began}{still}"


def _by_kind(rows: Sequence[NoticeRow], words: dict[str, str]) -> Iterator[tuple[str, list[NoticeRow]]]:
    """Yield the notices of each kind by subject, in the order of the words."""
    order = list(words)
    for kind, group in groupby(sorted(rows, key=lambda row: (order.index(row.kind), row.subject)), key=lambda row: row.kind):
        yield kind, list(group)


def _mood(begun: Sequence[NoticeRow]) -> Mood:
    """Return how a message is meant: services show it as a colour or a sign."""
    if any(row.kind == "integrity" and row.ended_at is None for row in begun):
        return "failure"
    return "warning" if any(row.ended_at is None or row.kind == "outside" for row in begun) else "success"


def _shortened(text: str, length: int) -> str:
    text = hide_secrets(text)  # before it is cut, because half a secret is not recognised
    return text if len(text) <= length else f"{text[: length - 3]}..."
