"""Interpolated maps with separable Gaussian smoothing: s' = boundary(f(s, a) + σ ξ), σ constant per axis.

    E[V(s') | s, a] = Σ_corners w(s, a) W_node,       W = G V   (axis by axis)

W(y) = E[V(boundary(y + σ ξ))] is smoothed once per evaluation at nodes (grids/smoothing.py) and then
interpolated at f(s, a) (grids/interpolation.py), so nothing of size S × A × S exists: a pair costs
4 + 8·dim bytes, and 8 more for every axis with noise; on two axes with noise, of which each looks at other
action axes, next to none (grids/transitions/tensor_stencil.py).  Without noise, W = V at the points and boundary(f) is
interpolated.  With it f is placed among three nodes of each axis, so that the next state has the variance σ² wherever
f lies between them (grids/exact_smoothing.py).

Preserved exactly: weights are non-negative and rows sum to one to rounding, or to one minus the
termination probability.  Second order in the cell widths where V is smooth.

A shock is smoothed by its table, W(z) = Σ_z' T[z, z'] V(z'), at its present value: independent of all other axes and of
the action.

Termination is judged axis by axis.  Coordinates of s' without noise are known and taken as they are: a set that
uses no noisy coordinate is judged on s' itself, one that uses noisy coordinates alone on their cells
(grids/transitions/termination.py), one that mixes them by sums over the columns of the noisy axes at the exact
other coordinates (grids/transitions/partly_noisy.py).  Where termination is no matter of s' but given pair by
pair, ``ended`` says which pairs end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray, IndexArray, IntArray, real_array, underflow_to_zero
from wpoflow.core.brief import briefly
from wpoflow.core.slabs import Slab
from wpoflow.core.travel import staying
from wpoflow.grids.axis import SHOCK, Axis
from wpoflow.grids.coarsening import Coarsening
from wpoflow.grids.exact_smoothing import NodeLaws, node_laws, noise_matrix, places_among_three
from wpoflow.grids.grid import Grid
from wpoflow.grids.interpolation import (
    NextPoints,
    Stencil,
    boundary_map,
    check_halved,
    checked_states,
    chunked,
    empty_stencil,
    fill_stencil,
    state_chunks,
)
from wpoflow.grids.smoothing import (
    Banded,
    SeparableMap,
    Smoothing,
    axis_nodes,
    clamping_probability,
)
from wpoflow.grids.transitions.base import Resolution, StateFunction, StateSet, checked_weights, resolution_of
from wpoflow.grids.transitions.coarse_stencil import coarse_stencil
from wpoflow.grids.transitions.coordinates_used import coordinates_used
from wpoflow.grids.transitions.partly_noisy import NoisyColumns, PartlyNoisyTransition, uncertain
from wpoflow.grids.transitions.policy_pairs import ENTRIES_PER_PAIR, MOST_ENTRIES, MOST_THINNING, PolicyPairs
from wpoflow.grids.transitions.policy_rows import Pattern, PolicyRows, pattern_of, pattern_of_entries, same_states
from wpoflow.grids.transitions.sparse_kernels import scatter_add_runs
from wpoflow.grids.transitions.stencil_kernels import stencil_pattern
from wpoflow.grids.transitions.stencil_sums import combine, corners_of, interpolate
from wpoflow.grids.transitions.tensor_stencil import (
    TensorStencil,
    empty_tensor_stencil,
    expanded,
    fill_tensor_stencil,
    inner_actions,
)
from wpoflow.grids.transitions.termination import dead_means


@briefly
@dataclass(frozen=True, eq=False)
class InterpolatedTransition:
    """Stencils of all pairs on smoothed values; build it with ``interpolated_transition``.

    Attributes
    ----------
    noise, nodes : arrays
        Standard deviation and nodes of each axis.
    ended : bool
        Whether pairs that end were given one by one.
    slab : Slab
        The states of whose pairs it holds the stencils; S of them are all.
    """

    states: Grid
    stencil: Stencil | TensorStencil
    smoothing: Smoothing
    next_points: NextPoints
    noise: FloatArray
    nodes: Sequence[FloatArray]
    terminal: StateSet | None
    clamped: FloatArray | None
    ended: bool
    slab: Slab

    @property
    def n_states(self) -> int:
        """Number of states S."""
        return self.slab.n_states

    @property
    def n_actions(self) -> int:
        """Number of action cells A."""
        return self.stencil.pairs[1]

    @property
    def description(self) -> str:
        """One line on the noise and on what ends."""
        ends = ", pairs that end" if self.ended else "" if self.terminal is None else ", terminal set"
        if self.states.dim == 0:
            return "one state" + (ends if self.ended else "")
        shocks = [axis.name for axis in self.states.axes if axis.boundary == SHOCK]
        ends = f", Markov shock {', '.join(shocks)}{ends}" if shocks else ends
        noisy = [f"{axis.name} {s:g}" for axis, s in zip(self.states.axes, self.noise, strict=True) if s > 0.0]
        kind = f"Gaussian smoothing ({', '.join(noisy)})" if noisy else "no noise"
        return f"interpolated map, {kind}{ends}"

    @property
    def resolution(self) -> tuple[Resolution, ...]:
        """How the noise on every noisy axis stands to its points."""
        pairs = zip(self.states.axes, self.noise, strict=True)
        return tuple(one for axis, s in pairs for one in resolution_of(axis, np.array([s]), kept=True))

    @property
    def termination(self) -> FloatArray | None:
        """Probability (S, A) that the pair terminates; None if none ever does."""
        if self.terminal is None and not self.ended:
            return None
        if self.smoothing.alive is None:
            probability = (corners_of(self.stencil) < 0).astype(np.float64)
        else:
            probability = self._interpolate(self.smoothing.spread.apply(1.0 - self.smoothing.alive), None)
        return probability if probability.any() else None

    def expect(self, value: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """E[V(s') | s, a], (S, A), from V, (S,)."""
        values = np.asarray(value, dtype=np.float64)
        return self._interpolate(values if self.smoothing.identity else self.smoothing.apply(values), out)

    def _interpolate(self, values: FloatArray, out: FloatArray | None) -> FloatArray:
        return interpolate(self.stencil, np.ascontiguousarray(values), out)

    @cached_property
    def _pattern(self) -> Pattern:
        stencil = self.stencil
        pairs = (corners_of(stencil), stencil.offsets)
        return pattern_of(self.slab.rows, self.smoothing.size, lambda *a: stencil_pattern(*pairs, *a))

    @cached_property
    def _folded(self) -> tuple[Pattern, IntArray, IndexArray] | None:
        """Pattern over states where nodes beyond a periodic seam are copies of them, and where entries are added.

        Away from the seam entries keep their order: the places come as runs, by first entries and their places.
        """
        if self.smoothing.copies is None:
            return None
        rows, pattern = self.slab.rows, self._pattern
        row = np.repeat(np.arange(rows, dtype=np.int64), np.diff(pattern.indptr))
        folded, places = pattern_of_entries(row, self.smoothing.copies[pattern.indices], rows, self.n_states)
        first = np.flatnonzero(np.diff(places, prepend=-2) != 1)
        return folded, np.append(first, places.size), places[first]

    def under(self, policy: FloatArray) -> PolicyRows | PolicyPairs:
        """P^p for non-negative weights p, (S, A): as rows, or over the pairs where rows would hold too much."""
        weights = checked_weights(policy, (self.slab.rows, self.n_actions))
        if self._rows_too_long:
            return PolicyPairs(self._pairs, weights.copy(), self.smoothing, self._rows)
        return self._rows(weights)

    def coarser(self, coarsening: Coarsening) -> InterpolatedTransition:
        """See `Transition`: for expectations and policies, of ends it knows no more than the rows' sums."""
        axes = zip(self.states.axes, self.noise, self.nodes, strict=True)
        weights = [2 if s > 0.0 and y.size > 1 else int(axis.boundary != SHOCK and y.size > 1) for axis, s, y in axes]
        stencil, smoothing, nodes = coarse_stencil(self.stencil, self.smoothing, self.nodes, weights, coarsening)
        slab = Slab(coarsening.states.size)
        return replace(self, stencil=stencil, smoothing=smoothing, nodes=nodes, clamped=None, slab=slab)

    @cached_property
    def _pairs(self) -> Stencil:
        """The stencil with weights for every pair."""
        return expanded(self.stencil) if isinstance(self.stencil, TensorStencil) else self.stencil

    @cached_property
    def _rows_too_long(self) -> bool:
        """Whether rows of a policy would hold far more numbers than the pairs do: a matter of sizes alone."""
        offsets, pairs = self.stencil.offsets, self.n_states * self.n_actions
        thins = self.smoothing.identity or self.smoothing.copies is not None
        most = max(min(MOST_ENTRIES, MOST_THINNING) if thins else MOST_ENTRIES, ENTRIES_PER_PAIR * pairs)
        if pairs * offsets.size <= most:
            return False
        indptr = np.zeros(self.slab.rows + 1, dtype=np.int64)
        seen, nothing = np.full(self.smoothing.size, -1, dtype=np.int32), np.empty(0, dtype=np.int32)
        stencil_pattern(corners_of(self.stencil), offsets, seen, indptr, nothing)
        return self.slab.total(int(indptr[-1])) > most

    def _rows(self, weights: FloatArray) -> PolicyRows:
        pattern = self._pattern
        data = combine(self.stencil, weights, pattern)
        if self._folded is None:
            return PolicyRows(pattern, data, self.smoothing)
        folded_pattern, starts, places = self._folded
        folded = np.empty(folded_pattern.indices.size)
        scatter_add_runs(starts, places, data, folded)
        return PolicyRows(folded_pattern, folded, same_states(self.smoothing))

    def terminal_expectation(self, function: StateFunction) -> FloatArray:
        """E[h(s'); terminated], (S, A): h at s' itself without noise, its mean over dead parts of cells with it.

        Raises
        ------
        ValueError
            The function is not finite where the process ends, or pairs end that were given one by one.
        """
        if self.ended:
            raise ValueError("pairs that end were given, not where they end; put the terminal cost into the cost")
        if self.terminal is None:
            return np.zeros((self.slab.rows, self.n_actions))
        if self.smoothing.alive is not None:
            split = [n > axis.size for n, axis in zip(self.smoothing.spread.shape_in, self.states.axes, strict=True)]
            means = dead_means(self.states.axes, split, self.terminal, function, self.noise == 0.0)
            return self._interpolate(self.smoothing.spread.apply(means), None)
        out = np.zeros((self.slab.rows, self.n_actions))
        used = coordinates_used(function, self.states)
        law, first = NoisyColumns(self.states, self.noise, self.nodes, used), self.slab.start
        corners = corners_of(self.stencil)
        for start, stop in state_chunks(self.slab.stop, self.n_actions, first):
            rows = slice(start - first, stop - first)
            dead = corners[rows] < 0
            if dead.any():
                f = [y[dead] for y in self.next_points(start, stop)]
                if law.summed:
                    out[rows][dead] = law.ended(f, lambda *x: np.ones(x[0].shape, np.bool_), function)[0]
                else:
                    ends = [boundary_map(axis, y) for axis, y in zip(self.states.axes, f, strict=True)]
                    out[rows][dead] = function(*ends)
        if not np.all(np.isfinite(out)):
            i, k = (int(n) for n in np.argwhere(~np.isfinite(out))[0])
            where = f"state {first + i} ({self.states.describe(first + i)}), action {k}"
            raise ValueError(f"terminal function is {out[i, k]} from {where}")
        return out


@underflow_to_zero
def interpolated_transition(
    states: Grid,
    next_points: FloatArray | NextPoints,
    sigma: Sequence[float] | FloatArray | None = None,
    terminal: StateSet | None = None,
    *,
    n_actions: int | None = None,
    ended: BoolArray | None = None,
    slab: Slab | None = None,
) -> InterpolatedTransition | PartlyNoisyTransition:
    """Transition s' = boundary(f(s, a) + sigma ξ) with constant noise on every axis.

    Parameters
    ----------
    states : Grid
        Axes with boundary clamp, reflect or periodic; none at all for a bandit.
    next_points : array (S, A, dim) or callable
        The mean next state f; ``next_points(start, stop)`` gives for the states start ... stop - 1 one
        array (stop - start, A) per axis.  A callable is called again for every pass over the states.
    sigma : array (dim,), optional
        Standard deviation of the noise on each axis; 0 for none.
    terminal : callable, optional
        Vectorised function of the state coordinates, true where the process ends.
    n_actions : int, optional
        Number of action cells; needed only with a callable and no state axis.
    ended : array (S, A) of bool, optional
        Instead of a terminal set: the pairs with which the process ends.
    slab : Slab, optional
        The states of whose pairs it is to hold the stencils; all by default.

    Returns
    -------
    InterpolatedTransition, or PartlyNoisyTransition where the set mixes coordinates with and without noise

    Raises
    ------
    ValueError
        Next states that are not finite, negative noise, wrong shapes; names state and axis.
    """
    checked_states(states)
    points, actions = chunked(states, next_points, n_actions)
    noise = np.zeros(states.dim) if sigma is None else real_array(sigma, "noise").reshape(-1)
    if ended is not None and (terminal is not None or ended.shape != (states.size, actions)):
        raise ValueError(f"ended has shape {ended.shape}; give one of {(states.size, actions)} and no terminal set")
    if noise.size != states.dim:
        raise ValueError(f"noise of {noise.size} axes; expected {states.dim}")
    for axis, s in zip(states.axes, noise, strict=True):
        if not (np.isfinite(s) and s >= 0.0):
            raise ValueError(f"noise of axis {axis.name} is {s}; it must be finite and not negative")
        if axis.boundary == SHOCK and (s > 0.0 or axis.table is None):
            raise ValueError(f"axis {axis.name} is a shock: it needs a table, and has no noise besides")
    check_halved(states, [axis.name for axis, s in zip(states.axes, noise, strict=True) if s > 0.0])
    slab = Slab(states.size) if slab is None else slab
    reached = _reach(states, points, actions, slab) if noise.any() else [(0.0, 0.0)] * states.dim
    nodes = [axis_nodes(axis, float(s), r) for axis, s, r in zip(states.axes, noise, reached, strict=True)]
    used = np.zeros(states.dim, bool) if terminal is None else np.array(coordinates_used(terminal, states), bool)
    random = np.array([uncertain(axis, float(s)) for axis, s in zip(states.axes, noise, strict=True)], bool)
    exact = terminal is not None and not np.any(used & random)
    mixed = bool(np.any(used & random) and np.any(used & ~random))
    laws = [node_laws(axis, y, float(s)) for axis, y, s in zip(states.axes, nodes, noise, strict=True)]
    smoothing = _smoothing(states, nodes, noise, laws, None if exact or mixed else terminal)
    noisy = [law is not None for law in laws]
    plane = states.dim == 2 and all(noisy) and not exact and ended is None
    inner = inner_actions(points, actions, slab) if plane else 0
    tensor = empty_tensor_stencil(slab.rows, actions // inner, inner, nodes[1].size) if inner else None
    stencil = empty_stencil(0 if inner else slab.rows, actions, [n.size for n in nodes], states.axes, noisy)
    clamped: FloatArray | None = None
    for start, stop in state_chunks(slab.stop, actions, slab.start):
        f, rows = points(start, stop), slice(start - slab.start, stop - slab.start)
        if tensor is not None:
            apart = (f[0][:, ::inner], f[1][:, :inner])
            fill_tensor_stencil(tensor, rows, places_among_three(states.axes, laws, apart))
        else:
            places = places_among_three(states.axes, laws, f)
            fill_stencil(stencil, rows.start, rows.stop, f, states.axes, nodes, places)
        if exact and terminal is not None:
            ends = [boundary_map(axis, y) for axis, y in zip(states.axes, f, strict=True)]
            dead = np.broadcast_to(np.asarray(terminal(*ends), dtype=np.bool_), (stop - start, actions))
            stencil.base[rows][dead] = -1
        if ended is not None:
            stencil.base[rows][ended[start:stop]] = -1
        outside = _outside(states.axes, noise, f)
        if outside is not None:
            clamped = np.zeros((slab.rows, actions)) if clamped is None else clamped
            clamped[rows] = outside
    judged, mean = None if mixed else staying(terminal), staying(points)
    held = stencil if tensor is None else tensor
    whole = InterpolatedTransition(
        states, held, smoothing, mean, noise, nodes, judged, clamped, ended is not None, slab
    )
    if not mixed or terminal is None:
        return whole
    part = replace(whole, smoothing=_smoothing(states, nodes, noise, laws, terminal), terminal=staying(terminal))
    return PartlyNoisyTransition(whole, part, states, noise, nodes, staying(terminal), mean, slab)


def _reach(states: Grid, points: NextPoints, actions: int, slab: Slab) -> list[tuple[float, float]]:
    """Least and greatest mean next state on each axis."""
    low, high = np.full(states.dim, np.inf), np.full(states.dim, -np.inf)
    for start, stop in state_chunks(slab.stop, actions, slab.start):
        for j, f in enumerate(points(start, stop)):
            low[j], high[j] = min(low[j], f.min()), max(high[j], f.max())
    found = slab.largest(*(-low).tolist(), *high.tolist())
    return [(-a, b) for a, b in zip(found[: states.dim], found[states.dim :], strict=True)]


def _smoothing(
    states: Grid,
    nodes: Sequence[FloatArray],
    noise: FloatArray,
    laws: Sequence[NodeLaws | None],
    terminal: StateSet | None,
) -> Smoothing:
    """Matrices from states to nodes, with what is alive of every column if a set is given."""
    spread: list[Banded | None] = []
    split: list[Banded | None] = []
    ends = []
    for axis, y, s, law in zip(states.axes, nodes, noise, laws, strict=True):
        points = np.arange(axis.size)
        ends.append(terminal is not None and axis.boundary == "clamp" and bool(s > 0.0))
        split.append(Banded.copying([0, *points, axis.size - 1], axis.size) if ends[-1] else None)
        if axis.table is not None:
            spread.append(Banded.from_dense(axis.table))
        elif s > 0.0:
            spread.append(noise_matrix(axis, y, float(s), law, split=ends[-1]))
        else:
            spread.append(Banded.copying([*points, 0], axis.size) if y.size > axis.size else None)
    if terminal is None:
        return Smoothing(SeparableMap(tuple(spread), states.shape))
    copies = SeparableMap(tuple(split), states.shape)
    alive = 1.0 - dead_means(states.axes, ends, terminal, at_points=noise == 0.0)
    return Smoothing(SeparableMap(tuple(spread), copies.shape_out), copies, alive)


def _outside(axes: Sequence[Axis], noise: FloatArray, f: Sequence[FloatArray]) -> FloatArray | None:
    """Probability that f + σ ξ leaves the box through a clamped end, as 1 - Π (1 - p_axis); None if it cannot."""
    total: FloatArray | None = None
    for axis, s, y in zip(axes, noise, f, strict=True):
        share = clamping_probability(axis, y, float(s))
        if share is not None:
            total = share if total is None else total + share * (1.0 - total)
    return total
