"""Mirror descent with relative entropy: the natural policy gradient of softmax policies in other units.

    p' = argmin_r eta sum_k r_k (Q_k + tau ln(r_k/m_k)) + KL(r | p)  ∝  p^x g^(1-x),     x = 1/(1 + tau eta)

The step eta belongs to the algorithm: it is the implicit Euler step of the Fisher–Rao flow, and a Fisher–Rao step of
length dt is one with eta = (e^{tau dt} - 1)/tau.  The natural policy gradient with entropy and step eta', of weight
x = 1 - tau eta', is mirror descent with eta = eta'/(1 - tau eta') (Cen, Cheng, Chen, Wei & Chi, arXiv:2007.06558, whose
step is (1 - gamma) eta').  As eta goes to infinity the step is soft policy iteration, p' = g: from eta = 1e300 on to
rounding.  The number of steps times eta is called the flow time.

Each step lowers V by a finite amount: there is no dissipation to state.
"""

from __future__ import annotations

import math
from typing import ClassVar

from wpoflow.solver.flows.mixture import MixtureFlow

LARGEST = 1e300  # product of temperature and step: whatever is larger is the Gibbs policy to the last bit, too


class MirrorDescent(MixtureFlow):
    """Mixtures of weight 1/(1 + tau eta)."""

    name = "mirror"
    own_step: ClassVar[bool] = True

    @staticmethod
    def late_rate(spectral_gap: float, temperature: float, **parameters: float) -> float:
        """2 ln(1 + tau eta)/eta, as the gap falls by (1 + tau eta)^-2 a step; see `Flow.late_rate`."""
        step = parameters["step"]
        return 2.0 * math.log1p(temperature * step) / step

    def weights(self, dt: float) -> tuple[float, float]:
        """See `MixtureFlow.weights`."""
        product = min(self.mdp.temperature * dt, LARGEST)
        kept = 1.0 / (1.0 + product)
        return kept, product * kept
