"""Secrets of the settings and the environment, and their removal from every text that leaves the program.

A text leaves through few doors, and each of them calls `hide_secrets`: stderr (streams), log lines (logs), and the columns of the
database that hold messages (workspace.writer). Settings are learnt where they are read; the environment is read here. What was
learnt stays known, so a message about old settings is safe too. Not here: which part of a value is secret (secret_parts).
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable

HIDDEN = "***"
SHORT = 8  # characters: a shorter secret is hidden only where it stands alone, so that other words stay legible
LONG = 16  # from here on, the beginning of a secret is hidden too, as a library prints it that shortens values
HEAD = 12
# What is hidden in any URL, learnt or not: who logs in, and values whose name says that they are secret.
LOGIN = re.compile(r"""(?<=://)[^\s"'<>]*@""")
NAMED = re.compile(r"""(?i)([?&][\w.-]*(?:token|secret|passw|pwd|apikey|api_key|auth|signature)[\w.-]*=)[^&\s"'<>#]+""")
# A secret that begins with a host's or the program's name: that much of it may stand anywhere.
PLAIN_BEGINNING = re.compile(r"tickercast|(?:[a-z][a-z0-9+.-]*://)?(?:localhost|[a-z0-9-]+\.[a-z0-9.-]+)", re.IGNORECASE)


class Secrets:
    """The secrets of one process, whose threads may learn and hide at the same time."""

    def __init__(self) -> None:
        self._changing = threading.RLock()
        self._settings: dict[str, None] = {}
        self._environment: dict[str, str] | None = None
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def learn(self, settings: str) -> None:
        """Remember a settings file, also one that is not valid. It is looked through when there is a text to hide it from."""
        with self._changing:
            if settings not in self._settings:
                self._settings[settings] = None
                self._environment = None

    def hidden(self, text: str) -> str:
        """Return a text with each secret in it replaced."""
        with self._changing:
            if self._environment is None or self._environment != os.environ:
                self._look_through()
            pattern = self._pattern
        if pattern is not None:
            text = pattern.sub(HIDDEN, text)
        return NAMED.sub(rf"\1{HIDDEN}", LOGIN.sub(f"{HIDDEN}@", text)) if "://" in text else text

    def _look_through(self) -> None:
        from tickercast.jobs.terminal import secret_parts  # here, because most commands have no message

        environment = dict(os.environ)
        parts = set(secret_parts.of_environment(environment))
        for text in self._settings:
            parts.update(secret_parts.of_settings(text))
        found = {form for part in parts for form in secret_parts.forms(part)}
        if not found <= self._known:
            self._known |= found
            self._pattern = _pattern(self._known)
        self._environment = environment  # last: what a signal interrupts here is done again


_SECRETS = Secrets()


def learn_settings(text: str) -> None:
    """Remember the text of a settings file, so that none of its secrets is shown."""
    _SECRETS.learn(text)


def hide_secrets(text: str) -> str:
    """Return a text in which every known secret is replaced by ***, as it is written, decoded, encoded or shortened."""
    return _SECRETS.hidden(text)


def shortened(text: str, most: int) -> str:
    """Return the beginning of a text without its secrets, which are hidden first: half of one would not be recognised."""
    return hide_secrets(text)[:most]


def _pattern(known: Iterable[str]) -> re.Pattern[str] | None:
    """Return what matches any known secret, the longest first, or the beginning of a long one."""
    longest_first = sorted(known, key=lambda text: (-len(text), text))
    whole = [re.escape(text) if len(text) >= SHORT else rf"(?<![^\W_]){re.escape(text)}(?![^\W_])" for text in longest_first]
    heads = {text[:HEAD] for text in longest_first if len(text) >= LONG and PLAIN_BEGINNING.match(text) is None}
    begun = [rf"""{re.escape(head)}[^\s"']*""" for head in sorted(heads)]
    return re.compile("|".join([*whole, *begun]), re.IGNORECASE) if known else None
