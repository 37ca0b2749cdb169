"""The half of a grid under a declared reflection, and back.

The halved axis has its points on [0, b], both ends among them, of those on [-b, b].  On a circle -b and b are one
state: of n stated cells the half has (n + 1)/2 points, of the n - 1 that lie evenly on it with 0 and b among them.
Every other axis named has its points, and the edges of its cells, symmetrically about 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray, IntArray
from wpoflow.core.text import did_you_mean
from wpoflow.grids.axis import SHOCK, Axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.reflection import Reflection

SYMMETRIC = 1e-12  # of the length of an axis: how far edges may be from lying symmetrically about 0
_KINDS = ("clamp", "periodic")


def halved_grid(states: Grid, actions: Grid, names: Sequence[str]) -> Grid:
    """The states that are kept where axes change sign together.

    Parameters
    ----------
    states, actions : Grid
        Of the whole problem.
    names : sequence of str
        State and action axes that change sign; the first state axis among them is halved.

    Returns
    -------
    Grid
        Of the axes of ``states``, with its `Reflection`.

    Raises
    ------
    ValueError
        A name that is no axis or is there twice, no state axis, an axis that is not symmetric about 0, a shock or
        labels; a halved axis with an even number of cells, fewer than three, or that folds.
    """
    known = {axis.name: axis for axis in (*states.axes, *actions.axes)}
    if isinstance(names, str):
        raise ValueError(f"reflection: give the axes that change sign as a list, as in [{names!r}]")
    for name in names:
        if name not in known:
            near = did_you_mean(name, known)
            raise ValueError(f"reflection: {name!r} is no axis; choose among {', '.join(known)}{near}")
        if list(names).count(name) > 1:
            raise ValueError(f"reflection: axis {name} is named twice")
    if states.reflection is not None:
        raise ValueError(f"reflection: the grid of states is that of a half already: {states.reflection.words}")
    named = [axis for axis in states.axes if axis.name in names]
    if not named:
        choices = ", ".join(axis.name for axis in states.axes) or "none"
        raise ValueError(f"reflection: at least one state axis must change sign; state axes are {choices}")
    for name in names:
        _check_symmetric(known[name])
    halved = known[next(name for name in names if any(axis.name == name for axis in named))]
    if halved.boundary not in _KINDS:
        raise ValueError(
            f"reflection: axis {halved.name} is halved; its boundary is {halved.boundary}, it must be "
            f"{' or '.join(_KINDS)}"
        )
    if halved.size % 2 == 0 or halved.size < 3:
        raise ValueError(
            f"reflection: axis {halved.name} is halved; it has {halved.size} cells, it must have an odd number, three "
            "or more, so that 0 is a point"
        )
    period = halved.length if halved.periodic else 0.0
    axes = [_half(axis) if axis is halved else axis for axis in states.axes]
    return Grid(tuple(axes), Reflection(halved.name, tuple(names), period))


def _check_symmetric(axis: Axis) -> None:
    if axis.labels or axis.boundary == SHOCK:
        raise ValueError(f"reflection: axis {axis.name} is {axis.boundary}, which has no sign to change")
    off = float(np.abs(axis.edges + axis.edges[::-1]).max())
    if not off <= SYMMETRIC * axis.length:
        raise ValueError(
            f"reflection: axis {axis.name}, from {axis.lower:g} to {axis.upper:g}, is not symmetric about 0: its edges "
            f"are off by {off:.2g}"
        )


def _half(axis: Axis) -> Axis:
    middle = axis.size // 2
    if not axis.periodic:
        return replace(axis, edges=np.append(0.0, axis.edges[middle + 1 :]))
    if float(np.ptp(axis.widths)) > SYMMETRIC * axis.length:
        raise ValueError(f"reflection: axis {axis.name} is halved and periodic; its cells must all be alike")
    made = uniform_axis(axis.name, 0.0, axis.upper, middle + 1, "clamp")
    return replace(made, label=axis.label, units=axis.units)


def whole_grid(half: Grid) -> Grid:
    """The grid that a half is of, (S',); on a circle with 0 and b among its points."""
    reflection = half.reflection
    assert reflection is not None
    axes = [_whole(axis, bool(reflection.period)) if axis.name == reflection.halved else axis for axis in half.axes]
    return Grid(tuple(axes))


def _whole(axis: Axis, periodic: bool) -> Axis:
    if not periodic:
        return replace(axis, edges=np.concatenate((-axis.edges[:0:-1], axis.edges[1:])))
    cells = 2 * (axis.size - 1)
    ahead = axis.upper / cells
    made = uniform_axis(axis.name, -axis.upper - ahead, axis.upper - ahead, cells, "periodic")
    return replace(made, label=axis.label, units=axis.units)


def images(half: Grid) -> tuple[IntArray, BoolArray]:
    """Of every point of the whole grid its number in the half, (S',), and whether it is mirrored there, (S',)."""
    reflection, whole = half.reflection, whole_grid(half)
    assert reflection is not None
    places = list(np.unravel_index(np.arange(whole.size), whole.shape))
    halved = [axis.name for axis in half.axes].index(reflection.halved)
    from_zero = places[halved] - (half.axes[halved].size - 1)
    mirrored = from_zero < 0
    for j, axis in enumerate(half.axes):
        if axis.name in reflection.names:
            places[j] = np.where(mirrored, axis.size - 1 - places[j], places[j])
    places[halved] = np.abs(from_zero)
    return np.ravel_multi_index(places, half.shape), mirrored


def folded_masses(half: Grid, masses: FloatArray) -> FloatArray:
    """Masses (S,) on the half: of every point that on the whole grid, (S',), and that of its mirror image."""
    return np.bincount(images(half)[0], weights=masses, minlength=half.size).astype(np.float64, copy=False)


def masses_on(states: Grid, of: Callable[[Grid], FloatArray]) -> FloatArray:
    """Masses (S,) of a law: ``of`` the grid itself, or folded from those of the whole where it is a half."""
    return of(states) if states.reflection is None else folded_masses(states, of(whole_grid(states)))


def mirrored_cells(actions: Grid, names: Sequence[str]) -> IntArray:
    """Of every action cell the number of its mirror image, (A,)."""
    along = tuple(j for j, axis in enumerate(actions.axes) if axis.name in names)
    number: IntArray = np.arange(actions.size, dtype=np.int64).reshape(actions.shape)
    return np.flip(number, along).reshape(-1)
