"""Our plugin of Datasette: numbers in sensible digits, our style sheet, and error pages that show nothing of the program."""

from __future__ import annotations

from typing import Any

from datasette import Response, hookimpl
from datasette.utils.asgi import Base400
from datasette.views.base import DatasetteError
from markupsafe import Markup

from tickercast.jobs import clock
from tickercast.jobs.pages.site import served_site
from tickercast.jobs.web.descriptions import OTHERS
from tickercast.jobs.web.digits import cell_text
from tickercast.jobs.web.problems import Problem, problem_of

TOO_SLOW = "This query took longer than its time. Name a ticker or a span, or use `tickercast sql`, which has more time."


@hookimpl  # type: ignore[untyped-decorator]
def render_cell(value: object, column: str) -> Markup | None:
    """Return a number in sensible digits, with the whole one as its title."""
    text = cell_text(column, value)
    return None if text is None else Markup('<span class="number" title="{}">{}</span>').format(value, text)


@hookimpl  # type: ignore[untyped-decorator]
def extra_template_vars() -> dict[str, Any]:
    """Return the site, for the navigation and the style of our pages."""
    return {"site": served_site(clock.now(), others=OTHERS)}


@hookimpl  # type: ignore[untyped-decorator]
def extra_css_urls() -> list[str]:
    """Return our style sheet for Datasette's pages."""
    return ["/assets/record.css"]


@hookimpl  # type: ignore[untyped-decorator]
def handle_exception(datasette: Any, request: Any, exception: Exception) -> Any:
    """Return a function that makes the page of an error."""

    async def respond() -> Response:
        problem = _problem(exception)
        answer = {"ok": False, "error": problem.text, "status": problem.status, "title": problem.title}
        if request.path.endswith(".json"):
            return Response.json(answer, status=problem.status)
        page = await datasette.render_template("error.html", answer, request=request)
        return Response.html(page, status=problem.status)

    return respond


def _problem(exception: Exception) -> Problem:
    if isinstance(exception, DatasetteError) and exception.title == "SQL Interrupted":
        return Problem(400, "Too slow", TOO_SLOW)
    if isinstance(exception, DatasetteError):  # by default its status is 500, also where an address is wrong
        status = 400 if exception.status == 500 else exception.status
        return Problem(status, exception.title or "Bad request", str(Markup(exception.message).striptags()))
    if isinstance(exception, Base400):
        return Problem(exception.status, "Not found" if exception.status == 404 else "Bad request", str(exception.args[0]))
    if isinstance(exception, ValueError):  # of a number in the address that is none
        return Problem(400, "Bad request", "A value in the address is not of the kind that it should be.")
    return problem_of(exception)
