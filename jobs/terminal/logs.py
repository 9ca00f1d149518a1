"""Log lines on stderr: one line per event, key=value."""

from __future__ import annotations

import logging
import sys

from jobs.terminal.text import printable


def start_logging() -> None:
    """Send Tickercast's own events to stderr, each with its instant."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
    root = logging.getLogger("tickercast")
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    root.propagate = False


def log_line(logger: logging.Logger, event: str, **facts: object) -> None:
    """Log one event with its facts. Line breaks and control characters in a fact are escaped, so it stays one line."""
    logger.info("%s", " ".join([event, *(f"{key}={printable(str(value))}" for key, value in facts.items())]))
