"""Bounds of the paths left when one face of a circle is dropped: see `bound_circle`."""

from __future__ import annotations

import math

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.compile import kernel
from wpoflow.validation.constants.barthe_roberto_kernels import barthe_roberto_row
from wpoflow.validation.constants.convex_reference_kernels import convex_reference_row

_CUTS = 16
_FINALISTS = 2


@kernel()
def _rolled(values: FloatArray, first: int, out: FloatArray) -> None:
    """out[k] = values[first + k], around the circle."""
    for k in range(out.size):
        out[k] = values[(first + k) % values.size]


@kernel()
def _candidate_cuts(log_conductance: FloatArray) -> IntArray:
    """Faces to try: every one, or evenly spaced ones from the least conductance on."""
    n = log_conductance.size
    count = min(n, _CUTS)
    weakest = int(np.argmin(log_conductance))
    cuts = np.empty(count, dtype=np.int64)
    for j in range(count):
        cuts[j] = (weakest + (j * n) // count) % n
    return cuts


@kernel()
def _climb(
    log_gibbs: FloatArray,
    log_conductance: FloatArray,
    first: int,
    known: FloatArray,
    law: FloatArray,
    conductance: FloatArray,
) -> int:
    """First cell of a path whose sharpened bound no cut near its own improves.

    Parameters
    ----------
    first : int
        Where to start.
    known : array (n,)
        Logarithms of the bounds by first cell, NaN where not yet known; updated.
    law, conductance : arrays (n,), (n - 1,)
        Overwritten.
    """
    n = law.size
    stride = max(1, n // _CUTS)
    while stride > 0:
        here = first
        for step in (0, -stride, stride):
            other = (here + step) % n
            if math.isnan(known[other]):
                _rolled(log_gibbs, other, law)
                _rolled(log_conductance, other, conductance)
                known[other] = barthe_roberto_row(law, conductance, True)
            if known[other] > known[first]:
                first = other
        if first == here:
            stride //= 2
    return first


@kernel(parallel=True)
def cut_circles(
    potential: FloatArray,
    distances: FloatArray,
    widths: FloatArray,
    log_gibbs: FloatArray,
    log_conductance: FloatArray,
    out: FloatArray,
) -> None:
    """out[i] = logarithm of the best bound over cuts in every state.  Arrays (S, n), except (n,) of the axis; (S,)."""
    n = widths.size
    for i in numba.prange(potential.shape[0]):
        law, conductance = np.empty(n), np.empty(n - 1)
        cuts = _candidate_cuts(log_conductance[i])
        plain = np.empty(cuts.size)
        for j in range(cuts.size):
            first = cuts[j] + 1
            _rolled(log_gibbs[i], first, law)
            _rolled(log_conductance[i], first, conductance)
            plain[j] = barthe_roberto_row(law, conductance, False)
        best = -math.inf
        known = np.full(n, math.nan)
        phi, x, h = np.empty(n), np.empty(n), np.empty(n)
        for _ in range(min(_FINALISTS, cuts.size)):
            j = int(np.argmax(plain))
            plain[j] = -math.inf
            first = _climb(log_gibbs[i], log_conductance[i], (cuts[j] + 1) % n, known, law, conductance)
            best = max(best, known[first])
            _rolled(log_gibbs[i], first, law)
            _rolled(log_conductance[i], first, conductance)
            _rolled(potential[i], first, phi)
            _rolled(widths, first, h)
            x[0] = 0.0
            for k in range(n - 1):
                x[k + 1] = x[k] + distances[(first + k) % n]
            middle = 0.5 * x[n - 1]
            for k in range(n):
                x[k] -= middle
            best = max(best, convex_reference_row(phi, x, h, law, conductance))
        out[i] = best
