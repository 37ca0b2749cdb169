"""Expectations over Gaussian noise of a cubic interpolant, as matrices from points to nodes.

    H[e, j] :   E[ (C v)(boundary(y_e + σ ξ)) ] = Σ_j H[e, j] v_j

The density is integrated piece by piece: between the ends of the box and its images, where the boundary map bends, by
Gauss and Legendre's rule on panels of half a standard deviation; what lies beyond clamped ends is known exactly.  The
pieces of a row are divided by their sum, which is one to rounding, so that constants are reproduced.  Rows may have
negative entries: this is no law, but a rule of high order for smooth values.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis
from wpoflow.grids.cubic.table import cubic_means, cubic_table
from wpoflow.grids.interpolation import boundary_map
from wpoflow.grids.smoothing import REACH, Banded

PANELS = 36  # of 18 standard deviations
_PLACES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
_RULE = (
    ((np.arange(PANELS)[:, None] + 0.5 * (_PLACES + 1.0)) / PANELS).ravel(),
    np.tile(0.5 * _WEIGHTS / PANELS, PANELS),
)


def cubic_noise_matrix(axis: Axis, nodes: FloatArray, sigma: float) -> Banded:
    """The matrix H (m, n) of an axis with boundary clamp, reflect or periodic, and noise sigma > 0.

    Parameters
    ----------
    axis : Axis
        With n points, two at least.
    nodes : array (m,)
        As from `axis_nodes`.
    """
    inner, copies = _inner_nodes(axis)
    table = cubic_table(axis, inner)
    matrix = np.zeros((nodes.size, inner.size))
    total = np.zeros(nodes.size)
    if axis.boundary == "clamp":
        below, above = ndtr((axis.lower - nodes) / sigma), ndtr((nodes - axis.upper) / sigma)
        matrix[:, 0] += below
        matrix[:, -1] += above
        total += below + above
    reach = REACH * sigma
    first = math.floor((nodes.min() - reach - axis.lower) / axis.length)
    last = math.floor((nodes.max() + reach - axis.lower) / axis.length)
    images = [0] if axis.boundary == "clamp" else range(first, last + 1)
    for image in images:
        low = np.maximum(axis.lower + image * axis.length, nodes - reach)
        high = np.minimum(axis.upper + image * axis.length, nodes + reach)
        width = np.maximum(high - low, 0.0)[:, None]
        if not width.any():
            continue
        x = low[:, None] + width * _RULE[0]
        density = np.exp(-0.5 * ((x - nodes[:, None]) / sigma) ** 2) / (sigma * math.sqrt(2.0 * math.pi))
        weights = density * width * _RULE[1]
        inside = x if axis.boundary == "clamp" else boundary_map(axis, x)
        if axis.periodic:  # into the period that begins at the first node
            inside = inner[0] + np.mod(inside - inner[0], axis.length)
        matrix += cubic_means(table, np.clip(inside, inner[0], inner[-1]), weights)
        total += weights.sum(axis=1)
    out = np.zeros((nodes.size, axis.size))
    np.add.at(out.T, copies, (matrix / total[:, None]).T)
    return Banded.from_dense(out)


def _inner_nodes(axis: Axis) -> tuple[FloatArray, list[int]]:
    """Nodes that cover the box, and for each the point whose value it has."""
    points, size = axis.points, axis.size
    if axis.periodic:
        return np.append(points, points[0] + axis.length), [*range(size), 0]
    if axis.boundary == "reflect":
        nodes = np.concatenate(([2.0 * axis.lower - points[0]], points, [2.0 * axis.upper - points[-1]]))
        return nodes, [0, *range(size), size - 1]
    return points, list(range(size))
