"""Gaussian smoothing along the axes of a grid, with the boundary map built in.

For one axis with cells C_j and next states s' = boundary(y + σ ξ), ξ standard normal,

    W(y_e) = Σ_j G[e, j] V_j,        G[e, j] = P(boundary(y_e + σ ξ) ∈ C_j),

at nodes y_e of the axis.  Entries are differences of the normal distribution function taken from
the nearer tail, so that each row telescopes to one to rounding and small entries keep their relative
accuracy.  Mass beyond a **clamped** end belongs to the end point (or, ``split``, to a column of its
own); **reflect** and **periodic** axes sum over images, and where σ exceeds 1.5 periods the law is
uniform to exp(-2π² 1.5²) < 1e-19.  V_j stands for V on the cell of point j: second order, because
points are cell centres or, on a clamped axis, have O(h) mass in the half cells at the ends.

Beyond a clamped box W is not constant until about 9 σ away (P(ξ > 9) = 1e-19), so the nodes of such
an axis go on outside it with the last spacing repeated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from scipy.special import ndtr

from wpoflow.core.arrays import FloatArray, IndexArray, IntArray
from wpoflow.grids.axis import Axis
from wpoflow.grids.smoothing_kernels import banded_apply, banded_apply_transposed

REACH = 9.0
MOST_OUTSIDE = 2e7  # nodes outside the box times cells in it; more are a mistake in the units of box or noise
UNIFORM = 1.5
NEGLIGIBLE = 1e-17
CHUNK_ENTRIES = 1 << 18
DENSE_ENTRIES = 1 << 16  # of a map from states to nodes, up to which it is also held as one array


@dataclass(frozen=True, eq=False)
class Banded:
    """Matrix (m, n) whose row e is non-zero only in ``start[e] ...``, ``indptr`` delimiting ``data``."""

    start: IntArray
    indptr: IntArray
    data: FloatArray
    columns: int

    @staticmethod
    def from_dense(matrix: FloatArray) -> Banded:
        """Keep of every row the stretch between its first and last entry above 1e-17 of its largest."""
        kept = np.abs(matrix) > NEGLIGIBLE * np.abs(matrix).max(axis=1, keepdims=True)
        start = kept.argmax(axis=1).astype(np.int64)
        stop = matrix.shape[1] - kept[:, ::-1].argmax(axis=1)
        indptr = np.concatenate(([0], np.cumsum(stop - start))).astype(np.int64)
        columns = np.arange(matrix.shape[1])
        inside = (columns >= start[:, None]) & (columns < stop[:, None])
        return Banded(start, indptr, np.ascontiguousarray(matrix[inside]), matrix.shape[1])

    @staticmethod
    def copying(index: Sequence[int], columns: int) -> Banded:
        """Matrix whose rows copy the entries of this index."""
        start = np.array(index, dtype=np.int64)
        return Banded(start, np.arange(start.size + 1), np.ones(start.size), columns)

    @staticmethod
    def stacked(blocks: Sequence[Banded]) -> Banded:
        """Put the rows of several matrices of as many columns below each other."""
        counts = np.concatenate([np.diff(block.indptr) for block in blocks])
        return Banded(
            np.concatenate([block.start for block in blocks]),
            np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            np.concatenate([block.data for block in blocks]),
            blocks[0].columns,
        )

    def part(self, first: int, last: int) -> Banded:
        """Rows first ... last - 1."""
        low, high = self.indptr[first], self.indptr[last]
        return Banded(self.start[first:last], self.indptr[first : last + 1] - low, self.data[low:high], self.columns)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.start.size)

    def sparse(self) -> sp.csr_array:
        """Return the same matrix in compressed rows, zeros left out, in arrays of its own."""
        counts = np.diff(self.indptr)
        indices = np.repeat(self.start - self.indptr[:-1], counts) + np.arange(self.data.size)
        # copied, as zeros are taken out in place
        matrix = sp.csr_array((self.data, indices, self.indptr), shape=(self.rows, self.columns), copy=True)
        matrix.eliminate_zeros()
        return matrix


@dataclass(frozen=True, eq=False)
class SeparableMap:
    """Tensor product of one matrix per axis; None stands for the identity on ``shape_in[axis]``."""

    matrices: tuple[Banded | None, ...]
    shape_in: tuple[int, ...]

    @property
    def shape_out(self) -> tuple[int, ...]:
        """Number of rows per axis."""
        return tuple(n if m is None else m.rows for n, m in zip(self.shape_in, self.matrices, strict=True))

    @property
    def identity(self) -> bool:
        """Whether nothing is done."""
        return all(matrix is None for matrix in self.matrices)

    @property
    def work(self) -> int:
        """Multiply-adds of one application."""
        shape, total = list(self.shape_in), 0
        for axis, matrix in enumerate(self.matrices):
            if matrix is not None:
                total += matrix.data.size * (math.prod(shape) // shape[axis])
                shape[axis] = matrix.rows
        return total

    def apply(self, x: FloatArray) -> FloatArray:
        """Apply to x, (size_in,), giving (size_out,)."""
        shape = list(self.shape_in)
        for axis, matrix in enumerate(self.matrices):
            if matrix is not None:
                inner = math.prod(shape[axis + 1 :])
                out = np.empty((math.prod(shape[:axis]), matrix.rows, inner))
                tensor = np.ascontiguousarray(x).reshape(-1, matrix.columns, inner)
                banded_apply(matrix.start, matrix.indptr, matrix.data, tensor, out)
                x, shape[axis] = out, matrix.rows
        return x.reshape(-1)

    def apply_transposed(self, x: FloatArray) -> FloatArray:
        """Apply the transpose to the last index of x, (..., size_out), giving (..., size_in)."""
        batch, shape = x.shape[:-1], list(self.shape_out)
        for axis in reversed(range(len(shape))):
            matrix = self.matrices[axis]
            if matrix is not None:
                outer, inner = math.prod(batch) * math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
                out = np.empty((outer, matrix.columns, inner))
                tensor = np.ascontiguousarray(x).reshape(outer, matrix.rows, inner)
                banded_apply_transposed(matrix.start, matrix.indptr, matrix.data, tensor, out)
                x, shape[axis] = out, matrix.columns
        return x.reshape(*batch, -1)

    def sparse(self) -> sp.csr_array:
        """Return the Kronecker product, (size_out, size_in)."""
        product = sp.csr_array(np.ones((1, 1)))
        for n, matrix in zip(self.shape_in, self.matrices, strict=True):
            factor = sp.eye_array(n, format="csr") if matrix is None else matrix.sparse()
            product = sp.csr_array(sp.kron(product, factor, format="csr"))
        return product


@dataclass(frozen=True, eq=False)
class Smoothing:
    """Linear map from values at states to values at nodes: split, weigh by what is alive, spread.

    ``spread`` holds the matrices G; where a terminal set is given, ``split`` gives the point masses
    at clamped ends columns of their own and ``alive`` says which part of every column goes on.
    """

    spread: SeparableMap
    split: SeparableMap | None = None
    alive: FloatArray | None = None

    @cached_property
    def identity(self) -> bool:
        """Whether nothing is done."""
        return self.spread.identity and self.alive is None

    @property
    def size(self) -> int:
        """Number of nodes."""
        return math.prod(self.spread.shape_out)

    @cached_property
    def work(self) -> int:
        """Multiply-adds of one application."""
        return self.spread.work + (0 if self.split is None else self.split.work)

    def apply_to(self, x: FloatArray, first: int, last: int) -> FloatArray:
        """`apply` at the nodes first ... last - 1 and perhaps some beside them, (nodes,); all others are not filled."""
        if self.copies is not None or not self.spread.matrices:
            return self.apply(x)
        along, *others = self.spread.matrices
        inner = math.prod(self.spread.shape_out[1:])
        low, high = first // inner, -(-last // inner)  # on the first axis, which is the first to be spread along
        values, shape = self._living(x), self.spread.shape_in
        if along is None:
            values, shape = values.reshape(shape[0], -1)[low:high], (high - low, *shape[1:])
        spread = SeparableMap((along and along.part(low, high), *others), shape)
        out = np.empty(self.size)
        out[low * inner : high * inner] = spread.apply(values.reshape(-1))
        return out

    def _living(self, value: FloatArray) -> FloatArray:
        """Values at columns, weighed by what is alive of each."""
        if self.split is not None:
            value = self.split.apply(value)
        return value if self.alive is None else value * self.alive

    @cached_property
    def dense(self) -> FloatArray | None:
        """The map as an array (nodes, S) where it is small: one product then costs less than the calls of its parts."""
        rows, columns = self.size, math.prod((self.spread if self.split is None else self.split).shape_in)
        return self.sparse().toarray() if rows * columns <= DENSE_ENTRIES else None

    @cached_property
    def copies(self) -> IndexArray | None:
        """For every node the state whose value it has, (nodes,), where nodes are copies of states; None elsewhere."""
        wide = any(m is not None and m.data.size > m.rows for m in self.spread.matrices)
        if self.identity or self.alive is not None or wide:
            return None
        matrix = self.sparse()
        return matrix.indices.astype(np.int32) if np.all(matrix.data == 1.0) else None

    def apply(self, value: FloatArray) -> FloatArray:
        """Values at nodes, (nodes,), from values at states, (S,)."""
        if self.copies is not None:
            return value[self.copies]
        return self.spread.apply(self._living(value))

    def apply_transposed(self, x: FloatArray) -> FloatArray:
        """Transpose of ``apply`` on the last index of x, (..., nodes), giving (..., S)."""
        if self.copies is not None and x.ndim == 1:
            return np.bincount(self.copies, x, math.prod(self.spread.shape_in)).astype(np.float64, copy=False)
        x = self.spread.apply_transposed(x)
        if self.alive is not None:
            x = x * self.alive
        return x if self.split is None else self.split.apply_transposed(x)

    def sparse(self) -> sp.csr_array:
        """Return the map as a matrix, (nodes, S)."""
        matrix = self.spread.sparse()
        if self.alive is not None:
            matrix = sp.csr_array(matrix @ sp.diags_array(self.alive))
        return matrix if self.split is None else sp.csr_array(matrix @ self.split.sparse())


def axis_nodes(axis: Axis, sigma: float, reached: tuple[float, float]) -> FloatArray:
    """Nodes at which smoothed values are known.

    Parameters
    ----------
    axis : Axis
    sigma : float
        Standard deviation of the noise; 0 for none.
    reached : (float, float)
        Least and greatest mean next state; nodes beyond both it and 9 sigma are not needed.

    Returns
    -------
    array (m,)
        The points; a periodic axis ends with the image of its first point.  With noise there is at least one more
        node at either end: the image of a point beyond reflecting and periodic ends, and on a clamped axis nodes go on
        to one beyond what is reached.
    """
    points = axis.points
    if axis.size == 1:
        return points
    if axis.periodic:
        nodes = np.append(points, points[0] + axis.length)
        return nodes if sigma == 0.0 else np.append(points[-1] - axis.length, nodes)
    if sigma == 0.0:
        return points
    if axis.boundary == "reflect":
        return np.concatenate(([2.0 * axis.lower - points[0]], points, [2.0 * axis.upper - points[-1]]))
    below = min(max(axis.lower - reached[0], 0.0), REACH * sigma) / axis.distances[0]
    above = min(max(reached[1] - axis.upper, 0.0), REACH * sigma) / axis.distances[-1]
    if not (below + above) * axis.size <= MOST_OUTSIDE:
        raise ValueError(
            f"axis {axis.name}: next states lie {max(below, above):.2g} cells outside the box, and noise of {sigma:g} "
            "leads them back; widen the box, or lower its cells or the noise"
        )
    head = points[0] - axis.distances[0] * np.arange(math.ceil(below) + 1, 0, -1)
    tail = points[-1] + axis.distances[-1] * np.arange(1, math.ceil(above) + 2)
    return np.concatenate((head, points, tail))


def gaussian_matrix(
    axis: Axis, nodes: FloatArray, sigma: float | FloatArray, *, split: bool = False, largest: float | None = None
) -> FloatArray:
    """Probabilities of the cells of an axis, seen from its nodes, with noise sigma > 0.

    Parameters
    ----------
    axis : Axis
        State axis with n cells.
    nodes : array (m,)
        As from ``axis_nodes``.
    sigma : float or array (m,)
        Standard deviation, positive; the same or one for each node.
    split : bool
        On a clamped axis, give the mass beyond either end a first and a last column of its own.
    largest : float, optional
        Largest sigma of all nodes, where these are only some of them.

    Returns
    -------
    array (m, n), or (m, n + 2)
        Rows sum to one to rounding.
    """
    low, high, centre = axis.edges[:-1], axis.edges[1:], nodes[:, None]
    sigma = np.broadcast_to(np.asarray(sigma, dtype=np.float64), nodes.shape)[:, None]
    largest = float(sigma.max()) if largest is None else largest
    if axis.boundary == "clamp":
        inner = _interval_masses(low, high, centre, sigma)
        below = ndtr((axis.lower - centre) / sigma)
        above = ndtr((centre - axis.upper) / sigma)
        if split:
            return np.hstack((below, inner, above))
        inner[:, :1] += below
        inner[:, -1:] += above
        return inner
    period, cells = axis.length * (1 if axis.periodic else 2), axis.size * (1 if axis.periodic else 2)
    if largest > UNIFORM * period:
        return np.tile(axis.widths / axis.length, (nodes.size, 1))
    images = math.ceil(REACH * largest / period) + 1
    line = unrolled(axis.edges if axis.periodic else mirrored(axis.edges, axis.upper), period, images)
    total = _interval_masses(line[:-1], line[1:], centre, sigma).reshape(nodes.size, -1, cells).sum(axis=1)
    return total if axis.periodic else np.asarray(total[:, : axis.size] + total[:, : axis.size - 1 : -1])


def gaussian_banded(axis: Axis, nodes: FloatArray, sigma: FloatArray, *, split: bool = False) -> Banded:
    """``gaussian_matrix`` banded, a range of rows at a time: its temporaries need about 20 MB, not ten full matrices.

    Parameters and rows as in ``gaussian_matrix``; sigma (m,).  Where the law is uniform on the whole axis is decided
    for all rows at once, by their largest sigma.
    """
    step = max(1, CHUNK_ENTRIES // axis.size)
    largest = float(sigma.max())
    blocks = []
    for start in range(0, nodes.size, step):
        rows = slice(start, start + step)
        blocks.append(Banded.from_dense(gaussian_matrix(axis, nodes[rows], sigma[rows], split=split, largest=largest)))
    return Banded.stacked(blocks)


def mirrored(positions: FloatArray, upper: float) -> FloatArray:
    """Increasing positions up to ``upper``, continued by their mirror images beyond it."""
    return np.concatenate((positions, 2.0 * upper - positions[-2::-1]))


def unrolled(positions: FloatArray, period: float, images: int) -> FloatArray:
    """One period of positions, both ends included, repeated ``images`` times on either side; seams are one number."""
    shifts = period * np.arange(-images, images + 1)
    return np.append((positions[:-1] + shifts[:, None]).ravel(), positions[-1] + shifts[-1])


def clamping_probability(axis: Axis, mean: FloatArray, sigma: FloatArray | float) -> FloatArray | None:
    """Probability that mean + sigma ξ lies strictly outside the box of a clamped axis; None where it cannot."""
    spread = np.broadcast_to(np.asarray(sigma, dtype=np.float64), mean.shape)
    near = (mean < axis.lower + REACH * spread) | (mean > axis.upper - REACH * spread)
    if axis.boundary != "clamp" or axis.size == 1 or not near.any():
        return None
    y, s = mean[near], spread[near]
    share = np.ones(y.size)
    noisy = s > 0.0
    y, s = y[noisy], s[noisy]
    with np.errstate(over="ignore"):  # infinitely many deviations away
        share[noisy] = ndtr((axis.lower - y) / s) + ndtr((y - axis.upper) / s)
    out = np.zeros(mean.shape)
    out[near] = share
    return out


def _interval_masses(low: FloatArray, high: FloatArray, centre: FloatArray, sigma: FloatArray) -> FloatArray:
    """P(low < centre + sigma ξ < high), each from the nearer tail."""
    a, b = (low - centre) / sigma, (high - centre) / sigma
    right, left = a >= 0.0, b <= 0.0
    lower_tail, upper_tail = ndtr(np.where(right, -b, a)), ndtr(np.where(left, b, -a))
    middle = 1.0 - ndtr(a) - ndtr(-b)
    return np.asarray(np.where(right | left, upper_tail - lower_tail, middle))
