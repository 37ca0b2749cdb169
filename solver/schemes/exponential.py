"""Scheme ``exponential``: the flow itself, in steps of any length, where the potentials do not move.

If the law of the next state does not depend on the action (a bandit, or many side by side), then Q = c + gamma P V
depends on the policy through a constant of the state only, the generator L does not change, and p(t) = e^{tL} p(0).
The exponential is a rational function of L with a few poles (`solver.flux.rational_exponential`): so many complex
eliminations a step, whatever its length, and no Bellman equation at all unless values are asked for.

In the bulk of p the error of r(hL) p is at most ``error * ||p - g||`` in the norm in which L is self-adjoint.  In that
of `solver.schemes.error_control` it is more by a factor that says how far from normal L is there, as where drift
dominates diffusion.  The companion of the rational function measures it: a step is accepted if even the companion's
error is at most ``accuracy * ||p' - g||``, else repeated with more poles and, where there are no more, halved: so late
rates stay right however much decays at once, and accuracies below 1e-6 cannot be asked for.  Negative entries are
limited locally, as in the other schemes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.brief import briefly
from wpoflow.grids.grid import Grid
from wpoflow.solver.bellman.evaluation import Evaluation
from wpoflow.solver.entropy import gibbs_policy
from wpoflow.solver.flows.flow import Flow
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.flux.rational_exponential import RATIONAL_EXPONENTIALS
from wpoflow.solver.flux.resolvent import exponential_axis
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.schemes.history import measure_change
from wpoflow.solver.schemes.scheme import Problem, Ring, Scheme, State, Trial

MARGIN = 1e-3  # of the accuracy, the error of the first companion that is tried: room for L being far from normal
LEAST_ACCURACY = 1e-6  # within reach of the companion of most poles
GROWTH = 4.0
LAST = len(RATIONAL_EXPONENTIALS) - 1
FIRST_STEP = 1.0  # in units of the time in which diffusion crosses one cell


@briefly
class ExponentialState(NamedTuple):
    """Where the scheme is.

    Attributes
    ----------
    policy, evaluation, size
        As in `State`; it needs no values.
    level : int
        Index of the rational function to try.
    fresh : int
        One unless a longer step or fewer poles were tried before.
    """

    policy: FloatArray
    evaluation: Evaluation | None
    size: float
    level: int
    fresh: int

    @property
    def time(self) -> float:
        """See `State`; its generator does not change."""
        return 0.0


class ExponentialScheme(Scheme):
    """Steps of any length by the exponential of the generator."""

    name = "exponential"
    order = 0
    monotone = True
    valued = False
    pair_arrays = (9, 9)
    line_numbers = 288
    work = (1, 20)
    call_seconds = 4e-4

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        mdp, control = problem.mdp, problem.control
        assert control is not None
        axes = zip(mdp.actions.axes, mdp.actions.strides, strict=True)
        self._axis, self._stride = next((axis, stride) for axis, stride in axes if axis.size > 1)
        wanted = MARGIN * control.accuracy
        self._level = next((j for j, r in enumerate(RATIONAL_EXPONENTIALS) if r.companion_error <= wanted), LAST)
        shape = mdp.initial_policy.shape
        self._ring = Ring(shape, 3)
        self._difference, self._gibbs = np.empty(shape), np.empty(shape)
        gibbs_policy(mdp.cost, mdp.log_mass, mdp.temperature, self._gibbs)
        control.note_scale(np.zeros(1), mdp.temperature)
        n_states = mdp.states.size
        self._squares, self._drift = np.empty((2, n_states)), np.empty(n_states)
        self._negative: IntArray = np.zeros(n_states, dtype=np.int64)
        whole = self._squares, self._drift, self._negative
        self._parts = tuple(mdp.slab.part(array) for array in whole)
        self._measured = tuple(zip(whole, self._parts, strict=True))

    @staticmethod
    def obstacle(actions: Grid, flow: type[Flow]) -> str:
        """See `Scheme`."""
        if not issubclass(flow, WassersteinFlow):
            return "is for the Wasserstein flow"
        moving = [axis for axis in actions.axes if axis.size > 1]
        return "" if len(moving) == 1 and not moving[0].periodic else "is for one action axis, with two ends"

    @staticmethod
    def obstacle_of_problem(mdp: GridMDP, accuracy: float | None) -> str:
        """See `Scheme`."""
        if not mdp.transition_ignores_action:
            return "is for next states that do not depend on the action"
        if accuracy is not None and accuracy < LEAST_ACCURACY:
            return f"reaches an accuracy of {LEAST_ACCURACY:g} at best, not {accuracy:g}"
        return ""

    def init(self, policy: FloatArray, evaluation: Evaluation | None) -> ExponentialState:
        """See `Scheme`."""
        size = FIRST_STEP * float(self._axis.widths.min()) ** 2 / self.problem.mdp.temperature
        return ExponentialState(policy, None, size, self._level, 1)

    def fit(self, state: State, remaining: float) -> float:
        """All that remains at once, unless that was too much."""
        assert isinstance(state, ExponentialState)
        return remaining if state.fresh and math.isfinite(remaining) else state.size

    def trial(self, state: State, dt: float) -> Trial:
        """See `Scheme`."""
        assert isinstance(state, ExponentialState)
        control, policy, level = self.problem.control, state.policy, state.level
        assert control is not None
        out = self._ring.free(policy)
        self._exponential(policy, dt, level, out)
        if control.measured(self._squares) <= 1.0:
            after = ExponentialState(out, None, GROWTH * dt if state.fresh else dt, self._level, 1)
            return Trial(after, state, drift=self._drift, negative=int(self._negative.sum()))
        size, level = (dt, level + 1) if level < LAST else (0.5 * dt, level)
        return Trial(state._replace(policy=out), ExponentialState(policy, None, size, level, 0), np.inf)

    def _exponential(self, policy: FloatArray, dt: float, level: int, out: FloatArray) -> None:
        """r(dt L) p, and its companion's difference, measured."""
        axis, mdp, function = self._axis, self.problem.mdp, RATIONAL_EXPONENTIALS[level]
        exponential_axis(
            policy,
            mdp.cost,
            mdp.log_reference_density,
            axis.widths,
            axis.distances,
            self._stride,
            dt,
            mdp.temperature,
            np.array(function.poles),
            np.array(function.residues),
            np.array(function.companion),
            out,
            self._difference,
        )
        measure_change(policy, self._gibbs, self._difference, out, *self._parts)
        mdp.slab.gather(*self._measured)
