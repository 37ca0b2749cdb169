"""What of a statement must be the same in the mirror of its reflection: all that its grid problem is made of.

Next states and costs, or those of whole decisions; noise and outcomes, each of itself; what ends and what that costs;
the reference measure and the first policy.  The initial law need not be: the half has the masses of both images.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from wpoflow.grids.grid import Grid
from wpoflow.problems.mirrored import MirroredPairs
from wpoflow.problems.pairs import Value

if TYPE_CHECKING:
    from wpoflow.problems.statement import Statement


def check_mirrored(statement: Statement) -> None:
    """Refuse a reflection under which a statement is not the same.

    Raises
    ------
    ValueError
        Naming what is not, the pair of state and action, and the difference.
    """
    mirror = MirroredPairs.chosen(statement.grid, statement.states, statement.actions)
    if statement.hold > 1:
        here, there = (statement.steps(*states.T, *actions.T) for states, actions in (mirror.points, mirror.images))
        for j, axis in enumerate(statement.states.axes):
            mirror.check_next(f"dynamics.{axis.name} of a decision", j, here[:, j], there[:, j])
        mirror.check_equal("cost of a decision", here[:, -2], there[:, -2])
    else:
        for number, outcome in enumerate(statement.branches):
            prefix = f"outcome.{number}." if statement.outcomes else ""
            mirror.check_value(f"{prefix}probability", outcome.probability)
            mirror.check_dynamics(prefix, outcome.dynamics)
            for name, sigma in outcome.noise.items():
                mirror.check_value(f"{prefix}noise.{name}", sigma)
        mirror.check_value("cost", statement.cost)
    for what in ("terminal_set", "terminal_cost"):
        mirror.check_value(what, getattr(statement, what), of="states")
    mirror.check_value("reference potential", statement.potential, of="actions")
    mirror.check_value("policy_density", statement.policy_density)
    for what in ("policy_mean", "policy_covariance"):
        for name, value, sign in _entry_signs(statement.grid, statement.actions, getattr(statement, what)):
            mirror.check_value(f"{what}.{name}", value, sign, of="states")


def _entry_signs(
    half: Grid, actions: Grid, given: Value | Mapping[str, Value] | None
) -> Iterator[tuple[str, Value, float]]:
    """Entries of a mean or a covariance along action axes, by name, with the sign that each has in the mirror."""
    if given is None:
        return
    entries = given if isinstance(given, Mapping) else {actions.axes[0].name: given}
    assert half.reflection is not None
    for key, value in entries.items():
        names = key.split(",")
        yield key, value, float(np.prod(half.reflection.signs([name.strip() for name in names])))
