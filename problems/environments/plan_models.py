"""Whose steps a plan is made of: those a problem states, those of its rows, or those of an environment.

The steps a problem file states come first: they are what its value is of, and compiled.  Those of an environment are
its vectorised model where there is one, and calls of it elsewhere, which must be of another copy than the one played.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import SHOCK
from wpoflow.grids.grid import Grid
from wpoflow.grids.interpolation import boundary_map
from wpoflow.problems.environments.calls import CalledEnvironment
from wpoflow.problems.environments.control import ControlEnvironment
from wpoflow.problems.environments.control_models import control_step
from wpoflow.problems.environments.discrete import action_maker, is_discrete
from wpoflow.problems.environments.gym import name_of
from wpoflow.problems.environments.models import Step, Steps, known_model
from wpoflow.problems.environments.planning import Model, Plan, Prospect, Table, stepped_model
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.load import read_statement
from wpoflow.problems.problem_file import ProblemFile, parse_problem
from wpoflow.problems.statement import Statement
from wpoflow.problems.terminal_set import state_set


def model_of(
    plan: Plan, prospect: Prospect, states: Grid, actions: Grid, spare: Callable[[], Any] | None
) -> Model | Table:
    """The model that a plan is to be made with.

    Parameters
    ----------
    spare : callable, optional
        Makes a copy of the environment that is played; none where no environment is known.

    Raises
    ------
    ProblemError
        There is none: a problem whose steps are random or not known, without an environment or with one whose steps
        are random, have a memory, or cannot be begun from a given state.
    """
    if plan.repeat is not None:
        known = parse_problem(prospect.problem).tables.problem.hold if prospect.problem else prospect.repeat
        if known not in (None, plan.repeat):
            raise ProblemError(f"plan: repeat = {plan.repeat}, but a decision of the problem takes {known} steps")
        prospect = replace(prospect, repeat=plan.repeat)
    if plan.model != "environment":
        if prospect.step is not None:
            return stepped_model(prospect.step, prospect, states, actions, "the steps given")
        if prospect.problem and prospect.table is None:
            return _stated(prospect.problem)
        if prospect.table is not None:
            return prospect.table
        if plan.model == "problem":
            raise ProblemError("plan: model 'problem', but it was stated in Python and its steps are not known")
    if spare is None:
        asked = "model 'environment', but no environment is known" if plan.model else "no steps are known"
        raise ProblemError(f"plan: {asked}; give the policy to an environment, or steps to GridPolicy.from_problem")
    step, words = environment_steps(spare(), states)
    if prospect.problem and prospect.repeat is None:
        prospect = replace(prospect, repeat=parse_problem(prospect.problem).tables.problem.hold)
    return stepped_model(step, prospect, states, actions, words)


def environment_steps(env: Any, states: Grid) -> tuple[Step, str]:
    """Single steps of an environment from given states, and what they are in words."""
    name = name_of(env)
    if isinstance(env, ControlEnvironment):
        env.check_model()
    known = known_model(env)
    if known is not None:
        return known.step, f"the model of {name}"
    called = CalledEnvironment(env, action_maker(env) if is_discrete(env.action_space) else None)
    if called.dim != states.dim:
        raise ProblemError(f"environment {name}: its state has {called.dim} numbers, the grid of states {states.dim}")
    vectorised = control_step(env.unwrapped)
    return (called.step, f"calls of {name}") if vectorised is None else (vectorised, f"the model of {name}")


def has_chance(statement: Statement) -> str:
    """What is random in the steps of a statement; empty if nothing is."""
    if statement.outcomes:
        return "outcomes"
    shocks = [f"shock.{axis.name}" for axis in statement.states.axes if axis.boundary == SHOCK]
    noises = [f"noise.{name}" for name, value in statement.noise.items() if callable(value) or value != 0.0]
    return (*shocks, *noises, "")[0]


def _stated(text: str) -> Model:
    """The model of a problem file."""
    problem = parse_problem(text)
    statement = read_statement(problem)
    if chance := has_chance(statement):
        raise ProblemError(
            f"plan: the problem has {chance}, and a plan is made of steps without chance; choose model 'environment', "
            "if the steps of the environment are such"
        )

    def decide(hold: int) -> Step:
        try:
            held = statement if hold == statement.hold else read_statement(_held_for(problem, hold))
        except ValueError as error:
            raise ProblemError(f"plan: {error}") from error
        return _Decisions(held)

    return Model(decide, statement.discount, statement.hold, "the dynamics the problem states")


def _held_for(problem: ProblemFile, hold: int) -> ProblemFile:
    """The same problem with decisions of so many steps."""
    tables = problem.tables
    return replace(
        problem, tables=tables.model_copy(update={"problem": tables.problem.model_copy(update={"hold": hold})})
    )


class _Decisions:
    """Decisions of a statement, as steps."""

    def __init__(self, statement: Statement) -> None:
        self._axes, self._held = statement.states.axes, statement.steps
        terminal = statement.terminal_set
        self._terminal = None if terminal is None else state_set(terminal, statement.states)

    def __call__(self, states: FloatArray, actions: FloatArray) -> Steps:
        dim = len(self._axes)
        found = self._held(*states.T, *actions.T)
        state = np.empty((len(found), dim))
        for j, axis in enumerate(self._axes):
            state[:, j] = boundary_map(axis, found[:, j])
        ended = np.zeros(len(found), dtype=np.bool_) if self._terminal is None else self._terminal(*state.T)
        return Steps(state, -found[:, dim], ended)
