"""Numbers and functions of a statement, evaluated on pairs of state and action and refused where they cannot be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from wpoflow.core.arrays import BoolArray, FloatArray, real_array
from wpoflow.core.slabs import Slab
from wpoflow.grids.grid import Grid
from wpoflow.grids.interpolation import state_chunks
from wpoflow.grids.transitions.mixture import SUM_TOLERANCE

LEAST_NOISE, LARGEST_NOISE = 1e-100, 1e100  # whose squares are floating-point numbers

Value = float | Callable[..., ArrayLike]
"""A number, or a function of coordinate arrays of equal shape."""


class Pairs:
    """Evaluates values on all pairs of a slab's states with an action, a chunk of states at a time."""

    def __init__(self, states: Grid, actions: Grid, slab: Slab) -> None:
        self.states, self.actions, self.slab = states, actions, slab

    def _chunks(self) -> Iterator[tuple[int, int]]:
        return state_chunks(self.slab.stop, self.actions.size, self.slab.start)

    def evaluate(self, value: Value, what: str, start: int, stop: int) -> FloatArray:
        """Values at the states start ... stop - 1, (stop - start, A); refuses what is not finite."""
        shape = (stop - start, self.actions.size)
        coordinates = [np.broadcast_to(column[start:stop, None], shape) for column in self.states.points.T]
        coordinates += [np.broadcast_to(column, shape) for column in self.actions.points.T]
        out = evaluate(value, shape, coordinates, what)
        self.refuse(out, ~np.isfinite(out), what, start)
        return out

    def steps(self, held: Callable[..., FloatArray], start: int, stop: int) -> FloatArray:
        """Steps of decisions (:mod:`problems.held`) at the states start ... stop - 1, (stop - start, A, dim + 2)."""
        shape = (stop - start, self.actions.size)
        coordinates = [np.broadcast_to(column[start:stop, None], shape) for column in self.states.points.T]
        coordinates += [np.broadcast_to(column, shape) for column in self.actions.points.T]
        return held(*coordinates)

    def refuse(self, values: FloatArray, wrong: BoolArray, what: str, start: int) -> None:
        """Raise ValueError naming the first wrong pair, if any is."""
        if not wrong.any():
            return
        state, action = (int(index) for index in np.argwhere(wrong)[0])
        parts = [self.states.describe(start + state)] if self.states.dim else []
        where = ", ".join([*parts, self.actions.describe(action)])
        raise ValueError(f"{what} is {values[state, action]} at {where}")

    def table(self, value: Value, what: str) -> FloatArray:
        """Values on all pairs, (rows, A)."""
        first, out = self.slab.start, np.empty((self.slab.rows, self.actions.size))
        for start, stop in self._chunks():
            out[start - first : stop - first] = self.evaluate(value, what, start, stop)
        return out

    def check_probabilities(self, values: Sequence[Value]) -> None:
        """Refuse probabilities of the outcomes that are negative or do not sum to one."""
        for start, stop in self._chunks():
            total = np.zeros((stop - start, self.actions.size))
            for number, value in enumerate(values):
                out = self.evaluate(value, f"outcome.{number}.probability", start, stop)
                self.refuse(out, out < 0.0, f"outcome.{number}.probability", start)
                total += out
            off = np.abs(total - 1.0) > SUM_TOLERANCE * len(values)
            self.refuse(total, off, "the sum of the probabilities of the outcomes (it must be 1)", start)

    def check_ends(self, name: str, ends: tuple[Value, Value]) -> None:
        """Refuse feasible ends that are not finite, or of which the upper is below the lower."""
        for start, stop in self._chunks():
            lower, upper = (
                self.evaluate(end, f"the {which} feasible end of {name}", start, stop)
                for which, end in zip(("lower", "upper"), ends, strict=True)
            )
            width = upper - lower
            self.refuse(width, ~(width >= 0.0), f"the upper minus the lower feasible end of {name}", start)

    def deviations(self, value: Value, what: str, start: int, stop: int) -> FloatArray:
        """Standard deviations at some states; refuses negative ones, and those whose square no float holds."""
        out = self.evaluate(value, what, start, stop)
        wrong = (out < 0.0) | ((out > 0.0) & (out < LEAST_NOISE)) | (out > LARGEST_NOISE)
        self.refuse(out, wrong, what, start)
        return out


def evaluate(value: Value, shape: tuple[int, ...], coordinates: Sequence[FloatArray], what: str) -> FloatArray:
    """Values of the given shape; floating-point warnings are left to the checks that follow."""
    with np.errstate(all="ignore"):
        result = real_array(value(*coordinates) if callable(value) else value, what)
    try:
        return np.array(np.broadcast_to(result, shape))
    except ValueError:
        raise ValueError(f"{what} gave an array of shape {result.shape} for coordinates of shape {shape}") from None
