"""Extremes over cells of a policy's density, of its score and of the slopes of Q, per state.

The theorem assumes a sufficiently regular solution (arXiv:2605.22622); these are the quantities
whose growth under refinement would speak against the assumption.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray
from wpoflow.core.compile import kernel
from wpoflow.solver.arithmetic.elementary import log
from wpoflow.solver.arithmetic.lines import PARTS, load_lines, rises_of_lines, state_groups
from wpoflow.solver.arithmetic.sums import row_largest, row_least, row_sum


@kernel()
def _quotients(a: FloatArray, b: FloatArray, out: FloatArray) -> None:
    """Divide entry by entry."""
    for k in range(out.size):
        out[k] = a[k] / b[k]


@kernel()
def _where(x: FloatArray, chosen: BoolArray, out: FloatArray) -> None:
    """Keep the chosen entries, zero elsewhere."""
    for k in range(out.size):
        out[k] = x[k] if chosen[k] else 0.0


@kernel(parallel=True)
def density_range(p: FloatArray, mass: FloatArray, least: FloatArray, largest: FloatArray, total: FloatArray) -> None:
    """Least and largest p/m of every state, and the row sums.  Arrays p (S, A), mass (A,), others (S,)."""
    states = p.shape[0]
    parts = min(PARTS, states)
    for part in numba.prange(parts):
        density = np.empty(p.shape[1])
        for i in range(part * states // parts, (part + 1) * states // parts):
            _quotients(p[i], mass, density)
            least[i], largest[i], total[i] = row_least(density), row_largest(density), row_sum(p[i])


@kernel(parallel=True)
def masked_mass(p: FloatArray, chosen: BoolArray, total: FloatArray) -> None:
    """Sum of p over the chosen cells of every state.  Arrays p (S, A), chosen (A,), total (S,)."""
    states = p.shape[0]
    parts = min(PARTS, states)
    for part in numba.prange(parts):
        kept = np.empty(p.shape[1])
        for i in range(part * states // parts, (part + 1) * states // parts):
            _where(p[i], chosen, kept)
            total[i] = row_sum(kept)


@kernel()
def _slopes_block(
    p: FloatArray, q: FloatArray, rises: FloatArray, first: int, distances: FloatArray, maxima: FloatArray
) -> None:
    """Fill maxima (>= 3, lanes) with score, slope and curvature of each column; p turns into ln p and q into slopes."""
    n, lanes, start = p.shape[0], np.uintp(p.shape[1]), np.uintp(first)
    faces = distances.size
    for j in range(lanes):
        maxima[0, j], maxima[1, j], maxima[2, j] = 0.0, 0.0, 0.0
        maxima[3, j] = q[0, j]
    for k in range(n):
        for j in range(lanes):
            p[k, j] = log(p[k, j]) if p[k, j] > 0.0 else math.nan  # differences with NaN are never a maximum
    for k in range(faces):
        after = k + 1 if k + 1 < n else 0
        inverse = 1.0 / distances[k]
        for j in range(lanes):
            rise = abs((p[after, j] - p[k, j]) - rises[k, start + j]) * inverse
            maxima[0, j] = rise if rise > maxima[0, j] else maxima[0, j]
        there = q[after] if after > 0 else maxima[3]
        for j in range(lanes):
            q[k, j] = (there[j] - q[k, j]) * inverse
            size = abs(q[k, j])
            maxima[1, j] = size if size > maxima[1, j] else maxima[1, j]
    for k in range(faces):
        if faces == n or k > 0:
            before = (k - 1) % faces
            inverse = 2.0 / (distances[k] + distances[before])
            for j in range(lanes):
                size = abs(q[k, j] - q[before, j]) * inverse
                maxima[2, j] = size if size > maxima[2, j] else maxima[2, j]


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
    only if it has n distances.  Arrays p, q (S, A), C order; the last three (S,).
    """
    states = p.shape[0]
    per_state = log_mass.size // n
    together, lanes, groups, parts = state_groups(states, per_state)
    flat_p, flat_q = p.reshape(p.size), q.reshape(q.size)
    rises = rises_of_lines(log_mass, n, distances.size, stride, lanes)
    for part in numba.prange(parts):
        space = np.empty((2, n * lanes))
        peaks = np.empty(4 * lanes)
        for group in range(part * groups // parts, (part + 1) * groups // parts):
            end = min((group + 1) * together, states) * per_state
            for first in range(group * together * per_state, end, lanes):
                width = min(lanes, end - first)
                line = space[0, : n * width].reshape((n, width))
                line_q = space[1, : n * width].reshape((n, width))
                maxima = peaks[: 4 * width].reshape((4, width))
                load_lines(flat_q, stride, first, line_q, 0, width)
                load_lines(flat_p, stride, first, line, 0, width)
                _slopes_block(line, line_q, rises, first % per_state, distances, maxima)
                for j in range(width):
                    i = (first + j) // per_state
                    score[i] = max(score[i], maxima[0, j])
                    slope[i] = max(slope[i], maxima[1, j])
                    curvature[i] = max(curvature[i], maxima[2, j])
