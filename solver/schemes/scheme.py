"""What all time schemes share: the step they return, substeps with Q refreshed, and descent."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.solver.arithmetic.extremes import largest_entry, largest_rise
from wpoflow.solver.bellman.differences import ValueDifferences
from wpoflow.solver.bellman.evaluation import Evaluation, NotFiniteError, evaluate
from wpoflow.solver.bellman.ilu import IncompleteLU
from wpoflow.solver.bellman.system import EPS, BellmanError, DiscountedSystem
from wpoflow.solver.entropy import regularised_cost
from wpoflow.solver.flows.wasserstein import DescentStep
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.schemes.attempts import Attempts, no_watch
from wpoflow.solver.schemes.error_control import ErrorControl

LANDING = 1e-9
INEXACT = 3e-17  # of p: what values between substeps may be wrong by even without error control
MASS_ROUNDING = 1e-13  # of a state's mass after one step; more is no rounding
RECOVERABLE = (BellmanError, NotFiniteError)  # a shorter step may succeed


Evaluate = Callable[[], Evaluation]
Memory = dict[str, "FloatArray | IntArray | float | int"]
"""What a later step depends on, by name: arrays and numbers that can be put into a checkpoint."""


def part_of(memory: Memory, prefix: str) -> Memory:
    """What a memory holds under names with this prefix, by the rest of the name."""
    return {name.removeprefix(prefix): value for name, value in memory.items() if name.startswith(prefix)}


def known(evaluation: Evaluation) -> Evaluate:
    """An evaluation that was made already."""
    return lambda: evaluation


def remembered(
    mdp: GridMDP,
    policy: FloatArray,
    value: FloatArray,
    residual: float,
    exact: bool,
    solver: str,
    incomplete: IncompleteLU | None = None,
) -> Evaluation:
    """The evaluation of a policy (S, A) whose V (S,), residual and exactness are known from before."""
    reward = np.empty(mdp.states.size)
    regularised_cost(policy, mdp.cost, mdp.log_mass, mdp.temperature, reward)
    system = DiscountedSystem(mdp.transition.under(policy), mdp.discount, solver, incomplete)
    found = Evaluation(mdp, value, residual, system, reward=reward)
    return found.taken_as_exact() if exact else found


class MassError(ArithmeticError):
    """A step changed the mass of a state's policy by more than rounding."""


def mass_drift(mdp: GridMDP, drift: FloatArray) -> float:
    """Largest error, of the states' masses (S,), that was taken off.

    Raises
    ------
    MassError
        It is more than rounding; names the state.
    """
    largest = largest_entry(drift)
    if not largest <= MASS_ROUNDING:
        state = int(np.abs(drift).argmax())
        place = f"state {state} ({mdp.states.describe(state)})"
        raise MassError(f"a step changes the mass of the policy by {largest:.3g} at {place}: more than rounding")
    return largest


@dataclass(eq=False)
class Step:
    """One accepted time step.

    Attributes
    ----------
    policy : array (S, A)
        In a buffer of the scheme, overwritten two steps later.
    evaluate : callable
        Gives V and Q of ``policy``, once.
    size : float
        Its length in flow time.
    evaluations : int
        Bellman evaluations spent, rejected attempts included.
    rejected : int
        Attempts rejected on the way.
    limited_cells : int
        Entries whose fluxes were limited.
    fallback : bool
        Whether descent would have been lost and the backward Euler step was taken instead.
    drift : float
        Largest error of a state's mass among the substeps' results, which is rounding and was taken off.
    """

    policy: FloatArray
    evaluate: Evaluate
    size: float
    evaluations: int
    rejected: int = 0
    limited_cells: int = 0
    fallback: bool = False
    drift: float = 0.0


class Scheme(Protocol):
    """A time scheme: advances a policy by at most ``remaining``.

    Attributes
    ----------
    name : str
    order : int
        Order in the step size; 0 for a scheme without one.
    """

    name: str
    order: int

    def advance(self, policy: FloatArray, evaluate: Evaluate, remaining: float) -> Step:
        """One accepted step of at most ``remaining``; ``evaluate`` gives V and Q of ``policy``."""
        ...

    def memory(self) -> Memory:
        """Between two steps: all that the next ones depend on besides the policy and its values; may be views."""
        ...

    def restore(self, memory: Memory, policy: FloatArray) -> FloatArray:
        """Take up a memory; gives the array that stands for the policy, (S, A), from now on."""
        ...


@runtime_checkable
class DenseScheme(Scheme, Protocol):
    """A time scheme that also knows the policy between the two ends of its last step."""

    def between(self, since: float) -> FloatArray:
        """The policy, (S, A), a time ``since`` after the start of the last step, in an array of its own."""
        ...


def landing_step(size: float, remaining: float) -> float:
    """Longest step of at most ``size`` that reaches ``remaining`` in a whole number of equal steps."""
    if not math.isfinite(remaining):
        return size
    return remaining / max(1, math.ceil(remaining / size * (1.0 - LANDING)))


class Substeps:
    """Composes a descent step with itself, Q refreshed before each application but the first.

    ``tolerance`` is the Bellman residual that suffices between substeps, where values are found by differences
    (see `solver.bellman.differences`); the policies a step ends with are always evaluated to rounding.  ``evaluations``
    counts Bellman evaluations of both kinds; ``watch`` is called before every attempt at a step.
    """

    def __init__(self, mdp: GridMDP, step: DescentStep, solver: str, watch: Callable[[], None] = no_watch) -> None:
        self.mdp = mdp
        self.step = step
        self.solver = solver
        self.watch = watch
        self.tolerance = INEXACT * mdp.temperature * (1.0 - mdp.discount)
        self.evaluations = 0
        self._incomplete = IncompleteLU()
        self._increments = ValueDifferences(mdp, solver, self._incomplete)

    def __call__(self, p: FloatArray, evaluation: Evaluation, dt: float, count: int, out: FloatArray) -> FloatArray:
        """``count`` substeps of dt/count from p into out; count - 1 Bellman evaluations."""
        self.step(p, evaluation.q, dt / count, out)
        if count > 1:
            self._increments.set_base(p, evaluation)
        change = np.zeros_like(evaluation.value)
        for _ in range(count - 1):
            self.evaluations += 1
            q, change = self._increments.q(out, change, self.tolerance)
            self.step(out, q, dt / count, out)
        return out

    def remembered(self, p: FloatArray, value: FloatArray, residual: float, exact: bool) -> Evaluation:
        """The evaluation of a policy whose V, residual and exactness are known from before."""
        return remembered(self.mdp, p, value, residual, exact, self.solver, self._incomplete)

    def evaluate(self, p: FloatArray, guess: FloatArray, tolerance: float = 0.0) -> Evaluation:
        """V and Q of a policy, warm-started, to rounding or to a Bellman residual that suffices."""
        self.evaluations += 1
        return evaluate(self.mdp, p, guess, self.solver, None, self._incomplete, tolerance)


def attempts_at(substeps: Substeps, control: ErrorControl | None, q: Callable[[], FloatArray]) -> Attempts:
    """Attempts at a step from a policy whose Q this is, of fixed length where there is no error control."""
    if control is None:
        return Attempts(False, lambda: 0.0, lambda: "no state", substeps.watch)
    return Attempts(True, lambda: control.least_step(q()), control.worst, substeps.watch)


def descends(mdp: GridMDP, before: Evaluation, after: Evaluation) -> bool:
    """Whether V fell at every state, up to the rounding of the two evaluations.

    The entropies, tau ln(p/mu), are rounded as well, and may be far larger than V is.
    """
    scale = max(largest_entry(before.value), largest_entry(after.value), mdp.temperature)
    allowed = (before.residual + after.residual + 8.0 * EPS * scale) / (1.0 - mdp.discount)
    return largest_rise(before.value, after.value, mdp.counted) <= allowed
