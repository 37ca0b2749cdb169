"""Scheme ``euler``: one descent step at a time, order one, unconditionally descending.

With a fixed step it is the descent step itself.  With an accuracy each step is two half steps, Q
refreshed in between, and the whole step made beside them gives the error; the result is then
still a composition of descent steps.
"""

from __future__ import annotations

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.evaluation import Evaluation
from wpoflow.solver.schemes.scheme import PlainState, Problem, Ring, Scheme, State, Trial, values

GROWTH = 4.0
SHRINKING = 0.1
SAFETY = 0.8


class EulerScheme(Scheme):
    """First-order descent steps, of fixed or controlled size."""

    name = "euler"
    order = 1
    monotone = True
    pair_arrays = (10, 13)
    work = (1, 1)
    call_seconds = 1.5e-4

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self._ring = Ring(problem.mdp.initial_policy.shape, 2 if problem.control is None else 3)

    def init(self, policy: FloatArray, evaluation: Evaluation | None) -> PlainState:
        """See `Scheme`."""
        return PlainState(policy, evaluation, self.problem.first_step)

    def trial(self, state: State, dt: float) -> Trial:
        """See `Scheme`."""
        control, substeps, policy, known = self.problem.control, self.problem.substeps, state.policy, values(state)
        out = self._ring.free(policy)
        if control is None:
            return Trial(PlainState(substeps(policy, known, dt, 1, out), None, state.size), state)
        substeps.tolerance = control.start(policy, known)
        whole = substeps(policy, known, dt, 1, self._ring.free(policy, out))
        substeps(policy, known, dt, 2, out)
        ratio = control.ratio(out, whole, policy)
        factor = min(GROWTH, max(SHRINKING, SAFETY / max(ratio, 1e-12))) if ratio == ratio else SHRINKING
        # a step cut short to land on a time says nothing against the size it was cut from
        size = max(state.size, factor * dt) if factor >= 1.0 else factor * dt
        return Trial(PlainState(out, None, size), PlainState(policy, known, factor * dt), ratio)
