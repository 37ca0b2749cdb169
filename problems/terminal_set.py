"""The terminal set of a problem: which states lie in it, and on which of its points values depend all the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray
from wpoflow.core.slabs import Slab
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import Transition
from wpoflow.problems.pairs import Value, evaluate


def state_set(value: Value, states: Grid) -> Callable[..., BoolArray]:
    """Whether states lie in the set; refuses what is neither true nor false there, as a comparison with nan."""

    def judged(*coordinates: FloatArray) -> BoolArray:
        found = evaluate(value, np.shape(coordinates[0]), coordinates, "the function")
        if np.isnan(found).any():
            first = tuple(np.argwhere(np.isnan(found))[0])
            places = zip(states.axes, np.broadcast_arrays(*coordinates), strict=True)
            raise ValueError(
                f"terminal_set is nan at {', '.join(f'{axis.name} = {place[first]:.6g}' for axis, place in places)}"
            )
        return np.asarray(found != 0.0)

    return judged


def depended_on(transition: Transition, outside: BoolArray, slab: Slab) -> BoolArray:
    """State points outside the terminal set, and those inside that interpolation at next states outside leans on.

    The values of the former depend on the latter, whose suboptimality must not be left out of suprema.
    """
    uniform = np.full((slab.rows, transition.n_actions), 1.0 / transition.n_actions)
    law = transition.under(uniform)
    found = outside.copy()
    while True:
        entered = found | (law.rmatvec(found.astype(np.float64)) > 0.0)
        if np.array_equal(entered, found):
            return found
        found = entered
