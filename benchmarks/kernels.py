"""What every kernel costs per state-action pair, beside what copying memory costs.

    python -m benchmarks.kernels

Prints nanoseconds per pair, minima over repeats, for one thread and for all: one sweep of backward Euler on each
action axis, the generator applied, the dissipation, and the entropies, at shapes of one and two action axes, in and
out of the caches.  First the roofline: bytes per second of a copy and of a triad, of 16 kB, 512 kB and 128 MB.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numba
import numpy as np

from wpoflow.core import compile as door
from wpoflow.core.arrays import FloatArray
from wpoflow.core.compile import kernel
from wpoflow.solver.entropy import (
    distance_squared,
    gibbs_policy,
    regularised_cost,
    relative_entropies_to_gibbs,
    relative_entropy_to_gibbs,
    relative_entropy_to_reference,
    soft_minimum,
)
from wpoflow.solver.flux.scharfetter_gummel import add_axis_dissipation, backward_euler_axis
from wpoflow.solver.runs.monitor_kernels import add_axis_slopes, density_range

SHAPES = (
    (1, (1000,)),
    (128, (128,)),
    (256, (256,)),
    (41 * 41, (33,)),
    (128, (32, 32)),
    (4096, (32, 32)),
)
TEMPERATURE, DT, SECONDS = 0.2, 0.01, 0.4


@kernel(parallel=True)
def copy(a: FloatArray, out: FloatArray) -> None:
    """out = a."""
    for i in numba.prange(a.size):
        out[i] = a[i]


@kernel(parallel=True)
def triad(a: FloatArray, b: FloatArray, out: FloatArray) -> None:
    """out = a + 3 b."""
    for i in numba.prange(a.size):
        out[i] = a[i] + 3.0 * b[i]


def seconds(function: Callable[..., Any], *arguments: Any) -> float:
    """Least wall-clock seconds of a call, over at least 5 calls and about SECONDS."""
    function(*arguments)
    best, calls, begun = math.inf, 0, time.perf_counter()
    while calls < 5 or time.perf_counter() - begun < SECONDS:
        start = time.perf_counter()
        function(*arguments)
        best = min(best, time.perf_counter() - start)
        calls += 1
    return best


def roofline() -> None:
    """Print bandwidths."""
    print(f"{'bytes':>10s}{'copy GB/s':>11s}{'triad GB/s':>12s}")
    for size in (1 << 11, 1 << 16, 1 << 24):
        a, b, out = np.ones(size), np.ones(size), np.zeros(size)
        copied, summed = seconds(copy, a, out), seconds(triad, a, b, out)
        print(f"{8 * size:10d}{16e-9 * size / copied:11.1f}{24e-9 * size / summed:12.1f}")


def kernels(states: int, shape: tuple[int, ...]) -> dict[str, Callable[[], Any]]:
    """All kernels on one random problem, by name."""
    size = math.prod(shape)
    generator = np.random.default_rng(0)
    q = 0.3 * generator.standard_normal((states, size))
    p = generator.dirichlet(np.ones(size), states)
    log_mass = np.full(size, -math.log(size))
    mass, density = np.exp(log_mass), np.zeros(size)
    g, out = np.empty_like(q), np.empty_like(q)
    rows = np.zeros((4, states))
    gibbs_policy(q, log_mass, TEMPERATURE, g)
    found: dict[str, Callable[[], Any]] = {}
    for j, n in enumerate(shape):
        widths, distances, stride = np.full(n, 1.0 / n), np.full(n - 1, 1.0 / n), math.prod(shape[j + 1 :])
        axis = (density, widths, distances, stride)
        found[f"backward Euler axis {j}"] = partial(backward_euler_axis, p, q, *axis, DT, TEMPERATURE, out)
        found[f"dissipation axis {j}"] = partial(add_axis_dissipation, p, q, log_mass, *axis, TEMPERATURE, rows[0])
        found[f"slopes axis {j}"] = partial(add_axis_slopes, p, q, log_mass, distances, n, stride, *rows[1:])
    return found | {
        "Gibbs policy": partial(gibbs_policy, q, log_mass, TEMPERATURE, out),
        "soft minimum": partial(soft_minimum, q, log_mass, TEMPERATURE, rows[0]),
        "KL to Gibbs": partial(relative_entropy_to_gibbs, p, q, log_mass, TEMPERATURE, rows[0]),
        "KL of two to Gibbs": partial(relative_entropies_to_gibbs, p, g, q, log_mass, TEMPERATURE, *rows[:2]),
        "KL to reference": partial(relative_entropy_to_reference, p, log_mass, rows[0]),
        "regularised cost": partial(regularised_cost, p, q, log_mass, TEMPERATURE, rows[0]),
        "distance": partial(distance_squared, p, g, p, g, rows[0]),
        "density range": partial(density_range, p, mass, *rows[:3]),
    }


def main() -> None:
    """Print all tables."""
    most = numba.get_num_threads()
    print(f"load average {os.getloadavg()[0]:.2f}, threads 1 and {most}")
    roofline()
    for states, shape in SHAPES:
        pairs = states * math.prod(shape)
        print(f"\n{states} states, {' x '.join(map(str, shape))} cells{'1 thread':>20s}{f'{most} threads':>12s}")
        for name, call in kernels(states, shape).items():
            row = f"{name:28s}"
            for threads in sorted({1, most}):
                numba.set_num_threads(threads)
                row += f"{1e9 * seconds(call) / pairs:12.2f}"
            print(row + ("" if pairs >= door.LEAST_THREADED else "  (too small for threads)"), flush=True)
        numba.set_num_threads(most)


if __name__ == "__main__":
    main()
