"""Proximal descent in Wasserstein space: minimising movements (Jordan, Kinderlehrer & Otto 1998).

    p' = argmin  tau KL(p'|g) + W2^2(p', p) / (2 eta)      in every state,     g the Gibbs policy of Q^p

The step eta belongs to the algorithm, and the number of steps times eta is called the flow time; as eta goes to zero
the steps follow the Wasserstein flow, to first order, and as it goes to infinity they are soft policy iteration,
p' = g.  W2 is that of distributions uniform within cells (`solver.flux.transport`), for which no step is too short to
move mass; the minimum is found by Newton's method (`solver.flux.proximal`).

As p itself is admissible, tau KL(p'|g) + W2^2/(2 eta) <= tau KL(p|g) on the grid for any eta: a descent step.  In the
continuum, where Q + tau ln(dp'/dmu) has slope (T - id)/eta by the optimality condition, KL' <= KL/(1 + alpha eta) under
a log-Sobolev inequality of rate alpha, and KL' <= KL/(1 + kappa eta)^2 where Q + tau U is kappa-convex (Ambrosio,
Gigli & Savare, Gradient Flows, Birkhauser 2008, chapter 4).  Late, the gap falls by (1 + lambda eta)^{-2} each step.

The map of optimal transport is monotone on one axis with two ends; on a circle, and with several axes, it is not
known by its distribution functions, and the step is not defined here.  There is no dissipation to state: V falls by a
finite amount each step.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from wpoflow.core.arrays import FloatArray, read_only
from wpoflow.grids.axis import Axis
from wpoflow.grids.grid import Grid
from wpoflow.solver.flows.flow import Flow, UnsolvedStepError, check_suitable
from wpoflow.solver.flux.proximal import SMALL, proximal_steps
from wpoflow.solver.flux.transport import squared_distances
from wpoflow.solver.mdp import GridMDP


def _lines(actions: Grid) -> list[Axis]:
    """Axes along which mass may move."""
    return [axis for axis in actions.axes if axis.size > 1]


class ProximalFlow(Flow):
    """Proximal steps on one action axis with two ends; others may have one cell.

    Raises
    ------
    UnsuitableFlowError
        Another action grid.
    """

    name = "proximal"
    own_step: ClassVar[bool] = True
    moves_mass: ClassVar[bool] = True

    def __init__(self, mdp: GridMDP) -> None:
        super().__init__(mdp)
        check_suitable(type(self), self.name, mdp.actions)
        lines = _lines(mdp.actions)
        self._widths = lines[0].widths if lines else read_only(np.ones(1))
        self._residual = np.empty(mdp.states.size)

    @classmethod
    def obstacle(cls, actions: Grid) -> str:
        """See `Flow.obstacle`."""
        if words := super().obstacle(actions):
            return words
        lines = _lines(actions)
        if len(lines) > 1:
            names = ", ".join(axis.name for axis in lines)
            return f"needs one action axis with boundary 'no-flux' or 'clamp'; here there are {len(lines)}, {names}"
        if lines and lines[0].periodic:
            return f"needs an action axis with boundary 'no-flux' or 'clamp'; {lines[0].name} is 'periodic'"
        return ""

    @staticmethod
    def late_rate(spectral_gap: float, temperature: float, **parameters: float) -> float:
        """2 ln(1 + lambda eta)/eta, as the gap falls by (1 + lambda eta)^-2 a step; see `Flow.late_rate`.

        Of fine cells: lambda is that of the Wasserstein flow's own fluxes, from which W2 differs to second order.
        """
        return 2.0 * math.log1p(spectral_gap * parameters["step"]) / parameters["step"]

    def step(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
        """See `Flow.step`.

        Raises
        ------
        UnsolvedStepError
            The minimum was not found in a state, which is named.
        """
        mdp = self.mdp
        part = mdp.slab.part(self._residual)
        proximal_steps(p, q, mdp.log_mass, self._widths, dt, mdp.temperature, out, part)
        mdp.slab.gather((self._residual, part))
        if not self._residual.max() <= SMALL:
            state = int(np.argmax(~(self._residual <= SMALL)))
            raise UnsolvedStepError(
                f"the minimum of a proximal step of {dt:g} was not found at state {state} "
                f"({mdp.states.describe(state)}): another iteration would change a probability by "
                f"{self._residual[state]:.3g} of itself"
            )
        return out

    def squared_distance(self, p: FloatArray, other: FloatArray) -> FloatArray:
        """W2^2 of two policies (S, A), state by state, (S,), in the square of the action's unit."""
        out = np.empty(p.shape[0])
        squared_distances(p, other, self._widths, out)
        return out
