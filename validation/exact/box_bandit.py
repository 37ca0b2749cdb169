r"""Exact flow of a one-state problem with any smooth cost on an interval, by eigenfunction expansion.

With one state the flow is linear: for Phi = c/tau + U (mu the density exp(-U) up to a constant), g = exp(-Phi)/Z and
no flux through the ends, x = p/g obeys  g x_t = tau (g x')'.  In the variable psi = sqrt(g) x this is the symmetric
problem

    psi_t = -tau D*D psi,     D psi = psi' + (Phi'/2) psi,     natural boundary condition D psi = 0,

whose stationary mode is sqrt(g) (D annihilates it).  D is applied to orthonormal Legendre polynomials at the nodes of
a Gauss-Legendre rule; the singular values sigma_j of that matrix give the rates tau sigma_j^2 and the right singular
vectors the eigenfunctions.  Singular values of D, not eigenvalues of D*D: the slowest rate is then correct to about
eps sigma_max/sigma_1 instead of the square of it.  Convergence is spectral for analytic costs.

**Stationary mode.**  The expansion of p - g omits the stationary mode altogether (its coefficient, the mass of p - g,
is zero), so KL = int g ((1+u) ln(1+u) - u), u = (p - g)/g, keeps its relative precision down to underflow.

**Precision.**  psi_0 = p_0/sqrt(g) is rounded relative to its largest value.  A start that is large where g is
smaller than 1e-16 of its peak is beyond double precision, and is refused by :meth:`BoxBandit.expansion`.  Densities
are exact to about 1e-13 of sqrt(g) max|psi_0|; where they fall below that, they count as no mass.

Source: Risken, The Fokker-Planck Equation (1989), section 5.4-5.5 (transformation to the symmetric operator).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import ArrayLike

from wpoflow.core.arrays import FloatArray
from wpoflow.validation.exact.divergence import entropy_excess

Function = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, eq=False)
class BoxBandit:
    """One state, actions in an interval with no flux through its ends.

    Parameters
    ----------
    cost, slope : callable
        c + tau U and its derivative, vectorised; U = 0 for the uniform reference measure.
    lower, upper : float
        The interval.
    temperature, discount : float
        tau and gamma.
    modes : int
        Number of Legendre polynomials.
    """

    cost: Function
    slope: Function
    lower: float
    upper: float
    temperature: float
    discount: float
    modes: int = 120

    @cached_property
    def _rule(self) -> tuple[FloatArray, FloatArray]:
        nodes, weights = legendre.leggauss(2 * self.modes + 60)
        half = 0.5 * (self.upper - self.lower)
        return self.lower + half * (1.0 + nodes), half * weights

    def _basis(self, actions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Orthonormal Legendre polynomials and their derivatives, (actions, modes)."""
        half = 0.5 * (self.upper - self.lower)
        x = (actions - self.lower) / half - 1.0
        values = legendre.legvander(x, self.modes - 1)
        slopes = legendre.legvander(x, self.modes - 2) @ legendre.legder(np.eye(self.modes))
        scale = np.sqrt((np.arange(self.modes) + 0.5) / half)
        return values * scale, slopes * scale / half

    @cached_property
    def _modes(self) -> tuple[FloatArray, FloatArray]:
        """Rates of the decaying modes, increasing, and their Legendre coefficients, (modes - 1, modes)."""
        nodes, weights = self._rule
        values, slopes = self._basis(nodes)
        half_slope = (self.slope(nodes) / (2.0 * self.temperature))[:, None]
        matrix = np.sqrt(weights)[:, None] * (slopes + half_slope * values)
        _, sigma, right = np.linalg.svd(matrix, full_matrices=False)
        return self.temperature * sigma[-2::-1] ** 2, right[-2::-1]

    @property
    def rates(self) -> FloatArray:
        """Decay rates of the modes of the policy, increasing; the gap's late rate is twice the first."""
        return self._modes[0]

    @cached_property
    def _log_mass(self) -> float:
        """ln int exp(-cost/tau) da."""
        nodes, weights = self._rule
        exponent = -self.cost(nodes) / self.temperature
        top = float(np.max(exponent))
        return top + float(np.log(weights @ np.exp(exponent - top)))

    def optimal_density(self, actions: ArrayLike) -> FloatArray:
        """g, the density of the optimal policy with respect to da."""
        a = np.asarray(actions, dtype=np.float64)
        return np.asarray(np.exp(-self.cost(a) / self.temperature - self._log_mass))

    @property
    def optimal_value(self) -> float:
        """V* = -tau/(1-gamma) ln int exp(-cost/tau) da/(upper - lower)."""
        return -self.temperature / (1.0 - self.discount) * (self._log_mass - float(np.log(self.upper - self.lower)))

    def expansion(self, density: Function) -> BoxFlow:
        """The exact flow from the policy with the given density (any normalisation).

        Raises
        ------
        ValueError
            The start is large where the optimal density is too small for double precision.
        """
        nodes, weights = self._rule
        start = density(nodes)
        start = start / (weights @ start)
        root = np.sqrt(self.optimal_density(nodes))
        psi = start / root
        if np.max(psi) > 1e8:
            raise ValueError(f"p/sqrt(g) reaches {np.max(psi):.1e}: the expansion has no correct digits left")
        values, _ = self._basis(nodes)
        return BoxFlow(self, self._modes[1] @ (values.T @ (weights * psi)), 1e-13 * float(np.max(psi)))


@dataclass(frozen=True, eq=False)
class BoxFlow:
    """Exact flow of a :class:`BoxBandit`: coefficients of the decaying modes at time zero, and the rounding level."""

    bandit: BoxBandit
    coefficients: FloatArray
    rounding: float

    def _deviation(self, time: float, actions: FloatArray) -> FloatArray:
        """(p - g)/sqrt(g)."""
        rates, modes = self.bandit._modes
        values, _ = self.bandit._basis(actions)
        return np.asarray(values @ ((self.coefficients * np.exp(-rates * time)) @ modes))

    def density(self, time: float, actions: ArrayLike) -> FloatArray:
        """Policy density with respect to da at some actions (n,); entries below the rounding level are noise."""
        a = np.asarray(actions, dtype=np.float64)
        optimal = self.bandit.optimal_density(a)
        return np.asarray(optimal + np.sqrt(optimal) * self._deviation(time, a))

    def divergence(self, time: float) -> float:
        """KL(pi_t|pi*) for time > 0.

        Raises
        ------
        ArithmeticError
            A density is negative by more than rounding: too few modes for this time.
        """
        nodes, weights = self.bandit._rule
        optimal = self.bandit.optimal_density(nodes)
        root = np.sqrt(optimal)
        deviation = self._deviation(time, nodes)
        total = root + deviation
        if np.min(total) < -self.rounding:
            raise ArithmeticError(f"negative density at t = {time}: more modes are needed")
        excess = np.where(total > 0.0, deviation / root, -1.0)
        return float(weights @ (optimal * entropy_excess(excess)))

    def gap(self, time: float) -> float:
        """V^{pi_t} - V*."""
        return self.bandit.temperature / (1.0 - self.bandit.discount) * self.divergence(time)

    def value(self, time: float) -> float:
        """V^{pi_t}."""
        return self.bandit.optimal_value + self.gap(time)
