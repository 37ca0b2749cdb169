"""What a time scheme is: a state, which is a value, and trials of steps from it.

    State     where an integration is: arrays and numbers, nothing else
    Trial     a step that was tried: the state it would lead to, its error, and where to try again from
    Scheme    init(policy) -> State;   trial(state, dt) -> Trial;   no loop, no clock, no try

`solver.schemes.integrator` accepts or rejects the trials of every scheme.  (The interfaces follow those of diffrax,
Kidger 2021, arXiv:2202.02435, where a solver's state is likewise passed in and out.)

Arrays of states are borrowed from the scheme that made them and hold until the second trial after: nothing is copied.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar, cast

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.brief import briefly
from wpoflow.grids.grid import Grid
from wpoflow.solver.bellman.evaluation import Evaluation
from wpoflow.solver.flows.flow import Flow
from wpoflow.solver.flows.parametric.parametric import ParametricFlow
from wpoflow.solver.flows.tempered import Tempered
from wpoflow.solver.flux.limiter import limit_fluxes
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.likeness import check_like, entries
from wpoflow.solver.schemes.error_control import ErrorControl
from wpoflow.solver.schemes.substeps import Substeps

LANDING = 1e-9
FIRST_STEP = 0.01  # of the time in which diffusion crosses the narrowest cell

Arrays = dict[str, Any]
"""Arrays and numbers by name, as they stand in a checkpoint."""
S = TypeVar("S", bound="State")


class State(Protocol):
    """Where an integration is: a named tuple of arrays, numbers, and tuples of either; schemes add fields.

    Attributes
    ----------
    policy : array (S, A)
    evaluation : Evaluation or None
        V of the policy, as exact as the scheme needs it; None where it needs none, and before a trial is accepted.
    size : float
        Length of the next step to try, in flow time.
    time : float
        Flow time, which only schemes that say they are ``annealed`` need keep.
    """

    @property
    def policy(self) -> FloatArray:
        """See above."""

    @property
    def evaluation(self) -> Evaluation | None:
        """See above."""

    @property
    def size(self) -> float:
        """See above."""

    @property
    def time(self) -> float:
        """See above."""

    @property
    def _fields(self) -> tuple[str, ...]: ...

    @property
    def _replace(self) -> Any: ...


@briefly
class PlainState(NamedTuple):
    """The state of a scheme that needs no more; ``time`` is that of the policy, where the temperature changes."""

    policy: FloatArray
    evaluation: Evaluation | None
    size: float
    time: float = 0.0


@briefly
class LogState(NamedTuple):
    """The state of a scheme that needs no more, of a logarithmic flow: ``log_policy`` is ln p, (S, A)."""

    policy: FloatArray
    evaluation: Evaluation | None
    size: float
    log_policy: FloatArray
    time: float = 0.0


@briefly
class ParametricState(NamedTuple):
    """The state of every scheme for a flow of ``parameters``, (S, P); ``number`` counts the steps taken."""

    policy: FloatArray
    evaluation: Evaluation | None
    size: float
    parameters: FloatArray
    number: int = 0
    time: float = 0.0


def values(state: State) -> Evaluation:
    """The evaluation of a state that has one."""
    evaluation = state.evaluation
    assert evaluation is not None
    return evaluation


def state_arrays(state: State) -> Arrays:
    """All of a state as arrays and numbers by name; arrays are not copied."""
    found: Arrays = {}
    for name in state._fields:
        value = getattr(state, name)
        if isinstance(value, Evaluation):
            found |= {"value": value.value, "residual": float(value.residual), "exact": int(value.exact)}
        elif isinstance(value, tuple):
            found |= {f"{name}.{j}": entry for j, entry in enumerate(value)}
        elif value is not None:
            found[name] = value
    return found


def state_like(template: S, arrays: Mapping[str, Any], tuples: Mapping[str, str], substeps: Substeps) -> S:
    """The state that `state_arrays` was taken of, where the template is of the same kind; errors as `check_like`.

    ``tuples`` names the fields that are tuples of any length, and what each of their entries is like.
    """
    earlier = {"time": 0.0} if "time" in template._fields else {}  # which earlier versions did not keep
    arrays = {**earlier, **arrays}
    check_like(arrays, state_arrays(template), tuples)
    content: dict[str, Any] = {name: entries(arrays, name) for name in tuples}
    content |= {name: arrays[name] for name in template._fields if name not in tuples and name != "evaluation"}
    if template.evaluation is not None:
        state, exact = template._replace(**content), bool(arrays["exact"])
        mdp = substeps.tempered.mdp(state.time)
        found = substeps.evaluation_of(arrays["policy"], arrays["value"], arrays["residual"], exact, mdp)
        content["evaluation"] = found
    return cast(S, template._replace(**content))


class Trial(NamedTuple):
    """A step that was tried.

    Attributes
    ----------
    state : State
        What it leads to; its evaluation is still to be made.  The policy is in an array of the scheme which neither
        ``retry`` nor the state it began at holds, of a rejected trial, too: the step taken in its place goes there.
    retry : State
        Where to try again from if it is rejected: the state it began at, with a shorter step or another order.
    error : float
        Its error over what is allowed; at most one where it may be accepted.
    drift : array (S,), optional
        Errors of the states' masses that were taken off, to be held against rounding.
    negative : int or None
        Number of negative entries of the policy, to be removed by the limiter; None where they were not counted.
    guess : array (S,), optional
        V near that of the policy, a warm start; that of the state it began at by default.
    tolerance : float
        Bellman residual that suffices for the judgement of the step; zero asks for rounding.
    """

    state: State
    retry: State
    error: float = 0.0
    drift: FloatArray | None = None
    negative: int | None = 0
    guess: FloatArray | None = None
    tolerance: float = 0.0


@dataclass(frozen=True, eq=False)
class Problem:
    """What a scheme integrates, and what it does so with.

    Attributes
    ----------
    mdp : GridMDP
    flow : Flow
        At the temperature of the start.
    substeps : Substeps
        The flow's steps composed, and values of policies.
    control : ErrorControl or None
        None where steps are of fixed size.
    step : float or None
        The fixed size.
    """

    mdp: GridMDP
    flow: Flow
    substeps: Substeps
    control: ErrorControl | None
    step: float | None

    @property
    def first_step(self) -> float:
        """The fixed size, or a size far below the time in which diffusion crosses the narrowest cell."""
        if self.step is not None:
            return self.step
        narrowest = min(float(axis.widths.min()) for axis in self.mdp.actions.axes)
        return FIRST_STEP * narrowest**2 / self.mdp.temperature

    @property
    def tempered(self) -> Tempered:
        """Problem and flow at the temperature of any time."""
        return self.substeps.tempered

    @cached_property
    def _axes(self) -> tuple[IntArray, IntArray, IntArray]:
        """Sizes, strides and circles of the axes along which cells have neighbours; labels have none."""
        actions = self.mdp.actions
        ordered = [k for k, axis in enumerate(actions.axes) if not axis.labels]
        periodic = [axis.periodic for axis in actions.axes]
        sizes, strides, circles = (
            np.array([numbers[k] for k in ordered], dtype=np.int64)
            for numbers in (actions.shape, actions.strides, periodic)
        )
        return sizes, strides, circles

    def limit(self, policy: FloatArray) -> int:
        """Remove negative entries by limiting the fluxes beside them, in place; how many entries were touched."""
        limited = np.zeros(policy.shape[0], dtype=np.int64)
        limit_fluxes(policy, *self._axes, limited)
        return self.mdp.slab.total(int(limited.sum()))


class Scheme:
    """A time scheme for one problem; subclasses give ``name``, ``order``, `init` and `trial`.

    Attributes
    ----------
    name : str
        By which it is chosen and recorded.
    order : int
        Order in the step size; 0 for a scheme without one.
    automatic : bool
        Whether the automatic choice may fall on it.
    monotone : bool
        Whether its steps lower V by a theorem, so that descent need not be checked.
    valued : bool
        Whether it needs V of the policies its steps end with.
    borrowed : tuple of str
        Fields of its states that hold what a step makes, in arrays of the scheme.
    tuples : mapping
        Fields of its states that are tuples of any length, and what each of their entries is like.
    annealed : bool
        Whether its steps follow a temperature that falls; then its states keep the time.
    dense : bool
        Whether `interpolate` gives the policy within a step, so that steps are not cut to land on times.
    pair_arrays : tuple of float
        Arrays of state-action pairs alive at once in a run, with a fixed step and under error control.
    line_numbers : int
        Numbers that a thread has at hand for each cell of an action axis, while it goes along lines of cells.
    log_arrays : tuple of float
        The same of those it keeps besides for logarithmic flows.
    work : tuple of float
        Bellman evaluations, and all else in units of a descent step, in a typical step with rejected ones and rows.
    call_seconds : float
        Least duration of a step on small grids, from calls.
    """

    name: ClassVar[str]
    order: ClassVar[int] = 1
    automatic: ClassVar[bool] = False
    monotone: ClassVar[bool] = False
    valued: ClassVar[bool] = True
    borrowed: tuple[str, ...] = ("policy",)
    tuples: ClassVar[Mapping[str, str]] = {}
    annealed: ClassVar[bool] = False
    dense: bool = False
    pair_arrays: ClassVar[tuple[float, float]] = (20, 20)
    line_numbers: ClassVar[int] = 192
    log_arrays: ClassVar[tuple[float, float]] = (0, 0)
    work: ClassVar[tuple[float, float]] = (15, 20)
    call_seconds: ClassVar[float] = 1e-3

    def __init__(self, problem: Problem) -> None:
        self.problem = problem

    @staticmethod
    def obstacle(actions: Grid, flow: type[Flow]) -> str:
        """Why the scheme cannot be used, in words that follow its name; empty where it can."""
        return ""

    @staticmethod
    def obstacle_of_problem(mdp: GridMDP, accuracy: float | None) -> str:
        """The same of what is known once the problem is built."""
        return ""

    def init(self, policy: FloatArray, evaluation: Evaluation | None) -> State:
        """The state to begin with at a policy (S, A) and its values, of a flow that is not of parameters."""
        raise NotImplementedError

    def adopted(self, state: State) -> State:
        """A state that was read from a file, in arrays of the scheme where it is to go on from those."""
        return state

    def begin(
        self, policy: FloatArray, kept: Mapping[str, FloatArray] | None = None
    ) -> tuple[FloatArray, FloatArray | None]:
        """The first policy where this one is asked for, and the parameters it is made of, of a flow that has some.

        These are, where another run kept them (`ParametricFlow.taken_up`), its own.
        """
        flow = self.problem.flow
        if not isinstance(flow, ParametricFlow):
            return policy, None
        taken = flow.taken_up(kept) if kept else None
        parameters = flow.begin(policy) if taken is None else taken
        return flow.projected(parameters), parameters

    def like(self, policy: FloatArray) -> tuple[FloatArray, FloatArray | None]:
        """Arrays of the shapes of those that `begin` gives."""
        flow = self.problem.flow
        if not isinstance(flow, ParametricFlow):
            return policy, None
        return policy, np.zeros((len(policy), flow.kept_numbers(flow.mdp.actions, **flow.parameters)))

    def first(self, policy: FloatArray, parameters: FloatArray | None, evaluation: Evaluation | None) -> State:
        """The state to begin with at what `begin` gave and its values."""
        if parameters is None:
            return self.init(policy, evaluation)
        return ParametricState(policy, evaluation, self.problem.first_step, parameters)

    def trial(self, state: State, dt: float) -> Trial:
        """Try a step of length dt.  Must leave all arrays of ``state`` as they are.

        Raises
        ------
        BellmanError, NotFiniteError
            The step cannot be made; a shorter one may.
        """
        raise NotImplementedError

    def finish(self, trial: Trial, dt: float, evaluation: Evaluation | None) -> Trial:
        """A trial of length dt once its policy is evaluated; may find its error too large after all."""
        return trial._replace(state=trial.state._replace(evaluation=evaluation))

    def fit(self, state: State, remaining: float) -> float:
        """Length of the step to try: the longest of at most state.size that lands in a whole number of equal steps."""
        if not math.isfinite(remaining):
            return state.size
        return remaining / max(1, math.ceil(remaining / state.size * (1.0 - LANDING)))

    def restart(self, state: State) -> State:
        """The state without its past, where that is no guide any more."""
        return state

    def descend(self, trial: Trial, flow: Flow, q: FloatArray, dt: float) -> FloatArray:
        """The flow's own step of length dt from where a trial began, with its Q, into the arrays of the trial."""
        before, after = trial.retry, trial.state
        if isinstance(flow, ParametricFlow):
            assert isinstance(before, ParametricState)
            assert isinstance(after, ParametricState)
            return flow.advance(before.parameters, q, dt, after.parameters, after.policy, before.number)
        return flow.step(trial.retry.policy, q, dt, trial.state.policy)

    def replaced(self, trial: Trial, dt: float, policy: FloatArray, evaluation: Evaluation | None) -> State:
        """The state after a descent step of length dt that was taken in place of a trial's."""
        now: Arrays = {"time": trial.retry.time + dt} if "time" in trial.state._fields else {}
        if isinstance(trial.retry, ParametricState):
            now["number"] = trial.retry.number + 1
        state: State = trial.state._replace(policy=policy, evaluation=evaluation, **now)
        return state

    def interpolate(self, state: State, since: float) -> FloatArray:
        """The policy (S, A) a time ``since`` after the start of the step that led to a state: dense output."""
        raise NotImplementedError


class Ring:
    """Arrays (S, A) that states borrow: one that a state does not hold is free.

    Parameters
    ----------
    shape : tuple of int
    count : int
        How many; one more than a state holds at most.
    """

    def __init__(self, shape: tuple[int, ...], count: int) -> None:
        self._arrays = [np.empty(shape) for _ in range(count)]

    def free(self, *held: FloatArray) -> FloatArray:
        """An array that is none of those held."""
        return next(array for array in self._arrays if not any(array is other for other in held))
