"""Nested iteration: a value to begin from, of the problem on coarser grids, each solved as far as it is worth.

    v_1 on the coarsest grid,     v_l = a Newton step from T I (v_{l-1} + theta (v_{l-1} - I v_{l-2}))

Of grids other than the coarsest one step is made: what it leaves is less than what the next finer grid will meet
(Hackbusch 1985, section 5.1).
Values of grids of width h are wrong by about C h^p: each grid changes them by theta = 2^-p of what the one before did,
and the next will again (Richardson's extrapolation; Li, Zheng & Pan 2018, doi:10.1186/s13662-018-1631-x); theta is
measured by the last two changes, and taken to be 1/4 where there is but one, or where it seems larger.  Where the value
bends, interpolation is wrong by far more, at few states, and from there Newton's method goes in small steps: the soft
Bellman operator T, of which it is a matter of the next states alone, is applied once before.

Steps are solved by GMRES, of which a few products do for a tenth, however few the states are.  Levels have every second
point of the axes (`grids.coarsening`), so that on d axes all of them together have less than 1/(2^d - 1) of the pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.transitions.base import CoarseTransition
from wpoflow.solver.bellman.ilu import IncompleteLU
from wpoflow.solver.bellman.improvement import improve
from wpoflow.solver.bellman.system import DiscountedSystem
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.series import LEAST_TEMPERATURE

LEAST_STATES = 4000  # of a problem that is solved on coarser grids first
STEPS = 12  # on the coarsest grid, at most
COARSEST = 1e-4  # of the spread of costs: residual there
INEXACT = 1e-1  # of the residual, to what a step is solved by GMRES
MOST_SHARE = 0.25  # of a change, from second order on


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
    start: FloatArray = np.zeros(levels[-1].cost.shape[0])
    coarser: FloatArray | None = None  # the value before, and how much the value before that was changed, on this grid
    change: FloatArray | None = None
    for number in range(len(levels) - 1, -1, -1):
        value = _solved(levels[number], start, coarsest=coarser is None)
        interpolate = mdp.coarser[number][0].interpolation.apply
        new = None if coarser is None else value - coarser
        better = value if new is None else value + _share(new, change) * new
        start, coarser, change = interpolate(better), interpolate(value), None if new is None else interpolate(new)
    return start if np.all(np.isfinite(start)) else None


def _share(new: FloatArray, before: FloatArray | None) -> float:
    """Part of a change by a finer grid that the next will make: as this one of the one before, a quarter at most."""
    size = 0.0 if before is None else float(before @ before)
    return MOST_SHARE if before is None or size == 0.0 else min(MOST_SHARE, max(0.0, float(new @ before) / size))


def _solved(level: Level, value: FloatArray, *, coarsest: bool) -> FloatArray:
    """V of a level from a start: on the coarsest grid solved, on others bettered by T and by one of Newton's steps."""
    q, policy, improved = np.empty_like(level.cost), np.empty_like(level.cost), np.empty_like(value)
    incomplete, wanted = IncompleteLU(), 0.0
    if coarsest:
        wanted = COARSEST * float(np.ptp(level.cost))
    else:
        _improve(level, value, q, policy, improved)
        value = improved.copy()
    for _ in range(STEPS if coarsest else 1):
        _improve(level, value, q, policy, improved)
        missing = improved - value
        current = float(np.abs(missing).max())
        if not np.isfinite(current) or current <= wanted:
            break
        operator = level.transition.under(policy)
        system = DiscountedSystem(operator, level.discount, "krylov", incomplete)
        value = value + system.approximate(missing, INEXACT)
        del operator, system  # their memory is for the next
    return value


def _improve(level: Level, value: FloatArray, q: FloatArray, policy: FloatArray, out: FloatArray) -> None:
    """Fill Q of V, its Gibbs policy, and T V."""
    level.transition.expect(level.discount * value, q)
    improve(level.cost, level.log_mass, level.temperature, q, policy, out)
