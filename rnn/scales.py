"""What a ticker learns on top of a prior: one factor on the scale of each horizon. The prior's network stays as it is.

A factor moves the log of the scale by one step of Fisher's scoring from zero, over all settled targets, shrunk towards zero as
if so many more targets had agreed with the prior. A warm start adds the targets that have settled since; a cold start begins
anew from the targets of a history. Learning few things slowly is what gained; see docs/experiments.md.
Sources: Lange, Little and Taylor 1989 for the information of a Student-t; Fisher 1925 for scoring.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tickercast.rnn.density import BOUND, ForecastDistribution
from tickercast.rnn.errors import InputError
from tickercast.rnn.features import SETTLING_SESSIONS, DensityInputs, unit_scale
from tickercast.rnn.losses import student_t_nll
from tickercast.rnn.network import Unroll
from tickercast.rnn.params import Weights, weights_of
from tickercast.rnn.readout import readout
from tickercast.rnn.state import State

Array = NDArray[np.floating]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

ROWS_AT_ONCE = 256  # windows of all tickers that are unrolled together, which bounds the memory
BURN_IN = 20  # sessions at the start of a window whose outputs do not count
PSEUDO_TARGETS = 500.0  # that agree with the prior; times the horizon, because targets of h sessions overlap


@dataclass(frozen=True, slots=True)
class Scales:
    """Sums over the settled targets of K tickers, (K, H) each.

    score: derivative of the log likelihood by the log of the scale, at the prior. information: its expected negative second
    derivative. targets: how many.
    """

    score: Floats
    information: Floats
    targets: Floats

    def __len__(self) -> int:
        return len(self.score)

    def rows(self, chosen: NDArray[np.intp]) -> Scales:
        """Return some tickers, a copy."""
        return Scales(self.score[chosen], self.information[chosen], self.targets[chosen])

    def one(self, k: int) -> Scales:
        """Return ticker k as a stack of one, a copy."""
        return self.rows(np.array([k]))

    @property
    def log_factors(self) -> Floats:
        """Return (K, H): what is added to the log of each scale."""
        pseudo = PSEUDO_TARGETS * np.arange(1, self.score.shape[1] + 1)
        step = self.score / np.maximum(self.information, 1e-12)
        shrunk: Floats = step * self.targets / (self.targets + pseudo)
        return shrunk


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a prior's network says of some sessions (S,) of K histories: (K, S, H), in units of the volatility of the return.

    log_scale, dof: of the Student-t. location: its centre. target: the return, 0 where it is not known.
    """

    session: NDArray[np.int64]
    log_scale: Floats
    dof: Floats
    location: Floats
    target: Floats

    def newest(self, sessions: int) -> Outputs:
        """Return the outputs of the newest sessions."""
        names = ("log_scale", "dof", "location", "target")
        return Outputs(self.session[-sessions:], *(np.ascontiguousarray(getattr(self, name)[:, -sessions:]) for name in names))

    def next_session(self) -> Outputs:
        """Return the outputs at horizon one alone."""
        names = ("log_scale", "dof", "location", "target")
        return Outputs(self.session, *(np.ascontiguousarray(getattr(self, name)[..., :1]) for name in names))

    def negative_log_likelihood(self, log_factors: Floats) -> Floats:
        """Return (K, S, H) losses with the scales changed by factors (K, H)."""
        error = self.target - self.location
        loss = student_t_nll(error, self.log_scale + log_factors[:, None], self.dof)[0]
        return loss.astype(np.float64)


def no_scales(tickers: int, horizons: int) -> Scales:
    """Return scales that have learned nothing: all factors are one."""
    return Scales(*(np.zeros((tickers, horizons)) for _ in range(3)))


def joined(parts: Sequence[Scales]) -> Scales:
    """Return one stack of several, in order."""
    return Scales(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("score", "information", "targets")))


def learned(scales: Scales, outputs: Outputs, counted: Mask) -> Scales:
    """Return scales with more targets. counted: (S, H), which of the outputs' targets."""
    squared = ((outputs.target - outputs.location) * np.exp(-outputs.log_scale)) ** 2
    dof = outputs.dof
    score = (dof + 1) * squared / (dof + squared) - 1
    information = 2 * dof / (dof + 3)
    return Scales(
        scales.score + _sums(score, counted), scales.information + _sums(information, counted),
        scales.targets + counted.sum(axis=0),
    )  # fmt: skip


def newest_outputs(prior: State, inputs: DensityInputs, window: int) -> Outputs:
    """Return the outputs of one window of sessions, the newest ones, after its burn-in. prior: a stack of one."""
    n = inputs.features.shape[1]
    hidden = _hidden(prior, inputs.features[:, None, n - window :])[:, 0, BURN_IN:]
    return _outputs(prior, inputs, hidden, np.arange(n - window + BURN_IN, n))


def all_outputs(prior: State, inputs: DensityInputs, window: int) -> Outputs:
    """Return the outputs of a whole history but for its first sessions, from windows that overlap by their burn-in."""
    k, n, _ = inputs.features.shape
    if n < window:
        raise InputError(f"{n} sessions: at least a window of {window} is needed")
    step = window - BURN_IN
    count = (n - BURN_IN) // step
    first = n - BURN_IN - count * step
    begins = first + step * np.arange(count)
    windows = inputs.features[:, begins[:, None] + np.arange(window)]  # (K, count, window, F)
    hidden = _hidden(prior, windows)[:, :, BURN_IN:]
    return _outputs(prior, inputs, hidden.reshape(k, count * step, -1), np.arange(first + BURN_IN, n))


def settled(outputs: Outputs, last: int) -> Mask:
    """Return (S, H): the targets that are known at session `last` and whose session has a settled volatility."""
    horizons = np.arange(1, outputs.target.shape[2] + 1)
    session = outputs.session[:, None]
    known: Mask = (session + horizons <= last) & (session >= SETTLING_SESSIONS)
    return known


def forecast_with(scales: Scales, outputs: Outputs, inputs: DensityInputs) -> ForecastDistribution:
    """Return the distributions (K, H) of the returns after the last session."""
    unit = inputs.sigma[:, -1:] * np.sqrt(np.arange(1, outputs.target.shape[2] + 1))
    return ForecastDistribution(
        outputs.location[:, -1] * unit, np.exp(outputs.log_scale[:, -1] + scales.log_factors) * unit, outputs.dof[:, -1]
    )


def _outputs(prior: State, inputs: DensityInputs, hidden: Array, session: NDArray[np.int64]) -> Outputs:
    weights = weights_of(prior.params, prior.shape)
    horizons = inputs.targets.shape[2]
    bounded = _bounded(hidden, weights)
    excess = (inputs.baseline_dof - 2)[:, None]
    return Outputs(
        session=session,
        log_scale=np.log(unit_scale(inputs.baseline_dof))[:, None] + bounded[..., :horizons],
        dof=2 + excess * np.exp(bounded[..., horizons:]),
        location=weights.head_params[0].astype(np.float64) * inputs.unit_ratio[:, session, None].astype(np.float64),
        target=inputs.targets[:, session].astype(np.float64),
    )


def _hidden(prior: State, windows: Array) -> Array:
    """Return the hidden states (K, B, T, H) of one network over B windows of each of K tickers, (K, B, T, F).

    Each ticker's windows are products of their own: of a larger product, a row's bytes depend on its position.
    """
    k, count, sessions, _ = windows.shape
    weights = weights_of(prior.params, prior.shape)
    at_once = max(1, ROWS_AT_ONCE // count)
    hidden = np.empty((k, count, sessions, prior.shape.hidden), windows.dtype)
    for begin in range(0, k, at_once):
        part = windows[begin : begin + at_once]
        unroll = Unroll(len(part), count, sessions, prior.shape, windows.dtype)
        unroll.load(part)
        unroll.forward(weights)
        rows = unroll.hidden(0).reshape(len(part), sessions, count, -1)  # a session's windows come together
        hidden[begin : begin + at_once] = rows.swapaxes(1, 2)
    return hidden


def _bounded(hidden: Array, weights: Weights) -> Floats:
    """Return the readout (K, S, 2 H) of hidden states (K, S, units), one product for each history, within -2..2."""
    bounded: Floats = (BOUND * np.tanh(readout(hidden, weights) * (1 / BOUND))).astype(np.float64)
    return bounded


def _sums(values: Floats, counted: Mask) -> Floats:
    """Return (K, H): the sums over S of the counted values (K, S, H), one ticker at a time; see rnn.params.row_sums for why."""
    return np.array([each.sum(axis=0) for each in np.where(counted, values, 0.0)])
