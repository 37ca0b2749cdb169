"""A value refined where plans end: a finer grid on a part of the states, outside of which the coarse value goes on.

On a box B of the states, with a grid of its own, actions and held steps of its own, the soft optimum is solved for of

    Q(s, a) = C(s, a) + Γ V_B(s')  where s' lies in B,      C(s, a) + Γ V(s')  elsewhere,

so that what leaves B ends there, and is paid by the coarse value V.  Plans then end in V_B inside and V outside.  An
equilibrium that is unstable needs cells that its basin under the bounded action spans many of; on the whole grid
these are too many.  V_B is as good as V is at the rim: a value that ranks states well there is enough.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray, underflow_to_zero
from wpoflow.grids.grid import Grid
from wpoflow.grids.interpolation import state_chunks
from wpoflow.grids.masses import potential_masses
from wpoflow.grids.transitions import interpolated_transition
from wpoflow.problems.environments.models import Step
from wpoflow.problems.environments.plan_models import model_of
from wpoflow.problems.environments.planning import GridValue, Plan, Table
from wpoflow.problems.environments.policy import GridPolicy
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.hold import check_steps
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.mdp import GridMDP


@dataclass(frozen=True, eq=False)
class RefinedValue:
    """A value on a finer grid, and that of the whole grid outside of its box.

    Attributes
    ----------
    inside : GridValue
    outside : GridValue
        Its periodic axes are turned so that states lie about the middle of the box.
    """

    inside: GridValue
    outside: GridValue

    def __call__(self, states: FloatArray) -> FloatArray:
        """Values (n,) at states (n, dim)."""
        turned, within = self.placed(states)
        found = np.empty(len(states))
        found[within] = self.inside(turned[within])
        found[~within] = self.outside(states[~within])
        return found

    def placed(self, states: FloatArray) -> tuple[FloatArray, BoolArray]:
        """The states turned towards the box, and which of them lie in it."""
        turned, within = states.copy(), np.ones(len(states), dtype=np.bool_)
        for j, (axis, whole) in enumerate(zip(self.inside.states.axes, self.outside.states.axes, strict=True)):
            if whole.periodic:
                first = 0.5 * (axis.lower + axis.upper) - 0.5 * whole.length
                turned[:, j] = first + np.mod(states[:, j] - first, whole.length)
            within &= (turned[:, j] >= axis.lower) & (turned[:, j] <= axis.upper)
        return turned, within


@underflow_to_zero
def refined_ending(
    policy: GridPolicy,
    states: Grid,
    *,
    environment: Any = None,
    actions: Grid | None = None,
    hold: int | None = None,
    residual: float | None = 1e-3,
) -> GridPolicy:
    """The same policy, whose plans end in a value that is refined on a part of the states.

    Parameters
    ----------
    policy : GridPolicy
        One that knows its problem: of a file, or of `GridPolicy.from_problem`.
    states : Grid
        Clamped axes, of the names of the policy's own and within them; a periodic axis may be met anywhere, and a
        halved one from 0 on.
    environment : str, gymnasium.Env or callable, optional
        Where the problem does not state its steps.
    actions : Grid, optional
        Of the finer problem; by default the policy's.
    hold : int, optional
        Steps of a decision of the finer problem; by default those of the policy's.
    residual : float, optional
        To which the finer problem is solved, as in `solve_optimum`.

    Raises
    ------
    ProblemError
        As for a plan; or axes that are not clamped, of other names, or beyond the policy's own, actions among them.
    """
    given = policy if environment is None else policy.for_environment(environment)
    prospect = given.known_prospect
    _check(states, given.states)
    if hold is not None:
        check_steps("hold", hold)
    model = model_of(Plan(), prospect, given.states, given.actions, given.spare)
    if isinstance(model, Table):
        raise ProblemError("refined ending: the problem is a table of finitely many states, which has nothing finer")
    held, actions = hold or model.repeat, actions or given.actions
    _check_actions(actions, given)
    blank = GridValue(states, np.zeros(states.size))
    rim = RefinedValue(blank, GridValue(given.states, prospect.value))
    same = actions is given.actions
    mass = np.exp(prospect.log_mass) if same else potential_masses(actions, lambda *a: np.zeros_like(a[0]))
    mdp = _problem(model.decide(held), rim, actions, model.discount**held, prospect.temperature, mass)
    best = solve_optimum(mdp, residual=residual) if prospect.temperature else solve_optimum(mdp, temperature=0.0)
    ending = replace(rim, inside=GridValue(states, best.value))
    return replace(policy, prospect=replace(prospect, ending=ending))


def _problem(
    decide: Step, rim: RefinedValue, actions: Grid, discount: float, temperature: float, mass: FloatArray
) -> GridMDP:
    """The grid problem inside the box."""
    states = rim.inside.states
    shape = (states.size, actions.size)
    cost, ended, reached = np.empty(shape), np.empty(shape, dtype=np.bool_), np.empty((*shape, states.dim))
    for start, stop in state_chunks(*shape):
        rows = stop - start
        found = decide(np.repeat(states.points[start:stop], actions.size, axis=0), np.tile(actions.points, (rows, 1)))
        turned, within = rim.placed(found.state)
        left = ~within & ~found.terminated
        paid = -found.reward
        paid[left] += discount * rim.outside(found.state[left])
        cost[start:stop], ended[start:stop] = paid.reshape(rows, -1), (~within | found.terminated).reshape(rows, -1)
        reached[start:stop] = turned.reshape(rows, -1, states.dim)
    return GridMDP(
        states=states,
        actions=actions,
        discount=discount,
        temperature=temperature or 1.0,
        cost=cost,
        transition=interpolated_transition(states, reached, ended=ended, n_actions=actions.size),
        reference_mass=mass,
        rho=np.full(states.size, 1.0 / states.size),
        initial_policy=np.tile(mass, (states.size, 1)),
        title="refined ending",
    )


def _check_actions(actions: Grid, policy: GridPolicy) -> None:
    names, wanted = ([axis.name for axis in grid.axes] for grid in (actions, policy.actions))
    if names != wanted:
        raise ProblemError(
            f"refined ending: its actions have the axes {', '.join(names)}; those of the policy are {', '.join(wanted)}"
        )
    for axis, own in zip(actions.axes, policy.actions.axes, strict=True):
        if bool(axis.labels) != bool(own.labels) or axis.lower < own.lower or axis.upper > own.upper:
            raise ProblemError(
                f"refined ending: action axis {axis.name} must be within the policy's, {own.lower:g} to {own.upper:g}, "
                "and of its kind"
            )


def _check(states: Grid, whole: Grid) -> None:
    names, wanted = ([axis.name for axis in grid.axes] for grid in (states, whole))
    if names != wanted:
        raise ProblemError(f"refined ending: its axes are {', '.join(names)}; those of the policy {', '.join(wanted)}")
    for axis, own in zip(states.axes, whole.axes, strict=True):
        if axis.boundary != "clamp":
            raise ProblemError(f"refined ending: axis {axis.name} is {axis.boundary}; it must be clamp")
        beyond = axis.length > own.length if own.periodic else axis.lower < own.lower or axis.upper > own.upper
        if beyond:
            raise ProblemError(
                f"refined ending: axis {axis.name} from {axis.lower:g} to {axis.upper:g} goes beyond the policy's, "
                f"{own.lower:g} to {own.upper:g}"
            )
