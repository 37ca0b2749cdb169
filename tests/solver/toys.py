"""A flow and a time scheme as a contributor would write them: one class each, and a line in the registry."""

from __future__ import annotations

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.evaluation import Evaluation
from wpoflow.solver.entropy import gibbs_policy
from wpoflow.solver.flows.flow import Flow
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.schemes.scheme import PlainState, Problem, Ring, Scheme, State, Trial, values


class HalfSpeedFlow(WassersteinFlow):
    """The Wasserstein flow at half its speed, with a dissipation that says so."""

    name = "half-speed"

    def step(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
        """See `Flow.step`."""
        return super().step(p, q, 0.5 * dt, out)

    def dissipation(self, p: FloatArray, q: FloatArray) -> FloatArray:
        """See `Flow.dissipation`."""
        return 0.5 * super().dissipation(p, q)


class RelaxingFlow(Flow):
    """Every policy moves straight towards the Gibbs policy; its dissipation is not stated."""

    name = "relaxing"

    def step(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
        """See `Flow.step`: KL is convex in p, so that it falls."""
        before = p.copy()
        gibbs_policy(q, self.mdp.log_mass, self.mdp.temperature, out)
        out *= dt / (1.0 + dt)
        out += before / (1.0 + dt)
        return out


class TwiceScheme(Scheme):
    """Two descent steps of half the length, of fixed size."""

    name = "twice"
    monotone = True

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self._ring = Ring(problem.mdp.initial_policy.shape, 2)

    def init(self, policy: FloatArray, evaluation: Evaluation | None) -> PlainState:
        """See `Scheme`."""
        return PlainState(policy, evaluation, self.problem.first_step)

    def trial(self, state: State, dt: float) -> Trial:
        """See `Scheme`."""
        out = self.problem.substeps(state.policy, values(state), state.time, dt, 2, self._ring.free(state.policy))
        return Trial(PlainState(out, None, state.size), state)
