"""What people see in a browser: facts of each page from the public views, charts as plain dicts, templates, a style, scripts.

The command `report` writes the pages as files, and `serve` answers with them. Every page is complete without a script.

Not here: HTTP (jobs.web), what is due or wrong (jobs.monitoring), or any change of the record.
"""

from __future__ import annotations

from importlib.util import find_spec

from tickercast.jobs.errors import UsageError


def require_libraries() -> None:
    """Raise UsageError unless the libraries that make pages are installed. To be called before a module of this package loads."""
    missing = [name for name in ("jinja2", "plotly") if find_spec(name) is None]
    if missing:
        raise UsageError(f"the pages need {' and '.join(missing)}: pip install 'tickercast[report]'")
