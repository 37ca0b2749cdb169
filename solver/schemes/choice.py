"""The scheme for a problem: the one that is asked for, or the best that applies."""

from __future__ import annotations

import math
from typing import Protocol

from wpoflow.core.arrays import FloatArray
from wpoflow.core.registry import choices, load
from wpoflow.core.text import did_you_mean
from wpoflow.grids.grid import Grid
from wpoflow.solver.arithmetic.annealing import Annealing
from wpoflow.solver.flows.flow import AnyFlow, Flow, OwnFlow, check_suitable, flow_class, name_of
from wpoflow.solver.flows.tempered import Tempered
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.registry import AUTOMATIC, DESCENT, FLOWS, SCHEMES, annealed_flows, default_accuracy, scheme_names
from wpoflow.solver.schemes.error_control import ErrorControl
from wpoflow.solver.schemes.scheme import Problem, Scheme
from wpoflow.solver.schemes.substeps import Substeps


class HasActions(Protocol):
    """A problem, or its statement before it is built."""

    @property
    def actions(self) -> Grid:
        """The action grid."""
        ...


def scheme_class(name: str) -> type[Scheme]:
    """The class of a scheme by name."""
    found: type[Scheme] = load(SCHEMES[name].place)
    return found


def chosen_scheme(
    problem: HasActions,
    scheme: str,
    step: float | None,
    flow: AnyFlow,
    accuracy: float | None = None,
    annealed: bool = False,
) -> str:
    """Name of the scheme that is used where this one is asked for; ``annealed`` where the temperature falls.

    Raises
    ------
    ValueError
        An unknown scheme or flow, or a scheme that does not apply to this problem; says why.
    UnsuitableFlowError
        A flow that does not apply to this problem, likewise.
    """
    if scheme not in scheme_names():
        near = did_you_mean(scheme, scheme_names())
        raise ValueError(f"scheme {scheme!r}; choose one of {', '.join(scheme_names())}{near}")
    kind = flow_class(flow) if isinstance(flow, str) else type(flow) if isinstance(flow, Flow) else OwnFlow
    check_suitable(kind, name_of(flow), problem.actions)
    if annealed and not kind.annealed:
        raise ValueError(
            f"anneal: flow {name_of(flow)!r} has a constant temperature; choose {choices(annealed_flows())}"
        )
    if kind.own_step:
        return _of_own_step(kind.name, scheme, step, accuracy)

    def obstacle(name: str) -> str:
        if step is not None and not SCHEMES[name].fixed_steps:
            return "chooses its own steps"
        if annealed and not scheme_class(name).annealed:
            return "is for a constant temperature"
        words = scheme_class(name).obstacle(problem.actions, kind)
        if not words and isinstance(problem, GridMDP):
            words = scheme_class(name).obstacle_of_problem(problem, accuracy)
        return words

    if scheme == AUTOMATIC:
        return next(name for name in SCHEMES if scheme_class(name).automatic and not obstacle(name))
    if words := obstacle(scheme):
        others = [name for name in SCHEMES if name != scheme and not obstacle(name)]
        raise ValueError(f"scheme {scheme!r} {words}; choose {choices(others)}")
    return scheme


def _of_own_step(flow: str, scheme: str, step: float | None, accuracy: float | None) -> str:
    """The scheme that takes one step of the flow after another; ValueError if anything else is asked for."""
    if scheme not in (AUTOMATIC, DESCENT):
        raise ValueError(f"scheme {scheme!r}: the step belongs to {flow}, which has no scheme; give step alone")
    if step is None or accuracy is not None:
        raise ValueError(f"step: belongs to {flow} and must be given, without scheme and accuracy")
    only = FLOWS[flow].step if flow in FLOWS else None
    if only is not None and step != only:
        raise ValueError(f"step: is {only:g} for {flow}, whose flow time counts its steps")
    return DESCENT


def check_control(step: float | None, accuracy: float | None) -> None:
    """Raise ValueError if both a step and an accuracy are given, or one that is not positive and finite."""
    if step is not None and accuracy is not None:
        raise ValueError("give either a step or an accuracy, not both")
    for name, number in (("step", step), ("accuracy", accuracy)):
        if number is not None and not (math.isfinite(number) and number > 0.0):
            raise ValueError(f"{name} = {number} must be positive and finite")


def make_scheme(
    mdp: GridMDP,
    scheme: str,
    step: float | None,
    accuracy: float | None,
    flow: Flow,
    linear_solver: str,
    weights: FloatArray | None = None,
    anneal: Annealing | None = None,
) -> Scheme:
    """A time scheme by name, of fixed step or controlled by an accuracy (`default_accuracy` if neither).

    Raises
    ------
    ValueError
        As `check_control` and `chosen_scheme`.
    """
    check_control(step, accuracy)
    scheme = chosen_scheme(mdp, scheme, step, flow, accuracy, anneal is not None)
    control = None
    if step is None:
        control = ErrorControl(mdp, default_accuracy(scheme) if accuracy is None else accuracy, weights)
    problem = Problem(mdp, flow, Substeps(mdp, Tempered(mdp, flow, anneal), linear_solver), control, step)
    return scheme_class(scheme)(problem)
