"""Held actions: h steps of the dynamics in a decision, all by one action.

    s_0 = s,    s_{j+1} = boundary(f(s_j, a)),    C(s, a) = Σ_{j < h} γ^j c(s_j, a),    discount of a decision γ^h

The boundary acts after every step.  A pair whose s_{j+1} lies in the terminal set stays there: it costs γ^{j+1} times
what ending there costs, and nothing after that.  So the grid problem is that of a process whose action is held, exactly
but for the interpolation at s_h.  Noise, outcomes and shocks have no such form, as they would have to be composed with
themselves; neither have actions between ends that depend on the state, which a held action may leave on its way.

Steps are given as one array of as many rows as there are pairs: s_h before its last boundary, C, and whether a step has
left the box through a clamped end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray
from wpoflow.grids.axis import Axis
from wpoflow.grids.interpolation import LARGEST_ROUNDING, boundary_map
from wpoflow.grids.transitions import Transition, interpolated_transition
from wpoflow.grids.transitions.interpolated import InterpolatedTransition
from wpoflow.problems.pairs import Pairs, Value, evaluate

Held = Callable[..., FloatArray]
"""From arrays (n,) of the coordinates of pairs to their steps, (n, dim + 2)."""


def furthest(axis: Axis) -> float:
    """Largest next state of an intermediate step whose place in the box is known; beyond, the steps end unfinished.

    Such a state, like one that is not a number, is handed on as the last and refused there.
    """
    if axis.boundary == "clamp":
        return float(np.finfo(np.float64).max)
    return 2.0 * LARGEST_ROUNDING * float(axis.widths.min()) / float(np.finfo(np.float64).eps)


def composed(
    axes: Sequence[Axis],
    dynamics: Mapping[str, Value],
    cost: Value,
    terminal_set: Value | None,
    terminal_cost: Value | None,
    discount: float,
    hold: int,
) -> Held:
    """The steps of a decision by functions of arrays."""
    dim = len(axes)

    def steps(*coordinates: FloatArray) -> FloatArray:
        shape = np.shape(coordinates[dim])
        state = [np.array(np.broadcast_to(x, shape), dtype=np.float64) for x in coordinates[:dim]]
        actions, out = coordinates[dim:], np.zeros((*shape, dim + 2))
        alive, weight = np.ones(shape, dtype=np.bool_), 1.0

        def at(value: Value, what: str, *arguments: FloatArray) -> FloatArray:
            return evaluate(value, shape, arguments, what)

        for _ in range(hold):
            if not alive.any():
                break
            with np.errstate(all="ignore"):
                paid = weight * at(cost, "cost", *state, *actions)
            weight *= discount
            out[alive, dim] += paid[alive]
            following = [at(dynamics[axis.name], f"dynamics.{axis.name}", *state, *actions) for axis in axes]
            on_its_way = alive.copy()
            for j, (axis, f) in enumerate(zip(axes, following, strict=True)):
                out[alive, j] = f[alive]
                on_its_way &= np.abs(f) <= furthest(axis)
                if axis.boundary == "clamp":
                    out[alive & ((f < axis.lower) | (f > axis.upper)), dim + 1] = 1.0
            alive = on_its_way
            for j, (axis, f) in enumerate(zip(axes, following, strict=True)):
                state[j] = np.where(alive, boundary_map(axis, np.where(alive, f, axis.lower)), state[j])
            if terminal_set is not None:
                ended = alive & (at(terminal_set, "terminal_set", *state) != 0.0)
                if terminal_cost is not None and ended.any():
                    with np.errstate(all="ignore"):
                        out[ended, dim] += weight * at(terminal_cost, "terminal_cost", *state)[ended]
                alive &= ~ended
        return out

    return steps


def held_transition(
    held: Held, pairs: Pairs, terminal: Callable[..., BoolArray] | None
) -> tuple[Transition, FloatArray]:
    """The transition of decisions, and the cost (rows, A) of their steps, by one evaluation of every pair.

    Raises
    ------
    ValueError
        A cost or next state that is not finite; named.
    """
    table = _Table(held, pairs)
    transition = interpolated_transition(
        pairs.states, table.next_points, terminal=terminal, n_actions=pairs.actions.size, slab=pairs.slab
    )
    cost, clamped = table.cost, table.clamped
    table.cost = table.clamped = None
    assert cost is not None
    assert clamped is not None
    assert isinstance(transition, InterpolatedTransition)
    return replace(transition, clamped=clamped.astype(np.float64) if clamped.any() else None), cost


class _Table:
    """Next states of all pairs; at the first pass cost and clamping are written down beside."""

    def __init__(self, held: Held, pairs: Pairs) -> None:
        shape = (pairs.slab.rows, pairs.actions.size)
        self.held, self.pairs = held, pairs
        self.cost: FloatArray | None = np.empty(shape)
        self.clamped: BoolArray | None = np.zeros(shape, dtype=np.bool_)

    def next_points(self, start: int, stop: int) -> tuple[FloatArray, ...]:
        """Of the states start ... stop - 1, before the last boundary, an array (stop - start, A) for each axis."""
        names = [axis.name for axis in self.pairs.states.axes]
        dim, pairs, rows = len(names), self.pairs, slice(start - self.pairs.slab.start, stop - self.pairs.slab.start)
        found = pairs.steps(self.held, start, stop)
        for j, name in enumerate(names):
            pairs.refuse(found[..., j], ~np.isfinite(found[..., j]), f"dynamics.{name} within a decision", start)
        if self.cost is not None and self.clamped is not None:
            pairs.refuse(found[..., dim], ~np.isfinite(found[..., dim]), "cost of a decision", start)
            self.cost[rows], self.clamped[rows] = found[..., dim], found[..., dim + 1] != 0.0
        return tuple(np.ascontiguousarray(found[..., j]) for j in range(dim))
