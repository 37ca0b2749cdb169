r"""W2 of laws that are uniform within cells of a line, from their quantile functions: NumPy alone.

F^{-1} is piecewise linear in u, with breakpoints at the distribution function of the edges, so that between the
breakpoints of both laws (F_p^{-1} - F_r^{-1})^2 is a quadratic, integrated exactly.

With T the map from r to p, the first variation of W2^2(r, p)/2 in r is a phi with phi' = y - T(y).  Mass that goes from
cell k + 1 to cell k changes it by mean_k phi - mean_{k+1} phi = -int w (y - T) dy, w the hat over both cells: one at
the edge between them.  Between the edges and the images of those of p this is a quadratic again.  A minimum of
tau KL(r|g) + W2^2(r, p)/(2 eta) has

    tau [ln(r_k/g_k) - ln(r_{k+1}/g_{k+1})] = (1/eta) int w (y - T) dy     for all k.

Source: Santambrogio, Optimal Transport for Applied Mathematicians (2015), propositions 2.17 and 7.17.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray


def _distribution(law: FloatArray) -> FloatArray:
    """At the edges, (A + 1,), from zero to one."""
    cumulated = np.concatenate(([0.0], np.cumsum(law)))
    return np.asarray(cumulated / cumulated[-1])


def squared_distance(law: FloatArray, other: FloatArray, edges: FloatArray) -> float:
    """W2^2 of two laws (A,) with cells between ``edges`` (A + 1,)."""
    first, second = _distribution(law), _distribution(other)
    cuts = np.union1d(first, second)
    middle, width = 0.5 * (cuts[1:] + cuts[:-1]), np.diff(cuts)
    # at a jump of a quantile function its values are those from inside an interval
    low, high = (
        np.interp(u, first, edges) - np.interp(u, second, edges) for u in (middle - 0.25 * width, middle + 0.25 * width)
    )
    # the mean of the square of a linear function: its middle's, and a third of its half range's
    return float((width * ((0.5 * (low + high)) ** 2 + (high - low) ** 2 / 3.0)).sum())


def slopes_of_distance(law: FloatArray, target: FloatArray, edges: FloatArray) -> FloatArray:
    """int w (y - T) dy for each inner edge, (A - 1,): T from ``law`` (that which varies) to ``target``."""
    first, second = _distribution(law), _distribution(target)
    cuts = np.union1d(edges, np.interp(second, first, edges))
    width = np.diff(cuts)
    cell = np.clip(np.searchsorted(edges, 0.5 * (cuts[1:] + cuts[:-1])) - 1, 0, len(law) - 1)
    h = np.diff(edges)[cell]
    rising, falling = np.zeros(len(law)), np.zeros(len(law))
    for share, weight in ((0.5 - np.sqrt(1.0 / 12.0), 0.5), (0.5 + np.sqrt(1.0 / 12.0), 0.5)):  # Gauss, two points
        y = cuts[:-1] + share * width
        moved = weight * width * (y - np.interp(np.interp(y, edges, first), second, edges))
        position = (y - edges[cell]) / h
        rising += np.bincount(cell, moved * position, len(law))
        falling += np.bincount(cell, moved * (1.0 - position), len(law))
    return np.asarray(rising[:-1] + falling[1:])


def relaxation_times(law: FloatArray, log_law: FloatArray, edges: FloatArray) -> FloatArray:
    r"""Of proximal steps linearised at their target: a symmetric matrix (A, A), whose eigenvalues are tau/lambda.

    With r = p(1 + x) and c_k the mass that x moves over the edge k, KL is (1/2) sum p x^2 and W2^2/2 to second order
    (1/2) sum_k (h_k^2/p_k)(c_{k-1}^2 + c_{k-1} c_k + c_k^2)/3, since c is linear within cells.  In the variables
    z = sqrt(p) x the first is (1/2) |z|^2, and the matrix of the second is returned: a step divides its eigenvectors by
    1 + eta lambda.  c is summed from the nearer end; the constant direction z = sqrt(p) gives zero.
    """
    count, root = len(law), np.exp(0.5 * log_law)
    moved = np.zeros((count + 1, count))
    moved[1:] = np.tril(np.tile(root, (count, 1)))
    right = np.concatenate((np.cumsum(law[::-1])[::-1], [0.0])) < 0.5
    from_right = -np.triu(np.tile(root, (count, 1)))
    moved[:-1][right[:-1]] = from_right[right[:-1]]
    moved[-1] = 0.0
    scaled = np.diff(edges)[:, None] / root[:, None]
    low, high = moved[:-1] * scaled, moved[1:] * scaled
    cross = low.T @ high
    form = (low.T @ low + high.T @ high + 0.5 * (cross + cross.T)) / 3.0
    keep = np.eye(count) - np.outer(root, root)
    return np.asarray(keep @ form @ keep)
