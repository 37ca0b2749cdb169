r"""Exact flow of the one-state problem with quadratic cost: an Ornstein-Uhlenbeck equation.

With cost kappa/2 (a - a_0)^2 on the line and reference measure N(0, S_mu) the flow is the Fokker-Planck equation of
drift -kappa' (a - m*) and diffusion tau, where

    kappa' = kappa + tau/S_mu,   m* = kappa a_0/kappa',   S* = tau/kappa'.

A Gaussian component keeps its form and its weight,

    m(t) - m* = (m_0 - m*) exp(-kappa' t),   S(t) - S* = (S_0 - S*) exp(-2 kappa' t),

and the gap is tau/(1-gamma) KL(pi_t|pi*).  Means and variances are kept as deviations from the optimum, in units
of sqrt(S*), and the density relative to the optimum is written as 1 + sum_j w_j expm1(...), so that the divergence
keeps its relative precision as it vanishes: a closed form for one component, and for several a composite
Gauss-Legendre rule on a range beyond which all components are below 1e-30.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from wpoflow.core.arrays import FloatArray
from wpoflow.validation.exact.divergence import entropy_excess, log_deficit

_REACH, _PANELS, _ORDER = 12.0, 200, 16


@dataclass(frozen=True)
class OrnsteinUhlenbeck:
    """The bandit of the module's head, started from a mixture of Gaussians.

    Parameters
    ----------
    stiffness, centre : float
        kappa and a_0 of the cost.
    reference_variance : float
        S_mu.
    temperature, discount : float
        tau and gamma.
    weights, means, variances : tuple of float
        Components of the initial policy; the weights sum to one.
    """

    stiffness: float
    centre: float
    reference_variance: float
    temperature: float
    discount: float
    weights: tuple[float, ...]
    means: tuple[float, ...]
    variances: tuple[float, ...]

    @property
    def rate(self) -> float:
        """kappa', the late rate of the policy; that of the gap is twice it."""
        return self.stiffness + self.temperature / self.reference_variance

    @property
    def optimal_mean(self) -> float:
        """m*."""
        return self.stiffness * self.centre / self.rate

    @property
    def optimal_variance(self) -> float:
        """S*."""
        return self.temperature / self.rate

    @property
    def optimal_value(self) -> float:
        """V* = -tau/(1-gamma) ln int exp(-c/tau) dmu, a Gaussian integral."""
        pull = 0.5 * self.stiffness * self.centre**2 / self.temperature
        log_mass = -pull * self.temperature / (self.reference_variance * self.rate)
        log_mass -= 0.5 * np.log(self.rate * self.reference_variance / self.temperature)
        return float(-self.temperature / (1.0 - self.discount) * log_mass)

    def _deviations(self, time: float) -> tuple[FloatArray, FloatArray]:
        """(m_j - m*)/sqrt(S*) and S_j/S* - 1."""
        shift = (np.array(self.means) - self.optimal_mean) / np.sqrt(self.optimal_variance)
        swell = np.array(self.variances) / self.optimal_variance - 1.0
        return shift * np.exp(-self.rate * time), swell * np.exp(-2.0 * self.rate * time)

    def components(self, time: float) -> tuple[FloatArray, FloatArray]:
        """Means and variances of the components at a time."""
        shift, swell = self._deviations(time)
        means = self.optimal_mean + shift * np.sqrt(self.optimal_variance)
        return means, self.optimal_variance * (1.0 + swell)

    def density(self, time: float, actions: ArrayLike) -> FloatArray:
        """Policy density with respect to da."""
        a = np.asarray(actions, dtype=np.float64)[..., None]
        means, variances = self.components(time)
        parts = np.exp(-((a - means) ** 2) / (2.0 * variances)) / np.sqrt(2.0 * np.pi * variances)
        return np.asarray(parts @ np.array(self.weights))

    def divergence(self, time: float) -> float:
        """KL(pi_t|pi*)."""
        shift, swell = self._deviations(time)
        if len(self.weights) == 1:
            return float(0.5 * (log_deficit(swell)[0] + shift[0] ** 2))
        width = _REACH * np.sqrt(1.0 + np.maximum(swell, 0.0))
        edges = np.linspace(min(np.min(shift - width), -_REACH), max(np.max(shift + width), _REACH), _PANELS + 1)
        nodes, weights = np.polynomial.legendre.leggauss(_ORDER)
        half = 0.5 * np.diff(edges)[:, None]
        y = (edges[:-1, None] + half * (1.0 + nodes)).ravel()[:, None]
        optimal = np.exp(-0.5 * y[:, 0] ** 2) / np.sqrt(2.0 * np.pi)
        log_ratio = (y * y * swell + 2.0 * y * shift - shift**2) / (2.0 * (1.0 + swell)) - 0.5 * np.log1p(swell)
        excess = np.expm1(log_ratio) @ np.array(self.weights)
        return float((half * weights).ravel() @ (optimal * entropy_excess(excess)))

    def gap(self, time: float) -> float:
        """V^{pi_t} - V*."""
        return self.temperature / (1.0 - self.discount) * self.divergence(time)

    def value(self, time: float) -> float:
        """V^{pi_t}."""
        return self.optimal_value + self.gap(time)
