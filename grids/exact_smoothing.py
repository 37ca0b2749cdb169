"""Laws of Gaussian noise at the nodes of an axis, and places among nodes, that keep mean and variance of every step.

The law at a node is that of the cell into which y + s ξ falls, its mass put at the cell's point.  That adds to s² what
Sheppard (1898) found to be h²/12 where s is well above h; the s that makes the variance what it shall be is found by
solving E (x_cell(y + s ξ) - y)² = max(σ² - h²/4, 0), which increases in s from nothing.  The law has a mean z, on even
spacing y itself, and a variance v about it.

A mean next state f lies at x from the nearest z, whose neighbours are a before and b after it.  Of the weights on these
three that have the mean f there is one of every variance V that is large enough,

    p_+ = (V + x (x + a)) / (b (a + b)),      p_- = (V + x (x - b)) / (a (a + b)),      p_0 = 1 - p_+ - p_-;

the least is that of linear interpolation, h² w (1 - w).  They are given the variance that is missing, V = σ² - Σ p v,
an equation linear in V: the next state has mean f and variance σ² for every f where σ is at least half the spacing;
below that, where linear interpolation alone has more, the least that the grid allows.  On even spacing V is h²/4 and
the weights are those of quadratic B-splines, (1/2 ± x/h)²/2 and 3/4 - (x/h)², so that values between nodes have a
continuous derivative.  Rows are mixtures of laws: non-negative, and of sum one.

On graded axes the next three nodes take over with another third moment, different by the cube of the spacing times its
relative change.  Where spacings change so fast from cell to cell that no V is the one wanted, the nearest for which
there are weights is taken.

All this is of the axis unfolded: continued beyond clamped ends, mirrored or repeated beyond others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.grids.axis import Axis
from wpoflow.grids.interpolation import Places, boundary_map
from wpoflow.grids.smoothing import REACH, Banded, gaussian_banded

ASYMPTOTIC = 4.0  # spacings from which on Sheppard's correction is exact to exp(-2 pi^2 16) < 1e-130 on even spacing
CERTAIN = 1e-3  # spacings: of so small an s the ends of the cell are 500 away, and all mass is in it to the last bit
WIDEST = 1.5  # lengths of the axis from which on the ends decide, and no cell
_EVEN = 1e-9
_ITERATIONS = 200


def node_gaps(axis: Axis, nodes: FloatArray) -> FloatArray:
    """Distances from every node to the neighbours before and after it, (2, m), of the unfolded axis."""
    gaps = np.diff(nodes)
    before, after = gaps[0], gaps[-1]
    if axis.boundary == "reflect" and gaps.size > 1:  # the first node is the mirror image of the second
        before, after = gaps[1], gaps[-2]
    elif axis.periodic and gaps.size > 1:  # the first node is the last point, the last node the first point
        before, after = gaps[-2], gaps[1]
    return np.stack((np.append(before, gaps), np.append(gaps, after)))


@dataclass(frozen=True, eq=False)
class NodeLaws:
    """Laws of noise at the m nodes of an axis.

    Attributes
    ----------
    sigma : float
        Standard deviation of the noise, positive.
    spread : array (m,)
        The s with which masses of cells are taken.
    mean, variance : array (m,)
        Of the laws; means increase with the nodes.
    """

    sigma: float
    spread: FloatArray
    mean: FloatArray
    variance: FloatArray


def node_laws(axis: Axis, nodes: FloatArray, sigma: float) -> NodeLaws | None:
    """Laws at the nodes of an axis; None where there is no noise, or one node only."""
    if not sigma > 0.0 or nodes.size == 1:
        return None
    gaps = node_gaps(axis, nodes)
    variance = np.maximum(sigma**2 - 0.25 * gaps.max(axis=0) ** 2, 0.0)
    spread = spread_for(axis, nodes, variance)
    if _even(gaps):
        return NodeLaws(sigma, spread, nodes, variance)
    points, edges = _unfolded(axis, nodes, REACH * float(spread.max()))
    away = _mean_power(1, points, edges, nodes, spread)
    return NodeLaws(sigma, spread, nodes + away, np.maximum(variance - away**2, 0.0))


def noise_matrix(axis: Axis, nodes: FloatArray, sigma: float, laws: NodeLaws | None, *, split: bool = False) -> Banded:
    """Laws of noise sigma > 0 at all nodes, as from `node_laws`, in rows; see `gaussian_banded`."""
    if laws is None:
        return gaussian_banded(axis, nodes, np.full(1, sigma), split=split)
    if axis.boundary == "clamp":
        return gaussian_banded(axis, nodes, laws.spread, split=split)
    inner = gaussian_banded(axis, axis.points, laws.spread[1:-1], split=split)
    first, last = inner.part(0, 1), inner.part(inner.rows - 1, inner.rows)
    return Banded.stacked([last, inner, first] if axis.periodic else [first, inner, last])


def places_among_three(
    axes: Sequence[Axis], laws: Sequence[NodeLaws | None], f: Sequence[FloatArray]
) -> list[Places | None]:
    """Places of mean next states f, one array for every axis; None for axes without laws."""
    of_axes = zip(axes, laws, f, strict=True)
    return [None if law is None else place_among_three(axis, law, values) for axis, law, values in of_axes]


def place_among_three(axis: Axis, laws: NodeLaws, mean: FloatArray) -> Places:
    """Place mean next states, of any shape, so that steps have mean and variance as the module's text says."""
    z = laws.mean
    gaps = np.diff(z)
    middle = z[:-1] + 0.5 * gaps
    place = np.clip(mean, z[1], z[-2]) if axis.boundary == "clamp" else boundary_map(axis, mean)
    if axis.periodic:  # into the period of what is nearest to a point
        place = np.where(place < middle[0], place + axis.length, place)
        place = np.where(place > middle[-1], place - axis.length, place)
    centre = np.clip(np.searchsorted(middle, place, side="right"), 1, z.size - 2)
    x, a, b = place - z[centre], gaps[centre - 1], gaps[centre]
    missing = laws.sigma**2 - laws.variance
    rise = (missing[centre + 1] - missing[centre]) / (b * (a + b))
    fall = (missing[centre - 1] - missing[centre]) / (a * (a + b))
    left, right = x * (x + a), x * (x - b)
    # V = missing + rise (V + left) + fall (V + right), from linear interpolation to a centre without weight
    least, most = np.maximum(-left, -right), a * b + (b - a) * x - x * x
    rest = 1.0 - rise - fall
    solvable = rest > 0.0
    wanted = (missing[centre] + rise * left + fall * right) / np.where(solvable, rest, 1.0)
    variance = np.maximum(np.where(solvable, np.minimum(wanted, most), least), least)
    above, below = (variance + left) / (b * (a + b)), (variance + right) / (a * (a + b))
    total = 1.0 + above - below
    first = np.minimum(0.5 * (total + np.sqrt(np.maximum(total * total - 4.0 * above, 0.0))), 1.0)
    return Places((centre - 1).astype(np.int64), first, above / first)


def spread_for(axis: Axis, nodes: FloatArray, variance: FloatArray) -> FloatArray:
    """Standard deviations s, (m,), with which the laws of the cells at nodes have these mean squares about them.

    Parameters
    ----------
    axis : Axis
        With boundary clamp, reflect or periodic.
    nodes : array (m,)
        As from `axis_nodes`.
    variance : array (m,)
        Zero or positive.
    """
    gaps = node_gaps(axis, nodes)
    local = gaps.mean(axis=0)
    spread = np.sqrt(np.maximum(variance - local**2 / 12.0, 0.0))
    even = _even(gaps)
    unsolved = np.flatnonzero(spread < (ASYMPTOTIC * local if even else WIDEST * axis.length))
    if even:  # nodes are alike, so that one is solved for of all that want the same
        _, first, like = np.unique(variance[unsolved], return_index=True, return_inverse=True)
        spread[unsolved] = _solved(axis, nodes, variance, unsolved[first])[like]
    else:
        spread[unsolved] = _solved(axis, nodes, variance, unsolved)
    return np.asarray(np.maximum(spread, CERTAIN * local))


def _solved(axis: Axis, nodes: FloatArray, variance: FloatArray, which: IntArray) -> FloatArray:
    """Solve for the spread at some nodes: the secant method kept inside a bracket of halving width."""
    y, wanted = nodes[which], variance[which]
    if not which.size:
        return wanted
    width = node_gaps(axis, nodes).max(axis=0)[which]
    high = np.sqrt(wanted) + width  # putting masses at points moves them by less than a width
    points, edges = _unfolded(axis, nodes, REACH * float(high.max()))
    low, value_low = np.zeros_like(high), -wanted
    value_high = _mean_power(2, points, edges, y, high) - wanted
    s = 0.5 * high
    for iteration in range(_ITERATIONS):
        value = _mean_power(2, points, edges, y, s) - wanted
        above = value > 0.0
        high, value_high = np.where(above, s, high), np.where(above, value, value_high)
        low, value_low = np.where(above, low, s), np.where(above, value_low, value)
        if np.all(high - low <= 4.0 * np.finfo(np.float64).eps * high):
            break
        secant = high - value_high * (high - low) / np.where(value_high > value_low, value_high - value_low, 1.0)
        inside = (secant > low) & (secant < high)
        s = np.where(inside & (iteration % 3 < 2), secant, 0.5 * (low + high))
    return np.where(wanted > 0.0, 0.5 * (low + high), 0.0)


def _even(gaps: FloatArray) -> bool:
    """Whether nodes are evenly spaced."""
    return bool(np.ptp(gaps) <= _EVEN * gaps.max())


def _mean_power(power: int, points: FloatArray, edges: FloatArray, y: FloatArray, s: FloatArray) -> FloatArray:
    """E (x_cell(y + s ξ) - y)^power: the sum of its jumps at edges, each times the probability of going beyond."""
    out = np.empty_like(y)
    step = max(1, (1 << 20) // points.size)
    for start in range(0, y.size, step):
        rows = slice(start, start + step)
        centre, spread = y[rows, None], s[rows, None]
        away = (points - centre) ** power
        own = np.searchsorted(edges, y[rows], side="right") - 1
        beyond = edges > centre
        tail = ndtr(np.where(beyond, centre - edges, edges - centre) / spread)
        jump = np.diff(away, axis=1)
        jump = np.where(beyond[:, 1:-1], jump, -jump)
        out[rows] = away[np.arange(own.size), own] + (jump * tail[:, 1:-1]).sum(axis=1)
    return out


def _unfolded(axis: Axis, nodes: FloatArray, reach: float) -> tuple[FloatArray, FloatArray]:
    """Points and cell edges of the unfolded axis, from so far before the nodes to as far after."""
    gaps = node_gaps(axis, nodes)
    if axis.boundary == "clamp":
        before, after = math.ceil(reach / gaps[0, 0]), math.ceil(reach / gaps[1, -1])
        head = nodes[0] - gaps[0, 0] * np.arange(before, 0, -1)
        tail = nodes[-1] + gaps[1, -1] * np.arange(1, after + 1)
        points = np.concatenate((head, nodes, tail))
        edges = 0.5 * (points[1:] + points[:-1])
        edges = np.concatenate((points[:1] - 0.5 * gaps[0, 0], edges, points[-1:] + 0.5 * gaps[1, -1]))
        first = before + int(np.argmin(np.abs(nodes - axis.lower)))
        edges[first + 1 : first + axis.size] = axis.edges[1:-1]
        return points, edges
    points, edges = axis.points, axis.edges[:-1]
    if axis.boundary == "reflect":
        points = np.concatenate((points, 2.0 * axis.upper - points[::-1]))
        edges = np.concatenate((axis.edges[:-1], 2.0 * axis.upper - axis.edges[:0:-1]))
    period = axis.length * (1 if axis.periodic else 2)
    images = math.ceil(reach / period)
    shifts = period * np.arange(-images, images + 2)[:, None]
    repeated = (edges + shifts).ravel()
    return (points + shifts).ravel()[:-1], repeated
