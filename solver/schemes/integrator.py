"""The flow as an iterator: one accepted time step after another, each with its value functions.

``for state in flow(mdp, step=0.05): ...`` goes on for ever; leave the loop when you have seen enough.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.evaluation import Evaluation, evaluate
from wpoflow.solver.bellman.linear_solver import linear_solver_of
from wpoflow.solver.flows.wasserstein import DescentStep
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.schedule import merge
from wpoflow.solver.schemes.attempts import no_watch
from wpoflow.solver.schemes.choice import AUTOMATIC, make_scheme
from wpoflow.solver.schemes.scheme import (
    DenseScheme,
    Evaluate,
    Memory,
    Scheme,
    Step,
    descends,
    known,
    part_of,
    remembered,
)

SAME_TIME = 1e-12  # of a step, below which two times are one
COUNTERS = ("steps", "rejected_steps", "fallback_steps", "limited_cells", "bellman_evaluations")
OF_FLOW, OF_SCHEME = "flow.", "scheme."  # names of a flow in the memory of a run, and of a scheme in that of a flow


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
    between : bool
        Whether it lies within a step, from dense output, and not at its end.
    scheme : Scheme
        What takes the steps.
    evaluation : Evaluation
        V and Q with the linear system they solve; where the scheme has no need of them, computed when first asked for.
    """

    time: float
    policy: FloatArray
    evaluate: Evaluate
    step_size: float = 0.0
    steps: int = 0
    rejected_steps: int = 0
    fallback_steps: int = 0
    limited_cells: int = 0
    bellman_evaluations: int = 1
    mass_drift: float = 0.0
    between: bool = False
    scheme: Scheme | None = None

    def memory(self) -> Memory:
        """All that the rest of the flow depends on, to be asked for at the end of a step, before the next is taken.

        Arrays may be views of what the next step overwrites.  `flow` takes it up again, with all else as it was.
        """
        assert self.scheme is not None
        assert not self.between
        return {
            "time": float(self.time),
            "policy": self.policy,
            "value": self.value,
            "residual": float(self.evaluation.residual),
            "exact": int(self.evaluation.exact),
            "step_size": float(self.step_size),
            "mass_drift": float(self.mass_drift),
            **{name: int(getattr(self, name)) for name in COUNTERS},
            **{OF_SCHEME + name: value for name, value in self.scheme.memory().items()},
        }

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


def flow(
    mdp: GridMDP,
    *,
    step: float | None = None,
    accuracy: float | None = None,
    scheme: str = AUTOMATIC,
    flow: str | DescentStep = "wasserstein",
    landings: Iterable[float] = (),
    policy: FloatArray | None = None,
    solver: str | None = None,
    weights: FloatArray | None = None,
    watch: Callable[[], None] = no_watch,
    memory: Memory | None = None,
) -> Iterator[FlowState]:
    """Iterate over the time steps of the flow, for ever; the first state is the initial one.

    Parameters
    ----------
    mdp : GridMDP
    step, accuracy : float, optional
        Fixed step in flow time, or local error relative to p - g (see `solver.schemes.error_control`).  A fixed step is
        shortened only to meet the landings in a whole number of equal steps.
    scheme : {"automatic", "multistep", "exponential", "extrapolated", "euler"}
        Time scheme; automatic is the best there is for the problem, see `solver.schemes.choice`.
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
    memory : mapping, optional
        What `FlowState.memory` gave: the flow goes on after that state, bit for bit as it would have, and that state
        comes first.

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
    solver = linear_solver_of(mdp) if solver is None else solver
    stepper = make_scheme(mdp, scheme, step, accuracy, flow, solver, weights, watch)
    policy = mdp.initial_policy if policy is None else policy
    mdp.check_policy(policy)
    if memory is None:
        start = FlowState(0.0, policy, cache(lambda: evaluate(mdp, policy, linear_solver=solver)), scheme=stepper)
    else:
        start = _remembered(mdp, stepper, memory, solver)
    return _iterate(mdp, stepper, start, merge(iter(landings)), solver)


def _remembered(mdp: GridMDP, stepper: Scheme, memory: Memory, solver: str) -> FlowState:
    """The state that a memory was taken of, its scheme in the condition it was in then."""
    policy = stepper.restore(part_of(memory, OF_SCHEME), np.asarray(memory["policy"]))
    value, residual, exact = np.asarray(memory["value"]), float(memory["residual"]), bool(memory["exact"])
    found = remembered(mdp, policy, value, residual, exact, solver)
    return FlowState(
        time=float(memory["time"]),
        policy=policy,
        evaluate=known(found),
        step_size=float(memory["step_size"]),
        steps=int(memory["steps"]),
        rejected_steps=int(memory["rejected_steps"]),
        fallback_steps=int(memory["fallback_steps"]),
        limited_cells=int(memory["limited_cells"]),
        bellman_evaluations=int(memory["bellman_evaluations"]),
        mass_drift=float(memory["mass_drift"]),
        scheme=stepper,
    )


def _iterate(
    mdp: GridMDP, stepper: Scheme, start: FlowState, landings: Iterator[float], solver: str
) -> Iterator[FlowState]:
    state = start
    yield state
    landing = 0.0
    dense = stepper if isinstance(stepper, DenseScheme) else None
    while True:
        while landing <= state.time:
            landing = next(landings, math.inf)
        start = state
        taken = stepper.advance(start.policy, start.evaluate, landing - start.time if dense is None else math.inf)
        while dense is not None and landing < start.time + taken.size * (1.0 - SAME_TIME):
            inside = _between(mdp, dense, start, taken, landing, state, solver)
            if inside is None:
                taken = stepper.advance(start.policy, start.evaluate, landing - start.time)
                break
            state = inside
            yield state
            landing = next(landings, math.inf)
        end = start.time + taken.size
        between = state.bellman_evaluations - start.bellman_evaluations
        state = FlowState(
            time=landing if abs(end - landing) <= SAME_TIME * taken.size else end,
            policy=taken.policy,
            evaluate=taken.evaluate,
            step_size=taken.size,
            steps=start.steps + 1,
            rejected_steps=start.rejected_steps + taken.rejected,
            fallback_steps=start.fallback_steps + int(taken.fallback),
            limited_cells=start.limited_cells + taken.limited_cells,
            bellman_evaluations=start.bellman_evaluations + between + taken.evaluations,
            mass_drift=taken.drift,
            scheme=stepper,
        )
        yield state


def _between(
    mdp: GridMDP, stepper: DenseScheme, start: FlowState, taken: Step, time: float, last: FlowState, solver: str
) -> FlowState | None:
    """The flow within a step, by dense output; None if V would not fall from the ``last`` state to it and on."""
    policy = stepper.between(time - start.time)
    before = last.evaluation
    found = evaluate(mdp, policy, before.value, solver)
    if not (descends(mdp, before, found) and descends(mdp, found, taken.evaluate())):
        return None
    return replace(
        start,
        time=time,
        policy=policy,
        evaluate=known(found),
        step_size=taken.size,
        bellman_evaluations=last.bellman_evaluations + 1,
        between=True,
    )
