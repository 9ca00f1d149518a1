"""The loss of one density network over the histories of many tickers: a batch of windows drawn at random for every step.

It makes a prior. In some windows the context is left out, so that the network also learns to forecast without it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tickercast.rnn.context import REFERENCE_NAMES, REPORT_NAMES
from tickercast.rnn.density import DensityLayout, DensityLoss
from tickercast.rnn.errors import InputError
from tickercast.rnn.features import DensityInputs
from tickercast.rnn.params import NetworkShape
from tickercast.rnn.training import Batch

Array = NDArray[np.floating]

WINDOWS_STREAM = 3  # of a seed's random streams, see rnn.params: which windows are drawn


@dataclass(frozen=True, slots=True)
class Sampling:
    """How windows are drawn. windows: in a batch. without: share of the windows without the reference, and without reports."""

    windows: int
    without: float


class PooledDensityLoss:
    """The loss of one network on windows of many histories, and its gradient. One batch per epoch, new windows in each.

    inputs: rows are histories, the newest sessions last; `starts` tells where each begins. own: (N,), the histories that the
    network is for; half of the windows are drawn from them, and half from the others. All windows of either are equally likely.
    Raises InputError where no history has a window.
    """

    def __init__(
        self,
        inputs: DensityInputs,
        shape: NetworkShape,
        layout: DensityLayout,
        sampling: Sampling,
        *,
        own: NDArray[np.bool_],
        seed: int,
    ) -> None:
        self.inputs, self.shape, self.layout, self.sampling = inputs, shape, layout, sampling
        self.rng = np.random.default_rng([seed, WINDOWS_STREAM])
        histories, n, _ = inputs.features.shape
        starts = np.zeros(histories, np.int64) if inputs.starts is None else inputs.starts
        self.first = np.minimum(starts, n)
        self.choices = np.maximum(0, n - layout.window + 1 - self.first)
        if not self.choices.sum():
            raise InputError(f"no history has {layout.window} sessions")
        self.until = np.cumsum(_probabilities(self.choices, own))
        self.optional = [np.array([inputs.names.index(name) for name in names]) for names in (REFERENCE_NAMES, REPORT_NAMES)]
        self.validation: Array = np.full(1, np.nan, inputs.features.dtype)

    def rows(self, chosen: NDArray[np.intp]) -> PooledDensityLoss:
        """Return self: there is only one network to select."""
        return self

    def batches(self) -> list[Batch]:
        """Return the one batch of an epoch, of newly drawn windows."""
        windows = self._drawn()
        return [Batch(DensityLoss(windows, self.shape, self.layout, members=self.sampling.windows).loss_and_gradient, share=1.0)]

    def _drawn(self) -> DensityInputs:
        """Return windows as the rows of one stack, some of them without reference or reports."""
        count = self.sampling.windows
        history = np.searchsorted(self.until, self.rng.random(count) * self.until[-1], side="right")
        begin = self.first[history] + self.rng.integers(0, self.choices[history])
        rows, sessions = history[:, None], begin[:, None] + np.arange(self.layout.window)
        inputs = self.inputs
        features = inputs.features[rows, sessions]  # (windows, T, F)
        for columns in self.optional:
            left_out = self.rng.random(count) < self.sampling.without
            features[np.ix_(np.flatnonzero(left_out), np.arange(self.layout.window), columns)] = 0
        return replace(
            inputs,
            features=features,
            targets=inputs.targets[rows, sessions],
            unit_ratio=inputs.unit_ratio[rows, sessions],
            sigma=inputs.sigma[rows, sessions],
            baseline_scale=inputs.baseline_scale[history],
            baseline_dof=inputs.baseline_dof[history],
            starts=None,
        )


def _probabilities(choices: NDArray[np.int64], own: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the probability (N,) of each history, by the number (N,) of its windows."""
    ours, others = np.where(own, choices, 0), np.where(own, 0, choices)
    if not ours.any() or not others.any():
        even: NDArray[np.float64] = choices / choices.sum()
        return even
    mixed: NDArray[np.float64] = 0.5 * ours / ours.sum() + 0.5 * others / others.sum()
    return mixed
