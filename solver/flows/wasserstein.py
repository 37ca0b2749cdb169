"""The Wasserstein policy optimisation flow (Šiška & Zhang, arXiv:2605.22622; Pfau et al., arXiv:2505.00663).

    d/dt p(.|s) = L_Q(s) p(.|s),      L the Scharfetter–Gummel generator of the potential Q(s, .)/tau

A step is backward Euler for the generator, one action axis after the other.  Each factor is a Markov kernel that
leaves the Gibbs policy invariant, so relative entropy falls.  With one action axis this is unsplit backward Euler and
contracts KL by 1/(1 + 2 alpha dt); with more it is a descent step only.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.flows.flow import Flow, check_suitable
from wpoflow.solver.flux.scharfetter_gummel import add_axis_dissipation, backward_euler_axis
from wpoflow.solver.mdp import GridMDP


class WassersteinFlow(Flow):
    """Backward Euler steps of the Wasserstein flow, split by action axes.

    Raises
    ------
    UnsuitableFlowError
        Actions that are labels, and have no neighbours.
    """

    name = "wasserstein"
    generator = True
    transports = True
    moves_mass = True
    annealed = True

    def __init__(self, mdp: GridMDP) -> None:
        super().__init__(mdp)
        check_suitable(type(self), self.name, mdp.actions)
        self._log_density = mdp.log_reference_density
        self._temperature = mdp.temperature
        axes = zip(mdp.actions.axes, mdp.actions.strides, strict=True)
        self._axes = [(a.widths, a.distances, stride) for a, stride in axes if a.size > 1]

    def step(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
        """Advance ``p`` by ``dt``; see `Flow.step`."""
        source = p
        for widths, distances, stride in self._axes:
            backward_euler_axis(source, q, self._log_density, widths, distances, stride, dt, self._temperature, out)
            source = out
        if source is not out:
            out[:] = source
        return out

    @staticmethod
    def late_rate(spectral_gap: float, temperature: float, **parameters: float) -> float:
        """2 lambda; see `Flow.late_rate`."""
        return 2.0 * spectral_gap

    def dissipation(self, p: FloatArray, q: FloatArray) -> FloatArray:
        """tau sum_faces J (ln x_k - ln x_{k+1}) per state, (S,): the entropy dissipation of identity (I4)."""
        total = np.zeros(p.shape[0])
        for widths, distances, stride in self._axes:
            add_axis_dissipation(
                p, q, self.mdp.log_mass, self._log_density, widths, distances, stride, self._temperature, total
            )
        return total
