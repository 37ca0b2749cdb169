"""Termination where some coordinates of the next state are certain and the terminal set mixes them with noisy ones.

Let z be the certain coordinates of s' for the pair (s, a), exactly as the dynamics give them, and w_c the law of its
noisy coordinates on the (split) columns c of their axes, as in grids/smoothing.py.  The pair goes on with probability

    r(s, a) = Σ_c w_c(s, a) × (share of the midpoints y of sub-cells of c with (z, y) outside the set)

and ends with probability 1 - r, summed likewise from the dead shares.  For what goes on, let U be the rows that ignore
the set and B ≤ U those that judge it, per column, at the *points* of the certain axes, b = Σ_j B_j; then

    row = (r/b) B                            r ≤ b,
    row = B + (r - b)/(1 - b) (U - B)        r > b.

All coefficients lie in [0, 1]: rows are non-negative and sum to r; they are U where r = 1 and empty where r = 0.  So
the probability of ending sees the exact z, and only the law of the survivors next to the set is first order in the
spacing of the certain axes.  A pair costs 24 bytes more than without a set; sums run over chunks of pairs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.brief import briefly
from wpoflow.core.slabs import Slab
from wpoflow.grids.axis import SHOCK, Axis
from wpoflow.grids.coarsening import Coarsening
from wpoflow.grids.exact_smoothing import NodeLaws, node_laws, noise_matrix, places_among_three
from wpoflow.grids.grid import Grid
from wpoflow.grids.interpolation import NextPoints, boundary_map, empty_stencil, fill_stencil, state_chunks
from wpoflow.grids.quadrature import CHUNK_POINTS, points_in_cells
from wpoflow.grids.smoothing import Banded, SeparableMap
from wpoflow.grids.transitions.base import StateFunction, StateSet, Transition, checked_weights, resolutions
from wpoflow.grids.transitions.coarse_sum import CoarseSum, coarse_sum
from wpoflow.grids.transitions.coordinates_used import coordinates_used
from wpoflow.grids.transitions.policy_rows import PolicySum
from wpoflow.grids.transitions.stencil_kernels import stencil_expect
from wpoflow.grids.transitions.termination import ended_values, samples, subcells


def uncertain(axis: Axis, sigma: float) -> bool:
    """Whether the next value along an axis is drawn: with noise, or from the table of a shock."""
    return sigma > 0.0 or axis.boundary == SHOCK


class NoisyColumns:
    """Sums over the columns of the noisy axes among those used, the certain coordinates held at their exact values.

    Attributes
    ----------
    summed : list of int
        Noisy axes to sum over.
    """

    def __init__(self, states: Grid, noise: FloatArray, nodes: Sequence[FloatArray], used: Sequence[bool]) -> None:
        self._axes = states.axes
        drawn = [uncertain(axis, float(s)) for axis, s in zip(states.axes, noise, strict=True)]
        self.summed = [j for j in range(states.dim) if used[j] and drawn[j]]
        self._certain = [j for j in range(states.dim) if used[j] and not drawn[j]]
        self._nodes = [nodes[j] for j in self.summed]
        self._laws: list[NodeLaws | None] = []
        self._matrices: list[Banded] = []
        self._tables: list[FloatArray] = []
        for j in self.summed:
            axis, ends = states.axes[j], states.axes[j].boundary == "clamp"
            laws = node_laws(axis, nodes[j], float(noise[j]))
            self._laws.append(laws)
            if axis.table is not None:
                self._matrices.append(Banded.from_dense(axis.table))
                self._tables.append(axis.points[:, None])
                continue
            self._matrices.append(noise_matrix(axis, nodes[j], float(noise[j]), laws, split=ends))
            self._tables.append(samples(axis, subcells(int(np.sum(noise[self.summed] > 0.0))), ends))

    def ended(
        self, f: Sequence[FloatArray], terminal: StateSet, function: StateFunction | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """E[h(s'); ended] (h = 1 without a function) and the probability to go on, both (pairs,).

        The mean next states f are one array (pairs,) per axis.
        """
        places = [boundary_map(axis, y) for axis, y in zip(self._axes, f, strict=True)]
        keys = np.stack([places[j] for j in self._certain], axis=1) if self._certain else np.zeros((f[0].size, 1))
        _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        inverse = inverse.reshape(-1)
        order = np.argsort(inverse, kind="stable")
        bounds = np.searchsorted(inverse[order], np.arange(first.size + 1))
        ended, going = np.empty(f[0].size), np.empty(f[0].size)
        step = max(1, CHUNK_POINTS // math.prod(table.size for table in self._tables))
        for start in range(0, first.size, step):
            stop = min(start + step, first.size)
            pairs = order[bounds[start] : bounds[stop]]
            means, alive = self._columns([place[first[start:stop]] for place in places], terminal, function)
            for columns, out in ((means, ended), (alive, going)):
                out[pairs] = self._at(
                    columns, (inverse[pairs] - start).astype(np.int64), [f[j][pairs] for j in self.summed]
                )
        return ended, going

    def _columns(
        self, places: Sequence[FloatArray], terminal: StateSet, function: StateFunction | None
    ) -> tuple[FloatArray, FloatArray]:
        """Means over the dead part, and living shares, of all columns for each place, (places, columns)."""
        means = np.empty((places[0].size, math.prod(table.shape[0] for table in self._tables)))
        alive = np.empty_like(means)
        for cells, inner in points_in_cells(self._tables):
            shape = (places[0].size, *inner[0].shape)
            points = [np.broadcast_to(place[:, None, None], shape) for place in places]
            for j, coordinate in zip(self.summed, inner, strict=True):
                points[j] = np.broadcast_to(coordinate, shape)
            dead = np.broadcast_to(np.asarray(terminal(*points), dtype=np.bool_), shape)
            alive[:, cells] = (~dead).mean(axis=2)
            values = dead if function is None else ended_values(self._axes, points, dead, function)
            with np.errstate(over="ignore"):  # an infinite mean is refused with the cost it is part of
                means[:, cells] = values.mean(axis=2)
        return means, alive

    def _at(self, columns: FloatArray, row: IntArray, f: Sequence[FloatArray]) -> FloatArray:
        """Mean of the row's column values under the law of each pair."""
        sizes = tuple(table.shape[0] for table in self._tables)
        spread = SeparableMap((None, *self._matrices), (columns.shape[0], *sizes))
        axes = [self._axes[j] for j in self.summed]
        noisy = [law is not None for law in self._laws]
        stencil = empty_stencil(1, row.size, [n.size for n in self._nodes], axes, noisy)
        means = [np.ascontiguousarray(y[None]) for y in f]
        fill_stencil(stencil, 0, 1, means, axes, self._nodes, places_among_three(axes, self._laws, means))
        stencil.base[0] += (row * math.prod(matrix.rows for matrix in self._matrices)).astype(np.int32)
        out = np.empty(row.size)
        values = spread.apply(columns.reshape(-1))
        stencil_expect(stencil.base, stencil.fraction, stencil.offsets, values, out[None])
        return out


@briefly
class PartlyNoisyTransition:
    """Rows of the module's formula; built by ``interpolated_transition``.

    Parameters
    ----------
    whole, part : Transition
        U, and B with its termination probability 1 - b.
    states, noise, nodes, terminal, next_points, slab
        As in ``interpolated_transition``.
    """

    def __init__(
        self,
        whole: Transition,
        part: Transition,
        states: Grid,
        noise: FloatArray,
        nodes: Sequence[FloatArray],
        terminal: StateSet,
        next_points: NextPoints,
        slab: Slab,
    ) -> None:
        self.n_states, self.n_actions = whole.n_states, whole.n_actions
        self.clamped = whole.clamped
        self.description = f"{whole.description}, terminal set"
        self.resolution = resolutions(whole)
        self._whole, self._part = whole, part
        self._states, self._noise, self._nodes = states, noise, nodes
        self._terminal, self._next_points, self._slab = terminal, next_points, slab
        self._ended, going = self._sums(None)
        kept = part.expect(np.ones(self.n_states))
        lost = part.termination
        self._of_whole, self._of_part = np.zeros_like(kept), np.ones_like(kept)
        np.divide(going, kept, out=self._of_part, where=(going <= kept) & (kept > 0.0))
        if lost is not None:
            np.divide(going - kept, lost, out=self._of_whole, where=(going > kept) & (lost > 0.0))
            np.minimum(self._of_whole, 1.0, out=self._of_whole)  # the quotient is at most one but for rounding
            self._of_part -= self._of_whole

    @property
    def termination(self) -> FloatArray | None:
        """Probability (S, A) that the pair terminates; None if none ever does."""
        return self._ended if self._ended.any() else None

    def expect(self, value: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """E[V(s') | s, a], (S, A), from V, (S,)."""
        out = self._whole.expect(value, out)
        out *= self._of_whole
        term = self._part.expect(value)
        term *= self._of_part
        out += term
        return out

    def under(self, policy: FloatArray) -> PolicySum:
        """P^p for non-negative weights p, (S, A)."""
        weights = checked_weights(policy, (self._slab.rows, self.n_actions))
        return PolicySum((self._whole.under(weights * self._of_whole), self._part.under(weights * self._of_part)))

    def coarser(self, coarsening: Coarsening) -> CoarseSum | None:
        """See `Transition`."""
        return coarse_sum([(self._of_whole, self._whole), (self._of_part, self._part)], coarsening)

    def terminal_expectation(self, function: StateFunction) -> FloatArray:
        """E[h(s'); terminated], (S, A): h at the exact certain coordinates, its mean over the dead part of columns.

        Raises
        ------
        ValueError
            The function is not finite where the process ends.
        """
        return self._sums(function)[0]

    def _sums(self, function: StateFunction | None) -> tuple[FloatArray, FloatArray]:
        used = coordinates_used(self._terminal, self._states)
        if function is not None:
            used = tuple(a or b for a, b in zip(used, coordinates_used(function, self._states), strict=True))
        law = NoisyColumns(self._states, self._noise, self._nodes, used)
        slab = self._slab
        sums = np.empty((2, slab.rows, self.n_actions))
        for start, stop in state_chunks(slab.stop, self.n_actions, slab.start):
            f = [y.reshape(-1) for y in self._next_points(start, stop)]
            for total, chunk in zip(sums, law.ended(f, self._terminal, function), strict=True):
                total[start - slab.start : stop - slab.start] = chunk.reshape(stop - start, -1)
        return sums[0], sums[1]
