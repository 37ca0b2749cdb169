"""Nodes of the dynamic programme, geometric in |y - 1| and, away from 1, in y: see `bound_dynamic_programming`."""

from __future__ import annotations

import math

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.compile import kernel
from wpoflow.validation.constants.lower_envelope_kernels import EXCESS, LOG, SELF

INNER = 1e-4  # |X - 1| up to which v is bounded by a square


@kernel()
def count_nodes(end: float, sign: float, near: float, far: float, out: FloatArray) -> int:
    """Nodes from 1 + sign INNER to where |ln y| reaches ``end``; filled from the middle of ``out`` if it has room."""
    excess, log_y, k = sign * INNER, math.log1p(sign * INNER), 0
    while True:
        if out.shape[1] > k:
            out[EXCESS, k], out[LOG, k], out[SELF, k] = excess, log_y, math.exp(log_y)
        k += 1
        if abs(log_y) >= end:
            return k
        if near * abs(excess) < far * (1.0 + excess):
            excess *= 1.0 + near
            log_y = math.log1p(excess)
        else:
            log_y += sign * far
            excess = math.expm1(log_y)


@kernel()
def nodes(low: float, high: float, near: float, far: float) -> tuple[FloatArray, int]:
    """Nodes (3, N) from e^-low to e^high, and the place of 1 - INNER, which 1 + INNER follows.

    |y - 1| grows by the factor 1 + near until a node is the factor e^far from the one before, and by that from there.
    """
    empty = np.empty((3, 0))
    left, right = (
        np.empty((3, count_nodes(low, -1.0, near, far, empty))),
        np.empty((3, count_nodes(high, 1.0, near, far, empty))),
    )
    count_nodes(low, -1.0, near, far, left)
    count_nodes(high, 1.0, near, far, right)
    m = left.shape[1]
    out = np.empty((3, m + right.shape[1]))
    for row in range(3):
        for k in range(m):
            out[row, m - 1 - k] = left[row, k]
        for k in range(right.shape[1]):
            out[row, m + k] = right[row, k]
    return out, m - 1
