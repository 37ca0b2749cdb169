"""The Wasserstein–Fisher–Rao flow: transport of mass, and growth where the advantage is negative.

    d/dt p = L_Q p - beta p (delta - V),     delta = Q + tau ln(p/m)

A step is the Wasserstein step (`solver.flows.wasserstein`) followed by a Fisher–Rao step of length beta dt
(`solver.flows.fisher_rao`), both with Q frozen.  Each lowers KL(p|g), so together they are a descent step, and with
one action axis KL'' <= KL/(1 + 2 alpha dt), as of the Wasserstein step alone.  The first gives mass to every cell: no
zero lasts, and the state is p itself.  Scheme ``extrapolated`` makes the order of it.  (A symmetric splitting does not:
backward Euler is not symmetric in time, so it would be of order one, too.)

The dissipation is the sum of both: tau sum_faces J (ln x_k - ln x_{k+1}) + beta Var_p(delta).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.flows.fisher_rao import FisherRaoFlow
from wpoflow.solver.flows.flow import Flow, check_suitable
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.mdp import GridMDP


class WassersteinFisherRaoFlow(Flow):
    """Wasserstein and Fisher–Rao steps in turn.

    Parameters
    ----------
    mdp : GridMDP
    beta : float
        Weight of the Fisher–Rao part, positive and finite.

    Raises
    ------
    ValueError
        A weight that is not.
    UnsuitableFlowError
        Actions that are labels, and have no neighbours.
    """

    name = "wasserstein-fisher-rao"
    transports = True
    moves_mass = True
    annealed = True

    def __init__(self, mdp: GridMDP, beta: float = 1.0) -> None:
        super().__init__(mdp)
        check_suitable(type(self), self.name, mdp.actions)
        if not (math.isfinite(beta) and beta > 0.0):
            raise ValueError(f"beta = {beta} must be positive and finite")
        self.beta = float(beta)
        self._transport, self._growth = WassersteinFlow(mdp), FisherRaoFlow(mdp)

    @property
    def parameters(self) -> Mapping[str, float]:
        """See `Flow.parameters`."""
        return {"beta": self.beta}

    def step(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
        """See `Flow.step`."""
        self._transport.step(p, q, dt, out)
        return self._growth.step(out, q, self.beta * dt, out)

    @staticmethod
    def late_rate(spectral_gap: float, temperature: float, **parameters: float) -> float:
        """2 (lambda + beta tau); see `Flow.late_rate`."""
        return 2.0 * (spectral_gap + parameters["beta"] * temperature)

    def dissipation(self, p: FloatArray, q: FloatArray) -> FloatArray:
        """See `Flow.dissipation`."""
        return self._transport.dissipation(p, q) + self.beta * self._growth.dissipation(p, q)
