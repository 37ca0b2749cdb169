"""Laws of Gaussian noise on the cells of an axis that keep the variance of every step exactly.

A mean next state f lies at the share w between two nodes a distance h apart, and interpolating between laws at the
nodes adds h² w (1 - w) to the variance of the next state: nothing at a node, h²/4 in the middle.  So two laws are held
for every node: one of variance σ², the other of the least that may be wanted there, σ² - h²/4, or none if that is
negative.  The pair takes the share

    ϑ = min(1, h² w (1 - w) / ((1 - w) d_0 + w d_1)),      d the difference of the two variances at a node,

of the second, and its next state has mean f and variance σ² for every f; where even a sure node is too much, σ² < h²
w (1 - w), the least that the grid allows.  Rows are mixtures of laws: non-negative, and of sum one.

A law is that of the cell into which y + s ξ falls, its mass put at the cell's point.  That adds to s² what Sheppard
(1898) found to be h²/12 where s is well above h; the s that makes the variance what it shall be is found by solving
E (x_cell(y + s ξ) - y)² = v, which increases in s from nothing.  Means are exact on evenly spaced axes; on graded ones
they are off by a term of second order, as are those of cells, and v is the mean square about y.

All this is of the axis unfolded: continued beyond clamped ends, mirrored or repeated beyond others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.grids.axis import Axis
from wpoflow.grids.interpolation import boundary_map
from wpoflow.grids.smoothing import REACH, Banded, gaussian_banded

ASYMPTOTIC = 4.0  # spacings from which on Sheppard's correction is exact to exp(-2 pi^2 16) < 1e-130 on even spacing
CERTAIN = 1e-3  # spacings, a hundredth of the distance of a point to the ends of its cell in standard deviations
WIDEST = 1.5  # lengths of the axis from which on the ends decide, and no cell
_EVEN = 1e-9
_ITERATIONS = 200


def node_gaps(axis: Axis, nodes: FloatArray) -> FloatArray:
    """Distances from every node to the neighbours before and after it, (2, m), of the unfolded axis."""
    gaps = np.diff(nodes)
    if axis.periodic:
        return np.stack((np.append(gaps[-1:], gaps), np.append(gaps, gaps[:1])))
    ends = np.array([gaps[0], gaps[-1]])
    if axis.boundary == "reflect":  # to the mirror images of the end points
        ends = 2.0 * np.array([nodes[0] - axis.lower, axis.upper - nodes[-1]])
    return np.stack((np.append(ends[:1], gaps), np.append(gaps, ends[1:])))


def law_count(nodes: FloatArray, sigma: float) -> int:
    """How many laws every node has: two where there is noise, and something to interpolate between."""
    return 2 if sigma > 0.0 and nodes.size > 1 else 1


def noise_matrix(axis: Axis, nodes: FloatArray, sigma: float, *, split: bool = False) -> Banded:
    """Laws of noise sigma > 0 at all nodes, first those of variance sigma², then the others; see `gaussian_banded`."""
    if law_count(nodes, sigma) == 1:
        return gaussian_banded(axis, nodes, np.full(1, sigma), split=split)
    variances = np.full(nodes.size, sigma**2), least_variance(axis, nodes, sigma)
    return Banded.stacked([gaussian_banded(axis, nodes, spread_for(axis, nodes, v), split=split) for v in variances])


def shares_of_second(
    axes: Sequence[Axis], nodes: Sequence[FloatArray], noise: Sequence[float] | FloatArray, f: Sequence[FloatArray]
) -> list[FloatArray | None]:
    """Shares of the second law for mean next states f, one array for every axis; None where there is one law."""
    return [
        share_of_second(axis, y, float(s), values) if law_count(y, float(s)) == 2 else None
        for axis, y, s, values in zip(axes, nodes, noise, f, strict=True)
    ]


def least_variance(axis: Axis, nodes: FloatArray, sigma: float) -> FloatArray:
    """Variance of the second law at every node, (m,): sigma² - h²/4 with the larger gap beside it, or 0."""
    return np.asarray(np.maximum(sigma**2 - 0.25 * node_gaps(axis, nodes).max(axis=0) ** 2, 0.0))


def share_of_second(axis: Axis, nodes: FloatArray, sigma: float, mean: FloatArray) -> FloatArray:
    """The share ϑ of the second law for mean next states, of any shape."""
    before, after = node_gaps(axis, nodes)
    unfolded = np.concatenate((nodes[:1] - before[:1], nodes, nodes[-1:] + after[-1:]))
    difference = sigma**2 - least_variance(axis, nodes, sigma)
    difference = np.concatenate((difference[:1], difference, difference[-1:]))
    place = np.clip(mean, nodes[0], nodes[-1]) if axis.boundary == "clamp" else boundary_map(axis, mean)
    if axis.periodic:  # the nodes are of one period that begins at the first point
        place = np.where(place < nodes[0], place + axis.length, place)
    left = np.clip(np.searchsorted(unfolded, place, side="right") - 1, 0, unfolded.size - 2)
    gap = unfolded[left + 1] - unfolded[left]
    w = np.clip((place - unfolded[left]) / gap, 0.0, 1.0)
    wanted = gap**2 * w * (1.0 - w)
    return np.asarray(np.minimum(wanted / ((1.0 - w) * difference[left] + w * difference[left + 1]), 1.0))


def spread_for(axis: Axis, nodes: FloatArray, variance: FloatArray) -> FloatArray:
    """Standard deviations s, (m,), with which the laws of the cells at nodes have these mean squares about them.

    Parameters
    ----------
    axis : Axis
        With boundary clamp, reflect or periodic.
    nodes : array (m,)
        Its points, and those in line with them beyond a clamped end.
    variance : array (m,)
        Zero or positive.
    """
    gaps = node_gaps(axis, nodes)
    local = gaps.mean(axis=0)
    spread = np.sqrt(np.maximum(variance - local**2 / 12.0, 0.0))
    even = np.ptp(gaps) <= _EVEN * gaps.max()
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
    value_high = _mean_square(points, edges, y, high) - wanted
    s = 0.5 * high
    for iteration in range(_ITERATIONS):
        value = _mean_square(points, edges, y, s) - wanted
        above = value > 0.0
        high, value_high = np.where(above, s, high), np.where(above, value, value_high)
        low, value_low = np.where(above, low, s), np.where(above, value_low, value)
        if np.all(high - low <= 4.0 * np.finfo(np.float64).eps * high):
            break
        secant = high - value_high * (high - low) / np.where(value_high > value_low, value_high - value_low, 1.0)
        inside = (secant > low) & (secant < high)
        s = np.where(inside & (iteration % 3 < 2), secant, 0.5 * (low + high))
    return np.where(wanted > 0.0, 0.5 * (low + high), 0.0)


def _mean_square(points: FloatArray, edges: FloatArray, y: FloatArray, s: FloatArray) -> FloatArray:
    """E (x_cell(y + s ξ) - y)² by the jumps of the square at the edges, each times the probability of going beyond."""
    out = np.empty_like(y)
    step = max(1, (1 << 20) // points.size)
    for start in range(0, y.size, step):
        rows = slice(start, start + step)
        centre, spread = y[rows, None], s[rows, None]
        square = (points - centre) ** 2
        own = np.searchsorted(edges, y[rows], side="right") - 1
        beyond = edges > centre
        tail = ndtr(np.where(beyond, centre - edges, edges - centre) / spread)
        jump = np.diff(square, axis=1)
        jump = np.where(beyond[:, 1:-1], jump, -jump)
        out[rows] = square[np.arange(own.size), own] + (jump * tail[:, 1:-1]).sum(axis=1)
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
