"""The flow as an iterator: one accepted time step after another, each with its value functions.

``for state in flow(mdp, step=0.05): ...`` goes on for ever; leave the loop when you have seen enough.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import numpy as np

from wpoflow.core.arguments import real_number
from wpoflow.core.arrays import FloatArray, real_array
from wpoflow.core.brief import briefly
from wpoflow.core.renamed import renamed
from wpoflow.solver.arithmetic.annealing import Annealing
from wpoflow.solver.bellman.evaluation import Evaluation, evaluate
from wpoflow.solver.bellman.linear_solver import linear_solver_of
from wpoflow.solver.flows.flow import AnyFlow, as_flow
from wpoflow.solver.mdp import GridMDP, check_problem
from wpoflow.solver.records.likeness import check_like
from wpoflow.solver.records.schedule import merge
from wpoflow.solver.registry import AUTOMATIC
from wpoflow.solver.schemes.choice import make_scheme
from wpoflow.solver.schemes.integrator import Integrator, Step, descends
from wpoflow.solver.schemes.scheme import Arrays, ParametricState, State, state_arrays, state_like, values

SAME_TIME = 1e-12  # of a step, below which two times are one
NUMBERS = ("time", "step_size", "mass_drift", "error_floor")
COUNTERS = ("steps", "rejected_steps", "fallback_steps", "limited_cells", "bellman_evaluations")
OF_SCHEME = "scheme."  # names of a scheme's state among the arrays of a flow's


@briefly
@dataclass(frozen=True, eq=False)
class FlowState:
    """The flow at one time.

    Attributes
    ----------
    time : float
        Flow time, dimensionless.
    policy : array (S, A)
        Cell probabilities; the array is used again two steps later: copy it to keep it.
    value : array (S,)
    q : array (S, A)
    step_size : float
        Length of the step that led here; 0 at the start.
    steps, rejected_steps, fallback_steps, limited_cells, bellman_evaluations : int
        Counts since the start.
    mass_drift : float
        Largest error of a state's mass among the substeps that led here, which is rounding and was taken off.
    error_floor : float
        The most that was allowed of the error of a step besides what accuracy allows, so far: rounding.
    interpolated : bool
        Whether it lies within a step, from dense output, and not at its end.
    state : State
        Of the time scheme: what the next step depends on.
    evaluation : Evaluation
        V and Q with the linear system they solve; where the scheme has no need of them, computed when first asked for.
    """

    time: float
    policy: FloatArray
    state: State
    evaluate: Callable[[], Evaluation]
    step_size: float = 0.0
    steps: int = 0
    rejected_steps: int = 0
    fallback_steps: int = 0
    limited_cells: int = 0
    bellman_evaluations: int = 1
    mass_drift: float = 0.0
    error_floor: float = 0.0
    interpolated: bool = False

    def __getattr__(self, name: str) -> Any:
        now = {"between": "interpolated", "memory": "arrays"}.get(name)
        raise AttributeError(f"a flow's state has no {name}" + (f"; that is now {now}" if now else ""))

    @cached_property
    def evaluation(self) -> Evaluation:
        """V and Q with the linear system they solve."""
        return self.evaluate()

    @property
    def value(self) -> FloatArray:
        """V of the present policy, (S,)."""
        return self.evaluation.value

    @property
    def q(self) -> FloatArray:
        """Q of the present policy, (S, A)."""
        return self.evaluation.q

    @property
    def parameters(self) -> FloatArray | None:
        """What p is made of, (S, P), of a flow of parameters."""
        return self.state.parameters if isinstance(self.state, ParametricState) else None

    def arrays(self) -> Arrays:
        """All that the rest of the flow depends on, as arrays and numbers by name; `flow` goes on from it.

        To be asked for at the end of a step, before the next is taken; arrays may be views of what that overwrites.
        """
        assert not self.interpolated
        return {
            "value": self.value,
            "residual": float(self.evaluation.residual),
            **{name: float(getattr(self, name)) for name in NUMBERS},
            **{name: int(getattr(self, name)) for name in COUNTERS},
            **{OF_SCHEME + name: value for name, value in state_arrays(self.state).items()},
        }


@renamed(solver="linear_solver", memory="resume")
def flow(
    mdp: GridMDP,
    *,
    step: float | None = None,
    accuracy: float | None = None,
    scheme: str = AUTOMATIC,
    flow: AnyFlow = "wasserstein",
    landings: Iterable[float] = (),
    policy: FloatArray | None = None,
    kept: Mapping[str, FloatArray] | None = None,
    linear_solver: str | None = None,
    weights: FloatArray | None = None,
    watch: Callable[[], None] = lambda: None,
    resume: Mapping[str, Any] | None = None,
    anneal: Annealing | None = None,
) -> Iterator[FlowState]:
    """Iterate over the time steps of the flow, for ever; the first state is the initial one.

    Parameters
    ----------
    mdp : GridMDP
    step, accuracy : float, optional
        Fixed step in flow time, or local error relative to p - g (see `solver.schemes.error_control`).  A fixed step is
        shortened only to meet the landings in a whole number of equal steps; the step of a flow that has its own, as
        mirror descent, must be given and is never shortened.
    scheme : str
        Name of the time scheme; automatic is the best there is for the problem, see `solver.schemes`.
    flow : str, Flow or DescentStep
        Which flow, by name or as it is; or a descent step of your own (see `solver.flows.flow`).
    landings : iterable of float
        Increasing flow times that are to be met exactly; of several within 1e-12 of each other, the first.
    policy : array (S, A), optional
        Where to start; the problem's initial policy by default.
    kept : mapping of arrays (S, n), optional
        What a snapshot keeps of that policy, of a flow of parameters that takes it up
        (`solver.flows.parametric.parametric.ParametricFlow.taken_up`).
    linear_solver : str, optional
        Of the Bellman equations; by default chosen from the sizes.
    weights : array (S,), optional
        Weights of states in the error norm; rho by default.
    watch : callable, optional
        Called before every trial of a step; what it raises ends the iteration.
    resume : mapping, optional
        What `FlowState.arrays` gave: the flow goes on after that state, bit for bit as it would have, and that state
        comes first.
    anneal : Annealing, optional
        Temperatures that fall from that of the problem; flow and scheme must be able to follow.

    Raises
    ------
    ValueError
        Unusable arguments.
    BellmanError
        A Bellman equation could not be solved to rounding, nor with five shorter steps.
    NotFiniteError
        A policy or cost stopped being finite; names the state and cell.
    StepVanishedError
        No step, however short, met the accuracy, and the flow's own descent step raises V.
    MassError
        A step changed the mass of a state's policy by more than rounding.
    """
    check_problem(mdp)
    linear_solver = linear_solver_of(mdp) if linear_solver is None else linear_solver
    step, accuracy = (
        value if value is None else real_number(name, value) for name, value in (("step", step), ("accuracy", accuracy))
    )
    made = make_scheme(mdp, scheme, step, accuracy, as_flow(mdp, flow), linear_solver, weights, anneal)
    integrator = Integrator(made.problem, made, watch)
    policy = mdp.initial_policy if policy is None else np.array(real_array(policy, "policy"), order="C")
    mdp.check_policy(policy)
    start = _beginning(mdp, integrator, policy, kept) if resume is None else _resumed(integrator, policy, resume)
    return _iterate(integrator, start, merge(iter(landings)))


def _beginning(
    mdp: GridMDP, integrator: Integrator, policy: FloatArray, kept: Mapping[str, FloatArray] | None
) -> FlowState:
    solver, annealed = integrator.problem.substeps.linear_solver, integrator.problem.tempered.annealing is not None
    policy, parameters = integrator.scheme.begin(policy, kept)
    first = cache(lambda: evaluate(mdp, policy, None, solver, temperatures=annealed))
    state = integrator.scheme.first(policy, parameters, first() if integrator.scheme.valued else None)
    return FlowState(0.0, policy, state, first)


def _resumed(integrator: Integrator, policy: FloatArray, arrays: Mapping[str, Any]) -> FlowState:
    """The state that the arrays were taken of; ValueError, in words, where they cannot be a state of this problem."""
    substeps, scheme = integrator.problem.substeps, integrator.scheme
    policy, parameters = scheme.like(policy)
    nothing = substeps.evaluation_of(policy, np.zeros(integrator.problem.mdp.states.size), 0.0, True)
    template = scheme.first(policy, parameters, nothing if scheme.valued else None)
    own = {name: value for name, value in arrays.items() if not name.startswith(OF_SCHEME)}
    numbers = dict.fromkeys(("residual", *NUMBERS), 0.0) | dict.fromkeys(COUNTERS, 0)
    check_like(own, {"value": nothing.value, **numbers})
    of_scheme = {name.removeprefix(OF_SCHEME): value for name, value in arrays.items() if name not in own}
    state = scheme.adopted(state_like(template, of_scheme, scheme.tuples, substeps))
    mdp = substeps.tempered.mdp(state.time)
    found = substeps.evaluation_of(state.policy, own["value"], own["residual"], True, mdp)
    if own["steps"]:
        integrator.guess = found.value
    kept = {name: own[name] for name in (*NUMBERS, *COUNTERS)}
    return FlowState(policy=state.policy, state=state, evaluate=lambda: found, **kept)


def _iterate(integrator: Integrator, state: FlowState, landings: Iterator[float]) -> Iterator[FlowState]:
    yield state
    landing, dense, control = 0.0, integrator.scheme.dense, integrator.problem.control
    own_step = integrator.problem.flow.own_step
    while True:
        while landing <= state.time:
            landing = next(landings, math.inf)
        start = state
        taken = integrator.step(start.state, math.inf if dense else landing - start.time)
        while dense and landing < start.time + taken.dt * (1.0 - SAME_TIME):
            inside = _interpolated(integrator, start, taken, landing, state)
            if inside is None:
                taken = integrator.step(taken.retry, landing - start.time)
                break
            state = inside
            yield state
            landing = next(landings, math.inf)
        end = (start.steps + 1) * taken.dt if own_step else start.time + taken.dt
        between = state.bellman_evaluations - start.bellman_evaluations
        state = FlowState(
            time=landing if abs(end - landing) <= SAME_TIME * (end if own_step else taken.dt) else end,
            policy=taken.state.policy,
            state=taken.state,
            evaluate=integrator.values_of(taken.state),
            step_size=taken.dt,
            steps=start.steps + 1,
            rejected_steps=start.rejected_steps + taken.rejected,
            fallback_steps=start.fallback_steps + int(taken.fallback),
            limited_cells=start.limited_cells + taken.limited_cells,
            bellman_evaluations=start.bellman_evaluations + between + taken.evaluations,
            mass_drift=taken.drift,
            error_floor=0.0 if control is None else max(start.error_floor, control.floor),
        )
        yield state


def _interpolated(
    integrator: Integrator, start: FlowState, taken: Step, time: float, last: FlowState
) -> FlowState | None:
    """The flow within a step, by dense output; None if V would not fall from the ``last`` state to it and on."""
    policy = integrator.scheme.interpolate(taken.state, time - start.time)
    mdp = integrator.problem.tempered.mdp(time)
    found = evaluate(mdp, policy, last.value, integrator.problem.substeps.linear_solver).taken_as_exact()
    if not (descends(mdp, last.evaluation, found) and descends(mdp, found, values(taken.state).refined())):
        return None
    return replace(
        start,
        time=time,
        policy=policy,
        evaluate=lambda: found,
        step_size=taken.dt,
        bellman_evaluations=last.bellman_evaluations + 1,
        interpolated=True,
    )
