"""Kernel for the expectation of the piecewise linear basis under normal laws, in closed form."""

import math

import numba

from wpoflow.core.arrays import FloatArray, IndexArray
from wpoflow.core.compile import kernel

_REACH = 9.0


@kernel(parallel=True)
def hat_rows(
    nodes: FloatArray,
    left: IndexArray,
    right: IndexArray,
    mean: FloatArray,
    sigma: FloatArray,
    widest: float,
    limit: FloatArray,
    out: FloatArray,
) -> None:
    """Set out[r, :] to the weights of the columns under the law of mean[r] + sigma[r] ξ.

    Interval k of the nodes carries the hats of the columns left[k] and right[k]; neighbours share the
    distribution function at their common node, so that rows telescope to one.  Mass beyond the first and the last
    node goes to the first and the last column.  Beyond sigma = ``widest`` the weights are ``limit``; with
    sigma[r] = 0 they are those of interpolation at mean[r].
    """
    intervals = left.size
    columns = out.shape[1]
    root = math.sqrt(0.5)
    peak = math.sqrt(0.5 / math.pi)
    for r in numba.prange(mean.size):
        out[r, :] = 0.0
        s = sigma[r]
        start = min(max(mean[r] - _REACH * s, nodes[0]), nodes[intervals])
        k, stop = 0, intervals
        while stop - k > 1:
            middle = (k + stop) // 2
            if nodes[middle] <= start:
                k = middle
            else:
                stop = middle
        if s == 0.0:
            weight = (start - nodes[k]) / (nodes[k + 1] - nodes[k])
            out[r, left[k]] += 1.0 - weight
            out[r, right[k]] += weight
        elif s > widest:
            out[r, :] = limit
        else:
            out[r, 0] += 0.5 * math.erfc((mean[r] - nodes[0]) / s * root)
            out[r, columns - 1] += 0.5 * math.erfc((nodes[intervals] - mean[r]) / s * root)
            a = (nodes[k] - mean[r]) / s
            below, above = 0.5 * math.erfc(-a * root), 0.5 * math.erfc(a * root)
            density = peak * math.exp(-0.5 * a * a)
            while k < intervals and a < _REACH:
                b = (nodes[k + 1] - mean[r]) / s
                next_below, next_above = 0.5 * math.erfc(-b * root), 0.5 * math.erfc(b * root)
                next_density = peak * math.exp(-0.5 * b * b)
                if a >= 0.0:
                    mass = above - next_above
                elif b <= 0.0:
                    mass = next_below - below
                else:
                    mass = 1.0 - below - next_above
                slope = s * (density - next_density)
                moment = ((mean[r] - nodes[k]) * mass + slope) / (nodes[k + 1] - nodes[k])
                out[r, left[k]] += mass - moment
                out[r, right[k]] += moment
                a, below, above, density = b, next_below, next_above, next_density
                k += 1
