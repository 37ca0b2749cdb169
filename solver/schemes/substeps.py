"""Descent steps one after another with Q refreshed between them, and the values of the policies they lead to."""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.differences import ValueDifferences
from wpoflow.solver.bellman.evaluation import Evaluation, entropy_of, evaluate, reward_of
from wpoflow.solver.bellman.ilu import IncompleteLU
from wpoflow.solver.bellman.system import DiscountedSystem
from wpoflow.solver.flows.parametric.parametric import ParametricFlow
from wpoflow.solver.flows.tempered import Span, Tempered
from wpoflow.solver.mdp import GridMDP

INEXACT = 3e-17  # of p: what values between substeps may be wrong by even without error control


class Substeps:
    """Composes a flow's step with itself, Q refreshed before each application but the first.

    Values between substeps are found by differences (see `solver.bellman.differences`), to a Bellman residual that
    suffices; the policies a step ends with are evaluated anew.

    Attributes
    ----------
    tolerance : float or None
        The residual that suffices between substeps; rounding of the policy by default.
    evaluations : int
        Bellman evaluations of both kinds so far.
    """

    def __init__(self, mdp: GridMDP, tempered: Tempered, linear_solver: str) -> None:
        self.mdp, self.tempered, self.linear_solver = mdp, tempered, linear_solver
        self.tolerance: float | None = None
        self.evaluations = 0
        self._incomplete = IncompleteLU()
        self._increments = ValueDifferences(mdp, linear_solver, self._incomplete)

    def __call__(
        self,
        p: FloatArray,
        evaluation: Evaluation,
        time: float,
        dt: float,
        count: int,
        out: FloatArray,
        beside: tuple[FloatArray, FloatArray] | None = None,
        number: int = 0,
    ) -> FloatArray:
        """``count`` substeps of dt/count from p, which is at ``time``, into out; count - 1 Bellman evaluations.

        ``beside`` holds what the flow is followed in if not in p, and the array that receives it of the result: of a
        logarithmic flow ln p, of one of parameters these, and then ``number`` is that of the steps taken before.
        """
        part = dt / count
        span = self.tempered.over(time, part)
        base = evaluation.at(span.mdp)
        self._step(span, p, base.q, out, beside, number)
        change = np.zeros_like(evaluation.value)
        for j in range(1, count):
            self.evaluations += 1
            span = self.tempered.over(time + j * part, part)
            base = evaluation.at(span.mdp)
            self._increments.set_base(p, base)
            tolerance = INEXACT * span.mdp.temperature * (1.0 - self.mdp.discount)
            q, change = self._increments.q(out, change, tolerance if self.tolerance is None else self.tolerance)
            self._step(span, out, q, out, beside and (beside[1], beside[1]), number)
        return out

    @staticmethod
    def _step(
        span: Span,
        p: FloatArray,
        q: FloatArray,
        out: FloatArray,
        beside: tuple[FloatArray, FloatArray] | None,
        number: int,
    ) -> None:
        flow = span.flow
        if beside is None:
            flow.step(p, q, span.length, out)
        elif isinstance(flow, ParametricFlow):
            flow.advance(beside[0], q, span.length, beside[1], out, number)
        else:
            flow.log_step(beside[0], q, span.length, beside[1], out)

    def evaluate(
        self, p: FloatArray, guess: FloatArray, tolerance: float = 0.0, mdp: GridMDP | None = None
    ) -> Evaluation:
        """V and Q of a policy, warm-started, to rounding or to a Bellman residual that suffices.

        ``mdp`` is the problem at the temperature of the moment, where that changes.
        """
        self.evaluations += 1
        mdp = self.mdp if mdp is None else mdp
        return evaluate(mdp, p, guess, self.linear_solver, None, self._incomplete, tolerance, self._annealed)

    @property
    def _annealed(self) -> bool:
        return self.tempered.annealing is not None

    def evaluation_of(
        self, p: FloatArray, value: FloatArray, residual: float, exact: bool, mdp: GridMDP | None = None
    ) -> Evaluation:
        """The evaluation of a policy (S, A) whose V (S,), residual and exactness were found before."""
        mdp = self.mdp if mdp is None else mdp
        reward = reward_of(mdp, p)
        system = DiscountedSystem(mdp.transition.under(p), mdp.discount, self.linear_solver, self._incomplete)
        entropy = entropy_of(mdp, p) if self._annealed else None
        found = Evaluation(mdp, value, residual, system, None, reward, entropy)
        return found.taken_as_exact() if exact else found
