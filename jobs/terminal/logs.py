"""Log lines on stderr or in a file: one per event with its instant, level and facts, as logfmt or JSON. Only here is structlog.

ts=2026-11-25T21:46:00.100113Z level=info event="cycle ended" tickers=8 forecasts=40 failed=0 seconds=3.1
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, TextIO, cast

from tickercast.jobs.terminal.log_file import LogFile
from tickercast.jobs.terminal.secrets import hide_secrets
from tickercast.jobs.terminal.text import printable

LogFormat = Literal["logfmt", "json"]
Level = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class LogTarget:
    """Where log lines go, and in which form. file: None means stderr."""

    format: LogFormat
    file: LogFile | None = None


def log_format_for(option: LogFormat | None, file: LogFile | None = None) -> LogFormat:
    """Return the format to log in: the option, else logfmt on a terminal and JSON for programs and files."""
    return option or ("logfmt" if file is None and sys.stderr.isatty() else "json")


def start_logging(log_format: LogFormat, file: LogFile | None = None) -> None:
    """Send Tickercast's own events, and what libraries report, to a file or stderr."""
    import structlog  # not at the top: other commands read the formats' names here and log nothing

    renderers: dict[LogFormat, list[Any]] = {
        "logfmt": [_escaped, structlog.processors.LogfmtRenderer(bool_as_flag=False)],
        "json": [structlog.processors.JSONRenderer()],
    }
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            _in_order,
            _without_secrets,
            *renderers[log_format],
        ],
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, file) if file else sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger("info"),
    )
    logging.getLogger().handlers[:] = [_Forward()]
    logging.captureWarnings(True)
    # Every minute of a long cycle it would warn that the cycle is still running.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)


def log_event(level: Level, event: str, **facts: object) -> None:
    """Log one event with its facts. Where nothing can be written any more, the line is lost and nothing else."""
    import structlog

    with suppress(OSError, ValueError):  # ValueError: stderr is closed
        getattr(structlog.get_logger(), level)(event, **facts)


class _Forward(logging.Handler):
    """Logs what libraries report, so that every line has one form."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record as an event with the name of its library."""
        level: Level = "error" if record.levelno >= logging.ERROR else "warning"
        log_event(level, "library message", library=record.name, message=self.format(record))


def _in_order(_logger: object, _method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """Return the instant, the level and the event first, then the facts. What is neither number nor text becomes text."""
    first = {key: event.pop(key) for key in ("ts", "level", "event")}
    return first | {key: value if isinstance(value, int | float | None) else str(value) for key, value in event.items()}


def _without_secrets(_logger: object, _method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    return {key: hide_secrets(value) if isinstance(value, str) else value for key, value in event.items()}


def _escaped(_logger: object, _method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """Return the facts with control characters escaped, so that a line stays one line. JSON escapes them by itself."""
    return {key: printable(value) if isinstance(value, str) else value for key, value in event.items()}
