"""Exact time evolution of a bandit on its own cells, by eigenvectors of its generator.

With one state the Gibbs policy g is fixed and dp/dt = L p is linear.  The Scharfetter-Gummel generator on a no-flux
axis is reversible with conductances C_k = (tau/Delta_k) B(Phi_{k+1} - Phi_k) g_k/h_k, hence similar to the symmetric
tridiagonal matrix with entries (C_{k-1} + C_k)/g_k and -C_k/sqrt(g_k g_{k+1}).  The stationary mode is left out of
p - g, so that the gap keeps its relative precision down to underflow.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh_tridiagonal
from scipy.special import log_softmax

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.exact.divergence import entropy_excess


class TimeExact:
    """Policy and gap at any time from a policy (A,) at time zero."""

    def __init__(self, mdp: GridMDP) -> None:
        axis = mdp.actions.axes[0]
        log_g = log_softmax(mdp.log_mass - mdp.cost[0] / mdp.temperature)
        self.optimal_policy, self.root = np.exp(log_g), np.exp(0.5 * log_g)
        self.scale = mdp.temperature / (1.0 - mdp.discount)
        z = np.diff(np.log(axis.widths) - log_g)
        bernoulli = np.where(z == 0.0, 1.0, z / np.expm1(np.where(z == 0.0, 1.0, z)))
        flow = mdp.temperature / axis.distances * bernoulli * (self.optimal_policy / axis.widths)[:-1]
        out = (np.append(flow, 0.0) + np.append(0.0, flow)) / self.optimal_policy
        rates, modes = eigh_tridiagonal(out, -flow / (self.root[:-1] * self.root[1:]), lapack_driver="stev")
        modes = modes[:, 1:] - np.outer(self.root, self.root @ modes[:, 1:])
        self.rates, self.modes = rates[1:], modes / np.linalg.norm(modes, axis=0)

    def deviation(self, start: FloatArray, time: float) -> FloatArray:
        """(p - g)/sqrt(g)."""
        return np.asarray(self.modes @ (self.modes.T @ (start / self.root) * np.exp(-self.rates * time)))

    def policy(self, start: FloatArray, time: float) -> FloatArray:
        """p, (A,)."""
        return np.asarray(self.optimal_policy + self.root * self.deviation(start, time))

    def gap(self, start: FloatArray, time: float) -> float:
        """V - V*."""
        excess = np.maximum(self.deviation(start, time) / self.root, -1.0)
        return float(self.scale * np.sum(self.optimal_policy * entropy_excess(excess)))
