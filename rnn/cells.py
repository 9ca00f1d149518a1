"""The recurrent cells: Elman with tanh or relu, GRU, LSTM. Each has its forward rule with its backward rule beneath.

A cell here is one layer of a stack: K networks, B windows, T sessions, F inputs, H hidden units. Called by network.

`joined` holds hidden state, inputs and a one side by side, [h, x, 1], so that one matrix product a session does all of
h W_h + x W_x + b, and after the loop over sessions one product gives all of a gate's weight gradients. What the rules work
on is one contiguous block a session (K, B, H), so that the activations run over it at full width; what the products over
all sessions read is one contiguous block a network (T B, ...).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[np.floating]


class Cell:
    """The buffers of one layer and the loops that its rules run in. `step` is the forward rule, `back` the backward rule.

    joined: (K, T + 1, B, H + F + 1), [h before the session, x, 1]. state: for t = 0..T the hidden state (K, B, H) before
    session t. by_sum: (gates, K, T, B, H), dL/da where a = [h, x, 1] W. by_hidden: (K, T, B, H), dL/dh of each session by way
    of its outputs alone; it lies where the first gate's dL/da will, which saves a buffer. flow: (K, B, H), dL/dh on its way
    back.
    """

    gates: ClassVar[int]
    first_bias: ClassVar[tuple[float, ...]]

    def __init__(self, networks: int, windows: int, sessions: int, features: int, hidden: int, dtype: DTypeLike) -> None:
        k, b, t, h = networks, windows, sessions, hidden
        self.sessions, self.units = t, h
        self.joined = np.ones((k, t + 1, b, h + features + 1), dtype)
        self.by_sum = np.empty((self.gates, k, t, b, h), dtype)
        self.by_hidden = self.by_sum[0]
        self.flow, self.scratch = np.empty((k, b, h), dtype), np.empty((k, b, h), dtype)
        self.inputs = self.joined[:, :t, :, h:-1]
        # Each session's views, made once: making one costs as much as a small product.
        self.state = list(np.zeros((t + 1, k, b, h), dtype))
        self.joined_at = [self.joined[:, i] for i in range(t + 1)]
        self.hidden_at = [self.joined[:, i, :, :h] for i in range(t + 1)]
        self.by_sum_at = [self.by_sum[:, :, i] for i in range(t)]
        self.carried = [self.state[0]]
        self.last = [self.state[t]]
        self.flows = [self.flow]

    def forward(self, weights: Array) -> None:
        """Run the forward rule over all sessions from the state in `carried`. weights: (gates, K, H + F + 1, H)."""
        self.weights = weights
        self.hidden_at[0][...] = self.state[0]
        for t in range(self.sessions):
            self.step(t)
            self.hidden_at[t + 1][...] = self.state[t + 1]

    def backward(self, gradients: Array, first: int, truncation: int) -> None:
        """Put dL/d(weights) into gradients: exact backpropagation through time.

        by_hidden counts as zero before session `first`. truncation: at every so many sessions, counted from the last,
        nothing flows further back (0 = never).
        Source: Werbos 1990, Backpropagation Through Time: What It Does and How to Do It.
        """
        # A contiguous transpose once beats a transposed operand in every session's small product.
        self.transposed = np.ascontiguousarray(self.weights[:, :, : self.units].swapaxes(2, 3))
        for t in range(self.sessions - 1, -1, -1):
            done = self.sessions - 1 - t
            if done == 0 or (truncation and done % truncation == 0):
                for flow in self.flows:
                    flow[...] = 0
            if t >= first:
                self.flow += self.by_sum_at[t][0]
            self.back(t)
        self.weight_gradients(gradients)

    def input_gradient(self, into: Array) -> None:
        """Put dL/dx into (K, T, B, F), after backward."""
        transposed = np.ascontiguousarray(self.weights[:, :, self.units : -1].swapaxes(2, 3))
        np.sum(np.matmul(rows_of(self.by_sum), transposed), axis=0, out=rows_of(into))

    def weight_gradients(self, gradients: Array) -> None:
        """Put the products of all sessions' [h, x, 1] and dL/da into gradients (gates, K, H + F + 1, H)."""
        np.matmul(rows_of(self.joined[:, :-1]).swapaxes(1, 2), rows_of(self.by_sum), out=gradients)

    def step(self, t: int) -> None:
        """Put the hidden state after session t into state[t + 1], and keep what `back` needs."""
        raise NotImplementedError

    def back(self, t: int) -> None:
        """Take dL/dh after session t from `flow`; put dL/da of t into by_sum and, into `flow`, dL/dh before t."""
        raise NotImplementedError


class Elman(Cell):
    """h' = tanh([h, x, 1] W). Source: Elman 1990, Finding Structure in Time."""

    gates = 1
    first_bias = (0.0,)

    def step(self, t: int) -> None:
        """See the class."""
        after = self.state[t + 1]
        np.matmul(self.joined_at[t], self.weights[0], out=after)
        np.tanh(after, out=after)

    def back(self, t: int) -> None:
        """dL/da = dL/dh' (1 - h'^2), where h' = tanh(a); dL/dh = dL/da W_h^T."""
        after, by_sum = self.state[t + 1], self.by_sum_at[t][0]
        np.multiply(self.flow, after, out=self.scratch)
        self.scratch *= after
        np.subtract(self.flow, self.scratch, out=by_sum)
        np.matmul(by_sum, self.transposed[0], out=self.flow)


class ElmanRelu(Cell):
    """h' = max(0, [h, x, 1] W). Source: Le, Jaitly and Hinton 2015, A Simple Way to Initialize Recurrent Networks."""

    gates = 1
    first_bias = (0.0,)

    def step(self, t: int) -> None:
        """See the class."""
        after = self.state[t + 1]
        np.matmul(self.joined_at[t], self.weights[0], out=after)
        np.maximum(after, 0, out=after)

    def back(self, t: int) -> None:
        """dL/da = dL/dh' where h' > 0, else 0; dL/dh = dL/da W_h^T."""
        by_sum = self.by_sum_at[t][0]
        np.sign(self.state[t + 1], out=self.scratch)
        np.multiply(self.flow, self.scratch, out=by_sum)
        np.matmul(by_sum, self.transposed[0], out=self.flow)


class Gru(Cell):
    """z = s([h, x, 1] W_z), r = s([h, x, 1] W_r), n = tanh([r h, x, 1] W_n), h' = n + z (h - n); s the logistic function.

    The reset r acts before the product.
    Source: Cho et al. 2014, Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation.
    """

    gates = 3
    first_bias = (0.0, 0.0, 0.0)

    def __init__(self, networks: int, windows: int, sessions: int, features: int, hidden: int, dtype: DTypeLike) -> None:
        super().__init__(networks, windows, sessions, features, hidden, dtype)
        k, b, t, h = networks, windows, sessions, hidden
        self.reset_joined = np.ones((k, t, b, h + features + 1), dtype)
        self.reset_at = [self.reset_joined[:, i] for i in range(t)]
        self.gate = list(np.empty((t, 3, k, b, h), dtype))
        self.by_gate = np.empty((3, k, b, h), dtype)
        self.products = np.empty((2, k, b, h), dtype)

    def forward(self, weights: Array) -> None:
        """See Cell.forward."""
        self.reset_joined[..., self.units : -1] = self.inputs
        super().forward(weights)

    def step(self, t: int) -> None:
        """See the class."""
        before, after, gate = self.state[t], self.state[t + 1], self.gate[t]
        z, r, n = gate
        np.matmul(self.joined_at[t], self.weights[:2], out=gate[:2])
        _logistic(gate[:2])
        np.multiply(r, before, out=self.scratch)
        self.reset_at[t][..., : self.units] = self.scratch
        np.matmul(self.reset_at[t], self.weights[2], out=n)
        np.tanh(n, out=n)
        np.subtract(before, n, out=after)
        after *= z
        after += n

    def back(self, t: int) -> None:
        """With g = dL/dh': dL/da_n = g (1 - z) (1 - n^2), q = dL/d(r h) = dL/da_n W_n^T,

        dL/da_z = g (h - n) z (1 - z), dL/da_r = q h r (1 - r), dL/dh = g z + q r + dL/da_z W_z^T + dL/da_r W_r^T.
        """
        before, flow, scratch = self.state[t], self.flow, self.scratch
        z, r, n = self.gate[t]
        by_z, by_r, by_n = self.by_gate
        product = self.products[0]
        np.subtract(before, n, out=by_z)
        np.multiply(flow, z, out=scratch)
        flow -= scratch
        by_z *= scratch
        n *= n
        n *= flow
        np.subtract(flow, n, out=by_n)
        np.matmul(by_n, self.transposed[2], out=product)
        product *= r
        np.add(scratch, product, out=flow)
        np.multiply(product, before, out=by_r)
        # by_z and by_r still lack 1 - gate.
        self.gate[t][:2] *= self.by_gate[:2]
        self.by_gate[:2] -= self.gate[t][:2]
        np.matmul(self.by_gate[:2], self.transposed[:2], out=self.products)
        flow += self.products[0]
        flow += self.products[1]
        self.by_sum_at[t][...] = self.by_gate

    def weight_gradients(self, gradients: Array) -> None:
        """See Cell.weight_gradients; the n gate's product is of [r h, x, 1]."""
        by_sum = rows_of(self.by_sum)
        np.matmul(rows_of(self.joined[:, :-1]).swapaxes(1, 2), by_sum[:2], out=gradients[:2])
        np.matmul(rows_of(self.reset_joined).swapaxes(1, 2), by_sum[2], out=gradients[2])


class Lstm(Cell):
    """i, f, o = s(a_i), s(a_f), s(a_o), g = tanh(a_g), c' = f c + i g, h' = o tanh(c'); each a = [h, x, 1] W of its own W.

    Source: Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000 (the forget gate). No peepholes.
    """

    gates = 4
    first_bias = (0.0, 1.0, 0.0, 0.0)

    def __init__(self, networks: int, windows: int, sessions: int, features: int, hidden: int, dtype: DTypeLike) -> None:
        super().__init__(networks, windows, sessions, features, hidden, dtype)
        k, b, t, h = networks, windows, sessions, hidden
        self.gate = list(np.empty((t, 4, k, b, h), dtype))
        self.cell = list(np.zeros((t + 1, k, b, h), dtype))
        self.squashed = list(np.empty((t, k, b, h), dtype))
        self.by_gate = np.empty((4, k, b, h), dtype)
        self.products = np.empty((4, k, b, h), dtype)
        self.cell_flow = np.empty((k, b, h), dtype)
        self.carried.append(self.cell[0])
        self.last.append(self.cell[t])
        self.flows.append(self.cell_flow)

    def step(self, t: int) -> None:
        """See the class."""
        after, cell, squashed, gate = self.state[t + 1], self.cell[t + 1], self.squashed[t], self.gate[t]
        i, f, o, g = gate
        np.matmul(self.joined_at[t], self.weights, out=gate)
        _logistic(gate[:3])
        np.tanh(g, out=g)
        np.multiply(f, self.cell[t], out=cell)
        np.multiply(i, g, out=after)
        cell += after
        np.tanh(cell, out=squashed)
        np.multiply(o, squashed, out=after)

    def back(self, t: int) -> None:
        """With dh = dL/dh', q = tanh(c'): dc = dL/dc' + dh o (1 - q^2); dL/da_o = dh q o (1 - o), dL/da_i = dc g i (1 - i),

        dL/da_f = dc c f (1 - f), dL/da_g = dc i (1 - g^2); dL/dc = dc f, dL/dh = the sum of each dL/da times its W_h^T.
        """
        squashed, gate, flow, cell_flow = self.squashed[t], self.gate[t], self.flow, self.cell_flow
        i, f, o, g = gate
        by_i, by_f, by_o, by_g = self.by_gate
        flow *= o
        np.multiply(flow, squashed, out=by_o)
        squashed *= by_o
        cell_flow += flow
        cell_flow -= squashed
        np.multiply(cell_flow, i, out=by_g)
        np.multiply(by_g, g, out=by_i)
        cell_flow *= f
        np.multiply(cell_flow, self.cell[t], out=by_f)
        # by_i, by_f and by_o still lack 1 - gate, by_g 1 - g^2.
        g *= g
        gate *= self.by_gate
        self.by_gate -= gate
        np.matmul(self.by_gate, self.transposed, out=self.products)
        np.add(self.products[0], self.products[1], out=flow)
        flow += self.products[2]
        flow += self.products[3]
        self.by_sum_at[t][...] = self.by_gate


CELLS: dict[str, type[Cell]] = {"elman": Elman, "elman_relu": ElmanRelu, "gru": Gru, "lstm": Lstm}


def rows_of(values: Array) -> Array:
    """Return (..., T B, X) of (..., T, B, X), a view: each network's rows, by session, then window."""
    *lead, t, b, x = values.shape
    return values.reshape(*lead, t * b, x)


def _logistic(values: Array) -> None:
    """Put 1 / (1 + exp(-values)) into values, by way of tanh, which cannot overflow."""
    values *= values.dtype.type(0.5)
    np.tanh(values, out=values)
    values += 1
    values *= values.dtype.type(0.5)
