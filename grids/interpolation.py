"""Boundary maps and multilinear interpolation: where next states go, and their weights.

A next state y of an axis is first brought into the box: clamped onto its ends, folded, or wrapped.
Between two neighbouring nodes y_e ≤ y ≤ y_{e+1} the weights are 1 - w and w, w = (y - y_e)/(y_{e+1} - y_e);
in several dimensions their products.  They are non-negative, sum to one, and reproduce affine
functions.  A reflecting axis has cell centres, and its mirrored points carry the same values, so between
an end of the box and the first point the value is that of the point.  An axis of one point has weight one.

The value of a shock is one of its points, where its table takes over: one corner, no weight.

A stencil stores, for every pair of state and action, one int32 (the flat number of the corner with the
least coordinates) and one weight per axis with more than one node; a negative corner marks a pair that
terminates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from wpoflow.core.arrays import FloatArray, IndexArray, IntArray, read_only, real_array
from wpoflow.core.text import did_you_mean
from wpoflow.grids.axis import SHOCK, Axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.interpolation_kernels import CLAMP, PERIODIC, REFLECT, locate

NEXT_STATE = "next state"
LARGEST_ROUNDING = 0.01  # of the narrowest cell, of the place of a next state
RULES = {"clamp": CLAMP, "reflect": REFLECT, "periodic": PERIODIC, SHOCK: CLAMP}
CHUNK_PAIRS = 1 << 18
NextPoints = Callable[[int, int], Sequence[FloatArray]]


@dataclass(frozen=True, eq=False)
class Stencil:
    """Corners and weights of all pairs on a product of nodes.

    Attributes
    ----------
    base : int32 array (S, A)
        Flat node number of the lowest corner; negative where the pair terminates.
    fraction : array (S, A, d)
        Weight of the upper node on each axis with more than one node; on axes with noise two, of one step to the next
        node and of another (`Places`).
    offsets : array (2**d,)
        Flat node number of every corner minus that of the lowest, last axis fastest.
    """

    base: IndexArray
    fraction: FloatArray
    offsets: IndexArray

    @property
    def pairs(self) -> tuple[int, int]:
        """Numbers of states and of actions."""
        return int(self.base.shape[0]), int(self.base.shape[1])

    @property
    def rows_of_three(self) -> int:
        """On two axes with noise, the last of them of unit stride, the distance of rows of nodes; else 0."""
        offsets = self.offsets
        plane = offsets.size == 16 and offsets[1] == offsets[2] == 1 and offsets[4] == offsets[8]
        return int(offsets[4]) if plane else 0


@dataclass(frozen=True, eq=False)
class Places:
    """Where mean next states lie among three nodes each, arrays of any one shape.

    The weights of the nodes lowest, lowest + 1, lowest + 2 are those of two steps, each to the next node, of
    probabilities ``first`` and ``second``: (1 - first)(1 - second), first + second - 2 first second, first second.
    """

    lowest: IntArray
    first: FloatArray
    second: FloatArray


def empty_stencil(
    n_states: int,
    n_actions: int,
    shape: Sequence[int],
    axes: Sequence[Axis] | None = None,
    noisy: Sequence[bool] | None = None,
) -> Stencil:
    """Stencil with zero corners and weights on nodes of the given shape.

    Parameters
    ----------
    n_states, n_actions : int
    shape : sequence of int
        Numbers of nodes.
    axes : sequence of Axis, optional
        Along the shocks among them there is one corner, as nothing is interpolated.
    noisy : sequence of bool, optional
        Along which axes places are among three nodes: two steps of two corners each.  None by default.

    Raises
    ------
    ValueError
        More nodes than an int32 can number.
    """
    if math.prod(shape) > np.iinfo(np.int32).max:
        raise ValueError(f"{math.prod(shape)} nodes are more than an index of 32 bits can number; use fewer cells")
    offsets = np.zeros(1, dtype=np.int32)
    for j, size in enumerate(shape):
        between = size > 1 and not (axes is not None and axes[j].boundary == SHOCK)
        steps = 2 if noisy is not None and noisy[j] else int(between)
        for _ in range(steps):
            offsets = (offsets[:, None] + np.array([0, math.prod(shape[j + 1 :])], dtype=np.int32)).ravel()
    active = offsets.size.bit_length() - 1
    base = np.zeros((n_states, n_actions), dtype=np.int32)
    return Stencil(base, np.zeros((n_states, n_actions, active)), offsets)


def fill_stencil(
    stencil: Stencil,
    start: int,
    stop: int,
    f: Sequence[FloatArray],
    axes: Sequence[Axis],
    nodes: Sequence[FloatArray],
    places: Sequence[Places | None] | None = None,
) -> None:
    """Locate the mean next states f (one array (stop - start, A) per axis) of the states start ... stop - 1.

    ``places`` holds, for axes with noise, where they lie among three nodes; None for others.
    """
    active = 0
    for j, axis in enumerate(axes):
        stride, place = math.prod(n.size for n in nodes[j + 1 :]), None if places is None else places[j]
        if place is not None:
            stencil.base[start:stop] += (stride * place.lowest).astype(np.int32)
            stencil.fraction[start:stop, :, active] = place.first
            stencil.fraction[start:stop, :, active + 1] = place.second
            active += 2
        elif axis.boundary == SHOCK:
            stencil.base[start:stop] += (stride * _present(axis, f[j])).astype(np.int32)
        elif nodes[j].size > 1:
            base, fraction = stencil.base[start:stop], stencil.fraction[start:stop]
            rule = RULES[axis.boundary]
            locate(read_only(f[j]), read_only(nodes[j]), axis.lower, axis.upper, rule, stride, active, base, fraction)
            active += 1


def _present(axis: Axis, y: FloatArray) -> IntArray:
    """Numbers of the points of a shock; its law begins from these, so that anything else is a mistake."""
    number = np.minimum(np.searchsorted(axis.points, y), axis.size - 1)
    if not np.array_equal(axis.points[number], y):
        raise ValueError(f"axis {axis.name} is a shock: give its present value for the next one, which its table draws")
    return number


def boundary_map(axis: Axis, y: FloatArray) -> FloatArray:
    """Next state in the box: clamped, folded or wrapped, of any shape."""
    if axis.boundary == "clamp":
        return np.clip(y, axis.lower, axis.upper)
    if axis.boundary == "periodic":
        inside = (y >= axis.lower) & (y <= axis.upper)
        return np.where(inside, y, axis.lower + np.mod(y - axis.lower, axis.length))
    t = np.mod(y - axis.lower, 2.0 * axis.length)
    folded = axis.lower + np.minimum(t, 2.0 * axis.length - t)
    return np.where((y >= axis.lower) & (y <= axis.upper), y, folded)


def checked_states(states: Grid) -> None:
    """Refuse state axes whose boundary says nothing about next states.

    Raises
    ------
    ValueError
        Naming the axis and the valid choices.
    """
    for axis in states.axes:
        if axis.boundary not in RULES:
            near = did_you_mean(axis.boundary, RULES)
            raise ValueError(
                f"state axis {axis.name}: boundary {axis.boundary!r}; choose one of {', '.join(RULES)}{near}"
            )


def check_halved(states: Grid, noisy: Sequence[str]) -> None:
    """Raise ValueError for noise on an axis of which a reflection keeps the half: it crosses 0 and mirrors others."""
    mirror = states.reflection
    if mirror is not None and mirror.halved in noisy:
        raise ValueError(
            f"reflection: axis {mirror.halved} is halved, and noise smoothed along it would cross 0, where other axes "
            "change sign; name a state axis without noise first, or state no reflection"
        )


def state_chunks(n_states: int, n_actions: int, first: int = 0) -> Iterator[tuple[int, int]]:
    """Ranges of the states first ... n_states - 1 that hold about a quarter of a million pairs each."""
    step = max(1, CHUNK_PAIRS // max(1, n_actions))
    for start in range(first, n_states, step):
        yield start, min(start + step, n_states)


def _check_places(states: Grid, axis: Axis, f: FloatArray, start: int) -> None:
    """Raise ValueError for a next state so far away that its place in the box, folded or wrapped, is rounding."""
    i, k = np.unravel_index(np.abs(f).argmax(), f.shape)
    rounding, cell = float(np.spacing(abs(f[i, k]))), float(axis.widths.min())
    if not rounding <= LARGEST_ROUNDING * cell:
        raise ValueError(
            f"next state {axis.name} is {f[i, k]:g} from state {start + i} ({states.describe(start + int(i))}), action "
            f"{k}: its place on a {axis.boundary} axis of cells {cell:.3g} wide is known to {rounding:.2g} only"
        )


def chunked(
    states: Grid, next_points: FloatArray | NextPoints, n_actions: int | None, what: str = NEXT_STATE
) -> tuple[NextPoints, int]:
    """Give next points as a checked function of a range of states, and the number of actions.

    Next states that the half of a grid has as their mirror images are folded.

    Raises
    ------
    ValueError
        A wrong shape, or a next state that is not finite or, on a reflecting or periodic axis, so far away that its
        place is rounding; names state, action and axis.
    """
    raw: NextPoints
    if callable(next_points):
        raw = next_points
        if n_actions is None:
            if states.dim == 0:
                raise ValueError("without state axes the number of actions must be given")
            n_actions = int(np.shape(raw(0, 1)[0])[1])
    else:
        array = real_array(next_points, f"{what} of all pairs")
        if array.ndim != 3 or array.shape[0] != states.size or array.shape[2] != states.dim:
            raise ValueError(f"next points have shape {array.shape}; expected ({states.size}, actions, {states.dim})")
        n_actions = array.shape[1]

        def raw(start: int, stop: int) -> Sequence[FloatArray]:
            return [array[start:stop, :, j] for j in range(array.shape[2])]

    actions, mirror = n_actions, states.reflection
    around = mirror.halved if mirror is not None and mirror.period else None

    def checked(start: int, stop: int) -> list[FloatArray]:
        given = raw(start, stop)
        if len(given) != states.dim:
            raise ValueError(f"next points of {len(given)} axes; expected {states.dim}")
        chunk = []
        for axis, values in zip(states.axes, given, strict=True):
            f = np.broadcast_to(real_array(values, f"{what} {axis.name}"), (stop - start, actions))
            f = np.ascontiguousarray(f)
            if not np.all(np.isfinite(f)):
                i, k = (int(n) for n in np.argwhere(~np.isfinite(f))[0])
                where = states.describe(start + i)
                raise ValueError(f"{what} {axis.name} is {f[i, k]} from state {start + i} ({where}), action {k}")
            if what == NEXT_STATE and (axis.boundary in ("reflect", "periodic") or axis.name == around):
                _check_places(states, axis, f, start)
            chunk.append(f)
        return states.folded(chunk)[0] if what == NEXT_STATE else chunk

    return checked, actions
