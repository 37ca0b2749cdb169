"""The flow as an iterator: one accepted time step after another, each with its value functions.

``for state in flow(mdp, step=0.05): ...`` goes on for ever; leave the loop when you have seen enough.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from grids.arrays import FloatArray
from solver.attempts import no_watch
from solver.bellman import Evaluation, bellman_solver, evaluate
from solver.error_control import ErrorControl
from solver.euler import EulerScheme
from solver.extrapolated import ExtrapolatedScheme
from solver.mdp import GridMDP
from solver.schedule import merge
from solver.scheme import Scheme, Substeps
from solver.steps import DescentStep, descent_step

SCHEMES: dict[str, Callable[[GridMDP, Substeps, float | None, ErrorControl | None, float], Scheme]] = {
    "extrapolated": ExtrapolatedScheme,
    "euler": EulerScheme,
}
DEFAULT_SCHEME = "extrapolated"
DEFAULT_ACCURACY = {"extrapolated": 1e-6, "euler": 1e-3}  # of order one, so that 1e-6 would take a million steps
FIRST_STEP = 0.01  # of the time in which diffusion crosses the narrowest cell


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
    evaluation : Evaluation
        V and Q with the linear system they solve.
    """

    time: float
    policy: FloatArray
    evaluation: Evaluation
    step_size: float = 0.0
    steps: int = 0
    rejected_steps: int = 0
    fallback_steps: int = 0
    limited_cells: int = 0
    bellman_evaluations: int = 1
    mass_drift: float = 0.0

    @property
    def value(self) -> FloatArray:
        """V of the present policy, (S,)."""
        return self.evaluation.value

    @property
    def q(self) -> FloatArray:
        """Q of the present policy, (S, A)."""
        return self.evaluation.q


def make_scheme(
    mdp: GridMDP,
    scheme: str,
    step: float | None,
    accuracy: float | None,
    flow: str | DescentStep,
    solver: str,
    weights: FloatArray | None,
    watch: Callable[[], None] = no_watch,
) -> Scheme:
    """A time scheme by name, of fixed step or controlled by an accuracy (`DEFAULT_ACCURACY` if neither).

    Raises
    ------
    ValueError
        Unknown scheme or flow, both a step and an accuracy, or one that is not positive.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"scheme {scheme!r}; choose one of {', '.join(SCHEMES)}")
    if step is not None and accuracy is not None:
        raise ValueError("give either a step or an accuracy, not both")
    for name, number in (("step", step), ("accuracy", accuracy)):
        if number is not None and not (math.isfinite(number) and number > 0.0):
            raise ValueError(f"{name} = {number} must be positive and finite")
    substeps = Substeps(mdp, descent_step(mdp, flow) if isinstance(flow, str) else flow, solver, watch)
    control = None
    if step is None:
        control = ErrorControl(mdp, DEFAULT_ACCURACY[scheme] if accuracy is None else accuracy, weights)
    narrowest = min(float(axis.widths.min()) for axis in mdp.actions.axes)
    return SCHEMES[scheme](mdp, substeps, step, control, FIRST_STEP * narrowest**2 / mdp.temperature)


def flow(
    mdp: GridMDP,
    *,
    step: float | None = None,
    accuracy: float | None = None,
    scheme: str = DEFAULT_SCHEME,
    flow: str | DescentStep = "wasserstein",
    landings: Iterable[float] = (),
    policy: FloatArray | None = None,
    solver: str | None = None,
    weights: FloatArray | None = None,
    watch: Callable[[], None] = no_watch,
) -> Iterator[FlowState]:
    """Iterate over the time steps of the flow, for ever; the first state is the initial one.

    Parameters
    ----------
    mdp : GridMDP
    step, accuracy : float, optional
        Fixed step in flow time, or local error relative to p - g (see `solver.error_control`).  A fixed step is
        shortened only to meet the landings in a whole number of equal steps.
    scheme : {"extrapolated", "euler"}
        Time scheme.
    flow : str or DescentStep
        Which flow; a descent step of your own is taken as it is.
    landings : iterable of float
        Increasing flow times that are to be met exactly; of several within 1e-12 of each other, the first.
    policy : array (S, A), optional
        Where to start; the problem's initial policy by default.
    solver : str, optional
        Linear solver of the Bellman equations; by default chosen from the sizes.
    weights : array (S,), optional
        Weights of states in the error norm; rho by default.
    watch : callable, optional
        Called before every attempt at a step; what it raises ends the iteration.

    Raises
    ------
    ValueError
        Unusable arguments.
    BellmanError
        A Bellman equation could not be solved to rounding, nor with five shorter steps.
    NotFiniteError
        A policy or cost stopped being finite; names the state and cell.
    StepVanishedError
        No step, however short, met the accuracy.
    MassError
        A step changed the mass of a state's policy by more than rounding.
    """
    solver = bellman_solver(mdp) if solver is None else solver
    stepper = make_scheme(mdp, scheme, step, accuracy, flow, solver, weights, watch)
    policy = mdp.initial_policy if policy is None else policy
    mdp.check_policy(policy)
    return _iterate(mdp, stepper, policy, merge(iter(landings)), solver)


def _iterate(
    mdp: GridMDP, stepper: Scheme, policy: FloatArray, landings: Iterator[float], solver: str
) -> Iterator[FlowState]:
    state = FlowState(0.0, policy, evaluate(mdp, policy, solver=solver))
    yield state
    landing = 0.0
    while True:
        while landing <= state.time:
            landing = next(landings, np.inf)
        remaining = landing - state.time
        taken = stepper.advance(state.policy, state.evaluation, remaining)
        state = FlowState(
            time=landing if taken.size == remaining else state.time + taken.size,
            policy=taken.policy,
            evaluation=taken.evaluation,
            step_size=taken.size,
            steps=state.steps + 1,
            rejected_steps=state.rejected_steps + taken.rejected,
            fallback_steps=state.fallback_steps + int(taken.fallback),
            limited_cells=state.limited_cells + taken.limited_cells,
            bellman_evaluations=state.bellman_evaluations + taken.evaluations,
            mass_drift=taken.drift,
        )
        yield state
