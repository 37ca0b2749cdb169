"""What all time schemes share: the step they return, substeps with Q refreshed, and descent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from grids.arrays import FloatArray
from solver.bellman import Evaluation, evaluate
from solver.discounted_system import EPS, IncompleteFactors
from solver.mdp import GridMDP
from solver.steps import DescentStep

LANDING = 1e-9


@dataclass(eq=False)
class Step:
    """One accepted time step.

    Attributes
    ----------
    policy : array (S, A)
        In a buffer of the scheme, overwritten two steps later.
    evaluation : Evaluation
        V and Q of ``policy``.
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
    """

    policy: FloatArray
    evaluation: Evaluation
    size: float
    evaluations: int
    rejected: int = 0
    limited_cells: int = 0
    fallback: bool = False


class Scheme(Protocol):
    """A time scheme: advances a policy by at most ``remaining``."""

    name: str
    order: int

    def advance(self, policy: FloatArray, evaluation: Evaluation, remaining: float) -> Step:
        """One accepted step of at most ``remaining``; ``evaluation`` belongs to ``policy``."""
        ...


def landing_step(size: float, remaining: float) -> float:
    """Longest step of at most ``size`` that reaches ``remaining`` in a whole number of equal steps."""
    if not math.isfinite(remaining):
        return size
    return remaining / max(1, math.ceil(remaining / size * (1.0 - LANDING)))


class Substeps:
    """Composes a descent step with itself, Q refreshed before each application but the first.

    ``tolerance`` is the Bellman residual that suffices between substeps; the policies a step ends with are
    always evaluated to rounding.
    """

    def __init__(self, mdp: GridMDP, step: DescentStep, solver: str) -> None:
        self.mdp = mdp
        self.step = step
        self.solver = solver
        self.tolerance = 0.0
        self._incomplete = IncompleteFactors()
        self._q: FloatArray | None = None

    def __call__(self, p: FloatArray, evaluation: Evaluation, dt: float, count: int, out: FloatArray) -> FloatArray:
        """``count`` substeps of dt/count from p into out; count - 1 Bellman evaluations."""
        self.step(p, evaluation.q, dt / count, out)
        value = evaluation.value
        for _ in range(count - 1):
            if self._q is None:
                self._q = np.empty_like(p)
            inner = self.evaluate(out, value, self._q, self.tolerance)
            value = inner.value
            self.step(out, inner.q, dt / count, out)
        return out

    def evaluate(
        self, p: FloatArray, guess: FloatArray, out: FloatArray | None = None, tolerance: float = 0.0
    ) -> Evaluation:
        """V and Q of a policy, warm-started."""
        return evaluate(self.mdp, p, guess, self.solver, out, self._incomplete, tolerance)


def descends(mdp: GridMDP, before: Evaluation, after: Evaluation) -> bool:
    """Whether V fell at every state, up to the rounding of the two evaluations."""
    scale = max(float(np.abs(before.value).max()), float(np.abs(after.value).max()))
    allowed = (before.residual + after.residual + 8.0 * EPS * scale) / (1.0 - mdp.discount)
    rise = after.value - before.value
    if mdp.alive is not None:
        rise = rise[mdp.alive]
    return bool(rise.max() <= allowed)
