"""The Fisher–Rao flow (Kerimkulov, Leahy, Šiška, Szpruch & Zhang, arXiv:2310.02951).

    d/dt p_k = -p_k (delta_k - V),     delta = Q + tau ln(p/m),     V = sum_k p_k delta_k

With Q frozen ln(p/g) decays like e^{-tau t}, up to a constant: a step of length dt is the mixture p^x g^(1-x) with
x = e^{-tau dt}, the exact solution.  One state, or next states that do not depend on the action, freeze Q, and then
steps of any length are exact.  There is no length in the action in any of this: any number of axes, any boundary.

By (I1), -dV(rho)/dt = (1-gamma)^{-1} sum_i d_i Var_{p_i}(delta_i).
"""

from __future__ import annotations

import math

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.flows.mixture import LEAST_WEIGHT, MixtureFlow
from wpoflow.solver.mdp import GridMDP


class FisherRaoFlow(MixtureFlow):
    """Mixtures of weight e^{-tau dt}."""

    name = "fisher-rao"
    annealed = True

    def __init__(self, mdp: GridMDP) -> None:
        super().__init__(mdp)
        self.decay = mdp.temperature

    def weights(self, dt: float) -> tuple[float, float]:
        """See `MixtureFlow.weights`."""
        return max(math.exp(-self.decay * dt), LEAST_WEIGHT), -math.expm1(-self.decay * dt)

    @staticmethod
    def late_rate(spectral_gap: float, temperature: float, **parameters: float) -> float:
        """2 tau; see `Flow.late_rate`."""
        return 2.0 * temperature

    def dissipation(self, p: FloatArray, q: FloatArray) -> FloatArray:
        """Var_p(delta) per state, (S,)."""
        return self.variance(p, q)
