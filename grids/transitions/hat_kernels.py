"""Kernel for the expectation of the piecewise linear basis under normal laws, in closed form."""

import math

import numba

from grids.arrays import FloatArray, IndexArray
from grids.compile import kernel

_REACH = 9.0


@kernel(parallel=True)
def hat_rows(
    nodes: FloatArray,
    left: IndexArray,
    right: IndexArray,
    mean: FloatArray,
    sigma: FloatArray,
    period: float,
    mirror: float,
    limit: FloatArray,
    widest: float,
    tail_low: int,
    tail_high: int,
    out: FloatArray,
) -> None:
    """Set out[r, :] to the weights of the columns under the law of mean[r] + sigma[r] ξ.

    Interval k of the nodes carries the hats of the columns left[k] and right[k].  period > 0 sums over images
    mean + n·period; a finite ``mirror`` adds their reflections 2·mirror - mean; beyond sigma = ``widest`` the
    weights are ``limit``.  With period = 0 the mass beyond the nodes goes to the columns tail_low and tail_high.
    sigma[r] = 0 gives the interpolation weights of mean[r], which then must lie among the nodes or is clamped.
    """
    intervals = left.size
    low_end, high_end = nodes[0], nodes[intervals]
    root = math.sqrt(0.5)
    for r in numba.prange(mean.size):
        out[r, :] = 0.0
        s = sigma[r]
        if s == 0.0:
            y = min(max(mean[r], low_end), high_end)
            k = 0
            while k < intervals - 1 and nodes[k + 1] <= y:
                k += 1
            weight = (y - nodes[k]) / (nodes[k + 1] - nodes[k])
            out[r, left[k]] += 1.0 - weight
            out[r, right[k]] += weight
        elif s > widest:
            out[r, :] = limit
        else:
            images = 0
            if period > 0.0:
                images = math.ceil(_REACH * s / period) + 1
            else:
                out[r, tail_low] += 0.5 * math.erfc((mean[r] - low_end) / s * root)
                out[r, tail_high] += 0.5 * math.erfc((high_end - mean[r]) / s * root)
            for image in range(-images, images + 1):
                for side in range(1 if math.isinf(mirror) else 2):
                    centre = image * period + (mean[r] if side == 0 else 2.0 * mirror - mean[r])
                    for k in range(intervals):
                        a = (nodes[k] - centre) / s
                        b = (nodes[k + 1] - centre) / s
                        if a < _REACH and b > -_REACH:
                            if a >= 0.0:
                                mass = 0.5 * (math.erfc(a * root) - math.erfc(b * root))
                            elif b <= 0.0:
                                mass = 0.5 * (math.erfc(-b * root) - math.erfc(-a * root))
                            else:
                                mass = 1.0 - 0.5 * (math.erfc(-a * root) + math.erfc(b * root))
                            slope = (math.exp(-0.5 * a * a) - math.exp(-0.5 * b * b)) * s / math.sqrt(2.0 * math.pi)
                            moment = ((centre - nodes[k]) * mass + slope) / (nodes[k + 1] - nodes[k])
                            out[r, left[k]] += mass - moment
                            out[r, right[k]] += moment
