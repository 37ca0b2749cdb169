"""Soft value iteration, compiled, as a peer of our soft optimum.

    V_i <- -tau ln sum_k m_k exp(-Q_ik/tau),    Q_ik = c_ik + gamma sum_j P(j|i,k) V_j

A contraction by gamma in the maximum norm, stopped at ``max |T V - V|`` below the residual asked for.  Rows have
four entries; a state's Q stays in cache between its minimum and its sum.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray


@numba.njit(error_model="numpy")
def sweep(
    cost: FloatArray,
    columns: IntArray,
    weights: FloatArray,
    discount: float,
    temperature: float,
    value: FloatArray,
    out: FloatArray,
) -> float:
    """out = T V; returns max |out - V|.  Reference measure uniform.

    Parameters
    ----------
    cost : array (S, A)
    columns, weights : arrays (S·A, 4)
    value, out : arrays (S,)
    """
    n_states, n_actions = cost.shape
    q = np.empty(n_actions)
    change = 0.0
    inverse = 1.0 / temperature
    for i in range(n_states):
        least = math.inf
        for k in range(n_actions):
            row = i * n_actions + k
            expected = (
                weights[row, 0] * value[columns[row, 0]]
                + weights[row, 1] * value[columns[row, 1]]
                + weights[row, 2] * value[columns[row, 2]]
                + weights[row, 3] * value[columns[row, 3]]
            )
            q[k] = cost[i, k] + discount * expected
            least = min(least, q[k])
        total = 0.0
        for k in range(n_actions):
            total += math.exp((least - q[k]) * inverse)
        out[i] = least - temperature * math.log(total / n_actions)
        change = max(change, abs(out[i] - value[i]))
    return change


def soft_value_iteration(
    cost: FloatArray, columns: IntArray, weights: FloatArray, discount: float, temperature: float, residual: float
) -> tuple[FloatArray, int]:
    """V with soft Bellman residual below the one asked for, and the number of sweeps."""
    value, after = np.zeros(cost.shape[0]), np.zeros(cost.shape[0])
    sweeps = 1
    while sweep(cost, columns, weights, discount, temperature, value, after) > residual:
        value, after = after, value
        sweeps += 1
    return value, sweeps
