"""The names that settings and options may choose from, each list in this one place.

Settings, the command line and the config take their types from here. A test compares the lists with the cells, optimizers,
schedules and price bases that the other packages implement.
"""

from __future__ import annotations

from typing import Literal

Preset = Literal["density", "article"]
PriceField = Literal["close", "open"]
Cell = Literal["elman", "elman_relu", "gru", "lstm"]
Optimizer = Literal["adam", "adamw", "sgd"]
Schedule = Literal["constant", "half_cosine", "linear_warm_up", "warm_up_cosine"]
ReferenceKind = Literal["auto", "none"]
Learns = Literal["scales", "network"]
SourceKind = Literal["yahoo", "folder", "sample"]
PriorKind = Literal["bundled", "universe", "none"]
SecurityKind = Literal["stock", "fund", "index", "crypto", "currency"]
ComputeEngine = Literal["processes", "dask"]
Adjustment = Literal["as_traded", "split", "full"]
