"""Jinja2 templates with everything escaped, and the filters that write numbers and instants as people read them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from tickercast.jobs.pages.site import Site
from tickercast.jobs.terminal import figures
from tickercast.jobs.terminal.text import counted

TEMPLATES = Path(__file__).with_name("templates")
NOTHING = "–"
SEPARATOR = "\x1f"  # no text of ours has this control character
CODE = re.compile(r"`([^`]*)`")
MINUTES, HOURS, DAYS = 60, 3600, 86_400


def render(template: str, site: Site, **values: Any) -> str:
    """Return a page. template: its file in templates/. A template that names a value that is not given is an error."""
    return environment().get_template(template).render(site=site, **values)


@cache
def environment() -> Environment:
    """Return the one environment of Jinja2: autoescape everywhere, no name left undefined."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    filters: dict[str, Callable[..., str]] = {
        "price": figures.price_text, "percent": figures.percent, "basis_points": figures.basis_points, "p_value": figures.p_value,
        "bytes": figures.bytes_text, "whole": whole, "day": day, "weekday": weekday, "minute": minute, "ago": ago,
        "counted": counted, "code": code, "table_rows": table_rows,
    }  # fmt: skip
    made.filters.update({name: _or_nothing(write) for name, write in filters.items()})
    return made


def whole(value: float) -> str:
    """Return a whole number with separators: 12,345."""
    return f"{value:,.0f}"


def day(value: date | str) -> str:
    """Return a date or its ISO text as people read it: 6 Mar 2026."""
    found = _date_of(value)
    return f"{found.day} {found:%b %Y}"


def weekday(value: date | str) -> str:
    """Return a date or its ISO text with its weekday: Fri 6 Mar 2026."""
    return f"{_date_of(value):%a} {day(value)}"


def minute(value: datetime | str) -> str:
    """Return an instant or its ISO text, to the minute in UTC: 2026-03-06 21:45 UTC."""
    return f"{_instant_of(value):%Y-%m-%d %H:%M} UTC"


def ago(value: datetime | str, now: datetime) -> str:
    """Return how long ago an instant was, in one unit: 3 minutes ago, 2 days ago; of a later one: in 5 minutes."""
    seconds = (now - _instant_of(value)).total_seconds()
    size = abs(seconds)
    if size < MINUTES:
        return "just now"
    unit, length = ("minute", MINUTES) if size < HOURS else ("hour", HOURS) if size < 2 * DAYS else ("day", DAYS)
    told = counted(int(size // length), unit)
    return f"{told} ago" if seconds > 0 else f"in {told}"


def code(text: str) -> Markup:
    """Return a message, escaped, with what stands between two backticks as code: our messages name commands so."""
    return Markup(CODE.sub(r"<code>\1</code>", str(escape(text))))


def table_rows(rows: Sequence[Sequence[str]]) -> Markup:
    """Return the rows of a table, escaped; the first cell of each names it. A page has thousands, so each is escaped at once."""
    return Markup("\n").join(_table_row(str(escape(SEPARATOR.join(row))).split(SEPARATOR)) for row in rows)


def _table_row(escaped: Sequence[str]) -> Markup:
    name, *cells = escaped
    return Markup(f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>')


def _or_nothing(write: Callable[..., str]) -> Callable[..., str]:
    """Return a filter that writes a dash for None."""
    return lambda value, *more, **named: NOTHING if value is None else write(value, *more, **named)


def _date_of(value: date | str) -> date:
    return date.fromisoformat(value) if isinstance(value, str) else value


def _instant_of(value: datetime | str) -> datetime:
    return (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(UTC)
