"""One pass of policy improvement: Q, its Gibbs policy and the soft Bellman operator, while rows are in cache.

    Q_ik = c_ik + (gamma P V)_ik,     p_ik = m_k e^{-Q_ik/tau} / Z_i,     (T V)_i = -tau ln Z_i

Z is taken relative to the least Q of the state: T V is accurate to a rounding of the larger of |Q| and tau.  Rows of
few actions are too short for vectors; exponents of several states are gathered, then exponentials taken in one loop.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.compile import kernel
from wpoflow.solver.arithmetic.elementary import normal_exp
from wpoflow.solver.arithmetic.sums import row_least, row_sum

BLOCK = 1024  # exponents taken together: with the rows they come from they stay in the first cache


@kernel()
def _add(x: FloatArray, out: FloatArray) -> None:
    """out += x."""
    for k in range(out.size):
        out[k] += x[k]


@kernel()
def _exponents(q: FloatArray, log_mass: FloatArray, inverse: float, least: float, out: FloatArray) -> None:
    """ln m_k - (Q_k - least)/tau."""
    for k in range(out.size):
        out[k] = log_mass[k] - (q[k] - least) * inverse


@kernel()
def _exponentials(x: FloatArray) -> None:
    """e^x of all entries, in place; none is much above zero, and what is below 1e-308 is zero."""
    for k in range(x.size):
        x[k] = normal_exp(x[k])


@kernel()
def _scaled(x: FloatArray, factor: float, out: FloatArray) -> None:
    """All entries times a factor."""
    for k in range(x.size):
        out[k] = x[k] * factor


@kernel(parallel=True)
def improve(
    cost: FloatArray, log_mass: FloatArray, temperature: float, q: FloatArray, policy: FloatArray, out: FloatArray
) -> None:
    """Turn gamma P V into Q, and fill its Gibbs policy and T V.

    Arrays cost (S, A), log_mass (A,), q (S, A), which holds gamma P V, policy (S, A), out (S,).
    """
    states, actions = q.shape
    inverse = 1.0 / temperature
    rows = max(1, BLOCK // actions)
    blocks = (states + rows - 1) // rows
    for block in numba.prange(blocks):
        first, last = block * rows, min(states, (block + 1) * rows)
        work = np.empty((last - first) * actions)
        for i in range(first, last):
            _add(cost[i], q[i])
            out[i] = row_least(q[i])
            start = (i - first) * actions
            _exponents(q[i], log_mass, inverse, out[i], work[start : start + actions])
        _exponentials(work)
        for i in range(first, last):
            start = (i - first) * actions
            total = row_sum(work[start : start + actions])
            _scaled(work[start : start + actions], 1.0 / total, policy[i])
            out[i] -= temperature * math.log(total)
