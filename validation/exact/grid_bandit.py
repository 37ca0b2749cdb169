r"""Exact time evolution of the *grid's own* flow with one state, by eigenvectors of its generator.

With one state the Gibbs policy g ∝ m exp(-c/tau) is fixed and the semi-discrete flow dp/dt = L_g p is linear.  The
Scharfetter-Gummel generator on a no-flux axis is reversible with conductances

    C_k = (tau/Delta_k) B(Phi_{k+1} - Phi_k) g_k/h_k,   B(z) = z/(e^z - 1),   Phi = c/tau - ln(m/h),

so it is similar to the symmetric tridiagonal matrix with entries (C_{k-1} + C_k)/g_k and -C_k/sqrt(g_k g_{k+1}).
Its rates are taken from the eigenvectors e as the quotient sum_k C_k (e_{k+1}/sqrt(g_{k+1}) - e_k/sqrt(g_k))^2 of
non-negative terms, which keeps the slowest rate to full relative precision where the eigenvalue itself is rounded
relative to the largest; what LAPACK leaves of the stationary mode in them is projected out.  The stationary mode
sqrt(g) is left out of the expansion of p - g, where its coefficient is zero, so the gap
tau/(1-gamma) sum g ((1+u) ln(1+u) - u), u = (p-g)/g, keeps its relative precision down to underflow.

This is the time-exact companion of a run on the same cells: it tells errors in time from errors in space.  A start
that is large where g is below 1e-16 of its peak is beyond double precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import eigh_tridiagonal

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis
from wpoflow.validation.exact.divergence import entropy_excess


def _bernoulli(z: FloatArray) -> FloatArray:
    return np.asarray(np.where(z == 0.0, 1.0, z / np.expm1(np.where(z == 0.0, 1.0, z))))


@dataclass(frozen=True, eq=False)
class GridBandit:
    """One state, one no-flux action axis.

    Parameters
    ----------
    axis : Axis
        The n action cells.
    reference_mass, cost : array (n,)
        mu of the cells, and c at their centres.
    temperature, discount : float
        tau and gamma.

    Raises
    ------
    ValueError
        A periodic axis.
    """

    axis: Axis
    reference_mass: FloatArray
    cost: FloatArray
    temperature: float
    discount: float

    def __post_init__(self) -> None:
        if self.axis.periodic:
            raise ValueError(f"axis {self.axis.name} is periodic: its generator is not tridiagonal")

    @cached_property
    def _log_weights(self) -> tuple[FloatArray, float]:
        """ln g and ln of its normalisation sum m exp(-c/tau)."""
        exponent = np.log(self.reference_mass) - self.cost / self.temperature
        top = float(np.max(exponent))
        log_mass = top + float(np.log(np.sum(np.exp(exponent - top))))
        return exponent - log_mass, log_mass

    @property
    def optimal_policy(self) -> FloatArray:
        """g, (n,)."""
        return np.asarray(np.exp(self._log_weights[0]))

    @property
    def optimal_value(self) -> float:
        """V* = -tau/(1-gamma) ln sum m exp(-c/tau)."""
        return -self.temperature / (1.0 - self.discount) * self._log_weights[1]

    @cached_property
    def _modes(self) -> tuple[FloatArray, FloatArray]:
        """Rates of the decaying modes, increasing (n - 1,), and their eigenvectors in its columns (n, n - 1)."""
        g = self.optimal_policy
        phi = np.log(self.axis.widths) - self._log_weights[0]
        flow = self.temperature / self.axis.distances * _bernoulli(np.diff(phi)) * (g / self.axis.widths)[:-1]
        out = np.concatenate((flow, [0.0])) + np.concatenate(([0.0], flow))
        root = np.sqrt(g)
        _, vectors = eigh_tridiagonal(out / g, -flow / (root[:-1] * root[1:]), lapack_driver="stev")
        decaying = np.asarray(vectors[:, 1:], dtype=np.float64)
        decaying -= root[:, None] * (root @ decaying)
        decaying /= np.linalg.norm(decaying, axis=0)
        rates = flow @ np.diff(decaying / root[:, None], axis=0) ** 2
        return np.asarray(rates), decaying

    @property
    def rates(self) -> FloatArray:
        """Decay rates of the modes of the policy, increasing (n - 1,)."""
        return self._modes[0]

    def deviation(self, start: FloatArray, time: float) -> FloatArray:
        """(p_t - g)/sqrt(g) from the policy ``start`` (n,) at time 0."""
        rates, modes = self._modes
        coefficients = modes.T @ (start / np.sqrt(self.optimal_policy))
        return np.asarray(modes @ (coefficients * np.exp(-rates * time)))

    def policy(self, start: FloatArray, time: float) -> FloatArray:
        """p_t (n,); exact to about 1e-15 sqrt(g) max(start/sqrt(g)) in each cell."""
        g = self.optimal_policy
        return np.asarray(g + np.sqrt(g) * self.deviation(start, time))

    def gap(self, start: FloatArray, time: float) -> float:
        """V^{p_t} - V* on the grid.

        Raises
        ------
        ArithmeticError
            A cell is negative by more than rounding.
        """
        root, deviation = np.sqrt(self.optimal_policy), self.deviation(start, time)
        total = root + deviation
        if np.min(total) < -1e-12 * float(np.max(start / root)):
            raise ArithmeticError(f"negative probability at t = {time}: the start is beyond double precision")
        excess = np.where(total > 0.0, deviation / root, -1.0)
        return float(self.temperature / (1.0 - self.discount) * np.sum(root**2 * entropy_excess(excess)))
