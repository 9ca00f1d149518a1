"""Tickercast in Python: `import tickercast as tc`. This is the public package; the four packages in it are private.

`tc.open(home)` reads a record as DataFrames, `tc.Forecaster` is a scikit-learn estimator. Nothing here prints, ends the process,
or changes one of its settings. Importing it loads nothing else. docs/python.md has the tour.

The four (jobs, rnn, storage, migrations) are folders at the top of the repository. They are links here, and folders of this
package once it is installed: so no folder of a user's that is called `storage` or `jobs` can take their place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tickercast.errors import (
        ArgumentError,
        DamagedRecord,
        DataWarning,
        HomeError,
        MissingLibrary,
        QueryError,
        TickercastError,
        Unavailable,
        UnknownTicker,
    )
    from tickercast.evaluation import evaluate
    from tickercast.forecaster import Forecaster
    from tickercast.record import Record
    from tickercast.record import open_record as open
    from tickercast.windows import cross_validation

    __version__: str

__all__ = [
    "ArgumentError",
    "DamagedRecord",
    "DataWarning",
    "Forecaster",
    "HomeError",
    "MissingLibrary",
    "QueryError",
    "Record",
    "TickercastError",
    "Unavailable",
    "UnknownTicker",
    "__version__",
    "cross_validation",
    "evaluate",
    "open",
]

# The module of each public name that is not an error, and its name there.
_PLACES = {
    "Forecaster": ("forecaster", "Forecaster"),
    "Record": ("record", "Record"),
    "cross_validation": ("windows", "cross_validation"),
    "evaluate": ("evaluation", "evaluate"),
    "open": ("record", "open_record"),
}


def __getattr__(name: str) -> Any:
    """Return a public name; the first use of it loads its module."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version(__name__)
    else:
        from importlib import import_module

        module, attribute = _PLACES.get(name, ("errors", name))
        value = getattr(import_module(f"{__name__}.{module}"), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
