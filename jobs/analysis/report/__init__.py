"""Static HTML pages with charts, made from the record. Its modules import plotly, an extra, so call require_plotly first.

Not here: the rows that other commands show (jobs.analysis.answers).
"""

from __future__ import annotations

from importlib.util import find_spec

from tickercast.jobs.errors import UsageError


def require_plotly() -> None:
    """Raise UsageError when plotly is not installed."""
    if find_spec("plotly") is None:
        raise UsageError("the report needs plotly: pip install 'tickercast[report]'")
