"""Markov chains that stand for an autoregressive shock, z' = (1 - r) m + r z + s ξ, ξ standard normal, -1 < r < 1.

**Rouwenhorst** (in T. Cooley, ed., Frontiers of Business Cycle Research, Princeton 1995): n points evenly spaced on
m ± s √(n - 1)/√(1 - r²), and with p = (1 + r)/2 the table Θ_2 = [[p, 1 - p], [1 - p, p]],

    Θ_n = p [Θ 0; 0 0] + (1 - p) [0 Θ; 0 0] + (1 - p) [0 0; Θ 0] + p [0 0; 0 Θ],    Θ = Θ_(n-1),

its inner rows halved.  For every n the conditional mean (1 - r) m + r z and the conditional variance s² are exact at
every point, and so are the stationary mean, variance and autocorrelation; the stationary law is binomial (Kopecky and
Suen, Review of Economic Dynamics 13, 2010, 701-714, doi:10.1016/j.red.2010.02.002).

**Tauchen** (Economics Letters 20, 1986, 177-181, doi:10.1016/0165-1765(86)90168-0): points evenly spaced on m ± width
stationary deviations, each with the probability that the normal law gives to the interval halfway to its neighbours;
the first and the last with all that lies beyond.  Moments are exact only in the limit, and poor as r nears one.
"""

from __future__ import annotations

import math

import numpy as np

from wpoflow.core.arguments import real_number, whole_number
from wpoflow.core.arrays import FloatArray, underflow_to_zero
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.smoothing import gaussian_matrix

MOST_POINTS = 500
TAUCHEN_WIDTH = 3.0


@underflow_to_zero
def rouwenhorst(points: int, persistence: float, deviation: float, mean: float = 0.0) -> tuple[FloatArray, FloatArray]:
    """Chain whose conditional mean and variance are those of the autoregression, exactly.

    Parameters
    ----------
    points : int
        Number of points n, at least 2.
    persistence, deviation, mean : float
        r in (-1, 1), s > 0 (of the innovation, not of the shock), m.

    Returns
    -------
    points, table : arrays (n,), (n, n)

    Raises
    ------
    ValueError
        A number out of range.
    """
    points, persistence, deviation, mean = _numbers(points, persistence, deviation, mean)
    spread = _checked(points, persistence, deviation, mean)
    p = 0.5 * (1.0 + persistence)
    table = np.ones((1, 1))
    for n in range(2, points + 1):
        grown = np.zeros((n, n))
        grown[:-1, :-1] += p * table
        grown[:-1, 1:] += (1.0 - p) * table
        grown[1:, :-1] += (1.0 - p) * table
        grown[1:, 1:] += p * table
        grown[1:-1] /= 2.0
        table = grown
    return mean + spread * math.sqrt(points - 1.0) * np.linspace(-1.0, 1.0, points), table


@underflow_to_zero
def tauchen(
    points: int, persistence: float, deviation: float, mean: float = 0.0, width: float = TAUCHEN_WIDTH
) -> tuple[FloatArray, FloatArray]:
    """Chain of the probabilities that the autoregression gives to intervals around its points.

    Parameters
    ----------
    points, persistence, deviation, mean
        As for `rouwenhorst`.
    width : float
        Distance of the outer points from the mean, in stationary deviations of the shock.

    Returns
    -------
    points, table : arrays (n,), (n, n)

    Raises
    ------
    ValueError
        A number out of range.
    """
    points, persistence, deviation, mean = _numbers(points, persistence, deviation, mean)
    reach = real_number("width", width) * _checked(points, persistence, deviation, mean)
    if not (math.isfinite(reach) and reach > 0.0):
        raise ValueError(f"width {width} must be positive and finite")
    # the cells of a clamped axis are these intervals, and it puts what lies beyond on its ends
    axis = uniform_axis("shock", -reach, reach, points, "clamp")
    table = gaussian_matrix(axis, persistence * axis.points, deviation)
    return mean + axis.points, table


def _numbers(points: int, persistence: float, deviation: float, mean: float) -> tuple[int, float, float, float]:
    """The same as Python's own numbers."""
    named = {"persistence": persistence, "deviation": deviation, "mean": mean}
    persistence, deviation, mean = (real_number(name, value) for name, value in named.items())
    return whole_number("points", points), persistence, deviation, mean


def _checked(points: int, persistence: float, deviation: float, mean: float) -> float:
    """Stationary standard deviation of the autoregression."""
    if not 2 <= points <= MOST_POINTS:
        raise ValueError(f"points = {points}: a chain has from 2 to {MOST_POINTS}")
    if not -1.0 < persistence < 1.0:
        raise ValueError(f"persistence {persistence} must lie strictly between -1 and 1")
    if not (deviation > 0.0 and math.isfinite(deviation) and math.isfinite(mean)):
        raise ValueError(f"deviation {deviation} must be positive and finite, mean {mean} finite")
    spread = deviation / math.sqrt((1.0 - persistence) * (1.0 + persistence))
    if not math.isfinite(math.sqrt(points) * spread):
        raise ValueError(f"deviation {deviation} is too large for the points to be floating-point numbers")
    return spread
