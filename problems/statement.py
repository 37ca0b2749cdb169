"""A problem stated in continuous terms, and its grid problem.

    s' = boundary( f(s, a) + sigma(s, a) xi ),    cost c(s, a),    mu ∝ exp(-U(a)) da

A statement holds these as numbers or vectorised functions of the coordinates; the problem file and
Python users alike end here.  Building evaluates them in chunks of states, so that besides the
arrays of the grid problem only a few megabytes are needed.

The terminal cost h enters through the running cost: c(s, a) + gamma E[h(s'); s' in the terminal set],
since terminated pairs contribute nothing to the expectation of V.  The initial law is conditioned
on the outside of the terminal set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray, underflow_to_zero
from wpoflow.core.brief import briefly
from wpoflow.core.communicator import Communicator
from wpoflow.core.rewards import takes_rewards
from wpoflow.core.slabs import Slab, slab_of
from wpoflow.grids.axis import SHOCK, Axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.halving import halved_grid, masses_on
from wpoflow.grids.interpolation import check_halved
from wpoflow.grids.masses import density_masses, policy_masses, potential_masses
from wpoflow.grids.transitions import (
    Transition,
    cell_integrated_transition,
    gauss_hermite_transition,
    interpolated_transition,
    mixture_transition,
    spread_over,
    states_outside,
)
from wpoflow.grids.transitions.coordinates_used import coordinates_used
from wpoflow.problems.gaussian_start import initial_gaussians
from wpoflow.problems.held import Held, composed, held_transition
from wpoflow.problems.hold import check_hold, check_power
from wpoflow.problems.mirrored import MirroredPairs
from wpoflow.problems.mirrored_statement import check_branches, check_decisions, check_gaussians
from wpoflow.problems.outcome import Outcome as Outcome
from wpoflow.problems.pairs import LARGEST_NOISE, LEAST_NOISE, Pairs, evaluate
from wpoflow.problems.pairs import Value as Value
from wpoflow.problems.plan import HERMITE_NODES, Plan, transition_kind
from wpoflow.problems.terminal_set import depended_on, state_set
from wpoflow.solver.mdp import GridMDP, check_boundaries


def _coordinate(number: int, *coordinates: FloatArray) -> FloatArray:
    return coordinates[number]


def _reached(steps: Held, number: int, *coordinates: FloatArray) -> FloatArray:
    return steps(*coordinates)[..., number]


@briefly
@dataclass(frozen=True, eq=False)
class Statement:
    """An entropy-regularised MDP on boxes, with the grids it shall be solved on.

    Parameters
    ----------
    actions : Grid
    discount, temperature : float
        gamma in (0, 1), tau > 0.
    cost : number or function of (states..., actions...)
    states : Grid, optional
        Left out, or None: a bandit.
    dynamics, noise : mapping of state axis to number or function of (states..., actions...)
        As in :class:`Outcome`; none for shock axes, whose next value their table draws, whatever else happens.
    outcomes : sequence of Outcome, optional
        Instead of dynamics and noise.
    terminal_set, terminal_cost : function of (states...), optional
        Where the process ends (true or not 0), and what that costs.
    potential : number or function of (actions...)
        Of the reference measure.
    state_density : number or function of (states...)
        Of the initial law, up to normalisation.
    policy_density : number or function of (states..., actions...)
        Of the first policy with respect to the action volume, up to normalisation.
    policy_mean, policy_covariance : number or function of (states...), or mappings of such, optional
        Instead: of a first policy that is Gaussian in every state, projected onto the cells. Of several action axes by
        the axis' name, and by pairs of names, as ``"u,v"``; covariances of two axes that are left out are zero.
    title : str
        Name of the problem.
    feasible : mapping of str to pairs of numbers or functions of (states..., actions...)
        By action, the two ends between which it is feasible, where an action axis is its share of the way between
        them: what all other functions make of the share. They are refused where the upper is below the lower.
    hold : int
        How many steps, of the discount each, a decision takes by one action (:mod:`problems.held`). Without noise only.
    held : function of (states..., actions...), optional
        The steps of a decision by one function, as `problems.held.composed` makes them.
    reflection : sequence of str
        State and action axes that change sign together and leave the problem as it is: of the first state axis among
        them the grid problem has the half from 0 on (:mod:`grids.reflection`). ``states`` stay those of the whole.
    rewards : bool
        Whether cost and terminal_cost are minus rewards; it changes no number.
    reward, terminal_reward
        Instead of cost and terminal_cost: what is maximised. The costs are minus these, and ``rewards`` is set.

    Raises
    ------
    ValueError
        Dynamics or noise for other names than the state axes, both dynamics and outcomes, both a cost and a reward,
        an axis with a boundary of the other kind, a ``hold`` with what actions cannot be held with, or a reflection of
        axes that are not symmetric about 0.
    """

    actions: Grid
    discount: float
    temperature: float
    cost: Value
    states: Grid = field(default_factory=Grid)
    dynamics: Mapping[str, Value] = field(default_factory=dict)
    noise: Mapping[str, Value] = field(default_factory=dict)
    outcomes: Sequence[Outcome] = ()
    terminal_set: Value | None = None
    terminal_cost: Value | None = None
    potential: Value = 0.0
    state_density: Value = 1.0
    policy_density: Value = 1.0
    title: str = ""
    feasible: Mapping[str, tuple[Value, Value]] = field(default_factory=dict)
    rewards: bool = False
    policy_mean: Value | Mapping[str, Value] | None = None
    policy_covariance: Value | Mapping[str, Value] | None = None
    hold: int = 1
    held: Held | None = None
    reflection: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not self.actions.dim:
            raise ValueError("at least one action axis is needed")
        if self.states is None:
            object.__setattr__(self, "states", Grid())
        check_boundaries(self.states, self.actions)
        if self.outcomes and (self.dynamics or self.noise):
            raise ValueError("give either dynamics and noise, or outcomes, not both")
        if self.terminal_cost is not None and self.terminal_set is None:
            raise ValueError("terminal_cost needs a terminal_set")
        if (self.policy_mean is None) != (self.policy_covariance is None):
            raise ValueError("give both policy_mean and policy_covariance, or neither")
        if self.policy_mean is not None and self.policy_density != 1.0:
            raise ValueError("give either policy_density, or policy_mean and policy_covariance, not both")
        names = [axis.name for axis in self.states.axes if axis.boundary != SHOCK]
        shocks = [axis.name for axis in self.states.axes if axis.boundary == SHOCK]
        check_hold(self.hold, self.noise, bool(self.outcomes), shocks, self.feasible)
        check_power(self.discount, "hold", self.hold)
        for outcome in self._stated:
            unknown = sorted((set(outcome.dynamics) | set(outcome.noise)) - set(names))
            missing = [name for name in names if name not in outcome.dynamics]
            if unknown or missing:
                raise ValueError(
                    f"dynamics must be given for the state axes {', '.join(names) or '(none)'}; "
                    f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}"
                )

        _ = self.grid

    @cached_property
    def grid(self) -> Grid:
        """The states of the grid problem: all, or the half of them where a reflection is stated."""
        return halved_grid(self.states, self.actions, self.reflection) if self.reflection else self.states

    @property
    def _stated(self) -> Sequence[Outcome]:
        return self.outcomes or (Outcome(1.0, self.dynamics, self.noise),)

    @property
    def branches(self) -> Sequence[Outcome]:
        """The outcomes, a single certain one where dynamics are given; shocks have their present value in them."""
        axes = enumerate(self.states.axes)
        present = {axis.name: partial(_coordinate, j) for j, axis in axes if axis.boundary == SHOCK}
        return [replace(outcome, dynamics={**outcome.dynamics, **present}) for outcome in self._stated]

    @property
    def steps(self) -> Held:
        """The steps of a decision."""
        if self.held is not None:
            return self.held
        return composed(
            self.states.axes, self.dynamics, self.cost, self.terminal_set, self.terminal_cost, self.discount, self.hold
        )

    @property
    def decisions(self) -> Sequence[Outcome]:
        """The branches of a decision: those of its one step, or where its steps end."""
        if self.hold == 1:
            return self.branches
        axes = enumerate(self.states.axes)
        return [Outcome(1.0, {axis.name: partial(_reached, self.steps, j) for j, axis in axes})]

    @property
    def decision_discount(self) -> float:
        """Discount factor from decision to decision."""
        return self.discount if self.hold == 1 else float(self.discount**self.hold)

    @property
    def plan(self) -> Plan:
        """Sizes and the kind of transition."""
        kinds = [transition_kind(self.states.dim, any(map(callable, o.noise.values()))) for o in self.branches]
        clamped = any(axis.boundary == "clamp" for axis in self.states.axes)
        noisy = [sum(self.noisy_steps(axis, outcome) for axis in self.states.axes) for outcome in self.branches]
        return Plan(self.grid.shape, self.actions.shape, tuple(kinds), clamped, self._mixed, max(noisy))

    @staticmethod
    def noisy_steps(axis: Axis, outcome: Outcome) -> bool:
        """Whether next states are placed among three nodes of an axis: constant noise (grids/exact_smoothing.py)."""
        sigma = outcome.noise.get(axis.name, 0.0)
        return not callable(sigma) and sigma > 0.0 and axis.size > 1

    @property
    def _mixed(self) -> bool:
        if not callable(self.terminal_set):
            return False
        used = coordinates_used(self.terminal_set, self.states)
        names = [axis.name for axis, touched in zip(self.states.axes, used, strict=True) if touched]
        noises = [[outcome.noise.get(name, 0.0) for name in names] for outcome in self.branches]
        noisy = [sum(callable(sigma) or sigma > 0.0 for sigma in noise) for noise in noises]
        return any(0 < count < len(names) for count in noisy)


Statement.__init__ = takes_rewards(  # type: ignore[method-assign]
    reward="cost", terminal_reward="terminal_cost"
)(Statement.__init__)


@underflow_to_zero
def build(statement: Statement, communicator: Communicator | None = None) -> GridMDP:
    """The grid problem of a statement.

    Parameters
    ----------
    statement : Statement
    communicator : Communicator, optional
        Of the processes that share it: each builds, and holds, the pairs of its slab of states (`core.slabs`).

    Raises
    ------
    ValueError
        A value that is not finite, a negative density or noise, probabilities that do not sum to
        one, an initial law that lies inside the terminal set, a reflection under which something is not the same; the
        message names what and where.  More processes than states.
    """
    states = statement.grid
    slab = slab_of(states.size, communicator)
    pairs = Pairs(states, statement.actions, slab)
    if states.reflection is not None:
        _check_mirrored(statement)
    for name, ends in statement.feasible.items():
        pairs.check_ends(name, ends)
    terminal = None if statement.terminal_set is None else state_set(statement.terminal_set, states)
    transition, cost = _decided(statement, pairs, terminal)
    transition = spread_over(transition, slab)
    outside = states_outside(states, terminal)
    with _named("reference potential"):
        reference_mass = potential_masses(statement.actions, _function(statement.potential))
    gaussians = initial_gaussians(states, statement.actions, statement.policy_mean, statement.policy_covariance, slab)
    return GridMDP(
        states=states,
        actions=statement.actions,
        discount=statement.decision_discount,
        temperature=statement.temperature,
        cost=cost,
        transition=transition,
        reference_mass=reference_mass,
        rho=_initial_law(statement, outside),
        initial_policy=_initial_policy(statement, slab) if gaussians is None else gaussians.policy,
        initial_gaussians=None if gaussians is None else (gaussians.mean, gaussians.covariance),
        counted=outside if terminal is None else depended_on(transition, outside, slab),
        title=statement.title,
        rewards=statement.rewards,
    )


def _check_mirrored(statement: Statement) -> None:
    """Refuse a reflection under which a statement is not the same."""
    mirror = MirroredPairs.chosen(statement.grid, statement.states, statement.actions)
    if statement.hold > 1:
        check_decisions(mirror, statement.steps)
    else:
        check_branches(mirror, statement.branches, bool(statement.outcomes), statement.cost)
    mirror.check_value("terminal_set", statement.terminal_set, of="states")
    mirror.check_value("terminal_cost", statement.terminal_cost, of="states")
    mirror.check_value("reference potential", statement.potential, of="actions")
    mirror.check_value("policy_density", statement.policy_density)
    check_gaussians(mirror, "policy_mean", statement.policy_mean, 1)
    check_gaussians(mirror, "policy_covariance", statement.policy_covariance, 2)


def _decided(
    statement: Statement, pairs: Pairs, terminal: Callable[..., BoolArray] | None
) -> tuple[Transition, FloatArray]:
    """Transition and cost of the decisions, what ending costs included."""
    if statement.hold > 1:
        return held_transition(statement.steps, pairs, terminal)
    transition = _transition(statement, pairs, terminal)
    cost = pairs.table(statement.cost, "cost")
    if statement.terminal_cost is not None:
        with _named("terminal_cost"), np.errstate(over="ignore", invalid="ignore"):  # `GridMDP` refuses what comes out
            cost += statement.discount * transition.terminal_expectation(_function(statement.terminal_cost))
    return transition, cost


def _transition(statement: Statement, pairs: Pairs, terminal: Callable[..., BoolArray] | None) -> Transition:
    outcomes = statement.branches
    parts: list[tuple[FloatArray, Transition]] = []
    if statement.outcomes:
        pairs.check_probabilities([outcome.probability for outcome in outcomes])
    for number, outcome in enumerate(outcomes):
        prefix = f"outcome.{number}." if statement.outcomes else ""
        with _named(prefix.rstrip(".")):
            transition = _outcome_transition(outcome, pairs, terminal)
        if len(outcomes) == 1 and not statement.outcomes:
            return transition
        parts.append((pairs.table(outcome.probability, f"{prefix}probability"), transition))
    return mixture_transition(parts, pairs.slab)


def _outcome_transition(outcome: Outcome, pairs: Pairs, terminal: Callable[..., BoolArray] | None) -> Transition:
    states, names = pairs.states, [axis.name for axis in pairs.states.axes]
    noise = [outcome.noise.get(name, 0.0) for name in names]

    def next_points(start: int, stop: int) -> tuple[FloatArray, ...]:
        return tuple(pairs.evaluate(outcome.dynamics[name], f"dynamics.{name}", start, stop) for name in names)

    def sigma(start: int, stop: int) -> tuple[FloatArray, ...]:
        return tuple(
            pairs.deviations(value, f"noise.{name}", start, stop) for name, value in zip(names, noise, strict=True)
        )

    kind = transition_kind(states.dim, any(map(callable, noise)))
    if kind == "cell-integrated":
        check_halved(states, names)
        (mean,), (deviation,) = next_points(0, states.size), sigma(0, states.size)
        whole = cell_integrated_transition(states.axes[0], mean, deviation, terminal)
        return whole if pairs.slab.rows == states.size else whole.of_slab(pairs.slab)
    if kind == "gauss-hermite":
        return gauss_hermite_transition(
            states, next_points, sigma, nodes=HERMITE_NODES, terminal=terminal, slab=pairs.slab
        )
    deviations = np.array([_constant_deviation(name, value) for name, value in zip(names, noise, strict=True)])
    actions = pairs.actions.size
    return interpolated_transition(states, next_points, deviations, terminal, n_actions=actions, slab=pairs.slab)


def _constant_deviation(name: str, value: Any) -> float:
    if not (value == 0.0 or LEAST_NOISE <= value <= LARGEST_NOISE):
        valid = f"0 or lies between {LEAST_NOISE:g} and {LARGEST_NOISE:g}"
        raise ValueError(f"noise.{name} is {value}; a standard deviation is {valid}, finite and not negative")
    return float(value)


def _initial_law(statement: Statement, outside: BoolArray) -> FloatArray:
    if not statement.states.dim:
        return np.ones(1)
    with _named("state_density"):
        rho = masses_on(statement.grid, lambda whole: density_masses(whole, _function(statement.state_density)))
        if np.all(outside):
            return rho
        rho = np.where(outside, rho, 0.0)
        if not rho.sum() > 0.0:
            raise ValueError("the whole initial law lies inside the terminal set")
        return np.asarray(rho / rho.sum())


def _initial_policy(statement: Statement, slab: Slab) -> FloatArray:
    states, actions, density = statement.grid, statement.actions, statement.policy_density
    with _named("policy_density"):
        if callable(density):
            return policy_masses(states, actions, _function(density), slab=slab)
        row = density_masses(actions, _function(density))
        return np.tile(row, (slab.rows, 1))


def _function(value: Value) -> Callable[..., FloatArray]:
    return lambda *coordinates: evaluate(value, np.shape(coordinates[0]), coordinates, "the function")


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Put the name of what is being evaluated before an error's message."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{what}: {error}" if what else str(error)) from error
