"""Descent steps one after another with Q refreshed between them, and the values of the policies they lead to."""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.differences import ValueDifferences
from wpoflow.solver.bellman.evaluation import Evaluation, evaluate
from wpoflow.solver.bellman.ilu import IncompleteLU
from wpoflow.solver.bellman.system import DiscountedSystem
from wpoflow.solver.entropy import regularised_cost
from wpoflow.solver.flows.flow import Flow
from wpoflow.solver.mdp import GridMDP

INEXACT = 3e-17  # of p: what values between substeps may be wrong by even without error control


class Substeps:
    """Composes a flow's step with itself, Q refreshed before each application but the first.

    Values between substeps are found by differences (see `solver.bellman.differences`), to a Bellman residual that
    suffices; the policies a step ends with are evaluated anew.

    Attributes
    ----------
    tolerance : float
        The residual that suffices between substeps.
    evaluations : int
        Bellman evaluations of both kinds so far.
    """

    def __init__(self, mdp: GridMDP, flow: Flow, linear_solver: str) -> None:
        self.mdp, self.flow, self.linear_solver = mdp, flow, linear_solver
        self.tolerance = INEXACT * mdp.temperature * (1.0 - mdp.discount)
        self.evaluations = 0
        self._incomplete = IncompleteLU()
        self._increments = ValueDifferences(mdp, linear_solver, self._incomplete)

    def __call__(
        self,
        p: FloatArray,
        evaluation: Evaluation,
        dt: float,
        count: int,
        out: FloatArray,
        logs: tuple[FloatArray, FloatArray] | None = None,
    ) -> FloatArray:
        """``count`` substeps of dt/count from p into out; count - 1 Bellman evaluations.

        ``logs`` holds, of a logarithmic flow, ln p and the array that receives that of the result.
        """
        self._step(p, evaluation.q, dt / count, out, logs)
        if count > 1:
            self._increments.set_base(p, evaluation)
        change = np.zeros_like(evaluation.value)
        for _ in range(count - 1):
            self.evaluations += 1
            q, change = self._increments.q(out, change, self.tolerance)
            self._step(out, q, dt / count, out, logs and (logs[1], logs[1]))
        return out

    def _step(
        self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray, logs: tuple[FloatArray, FloatArray] | None
    ) -> None:
        if logs is None:
            self.flow.step(p, q, dt, out)
        else:
            self.flow.log_step(logs[0], q, dt, logs[1], out)

    def evaluate(self, p: FloatArray, guess: FloatArray, tolerance: float = 0.0) -> Evaluation:
        """V and Q of a policy, warm-started, to rounding or to a Bellman residual that suffices."""
        self.evaluations += 1
        return evaluate(self.mdp, p, guess, self.linear_solver, None, self._incomplete, tolerance)

    def evaluation_of(self, p: FloatArray, value: FloatArray, residual: float, exact: bool) -> Evaluation:
        """The evaluation of a policy (S, A) whose V (S,), residual and exactness were found before."""
        mdp, reward = self.mdp, np.empty(self.mdp.states.size)
        regularised_cost(p, mdp.cost, mdp.log_mass, mdp.temperature, reward)
        system = DiscountedSystem(mdp.transition.under(p), mdp.discount, self.linear_solver, self._incomplete)
        found = Evaluation(mdp, value, residual, system, reward=reward)
        return found.taken_as_exact() if exact else found
