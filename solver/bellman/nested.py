"""Nested iteration: a value to begin from, of the problem on coarser grids, each solved as far as it is worth.

    v_1 on the coarsest grid,     v_l = Newton steps from I v_{l-1},     V <- I v_L

A grid is told from the next coarser one by the residual with which I v is met on it; to solve it to a tenth of that
costs one or two steps, and what is left is less than what the next finer grid will meet (Hackbusch 1985, section 5.1).
Levels have every second point of the axes (`grids.coarsening`), so that on d axes all of them together have less than
1/(2^d - 1) of the pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.transitions.base import CoarseTransition
from wpoflow.solver.bellman.ilu import IncompleteLU
from wpoflow.solver.bellman.improvement import improve
from wpoflow.solver.bellman.linear_solver import choose_linear_solver
from wpoflow.solver.bellman.system import DiscountedSystem
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.series import LEAST_TEMPERATURE

LEAST_STATES = 4000  # of a problem that is solved on coarser grids first
STEPS = 12  # on any level
COARSEST = 1e-4  # of the spread of costs: residual on the coarsest grid
SHARE = 0.5  # of the first residual on any other
INEXACT = 1e-1  # of the residual, to what a step is solved


@dataclass(frozen=True, eq=False)
class Level:
    """A problem on one of the grids; cost (S, A), log_mass (A,)."""

    cost: FloatArray
    transition: CoarseTransition
    discount: float
    temperature: float
    log_mass: FloatArray


def nested_value(mdp: GridMDP, temperature: float) -> FloatArray | None:
    """V of the problem on coarser grids, (S,), to begin from on its own; None where it has none or needs none.

    Parameters
    ----------
    temperature : float
        At which the coarser problems are solved.
    """
    if mdp.states.size < LEAST_STATES or not LEAST_TEMPERATURE <= temperature < np.inf:
        return None
    levels: list[Level] = []
    cost = mdp.cost
    for coarsening, transition in mdp.coarser:
        cost = cost[coarsening.states]
        levels.append(Level(cost, transition, mdp.discount, temperature, mdp.log_mass))
    if not levels:
        return None
    value: FloatArray = np.zeros(levels[-1].cost.shape[0])
    for number in range(len(levels) - 1, -1, -1):
        value = _solved(levels[number], value, coarsest=number == len(levels) - 1)
        value = mdp.coarser[number][0].interpolation.apply(value)
    return value if np.all(np.isfinite(value)) else None


def _solved(level: Level, value: FloatArray, *, coarsest: bool) -> FloatArray:
    """V of a level from a start, to a share of the residual there; as `solve_optimum`."""
    q, policy, improved = np.empty_like(level.cost), np.empty_like(level.cost), np.empty_like(value)
    incomplete, linear_solver, wanted = IncompleteLU(), "", 0.0
    for step in range(STEPS):
        level.transition.expect(level.discount * value, q)
        improve(level.cost, level.log_mass, level.temperature, q, policy, improved)
        missing = improved - value
        current = float(np.abs(missing).max())
        if step == 0:
            wanted = COARSEST * float(np.ptp(level.cost)) if coarsest else SHARE * current
        if not np.isfinite(current) or current <= wanted or current == 0.0:
            break
        operator = level.transition.under(policy)
        if not linear_solver:
            linear_solver = choose_linear_solver(value.size, operator.work, level.discount)
        system = DiscountedSystem(operator, level.discount, linear_solver, incomplete)
        value = value + system.approximate(missing, INEXACT)
    return value
