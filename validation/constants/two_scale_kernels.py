"""Price of transporting the laws of neighbouring fibres into each other: see `validation.constants.bound_two_scale`."""

from __future__ import annotations

import math

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.compile import kernel
from wpoflow.validation.constants.barthe_roberto_kernels import log_add


@kernel()
def log_normalise(values: FloatArray, out: FloatArray) -> float:
    """out = values less the logarithm of the sum of their exponentials, which is returned."""
    total = -math.inf
    for k in range(values.size):
        total = log_add(total, values[k])
    for k in range(values.size):
        out[k] = values[k] - total
    return total


@kernel()
def add_transport(
    log_p: FloatArray, log_r: FloatArray, log_fibre: FloatArray, log_factor: float, error: float, log_price: FloatArray
) -> None:
    """Add factor (1 + t^2) F_l^2/(s_l c_l) to the prices of the faces l of a fibre, all in logarithms.

    Parameters
    ----------
    log_p, log_r : arrays (n,)
        Two laws on the fibre.
    log_fibre : array (m,)
        Conductances: m = n - 1 on a line, n on a circle, whose face of least conductance the flow F leaves out.
    log_factor : float
    error : float
        Absolute error of the logarithms of partial sums of the laws.
    log_price : array (m,)
        Updated; not below the exact price.
    """
    n, m = log_p.size, log_fibre.size
    first = (int(np.argmin(log_fibre)) + 1) % n if m == n else 0
    widest = 0.0
    above_p, above_r = np.empty(n), np.empty(n)
    tail_p, tail_r = -math.inf, -math.inf
    for i in range(n - 1, -1, -1):
        k = (first + i) % n
        above_p[i], above_r[i] = tail_p, tail_r
        tail_p, tail_r = log_add(tail_p, log_p[k]), log_add(tail_r, log_r[k])
        widest = max(widest, abs(log_p[k] - log_r[k]))
    t = math.tanh(0.25 * (widest + error))
    below_p, below_r = -math.inf, -math.inf
    for i in range(n - 1):
        k, after = (first + i) % n, (first + i + 1) % n
        below_p, below_r = log_add(below_p, log_p[k]), log_add(below_r, log_r[k])
        larger, smaller = max(below_p, below_r), min(below_p, below_r)
        if max(above_p[i], above_r[i]) < larger:
            larger, smaller = max(above_p[i], above_r[i]), min(above_p[i], above_r[i])
        flow = larger + math.log(-math.expm1(smaller - larger) + error)
        share = min(log_add(log_p[k], log_r[k]), log_add(log_p[after], log_r[after])) - math.log(2.0)
        price = log_factor + math.log1p(t * t) + 2.0 * flow - share - log_fibre[k]
        log_price[k] = log_add(log_price[k], price)


@kernel(parallel=True)
def transport_prices(
    log_law: FloatArray,
    log_fibre: FloatArray,
    first: IntArray,
    second: IntArray,
    log_conductance: FloatArray,
    errors: FloatArray,
    out: FloatArray,
) -> None:
    """out[i, k] = ln of the largest sum over edges e at k of 2 C_e (1 + t^2) F_l^2/(s_l c_kl), over faces l of fibre k.

    Parameters
    ----------
    log_law : array (P, K, n)
        Laws of products: fibres of n cells at K cells.
    log_fibre : array (P, K, m)
        Conductances of the faces inside fibres.
    first, second : arrays (E,) of int
        Cells, of the K, on both sides of the edges.
    log_conductance : array (P, E, n)
        Conductances of the faces between the two fibres.
    errors : array (P,)
        Absolute error of the logarithms of partial sums.
    out : array (P, K)
        -inf without edges.
    """
    n, m = log_law.shape[2], log_fibre.shape[2]
    for i in numba.prange(log_law.shape[0]):
        laws, between = np.empty((log_law.shape[1], n)), np.empty(n)
        prices = np.full((log_law.shape[1], m), -math.inf)
        for k in range(log_law.shape[1]):
            log_normalise(log_law[i, k], laws[k])
        for e in range(first.size):
            factor = log_normalise(log_conductance[i, e], between) + math.log(2.0)
            for k in (first[e], second[e]):
                add_transport(laws[k], between, log_fibre[i, k], factor, errors[i], prices[k])
        for k in range(log_law.shape[1]):
            out[i, k] = -math.inf
            for face in range(m):
                out[i, k] = max(out[i, k], prices[k, face])
