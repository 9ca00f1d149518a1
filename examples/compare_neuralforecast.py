"""Compare Tickercast with two networks of neuralforecast on the same rows and cutoffs.

    pip install "tickercast[garch]" "neuralforecast>=3.3"
    python examples/compare_neuralforecast.py                     # 150 cutoffs of GOOGL
    python examples/compare_neuralforecast.py prices.parquet      # your own: unique_id, ds, y, at best open, high, low, volume
    python examples/compare_neuralforecast.py prices.parquet 250 300    # cutoffs, and training steps of each network

neuralforecast trains each network once, before the first cutoff, on the logarithms of all tickers' prices. Tickercast learns on
at every cutoff, as its daemon does. Both forecast five sessions and are scored on the same levels. Of GOOGL alone neuralforecast
has 600 rows to train on, and overfits; give it a file of many tickers. docs/experiments.md has what was measured with 19.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from neuralforecast import NeuralForecast
from neuralforecast.losses.pytorch import DistributionLoss, MQLoss
from neuralforecast.models import MLP, NHITS

import tickercast as tc

HORIZON, LEVELS = 5, [50, 80, 90]
GOOGL = Path(__file__).parent / "GOOGL.csv"


def read_prices(path: Path) -> pd.DataFrame:
    """Return the rows of a CSV or Parquet file with the days as dates."""
    prices = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    return prices.assign(ds=pd.to_datetime(prices["ds"]))


def of_neuralforecast(prices: pd.DataFrame, n_windows: int, steps: int) -> pd.DataFrame:
    """Return the cross_validation of two networks as prices."""
    shared = {"h": HORIZON, "input_size": 60, "max_steps": steps, "random_seed": 1, "enable_progress_bar": False, "logger": False}
    models = [
        NHITS(**shared, scaler_type="robust", loss=MQLoss(level=LEVELS)),
        MLP(**shared, scaler_type="robust", loss=DistributionLoss("StudentT", level=LEVELS, num_samples=200)),
    ]
    logs = prices[["unique_id", "ds"]].assign(y=np.log(prices["y"]))
    frame = NeuralForecast(models, freq="B").cross_validation(logs, n_windows=n_windows, step_size=1)
    numbers = [name for name in frame if name not in ("unique_id", "ds", "cutoff")]
    return frame.assign(**{name: np.exp(frame[name]) for name in numbers})


def main(path: Path, n_windows: int, steps: int) -> None:
    """Print the table of both, and how long each took."""
    prices = read_prices(path)
    began = time.perf_counter()
    others = of_neuralforecast(prices, n_windows, steps)
    between = time.perf_counter()
    table = tc.evaluate(prices, others, garch=True)
    seconds = (between - began, time.perf_counter() - between)
    shown = table.query("period == 'all' and context == 'all'")
    columns = ["horizon", "method", "n", "crps", "mae", "ours_over_it", "p_value", "mcs_p_value", "coverage_50", "coverage_80"]
    print(shown[columns].round(4).to_string(index=False))
    print("neuralforecast {:.0f} s; Tickercast with GARCH and the scores {:.0f} s".format(*seconds))


if __name__ == "__main__":
    given = sys.argv[1:]
    main(
        Path(given[0]) if given else GOOGL,
        n_windows=int(given[1]) if len(given) > 1 else 150,
        steps=int(given[2]) if len(given) > 2 else 300,
    )
