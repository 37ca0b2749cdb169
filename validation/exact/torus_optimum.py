r"""A problem on two circles, and its soft optimum by a Fourier pseudo-spectral method.

One state and one action, both periodic with period 2 pi, next state f(s, a) + sigma xi wrapped, everything smooth.
A Gaussian multiplies the Fourier coefficients v_k of V by exp(-sigma^2 k^2/2), so that

    E[V(s')] = sum_k v_k exp(-sigma^2 k^2/2) e^{ik f(s,a)},

and the modes beyond exp(-sigma^2 k^2/2) = 1e-18 are left out.  Policy evaluation is then a linear system for the few
coefficients v that are left: from W = r + gamma P^pi W follows v = F r + gamma F P^pi(v), F the Fourier analysis on the
points of the states.  Integrals over the action are sums over its points, exact to rounding for periodic analytic
functions once they are resolved.  Soft policy iteration, which is Newton's method, gives V*, Q* and pi*.

Source: Trefethen, Spectral Methods in MATLAB (2000), chapters 3 and 4, doi:10.1137/1.9780898719598; the optimum's
equations are those of theory.md, section 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from wpoflow.core.arrays import FloatArray
from wpoflow.validation.exact.fourier import derivative_matrix

Function = Callable[..., ArrayLike]

_NEGLECTED = 1e-18
_NEWTON_STEPS = 60
_ACCEPTED = 1e-6  # largest residual of an optimum, relative to 1 + |V|


@dataclass(frozen=True, eq=False)
class TorusProblem:
    """A problem on circle x circle; functions are vectorised, smooth and 2 pi-periodic (f up to multiples of 2 pi).

    Parameters
    ----------
    cost, dynamics : callable
        c(s, a) and f(s, a).
    noise : float
        sigma >= 0.
    discount, temperature : float
        gamma and tau.
    log_policy : callable
        ln of the density of the initial policy with respect to da, up to a constant for each s.
    """

    cost: Function
    dynamics: Function
    noise: float
    discount: float
    temperature: float
    log_policy: Function


def on_pairs(function: Function, states: FloatArray, actions: FloatArray) -> FloatArray:
    """A function of state and action on all pairs, (S, A)."""
    s, a = np.broadcast_arrays(states[:, None], actions)
    return np.array(np.broadcast_to(np.asarray(function(s, a), dtype=np.float64), s.shape))


def normalised(log_density: FloatArray, cell: float) -> FloatArray:
    """exp, normalised to unit mass along the last axis."""
    density = np.exp(log_density - log_density.max(axis=-1, keepdims=True))
    return np.asarray(density / (cell * density.sum(axis=-1, keepdims=True)))


class Evaluation:
    """Expectations and policy evaluation in the Fourier modes that the noise leaves."""

    def __init__(self, problem: TorusProblem, states: FloatArray, actions: FloatArray) -> None:
        next_state = on_pairs(problem.dynamics, states, actions)
        highest = (states.size - 1) // 2
        if problem.noise > 0.0:
            highest = min(highest, int(np.ceil(np.sqrt(-2.0 * np.log(_NEGLECTED)) / problem.noise)))
        k = np.arange(1, highest + 1)
        phase = next_state[..., None] * k
        damping = np.exp(-0.5 * (problem.noise * k) ** 2)
        constant = np.ones((*next_state.shape, 1))
        self.waves = np.concatenate([constant, damping * np.cos(phase), damping * np.sin(phase)], axis=-1)
        angle = k[:, None] * states
        weight = 2.0 / states.size
        mean = np.full((1, states.size), 1.0 / states.size)
        self.analysis = np.concatenate([mean, weight * np.cos(angle), weight * np.sin(angle)])
        self.discount = problem.discount
        self.cell = 2.0 * np.pi / actions.size

    def modes(self, density: FloatArray, source: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Solve W = source + gamma P^pi W for any number of sources (S, ...); W and its Fourier coefficients."""
        moved = self.cell * np.matmul(density[:, None, :], self.waves)[:, 0, :]
        matrix = np.eye(moved.shape[1]) - self.discount * (self.analysis @ moved)
        coefficients = np.linalg.solve(matrix, self.analysis @ source)
        return source + self.discount * (moved @ coefficients), coefficients

    def expectation(self, coefficients: FloatArray) -> FloatArray:
        """gamma E[W(s')], (S, A)."""
        return np.asarray(self.discount * (self.waves @ coefficients))


@dataclass(frozen=True, eq=False)
class TorusOptimum:
    """The soft optimum on the points of the two circles.

    Attributes
    ----------
    temperature : float
        tau.
    states, actions : array (S,), (A,)
    value : array (S,)
    potential : array (S, A)
        Phi = Q*/tau, so that pi* is proportional to exp(-Phi).
    density : array (S, A)
        pi* with respect to da.
    """

    temperature: float
    states: FloatArray
    actions: FloatArray
    value: FloatArray
    potential: FloatArray
    density: FloatArray

    @cached_property
    def modes(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Singular value decomposition of D = d_a + Phi'/2 without its kernel sqrt(pi*).

        Left vectors (S, A, A - 1), singular values (S, A - 1), decreasing, right vectors (S, A - 1, A).
        """
        derivative = derivative_matrix(self.actions.size)
        half_slope = 0.5 * self.potential @ derivative.T
        left, sigma, right = np.linalg.svd(derivative + half_slope[:, :, None] * np.eye(self.actions.size))
        return left[:, :, :-1], sigma[:, :-1], right[:, :-1, :]

    @property
    def spectral_gaps(self) -> FloatArray:
        """tau times the Poincare constant of pi*(.|s), of the continuum, (S,)."""
        return np.asarray(self.temperature * self.modes[1][:, -1] ** 2)


def solve_torus_optimum(
    problem: TorusProblem, evaluation: Evaluation, states: FloatArray, actions: FloatArray
) -> TorusOptimum:
    """Soft policy iteration until the residual stops falling.

    Raises
    ------
    ArithmeticError
        The residual stays above 1e-6 relative to 1 + |V|.
    """
    tau, cell = problem.temperature, evaluation.cell
    cost = on_pairs(problem.cost, states, actions)
    log_reference = -np.log(2.0 * np.pi)
    value, coefficients = np.zeros(states.size), np.zeros(evaluation.analysis.shape[0])
    best, least = (value, cost), np.inf
    for _ in range(_NEWTON_STEPS):
        q = cost + evaluation.expectation(coefficients)
        log_weight = log_reference - q / tau
        top = log_weight.max(axis=1)
        soft = -tau * (top + np.log(cell * np.exp(log_weight - top[:, None]).sum(axis=1)))
        residual = float(np.max(np.abs(value - soft)))
        accepted = residual <= _ACCEPTED * (1.0 + float(np.max(np.abs(soft))))
        if accepted and residual >= 0.5 * least:
            value, potential = best[0], best[1] / tau
            return TorusOptimum(tau, states, actions, value, potential, normalised(-potential, cell))
        if residual < least:
            best, least = (value, q), residual
        policy = normalised(log_weight, cell)
        # on the Gibbs policy ln dpi/dmu is (soft - q)/tau, so that its running cost is cost + soft - q
        source = cell * np.sum(policy * (cost + (soft[:, None] - q)), axis=1)
        value, coefficients = evaluation.modes(policy, source)
    raise ArithmeticError(f"soft policy iteration stops at residual {least:.3g}: more modes are needed")
