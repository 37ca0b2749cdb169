"""Extremes over cells of a policy's density, of its score and of the slopes of Q, per state.

The theorem assumes a sufficiently regular solution (arXiv:2605.22622); these are the quantities
whose growth under refinement would speak against the assumption.
"""

from __future__ import annotations

import math

import numba

from grids.arrays import BoolArray, FloatArray
from grids.compile import kernel


@kernel(parallel=True)
def density_range(p: FloatArray, mass: FloatArray, least: FloatArray, largest: FloatArray, total: FloatArray) -> None:
    """Least and largest p/m of every state, and the row sums.  Arrays p (S, A), mass (A,), others (S,)."""
    for i in numba.prange(p.shape[0]):
        low, high, row = math.inf, -math.inf, 0.0
        for k in range(p.shape[1]):
            density = p[i, k] / mass[k]
            low, high = min(low, density), max(high, density)
            row += p[i, k]
        least[i], largest[i], total[i] = low, high, row


@kernel(parallel=True)
def masked_mass(p: FloatArray, chosen: BoolArray, total: FloatArray) -> None:
    """Sum of p over the chosen cells of every state.  Arrays p (S, A), chosen (A,), total (S,)."""
    for i in numba.prange(p.shape[0]):
        row = 0.0
        for k in range(p.shape[1]):
            if chosen[k]:
                row += p[i, k]
        total[i] = row


@kernel(parallel=True)
def add_axis_slopes(
    p: FloatArray,
    q: FloatArray,
    log_mass: FloatArray,
    distances: FloatArray,
    n: int,
    stride: int,
    score: FloatArray,
    slope: FloatArray,
    curvature: FloatArray,
) -> None:
    """Raise per-state maxima by those along one axis of n cells.

    score: |difference of ln(p/m)| over the distance, faces between two positive cells; slope: the
    same of Q; curvature: |second difference quotient| of Q.  The axis is periodic if and
    only if it has n distances.  Arrays p, q (S, A); the last three (S,).
    """
    n_actions = p.shape[1]
    faces = distances.size
    for i in numba.prange(p.shape[0]):
        for start in range(0, n_actions, n * stride):
            for first in range(start, start + stride):
                before = 0.0
                if faces == n:
                    before = (q[i, first] - q[i, first + (n - 1) * stride]) / distances[n - 1]
                for k in range(faces):
                    here = first + k * stride
                    there = first + ((k + 1) % n) * stride
                    after = (q[i, there] - q[i, here]) / distances[k]
                    slope[i] = max(slope[i], abs(after))
                    if faces == n or k > 0:
                        span = 0.5 * (distances[k] + distances[(k - 1) % faces])
                        curvature[i] = max(curvature[i], abs(after - before) / span)
                    before = after
                    if p[i, here] > 0.0 and p[i, there] > 0.0:
                        rise = math.log(p[i, there] / p[i, here]) - (log_mass[there] - log_mass[here])
                        score[i] = max(score[i], abs(rise) / distances[k])
