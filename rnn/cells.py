"""The recurrent cells: Elman with tanh or relu, GRU and LSTM, each with its backward rule under its forward rule.

A cell is one layer of a stack: K networks, B windows, T sessions, F inputs, H hidden units. In every session each gate takes

    a = h W_h + x W_x + b = [h, x, 1] W         the pre-activation: one matrix product instead of two and a sum

where h is the hidden state before the session. d before a name means dL/d(name), the derivative of the loss by it.

All rules work in place on the layer's buffers. The comment behind a line gives the value of the array just written.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tickercast.rnn.unrolling import first_reached, flat, logistic

Array = NDArray[np.floating]


class Cell:
    """The buffers of one layer, and the loops over sessions around `step` and `backward_step`.

    h[t]: (K, B, H), the hidden state before session t, so h[t + 1] is the one after it; t = 0..T, h[0] = 0.
    concat: (K, T + 1, B, H + F + 1), [h, x, 1] of each session; concat_at[t] is (K, B, H + F + 1).
    inputs: (K, T, B, F), the x part of concat, to be filled before forward.
    da: (gates, K, T, B, H), dL/da of each session; da_at[t] is (gates, K, B, H).
    dh_above: (K, T, B, H), the part of dL/dh that comes from the readout or the layer above; to be set before backward.
    dh: (K, B, H), all of dL/dh at the session where backward is.
    """

    gates: ClassVar[int]
    first_bias: ClassVar[tuple[float, ...]]  # one value per gate

    def __init__(self, networks: int, windows: int, sessions: int, features: int, hidden: int, dtype: DTypeLike) -> None:
        K, B, T, F, H = networks, windows, sessions, features, hidden
        self.sessions, self.hidden, self.begin = T, H, 0
        # With t first, what one step reads is contiguous. With K first, what a product over all sessions reads is.
        self.h = list(np.zeros((T + 1, K, B, H), dtype))
        self.concat = np.ones((K, T + 1, B, H + F + 1), dtype)
        self.concat[:, 0, :, :H] = 0
        self.da = np.empty((self.gates, K, T, B, H), dtype)
        self.dh_above = np.empty((K, T, B, H), dtype)
        self.dh = np.empty((K, B, H), dtype)
        self.scratch = np.empty((K, B, H), dtype)
        # Views, made once: to make one takes as long as a small product.
        self.inputs = self.concat[:, :T, :, H:-1]
        self.concat_at = [self.concat[:, t] for t in range(T)]
        self.concat_h_at = [self.concat[:, t, :, :H] for t in range(T + 1)]
        self.da_at = [self.da[:, :, t] for t in range(T)]
        self.dh_above_at = [self.dh_above[:, t] for t in range(T)]

    def forward(self, weights: Array) -> None:
        """Compute h[1..T] from inputs. weights: W, (gates, K, H + F + 1, H)."""
        self.weights = weights
        for t in range(self.sessions):
            self.step(t)
            self.concat_h_at[t + 1][...] = self.h[t + 1]

    def backward(self, gradients: Array, first: int, truncation: int) -> None:
        """Put dL/dW into gradients (gates, K, H + F + 1, H) by backpropagation through time, from dh_above.

        first: dh_above counts as zero in the sessions before it. truncation: every so many sessions, counted from the last,
        dh is set to zero (0 = never, which gives the exact gradient). Sessions that no gradient reaches are skipped.
        Source: Werbos 1990, Backpropagation Through Time: What It Does and How to Do It.
        """
        # A contiguous W_h^T, made once, is faster than a transposed operand in every session's small product.
        self.W_h_T = np.ascontiguousarray(self.weights[:, :, : self.hidden].swapaxes(2, 3))  # (gates, K, H, H)
        self.begin = first_reached(self.sessions, first, truncation)
        for t in reversed(range(self.begin, self.sessions)):
            after = self.sessions - 1 - t
            if after == 0 or (truncation and after % truncation == 0):
                self.clear_dh()
            if t >= first:
                self.dh += self.dh_above_at[t]
            self.backward_step(t)
        self.weight_gradients(gradients)

    def input_gradient(self, d_inputs: Array) -> None:
        """Put dL/dx into d_inputs (K, T, B, F), after backward: the sum over the gates of da W_x^T."""
        W_x_T = np.ascontiguousarray(self.weights[:, :, self.hidden : -1].swapaxes(2, 3))  # (gates, K, H, F)
        d_inputs[:, : self.begin] = 0
        np.sum(np.matmul(flat(self.da[:, :, self.begin :]), W_x_T), axis=0, out=flat(d_inputs[:, self.begin :]))

    def weight_gradients(self, gradients: Array) -> None:
        """Put dL/dW = the sum over sessions and windows of [h, x, 1]^T da into gradients (gates, K, H + F + 1, H)."""
        concat_T = flat(self.concat[:, self.begin : -1]).swapaxes(1, 2)  # (K, H + F + 1, T B)
        np.matmul(concat_T, flat(self.da[:, :, self.begin :]), out=gradients)

    def clear_dh(self) -> None:
        """Set what backward carries from one session to the one before it to zero."""
        self.dh[...] = 0

    def step(self, t: int) -> None:
        """Put the hidden state after session t into h[t + 1], and keep what backward_step needs."""
        raise NotImplementedError

    def backward_step(self, t: int) -> None:
        """Turn dh from dL/dh[t + 1] into dL/dh[t]; put dL/da of session t into da_at[t]."""
        raise NotImplementedError


class Elman(Cell):
    """h' = tanh(a). Source: Elman 1990, Finding Structure in Time."""

    gates = 1
    first_bias = (0.0,)

    def step(self, t: int) -> None:
        """Put tanh([h, x, 1] W) into h[t + 1]."""
        h = self.h[t + 1]
        np.matmul(self.concat_at[t], self.weights[0], out=h)  # a
        np.tanh(h, out=h)  # tanh(a)

    def backward_step(self, t: int) -> None:
        """Set da = dh (1 - h^2), because d tanh(a) / da = 1 - tanh(a)^2; then dh = da W_h^T, because a contains h W_h."""
        h, dh, da = self.h[t + 1], self.dh, self.da_at[t][0]
        np.multiply(dh, h, out=self.scratch)  # dh h
        self.scratch *= h  # dh h^2
        np.subtract(dh, self.scratch, out=da)  # dh (1 - h^2)
        np.matmul(da, self.W_h_T[0], out=dh)


class ElmanRelu(Cell):
    """h' = max(0, a). Source: Le, Jaitly and Hinton 2015, A Simple Way to Initialize Recurrent Networks."""

    gates = 1
    first_bias = (0.0,)

    def step(self, t: int) -> None:
        """Put max(0, [h, x, 1] W) into h[t + 1]."""
        h = self.h[t + 1]
        np.matmul(self.concat_at[t], self.weights[0], out=h)  # a
        np.maximum(h, 0, out=h)  # max(0, a)

    def backward_step(self, t: int) -> None:
        """Set da = dh where h > 0, else 0; then dh = da W_h^T."""
        h, dh, da = self.h[t + 1], self.dh, self.da_at[t][0]
        np.sign(h, out=self.scratch)  # 1 where h > 0, else 0
        np.multiply(dh, self.scratch, out=da)
        np.matmul(da, self.W_h_T[0], out=dh)


class Gru(Cell):
    """z = s(a_z), r = s(a_r), n = tanh(a_n), h' = n + z (h - n) = z h + (1 - z) n; s is the logistic function.

    a_z and a_r are [h, x, 1] W as above; a_n = [r h, x, 1] W_n, so the reset r acts before the product.
    Source: Cho et al. 2014, Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation.
    """

    gates = 3
    first_bias = (0.0, 0.0, 0.0)

    def __init__(self, networks: int, windows: int, sessions: int, features: int, hidden: int, dtype: DTypeLike) -> None:
        super().__init__(networks, windows, sessions, features, hidden, dtype)
        K, B, T, F, H = networks, windows, sessions, features, hidden
        self.gate = list(np.empty((T, 3, K, B, H), dtype))  # z, r, n of each session
        self.reset_concat = np.ones((K, T, B, H + F + 1), dtype)  # [r h, x, 1]
        self.reset_concat_at = [self.reset_concat[:, t] for t in range(T)]
        self.da_block = np.empty((3, K, B, H), dtype)  # da of one session, contiguous
        self.products = np.empty((2, K, B, H), dtype)

    def forward(self, weights: Array) -> None:
        """Compute h[1..T] from inputs; see Cell.forward."""
        self.reset_concat[..., self.hidden : -1] = self.inputs
        super().forward(weights)

    def step(self, t: int) -> None:
        """Put n + z (h - n) into h[t + 1]."""
        h, h_next, gate = self.h[t], self.h[t + 1], self.gate[t]
        z, r, n = gate
        np.matmul(self.concat_at[t], self.weights[:2], out=gate[:2])  # a_z, a_r
        logistic(gate[:2])  # z, r
        np.multiply(r, h, out=self.scratch)  # r h
        self.reset_concat_at[t][..., : self.hidden] = self.scratch
        np.matmul(self.reset_concat_at[t], self.weights[2], out=n)  # a_n
        np.tanh(n, out=n)  # n
        np.subtract(h, n, out=h_next)  # h - n
        h_next *= z  # z (h - n)
        h_next += n  # n + z (h - n)

    def backward_step(self, t: int) -> None:
        """Set da and dh by the product rule on h' = n + z (h - n). With dh = dL/dh' on entry:

        dn = dh (1 - z)    da_n = dn (1 - n^2)    q = dL/d(r h) = da_n W_n^T
        dz = dh (h - n)    da_z = dz z (1 - z)
        dr = q h           da_r = dr r (1 - r)
        dL/dh = dh z + q r + da_z W_z^T + da_r W_r^T, where each W^T is that of the rows of h.
        """
        h, dh = self.h[t], self.dh
        (z, r, n), (da_z, da_r, da_n) = self.gate[t], self.da_block
        dh_z, q = self.scratch, self.products[0]
        np.subtract(h, n, out=da_z)  # h - n
        np.multiply(dh, z, out=dh_z)  # dh z
        dh -= dh_z  # dn = dh (1 - z)
        da_z *= dh_z  # dz z; 1 - z comes below
        n *= n  # n^2
        n *= dh  # dn n^2
        np.subtract(dh, n, out=da_n)  # da_n = dn (1 - n^2)
        np.matmul(da_n, self.W_h_T[2], out=q)  # q
        q *= r  # q r
        np.add(dh_z, q, out=dh)  # dh z + q r
        np.multiply(q, h, out=da_r)  # q h r = dr r; 1 - r comes below
        zr, da_zr = self.gate[t][:2], self.da_block[:2]
        zr *= da_zr  # dz z^2, dr r^2
        da_zr -= zr  # da_z = dz z (1 - z), da_r = dr r (1 - r)
        np.matmul(da_zr, self.W_h_T[:2], out=self.products)  # da_z W_z^T, da_r W_r^T
        dh += self.products[0]
        dh += self.products[1]
        self.da_at[t][...] = self.da_block

    def weight_gradients(self, gradients: Array) -> None:
        """Put dL/dW into gradients; see Cell.weight_gradients. The rows of W_n belong to [r h, x, 1]."""
        da = flat(self.da[:, :, self.begin :])
        np.matmul(flat(self.concat[:, self.begin : -1]).swapaxes(1, 2), da[:2], out=gradients[:2])
        np.matmul(flat(self.reset_concat[:, self.begin :]).swapaxes(1, 2), da[2], out=gradients[2])


class Lstm(Cell):
    """i, f, o = s(a_i), s(a_f), s(a_o), g = tanh(a_g), c' = f c + i g, h' = o tanh(c'); s is the logistic function.

    c is the cell's second state, (K, B, H) like h. No peepholes.
    Source: Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000 (the forget gate).
    """

    gates = 4
    first_bias = (0.0, 1.0, 0.0, 0.0)

    def __init__(self, networks: int, windows: int, sessions: int, features: int, hidden: int, dtype: DTypeLike) -> None:
        super().__init__(networks, windows, sessions, features, hidden, dtype)
        K, B, T, H = networks, windows, sessions, hidden
        self.gate = list(np.empty((T, 4, K, B, H), dtype))  # i, f, o, g of each session
        self.c = list(np.zeros((T + 1, K, B, H), dtype))  # c[t] is the one before session t
        self.tanh_c = list(np.empty((T, K, B, H), dtype))  # tanh(c') of each session
        self.dc = np.empty((K, B, H), dtype)
        self.da_block = np.empty((4, K, B, H), dtype)  # da of one session, contiguous
        self.products = np.empty((4, K, B, H), dtype)

    def clear_dh(self) -> None:
        """Set what backward carries from one session to the one before it, dh and dc, to zero."""
        self.dh[...] = 0
        self.dc[...] = 0

    def step(self, t: int) -> None:
        """Put f c + i g into c[t + 1] and o tanh(c') into h[t + 1]."""
        h_next, c, c_next, tanh_c, gate = self.h[t + 1], self.c[t], self.c[t + 1], self.tanh_c[t], self.gate[t]
        i, f, o, g = gate
        np.matmul(self.concat_at[t], self.weights, out=gate)  # a_i, a_f, a_o, a_g
        logistic(gate[:3])  # i, f, o
        np.tanh(g, out=g)  # g
        np.multiply(f, c, out=c_next)  # f c
        np.multiply(i, g, out=h_next)  # i g
        c_next += h_next  # c' = f c + i g
        np.tanh(c_next, out=tanh_c)
        np.multiply(o, tanh_c, out=h_next)  # h' = o tanh(c')

    def backward_step(self, t: int) -> None:
        """Set da, dh and dc by the product rule on h' = o q with q = tanh(c'), then on c' = f c + i g.

        With dh = dL/dh' on entry, and dc from the session after:
        dc' = dc + dh o (1 - q^2)
        da_o = dh q o (1 - o)    da_i = dc' g i (1 - i)    da_f = dc' c f (1 - f)    da_g = dc' i (1 - g^2)
        dL/dc = dc' f, dL/dh = the sum over the gates of da W_h^T.
        """
        q, gate, dh, dc = self.tanh_c[t], self.gate[t], self.dh, self.dc
        (i, f, o, g), (da_i, da_f, da_o, da_g) = gate, self.da_block
        dh *= o  # dq = dh o
        np.multiply(dh, q, out=da_o)  # dh o q; 1 - o comes below
        q *= da_o  # dq q^2
        dc += dh  # dc + dq
        dc -= q  # dc' = dc + dq (1 - q^2)
        np.multiply(dc, i, out=da_g)  # dc' i; 1 - g^2 comes below
        np.multiply(da_g, g, out=da_i)  # dc' i g; 1 - i comes below
        dc *= f  # dL/dc = dc' f
        np.multiply(dc, self.c[t], out=da_f)  # dc' f c; 1 - f comes below
        g *= g  # g^2
        gate *= self.da_block  # each da times its i, f, o or g^2
        self.da_block -= gate  # each da times its 1 - i, 1 - f, 1 - o or 1 - g^2: now dL/da
        np.matmul(self.da_block, self.W_h_T, out=self.products)  # da W_h^T of each gate
        np.add(self.products[0], self.products[1], out=dh)
        dh += self.products[2]
        dh += self.products[3]
        self.da_at[t][...] = self.da_block


CELLS: dict[str, type[Cell]] = {"elman": Elman, "elman_relu": ElmanRelu, "gru": Gru, "lstm": Lstm}
