"""One whole gradient step (forward, loss, backward; no optimizer): our time against PyTorch's and JAX's, one thread, float32.

    OPENBLAS_NUM_THREADS=1 taskset -c 0 python benchmarks/train_step.py     # needs the bench extra

article: one network, 50 sessions, 50 units, one input, squared error at the last session, B windows.
stack: 128 networks of 16 units, 4 windows each of 100 sessions, 6 inputs, 15 outputs at every session.
Each round runs all three, so that a slow spell of the machine affects them alike; medians of the rounds.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import jax
import jax.numpy as jnp
import numpy as np
import torch

from tickercast.rnn.losses import squared_error
from tickercast.rnn.network import Unroll
from tickercast.rnn.params import NetworkShape, initial_params, weights_of
from tickercast.rnn.readout import readout, readout_backward

Step = Callable[[], object]
NETWORKS, WINDOWS, SESSIONS, INPUTS, OUTPUTS, UNITS = 128, 4, 100, 6, 15, 16


def our_step(cell: str, *, networks: int, windows: int, sessions: int, inputs: int, units: int, outputs: int, last: bool) -> Step:
    rng = np.random.default_rng(0)
    shape = NetworkShape(inputs, units, outputs, cell=cell)
    first = sessions - 1 if last else 0
    unroll = Unroll(networks, windows, sessions, shape, np.float32)
    unroll.load(rng.standard_normal((networks, windows, sessions, inputs), np.float32))
    targets = rng.standard_normal((networks, (sessions - first) * windows, outputs), np.float32)
    params = initial_params(range(networks), shape) + rng.normal(0, 0.1, (networks, shape.size)).astype(np.float32)
    weights, gradients = weights_of(params, shape), weights_of(np.zeros_like(params), shape)

    def step() -> None:
        unroll.forward(weights)
        hidden = unroll.hidden(first)
        outputs_then_gradient = readout(hidden, weights)
        squared_error(outputs_then_gradient, targets)
        readout_backward(hidden, outputs_then_gradient, weights, gradients, unroll.d_hidden(first))
        unroll.backward(gradients, first)

    return step


def torch_step(cell: str, *, windows: int, sessions: int, inputs: int, units: int, outputs: int, last: bool) -> Step:
    layer = {"elman": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[cell](inputs, units, batch_first=True)
    output = torch.nn.Linear(units, outputs)
    x = torch.randn(windows, sessions, inputs)
    y = torch.randn(windows, outputs) if last else torch.randn(windows, sessions, outputs)

    def step() -> None:
        for module in (layer, output):
            module.zero_grad(set_to_none=True)
        states = layer(x)[0]
        torch.nn.functional.mse_loss(output(states[:, -1] if last else states), y).backward()

    return step


def jax_step(cell: str, *, networks: int, windows: int, sessions: int, inputs: int, units: int, outputs: int, last: bool) -> Step:
    gates = {"elman": 1, "gru": 3, "lstm": 4}[cell]
    keys = iter(jax.random.split(jax.random.key(0), 8))

    def some(*shape: int) -> jax.Array:
        return 0.1 * jax.random.normal(next(keys), (networks, *shape), jnp.float32)

    params = {
        "h": some(units, gates * units), "x": some(inputs, gates * units), "b": some(1, gates * units),
        "v": some(units, outputs), "c": some(1, outputs),
    }  # fmt: skip
    x = some(sessions, windows, inputs)
    y = some(windows, outputs) if last else some(sessions, windows, outputs)

    def elman(p: dict[str, jax.Array], h: jax.Array, c: jax.Array, a: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jnp.tanh(h @ p["h"] + a), c

    def gru(p: dict[str, jax.Array], h: jax.Array, c: jax.Array, a: jax.Array) -> tuple[jax.Array, jax.Array]:
        zr = jax.nn.sigmoid(h @ p["h"][:, : 2 * units] + a[:, : 2 * units])
        z, r = zr[:, :units], zr[:, units:]
        n = jnp.tanh((r * h) @ p["h"][:, 2 * units :] + a[:, 2 * units :])
        return n + z * (h - n), c

    def lstm(p: dict[str, jax.Array], h: jax.Array, c: jax.Array, a: jax.Array) -> tuple[jax.Array, jax.Array]:
        i, f, o, g = jnp.split(h @ p["h"] + a, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jax.nn.sigmoid(o) * jnp.tanh(c), c

    rule = {"elman": elman, "gru": gru, "lstm": lstm}[cell]

    def loss(p: dict[str, jax.Array], inputs_of_one: jax.Array, targets: jax.Array) -> jax.Array:
        def body(carry: tuple[jax.Array, jax.Array], a: jax.Array) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
            carry = rule(p, *carry, a)
            return carry, carry[0]

        zero = jnp.zeros((windows, units), jnp.float32)
        (state, _), states = jax.lax.scan(body, (zero, zero), inputs_of_one @ p["x"] + p["b"])
        return jnp.mean(((state if last else states) @ p["v"] + p["c"] - targets) ** 2)

    step = jax.jit(jax.value_and_grad(lambda p: jax.vmap(loss)(p, x, y).sum()))
    return lambda: jax.block_until_ready(step(params))


def medians(steps: dict[str, tuple[Step, int]], rounds: int) -> dict[str, float]:
    """Return the median seconds of a call of each, over rounds in which they take turns. With each: its calls a round."""
    for step, _ in steps.values():
        step()
        step()
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, (step, calls) in steps.items():
            began = time.perf_counter()
            for _ in range(calls):
                step()
            seconds[name].append((time.perf_counter() - began) / calls)
    return {name: statistics.median(values) for name, values in seconds.items()}


def matmul_rate() -> Step:
    a = np.ones((1024, 1024), np.float32)
    out = np.empty_like(a)
    return lambda: np.matmul(a, a, out=out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    print(f"machine: {platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}, ", end="")
    print(f"torch {torch.__version__}, JAX {jax.__version__}; medians of {rounds} rounds, one thread")
    print("| shape | ours | torch | JAX | torch / ours | JAX / ours | share of matmul rate |")
    print("|---|---|---|---|---|---|---|")
    for windows in (32, 128, 256, 554):
        article = {"windows": windows, "sessions": 50, "inputs": 1, "units": 50, "outputs": 1, "last": True}
        calls = max(2, 1000 // windows)
        t = medians(
            {
                "ours": (our_step("elman", networks=1, **article), calls),
                "torch": (torch_step("elman", **article), calls),
                "jax": (jax_step("elman", networks=1, **article), calls),
                "matmul": (matmul_rate(), 2),
            },
            rounds,
        )
        share = (6 * 50**2 * 50 * windows / t["ours"]) / (2 * 1024**3 / t["matmul"])
        print(f"| article B={windows} | {t['ours'] * 1e3:.2f} ms | {t['torch'] * 1e3:.2f} ms | {t['jax'] * 1e3:.2f} ms | "
              f"{t['torch'] / t['ours']:.2f} | {t['jax'] / t['ours']:.2f} | {share:.0%} |", flush=True)  # fmt: skip
    for cell in ("elman", "gru", "lstm"):
        stack = {"windows": WINDOWS, "sessions": SESSIONS, "inputs": INPUTS, "units": UNITS, "outputs": OUTPUTS, "last": False}
        t = medians(
            {
                "ours": (our_step(cell, networks=NETWORKS, **stack), 3),
                "torch": (torch_step(cell, **stack), 5),
                "jax": (jax_step(cell, networks=NETWORKS, **stack), 3),
            },
            rounds,
        )
        ours, theirs, vmap = t["ours"] / NETWORKS * 1e6, t["torch"] * 1e6, t["jax"] / NETWORKS * 1e6
        print(f"| stack {cell}, a network | {ours:.0f} us | {theirs:.0f} us | {vmap:.0f} us | {theirs / ours:.1f} | "
              f"{vmap / ours:.2f} | |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
