"""Gaussian next states whose spread depends on state and action, on one state axis: rows integrated in closed form.

    P(j | i, k) = E[ φ_j(boundary(m_ik + σ_ik ξ)) ],     φ_j the piecewise linear basis on the points

so that Σ_j P(j | i, k) V_j is the exact expectation of the piecewise linear interpolant: second order in the
spacing for every σ, also far below a cell width, and equal to interpolation at m_ik where σ_ik = 0.  On an interval
[x, x + h] the mass I_0 is a difference of normal distribution functions and the weight of its right end

    I_1 = ((m - x) I_0 + σ (n(a) - n(b))) / h,     a = (x - m)/σ,  b = (x + h - m)/σ,  n the normal density.

Mass beyond a clamped end belongs to the end point; reflecting and periodic axes sum over images and turn uniform beyond
1.5 periods.  Entries below 1e-17 of the largest of their row are dropped, negative ones after a check that they are
rounding; rows sum to one to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Self

import numpy as np
import scipy.sparse as sp

from wpoflow.core.arrays import BoolArray, FloatArray, real_array, underflow_to_zero
from wpoflow.core.slabs import Slab
from wpoflow.core.travel import staying
from wpoflow.grids.axis import Axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.interpolation import boundary_map, checked_states
from wpoflow.grids.smoothing import NEGLIGIBLE, REACH, UNIFORM, clamping_probability, mirrored, unrolled
from wpoflow.grids.transitions.base import StateFunction, StateSet, resolution_of
from wpoflow.grids.transitions.hat_kernels import hat_rows
from wpoflow.grids.transitions.tabulated import TabulatedTransition
from wpoflow.grids.transitions.termination import dead_means

WEIGHT_ROUNDING = 1e-13  # of the largest weight of a row
MOST_SPACINGS = 1e7  # in a standard deviation: weights of so close points are lost in the rounding of their differences
_CHUNK_ENTRIES = 1 << 21


class _Hats:
    """Intervals between nodes, images included, and the columns of the points at their ends."""

    def __init__(self, axis: Axis, split: bool) -> None:
        self._name, n = axis.name, np.arange(axis.size, dtype=np.int32)
        self.columns, self._widest, self._limit = axis.size + 2 * split, np.inf, np.zeros(0)
        if axis.boundary == "clamp":
            self._nodes = axis.points if axis.size > 1 else axis.edges
            ends = n + np.int32(split) if axis.size > 1 else np.zeros(2, dtype=np.int32)
            self._left, self._right = ends[:-1], ends[1:]
            return
        if axis.periodic:
            period, ends = axis.length, np.append(n, n[:1])
            once = np.append(axis.points, axis.points[0] + period)
        else:
            period, ends = 2.0 * axis.length, np.concatenate((n[:1], n, n[-1:], n[::-1], n[:1]))
            once = mirrored(np.concatenate(([axis.lower], axis.points, [axis.upper])), axis.upper)
        images = math.ceil(REACH * UNIFORM) + 1
        self._left, self._right = (np.tile(end, 2 * images + 1) for end in (ends[:-1], ends[1:]))
        self._nodes, self._widest = unrolled(once, period, images), UNIFORM * period
        share = 0.5 * np.diff(once) / period
        self._limit = np.zeros(axis.size)
        np.add.at(self._limit, ends[:-1], share)
        np.add.at(self._limit, ends[1:], share)

    def rows(self, mean: FloatArray, sigma: FloatArray) -> FloatArray:
        """Weights of the columns, (pairs, columns); means of reflecting and periodic axes inside the box."""
        closest = float(np.diff(self._nodes).min())
        wide = (sigma > MOST_SPACINGS * closest) & (sigma <= self._widest)
        if wide.any():
            spacings = float(sigma[wide].max()) / closest
            raise ValueError(
                f"axis {self._name}: noise of {sigma[wide].max():g} is {spacings:.2g} times the least spacing of its "
                f"points; at most {MOST_SPACINGS:g}: lower the noise, or widen the cells"
            )
        out = np.empty((mean.size, self.columns))
        hat_rows(self._nodes, self._left, self._right, mean, sigma, self._widest, self._limit, out)
        return out


class CellIntegratedTransition(TabulatedTransition):
    """Rows of Gaussian next states on one axis; build it with ``cell_integrated_transition``."""

    def __init__(self, axis: Axis, mean: FloatArray, sigma: FloatArray, terminal: StateSet | None) -> None:
        self._axis = axis
        self._mean = mean
        self._sigma = sigma
        self._first = 0  # state whose pairs come first
        self._terminal: StateSet | None = staying(terminal)
        split = terminal is not None and axis.boundary == "clamp" and axis.size > 1
        self._hats = _Hats(axis, split)
        self._ends = split
        dead = None if terminal is None else dead_means([axis], [split], terminal)
        termination = np.zeros(mean.size)
        blocks = []
        for pairs, rows in self._chunks():
            if dead is not None and terminal is not None:
                sure = sigma.ravel()[pairs] == 0.0
                ended = self._ended(pairs, terminal)
                termination[pairs] = np.where(sure, ended, np.einsum("ij,j->i", rows, dead))
                rows *= np.where(sure[:, None], ~ended[:, None], 1.0 - dead)
            if split:
                rows[:, 1] += rows[:, 0]
                rows[:, -2] += rows[:, -1]
                rows = rows[:, 1:-1]
            blocks.append(sp.csr_array(without_negligible(rows)))
        self.resolution = resolution_of(axis, sigma, kept=False)
        ends = termination.any()
        super().__init__(
            sp.csr_array(sp.vstack(blocks, format="csr")),
            mean.shape[1],
            termination=termination.reshape(mean.shape) if ends else None,
            clamped=clamping_probability(axis, mean, sigma),
            description=f"cell-integrated Gaussian on {axis.name}{', terminal set' if ends else ''}",
        )

    def of_slab(self, slab: Slab) -> Self:
        """See `TabulatedTransition.of_slab`."""
        cut, states = super().of_slab(slab), slice(slab.start, slab.stop)
        cut._mean, cut._sigma, cut._first = self._mean[states].copy(), self._sigma[states].copy(), slab.start
        return cut

    def _chunks(self) -> Iterator[tuple[slice, FloatArray]]:
        mean, sigma = self._mean.ravel(), self._sigma.ravel()
        if self._axis.boundary != "clamp":
            mean = boundary_map(self._axis, mean)
        step = max(1, _CHUNK_ENTRIES // self._hats.columns)
        for start in range(0, mean.size, step):
            pairs = slice(start, min(start + step, mean.size))
            yield pairs, self._hats.rows(mean[pairs], sigma[pairs])

    def _ended(self, pairs: slice, terminal: StateSet) -> BoolArray:
        place = boundary_map(self._axis, self._mean.ravel()[pairs])
        return np.array(np.broadcast_to(np.asarray(terminal(place), dtype=np.bool_), place.shape))

    def terminal_expectation(self, function: StateFunction) -> FloatArray:
        """E[h(s'); terminated], (S, A): h at s' itself where sigma = 0, its mean over the dead part of cells elsewhere.

        Raises
        ------
        ValueError
            The function is not finite where the process ends.
        """
        out = np.zeros(self._mean.size)
        if self._terminal is not None:
            means = dead_means([self._axis], [self._ends], self._terminal, function)
            for pairs, rows in self._chunks():
                sure = self._sigma.ravel()[pairs] == 0.0
                out[pairs] = np.where(sure, 0.0, np.einsum("ij,j->i", rows, means))
                exact = sure & self._ended(pairs, self._terminal)
                if exact.any():
                    out[pairs][exact] = function(boundary_map(self._axis, self._mean.ravel()[pairs][exact]))
            if not np.all(np.isfinite(out)):
                pair = int((~np.isfinite(out)).argmax())
                state, action = divmod(pair, self._mean.shape[1])
                where = f"state {self._first + state}, action {action}"
                raise ValueError(f"terminal function is {out[pair]} from {where}")
        return out.reshape(self._mean.shape)


def without_negligible(rows: FloatArray) -> FloatArray:
    """Rows (pairs, columns) without entries below 1e-17 of the largest of their row.

    A weight is a difference of terms of the size of its mass, so that a negative one is rounding; beyond 1e-13 of the
    largest of its row it is not.

    Raises
    ------
    ArithmeticError
        A weight is negative beyond rounding, or not a number.
    """
    largest = rows.max(axis=1, keepdims=True, initial=0.0)
    wrong = ~(rows >= -WEIGHT_ROUNDING * largest)
    if wrong.any():
        row, column = (int(n) for n in np.argwhere(wrong)[0])
        raise ArithmeticError(
            f"cell-integrated row {row}: weight {rows[row, column]:.3g} of column {column} is not rounding "
            f"of the largest, {largest[row, 0]:.3g}"
        )
    return np.where(rows > NEGLIGIBLE * largest, rows, 0.0)


def hat_means(axis: Axis, mean: FloatArray, sigma: float) -> FloatArray:
    """Means of the hat functions of an axis' points under normal laws, (n, points): of mean (n,) and spread sigma >= 0.

    Rows sum to one, and away from clamped ends their mean is ``mean``.
    """
    inside = mean if axis.boundary == "clamp" else boundary_map(axis, mean)
    rows = _Hats(axis, split=False).rows(np.ascontiguousarray(inside), np.full(mean.size, sigma))
    return without_negligible(rows)


@underflow_to_zero
def cell_integrated_transition(
    axis: Axis, mean: FloatArray, sigma: FloatArray, terminal: StateSet | None = None
) -> CellIntegratedTransition:
    """Transition s' = boundary(mean + sigma ξ) on one state axis, sigma depending on state and action.

    Parameters
    ----------
    axis : Axis
        The state axis, S points.
    mean, sigma : array (S, A)
        Mean next state and standard deviation (zero allowed).
    terminal : callable, optional
        Vectorised function of the state coordinate, true where the process ends; judged on s' itself where
        sigma is zero, elsewhere by the share of each cell in the set.

    Raises
    ------
    ValueError
        Wrong shapes, values that are not finite or negative standard deviations; names the pair.  Noise so wide beside
        the spacing of the points that floats cannot hold their weights; names the axis.
    """
    checked_states(Grid((axis,)))
    means, sigmas = (np.ascontiguousarray(real_array(x, what)) for x, what in ((mean, "mean"), (sigma, "sigma")))
    if means.ndim != 2 or means.shape[0] != axis.size or sigmas.shape != means.shape:
        raise ValueError(f"mean and sigma have shapes {means.shape}, {sigmas.shape}; expected ({axis.size}, actions)")
    for name, values, wrong in (
        ("mean", means, ~np.isfinite(means)),
        ("sigma", sigmas, ~(np.isfinite(sigmas) & (sigmas >= 0.0))),
    ):
        if wrong.any():
            i, k = (int(n) for n in np.argwhere(wrong)[0])
            raise ValueError(f"state {i} ({axis.name} = {axis.points[i]:.6g}), action {k}: {name} is {values[i, k]}")
    return CellIntegratedTransition(axis, means, sigmas, terminal)
