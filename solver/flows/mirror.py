"""Mirror descent with the relative entropy, which is the natural policy gradient of softmax policies in other units.

    p' = argmin_p eta sum_k p_k (Q_k + tau ln(p_k/m_k)) + KL(p | p_n),     so p' ∝ p^{1/(1+tau eta)} g^{tau eta/(1+tau eta)}

The step eta belongs to the algorithm: it is the implicit Euler step of the Fisher–Rao flow, and a Fisher–Rao step of
length dt is one with eta = (e^{tau dt} - 1)/tau.  Natural policy gradient with entropy, p' ∝ p^{1 - tau eta'} e^{-eta' Q} m^..,
has eta = eta'/(1 - tau eta') (Cen, Cheng, Chen, Wei & Chi, arXiv:2007.06558, whose step is (1-gamma) eta').  As eta goes to
infinity the step is soft policy iteration, p' = g: from eta = 1e300 on to the last bit.  The number of steps times
eta is called the flow time.

There is no dissipation to state, as this is no flow: V falls by a finite amount each step.
"""

from __future__ import annotations

from typing import ClassVar

from wpoflow.solver.flows.mixture import MixtureFlow

LARGEST = 1e300  # product of temperature and step: whatever is larger is the Gibbs policy to the last bit, too


class MirrorDescent(MixtureFlow):
    """Mixtures of weight 1/(1 + tau eta)."""

    name = "mirror"
    own_step: ClassVar[bool] = True

    def weights(self, dt: float) -> tuple[float, float]:
        """See `MixtureFlow.weights`."""
        product = min(self.mdp.temperature * dt, LARGEST)
        kept = 1.0 / (1.0 + product)
        return kept, product * kept
