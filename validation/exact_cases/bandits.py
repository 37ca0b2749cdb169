"""One-state problems on cells, with the exact flows they are compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.statement import Statement, build
from wpoflow.solver.mdp import GridMDP

Function = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, eq=False)
class Bandit:
    """Cost, reference potential and initial density of the action in a box."""

    cost: Function
    potential: Function | float
    density: Function
    lower: float
    upper: float
    temperature: float
    discount: float = 0.9

    def grid(self, cells: int) -> GridMDP:
        """The problem on equal cells."""
        return build(
            Statement(
                actions=Grid((uniform_axis("a", self.lower, self.upper, cells),)),
                discount=self.discount,
                temperature=self.temperature,
                cost=self.cost,
                potential=self.potential,
                policy_density=self.density,
            )
        )


def double_well(temperature: float) -> Bandit:
    """The tilted double well of the reference tables, started from the bump in its shallower well."""
    return Bandit(
        cost=lambda a: (a**2 - 1.0) ** 2 / 4.0 + a / 10.0,
        potential=0.0,
        density=lambda a: np.asarray(np.exp(-((a - 1.0) ** 2) / (2.0 * 0.2**2))),
        lower=-2.5,
        upper=2.5,
        temperature=temperature,
    )
