"""Whether what a problem states goes on across the seam of its periodic axes, where the two ends of the box are one.

A function is followed along the axis through some points of the box, at which the other coordinates are held.  Between
its values just inside both ends lies no distance; if they differ by clearly more than neighbouring values do anywhere
inside, the function was hardly meant so: its period is not that of the axis.  A jump of the same height inside the box
is taken as a sign that jumps are meant.  Next states on a periodic axis are compared modulo its length.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis
from wpoflow.problems.statement import Statement, Value

LINES, INTERVALS = 24, 1000  # through the box, and along each
INSIDE = 1e-9  # of the length: how far from the ends, where conditions change
LEAST_SHARE = 0.01  # of the range of a function: less is a rounded period, as in bounds = [-3.14, 3.14]
STEEPEST = 2.0  # of the largest change from point to point inside


class _Function(NamedTuple):
    """A function of the statement: the key it stands under, its axes, and the period of its values if they have one."""

    key: str
    value: Value | None
    axes: tuple[Axis, ...]
    period: float = np.inf


def unmatched_seams(statement: Statement) -> list[str]:
    """A line for every function that jumps at the seam of a periodic axis, naming both and the place."""
    found = []
    for function in _functions(statement):
        for j, axis in enumerate(function.axes):
            if callable(function.value) and axis.periodic and axis.size > 1:
                found.append(_judged(function, j))
    return [line for line in found if line]


def _functions(statement: Statement) -> Iterator[_Function]:
    states, actions = statement.states.axes, statement.actions.axes
    pair = states + actions
    yield _Function("cost.running", statement.cost, pair)
    yield _Function("cost.terminal_cost", statement.terminal_cost, states)
    for number, outcome in enumerate(statement.branches):
        prefix = f"outcome.{number}." if statement.outcomes else ""
        yield _Function(f"{prefix}probability", outcome.probability, pair)
        for axis in states:
            period = axis.length if axis.periodic else np.inf
            yield _Function(f"{prefix}dynamics.{axis.name}", outcome.dynamics.get(axis.name), pair, period)
            yield _Function(f"{prefix}noise.{axis.name}", outcome.noise.get(axis.name), pair)
    yield _Function("reference.potential", statement.potential, actions)
    yield _Function("initial.state_density", statement.state_density, states)
    yield _Function("initial.policy_density", statement.policy_density, pair)


def _judged(function: _Function, j: int) -> str:
    assert callable(function.value)
    axis = function.axes[j]
    shape = (LINES, INTERVALS + 1)
    at = np.random.default_rng(0).random((len(function.axes), LINES, 1))
    columns = [
        np.broadcast_to(other.lower + other.length * t, shape) for other, t in zip(function.axes, at, strict=True)
    ]
    along = axis.lower + axis.length * np.linspace(INSIDE, 1.0 - INSIDE, INTERVALS + 1)
    columns[j] = np.broadcast_to(along, shape)
    with np.errstate(all="ignore"):
        values = np.array(np.broadcast_to(np.asarray(function.value(*columns), dtype=np.float64), shape))
        values = values[finite := np.isfinite(values).all(axis=1)]
        if not values.size:
            return ""
        inside = _apart(np.diff(values, axis=1), function.period).max(axis=1)
        jump = _apart(values[:, -1] - values[:, 0], function.period)
        spread = min(float(np.ptp(values)), function.period)
        excess = jump - STEEPEST * inside
    worst = int(excess.argmax())
    if not excess[worst] > LEAST_SHARE * spread:
        return ""
    place = [
        f"{other.name} = {column[finite][worst, 0]:.3g}"
        for k, (other, column) in enumerate(zip(function.axes, columns, strict=True))
        if k != j
    ]
    where = f" (at {', '.join(place)})" if place else ""
    low, high = float(values[worst, 0]), float(values[worst, -1])
    return (
        f"{function.key} jumps at the seam of the periodic axis {axis.name}: {low:.4g} at {axis.lower:.6g}, {high:.4g} "
        f"at {axis.upper:.6g}, which are one point{where}; is {axis.length:.6g} its period?"
    )


def _apart(difference: FloatArray, period: float) -> FloatArray:
    """Absolute differences, of values on a circle the shorter way round."""
    if period < np.inf:
        difference = difference - period * np.round(difference / period)
    return np.abs(difference)
