"""Whether a problem is what a declared reflection says: the same in the mirror.

    f(-s, -a) = -f(s, a),    c(-s, -a) = c(s, a)

Minus is along the axes named.  All pairs of a small grid are held against their images, a sample of a large one, to
`TOLERANCE` of the length of an axis or of the largest number.  Next states are compared in the box, and around circles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.grids.grid import Grid
from wpoflow.grids.interpolation import boundary_map
from wpoflow.problems.pairs import Value, evaluate

TOLERANCE = 1e-8
MOST_PAIRS = 1 << 18


@dataclass(frozen=True, eq=False)
class MirroredPairs:
    """Pairs of a state and an action, and their mirror images.

    Attributes
    ----------
    half : Grid
        The states that are kept.
    whole : Grid
        Those of the problem as it is stated, of the same axes.
    actions : Grid
    number : array (n,)
        Of the pairs that are compared.
    """

    half: Grid
    whole: Grid
    actions: Grid
    number: IntArray

    @classmethod
    def chosen(cls, half: Grid, whole: Grid, actions: Grid, most: int = MOST_PAIRS) -> MirroredPairs:
        """All pairs, or a sample of so many that is the same whenever it is drawn."""
        pairs = half.size * actions.size
        number = np.arange(pairs) if pairs <= most else np.random.default_rng(0).integers(0, pairs, most)
        return cls(half, whole, actions, number)

    @property
    def points(self) -> tuple[FloatArray, FloatArray]:
        """States (n, dim) and actions (n, d)."""
        state, action = np.divmod(self.number, self.actions.size)
        return self.half.points[state], self.actions.points[action]

    @property
    def images(self) -> tuple[FloatArray, FloatArray]:
        """Their mirror images."""
        states, actions = self.points
        return states * self._signs(self.half), actions * self._signs(self.actions)

    def _signs(self, grid: Grid) -> FloatArray:
        assert self.half.reflection is not None
        return self.half.reflection.signs([axis.name for axis in grid.axes])

    def check_equal(self, what: str, here: FloatArray, there: FloatArray, sign: float = 1.0) -> None:
        """Refuse numbers (n,) that are not the same, or where ``sign`` is -1 opposite, at images."""
        known = here[np.isfinite(here)]
        scale = max(1.0, float(np.abs(known).max(initial=0.0)))
        with np.errstate(invalid="ignore"):
            self._refuse(what, np.abs(here - sign * there), TOLERANCE * scale, sign)

    def check_next(self, what: str, j: int, here: FloatArray, there: FloatArray) -> None:
        """Refuse next states (n,) along state axis j that are not mirrored."""
        axis = self.whole.axes[j]
        sign = float(self._signs(self.half)[j])
        finite = np.isfinite(here) & np.isfinite(there)
        a, b = (boundary_map(axis, np.where(finite, x, 0.0)) for x in (here, there))
        off = np.abs(a - sign * b)
        off = np.minimum(off, np.abs(axis.length - off)) if axis.periodic else off
        self._refuse(
            what, np.where(np.isfinite(here) == np.isfinite(there), off, np.inf), TOLERANCE * axis.length, sign
        )

    def _refuse(self, what: str, off: FloatArray, allowed: float, sign: float) -> None:
        wrong = off > allowed
        if not wrong.any():
            return
        state, action = divmod(int(self.number[int(wrong.argmax())]), self.actions.size)
        relation = "the same" if sign > 0.0 else "of opposite sign"
        assert self.half.reflection is not None
        raise ValueError(
            f"reflection: {what} at {self.half.describe(state)}, {self.actions.describe(action)} is not {relation} "
            f"where {', '.join(self.half.reflection.names)} change sign: off by {off[wrong][0]:.3g}, allowed are "
            f"{allowed:.2g}"
        )

    def check_value(self, what: str, value: Value | None, sign: float = 1.0, of: str = "both") -> None:
        """Refuse a number or function of "both" states and actions, or of one of them, unless it is mirrored."""
        if callable(value):
            here, there = (
                evaluate(value, self.number.shape, self._columns(pair, of), what) for pair in (self.points, self.images)
            )
            self.check_equal(what, here, there, sign)
        elif value is not None:
            same = np.full(self.number.shape, float(value))
            self.check_equal(what, same, same, sign)

    def check_dynamics(self, prefix: str, dynamics: Mapping[str, Value]) -> None:
        """Refuse next states that are not mirrored."""
        for j, axis in enumerate(self.whole.axes):
            what = f"{prefix}dynamics.{axis.name}"
            here, there = (
                evaluate(dynamics[axis.name], self.number.shape, self._columns(pair, "both"), what)
                for pair in (self.points, self.images)
            )
            self.check_next(what, j, here, there)

    @staticmethod
    def _columns(pair: tuple[FloatArray, FloatArray], of: str) -> list[FloatArray]:
        states, actions = pair
        parts = {"both": (states, actions), "states": (states,), "actions": (actions,)}[of]
        return [np.ascontiguousarray(column) for part in parts for column in part.T]
