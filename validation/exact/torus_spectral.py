r"""Exact flow of a nonlinear problem on two circles, by a Fourier pseudo-spectral method.

One state and one action, both periodic with period 2 pi, next state f(s, a) + sigma xi wrapped, everything smooth.
Nothing here is shared with the grid solver: neither the flux, nor the transition, nor the time steps.

The optimum comes from :mod:`validation.exact.torus_optimum`; the flow is computed as deviation from it.  With
psi = (pi - pi*)/sqrt(pi*), D = d_a + Phi'/2 and Phi = Q*/tau it reads

    psi_t = -D^T ( tau D psi + (sqrt(pi*) + psi) d_a(Q^pi - Q*) ),
    Q^pi - Q* = gamma E[(V^pi - V*)(s')],    V^pi - V* = (1 - gamma P^pi)^{-1} tau KL(pi|pi*).

The last identity is that of theory.md, (I2); it has no cancellation, so neither has anything else: the deviation and
the suboptimality keep their relative precision however small they are.  The singular value decomposition of the matrix
of D (trigonometric collocation, an odd number of points: its kernel is sqrt(pi*) alone) turns the linear part into
decay rates tau sigma_j^2, whose least is the spectral gap of pi*(.|s); what remains is of second order in the
deviation, and is integrated by :mod:`validation.exact.exponential_integrator`.  The mass of the deviation is zero
because the mode sqrt(pi*) is left out.

**Accuracy.**  Exponential in both numbers of modes for analytic data.  Where pi* is smaller than 1e-16 of its
peak, psi is beyond double precision; a start with mass there is refused, a negative density stops the solution.

Sources: Trefethen, Spectral Methods in MATLAB (2000), chapters 3 and 4, doi:10.1137/1.9780898719598; Risken, The
Fokker-Planck Equation (1989), section 5.4 (the symmetric operator).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from wpoflow.core.arrays import FloatArray
from wpoflow.validation.exact.divergence import entropy_excess
from wpoflow.validation.exact.exponential_integrator import integrate
from wpoflow.validation.exact.fourier import circle_points, derivative_matrix, interpolation_matrix
from wpoflow.validation.exact.torus_optimum import (
    Evaluation,
    TorusOptimum,
    TorusProblem,
    normalised,
    on_pairs,
    solve_torus_optimum,
)

_NEGATIVE = 1e-9  # of the peak: a spectral solution that is resolved stays above it
_LARGEST = 1e8  # of pi_0/sqrt(pi*): beyond, psi has no correct digits where pi* is large


@dataclass(frozen=True, eq=False)
class TorusSolution:
    """The flow at the times asked for, T of them.

    Attributes
    ----------
    optimum : TorusOptimum
    gap : array (T,)
        V(rho) - V*(rho), rho uniform, without cancellation.
    value : array (T, S)
    density : array (T, S, A)
        Policy with respect to da.
    """

    optimum: TorusOptimum
    gap: FloatArray
    value: FloatArray
    density: FloatArray

    @property
    def mean_cos(self) -> FloatArray:
        """E[cos a], (T, S)."""
        actions = self.optimum.actions
        return np.asarray(self.density @ np.cos(actions) * (2.0 * np.pi / actions.size))

    def at_states(self, values: FloatArray, states: ArrayLike) -> FloatArray:
        """Interpolate values (T, S) trigonometrically at some states, (T, states)."""
        return np.asarray(values @ interpolation_matrix(self.optimum.states.size, states).T)


class _Flow:
    """The flow in the modes of the optimum."""

    def __init__(self, problem: TorusProblem, n_states: int, n_actions: int) -> None:
        self.problem, self.cell = problem, 2.0 * np.pi / n_actions
        states, actions = circle_points(n_states), circle_points(n_actions)
        self._evaluation = Evaluation(problem, states, actions)
        self.optimum = solve_torus_optimum(problem, self._evaluation, states, actions)
        self.best, self.root = self.optimum.density, np.sqrt(self.optimum.density)
        self.left, self.sigma, self.right = self.optimum.modes
        self.rates = problem.temperature * self.sigma**2
        self._slopes = problem.discount * np.matmul(derivative_matrix(n_actions), self._evaluation.waves)

    def start(self) -> FloatArray:
        """Coefficients of the initial deviation, (S, A - 1)."""
        optimum = self.optimum
        policy = normalised(on_pairs(self.problem.log_policy, optimum.states, optimum.actions), self.cell)
        if not np.all(policy < _LARGEST * self.root):
            raise ValueError(f"pi_0/sqrt(pi*) exceeds {_LARGEST:g}: the deviation has no correct digits left")
        return np.asarray(np.matmul(self.right, ((policy - self.best) / self.root)[:, :, None])[:, :, 0])

    def deviation(self, y: FloatArray) -> FloatArray:
        """psi."""
        return np.asarray(np.matmul(y[:, None, :], self.right)[:, 0, :])

    def gaps(self, psi: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """V^pi - V* (S,), its Fourier coefficients, and the density (S, A)."""
        density = self.best + self.root * psi
        if np.min(density) < -_NEGATIVE * np.max(density):
            raise ArithmeticError("negative density: more modes are needed")
        excess = np.maximum(psi / self.root, -1.0)
        divergence = self.cell * np.sum(self.best * entropy_excess(excess), axis=1)
        gaps, coefficients = self._evaluation.modes(density, self.problem.temperature * divergence)
        return gaps, coefficients, density

    def field(self, y: FloatArray) -> FloatArray:
        """What is left beside the decay: -D^T((sqrt(pi*) + psi) d_a(Q^pi - Q*)), in the modes."""
        psi = self.deviation(y)
        _, coefficients, _ = self.gaps(psi)
        flux = (self.root + psi) * (self._slopes @ coefficients)
        return np.asarray(-self.sigma * np.matmul(flux[:, None, :], self.left)[:, 0, :])


def solve_torus(
    problem: TorusProblem, times: Sequence[float], n_states: int = 128, n_actions: int = 65, tolerance: float = 1e-9
) -> TorusSolution:
    """The flow of a problem on two circles.

    Parameters
    ----------
    problem : TorusProblem
    times : sequence of float
        Increasing, not negative.
    n_states, n_actions : int
        Points on the circles of states and of actions, the multiples of 2 pi/n; an odd number of actions.
    tolerance : float
        Of the time integration, relative to the deviation from the optimum; the values come out a few digits better.

    Raises
    ------
    ValueError
        An even number of actions, or a start beyond double precision.
    ArithmeticError
        Too few modes: a negative density, or a soft optimum that does not converge.
    """
    flow = _Flow(problem, n_states, n_actions)
    first = 0.1 / float(flow.rates[:, -1].max())
    modes = integrate(flow.rates, flow.field, flow.start(), times, tolerance, first)
    gaps, _, densities = (
        np.array(column) for column in zip(*(flow.gaps(flow.deviation(y)) for y in modes), strict=True)
    )
    return TorusSolution(flow.optimum, gaps.mean(axis=1), flow.optimum.value + gaps, densities)
