r"""Exact flow of the entropy-regularised linear-quadratic regulator, any number of states and actions.

On the whole space, with s' = A s + B a + w, w ~ N(0, W), running cost

    c(s, a) = s'Qs + 2 s'Na + a'Ra + 2 q's + 2 r'a + c0,

reference measure mu = N(0, S_mu) (or Lebesgue measure) and a start pi_0(.|s) = N(K s + k, Sigma), the flow stays
Gaussian, with Sigma independent of s.  Write R~ = R + (tau/2) S_mu^{-1}, V^pi(s) = s'Ps + 2p's + const and

    M = 2 (R~ + gamma B'PB),    G = N' + gamma B'PA,    g = r + gamma B'p.

Particles move with velocity -grad_a(Q^pi + tau ln dpi/dmu), affine in a, so that

    dK/dt = -(M K + 2 G),   dk/dt = -(M k + 2 g),   dSigma/dt = -(M Sigma + Sigma M) + 2 tau I.

**Late times.**  The optimum (soft Riccati equation) makes all three right-hand sides vanish, and a difference of
nearly equal numbers would lose every digit.  So the unknowns are the deviations dK, dk, dSigma from the optimum, and

    V^pi(s) - V*(s) = E^pi sum_n gamma^n tau KL( pi(.|s_n) | pi*(.|s_n) )                  (*)
    tau KL = 1/2 |dK s + dk|^2_{M*} + (tau/2) sum_i (x_i - ln(1 + x_i)),   x = eig(Sigma*^{-1} dSigma),

a discounted quadratic cost of the closed loop, solved by a Lyapunov equation; with (D, d) its quadratic and linear
coefficients and F = A + B K the right-hand sides are exactly

    -(M* dK + 2 gamma B'D F),   -(M* dk + 2 gamma B'(D B k + d)),   -(M* dSigma + dSigma M* + dM Sigma + Sigma dM)

with dM = 2 gamma B'D B: nothing cancels, and the gap keeps its relative precision down to underflow.  The system is
integrated (DOP853) for the deviations times exp(lambda t), lambda = lambda_min(M*) their late rate, so that error
control is relative to what is left.

Sources: performance-difference identity (*), see e.g. Kakade & Langford 2002; the Gaussian closure of the flow is
that of Wasserstein policy optimisation on quadratic Q (Pfau et al., arXiv:2505.00663).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp
from scipy.linalg import eigvalsh, solve_discrete_are, solve_discrete_lyapunov

from wpoflow.core.arrays import FloatArray
from wpoflow.validation.exact.divergence import log_deficit


@dataclass(frozen=True, eq=False)
class Quadratic:
    """The function s'Xs + 2x's + c on R^n: ``matrix`` X (n, n), ``vector`` x (n,), ``constant`` c."""

    matrix: FloatArray
    vector: FloatArray
    constant: float

    def at(self, points: ArrayLike) -> FloatArray:
        """Values at points (..., n)."""
        s = np.asarray(points, dtype=np.float64)
        return np.asarray(np.einsum("...i,ij,...j->...", s, self.matrix, s) + 2.0 * s @ self.vector + self.constant)

    def mean(self, mean: ArrayLike, cov: ArrayLike) -> float:
        """Expectation under N(mean, cov)."""
        return float(self.at(mean) + np.sum(self.matrix * np.asarray(cov)))

    def __add__(self, other: Quadratic) -> Quadratic:
        """Sum of two quadratic functions."""
        return Quadratic(self.matrix + other.matrix, self.vector + other.vector, self.constant + other.constant)


@dataclass(frozen=True, eq=False)
class GaussianPolicy:
    """pi(.|s) = N(K s + k, Sigma): ``gain`` (m, n), ``offset`` (m,), ``cov`` (m, m).  Also a deviation of such."""

    gain: FloatArray
    offset: FloatArray
    cov: FloatArray

    def __add__(self, other: GaussianPolicy) -> GaussianPolicy:
        """Sum of the parameters."""
        return GaussianPolicy(self.gain + other.gain, self.offset + other.offset, self.cov + other.cov)

    def __sub__(self, other: GaussianPolicy) -> GaussianPolicy:
        """Difference of the parameters."""
        return GaussianPolicy(self.gain - other.gain, self.offset - other.offset, self.cov - other.cov)

    def packed(self) -> FloatArray:
        """All parameters in one vector."""
        return np.concatenate((self.gain.ravel(), self.offset, self.cov.ravel()))

    def unpacked(self, vector: FloatArray) -> GaussianPolicy:
        """Parameters of the same shapes from one vector."""
        m, n = self.gain.shape
        return GaussianPolicy(vector[: m * n].reshape(m, n), vector[m * n : m * n + m], vector[-m * m :].reshape(m, m))


@dataclass(frozen=True, eq=False)
class FlowPoint:
    """The exact flow at one time: policy, and V^pi and V^pi - V* as functions of the state."""

    time: float
    policy: GaussianPolicy
    value: Quadratic
    gap: Quadratic


@dataclass(frozen=True, eq=False)
class LinearQuadratic:
    """The regulator of the module's head.

    Parameters
    ----------
    drift, control : array (n, n), (n, m)
        A and B of s' = A s + B a + w.
    noise_cov : array (n, n)
        W, the covariance of w.
    state_cost, cross_cost, action_cost : array (n, n), (n, m), (m, m)
        Q, N and R.
    state_slope, action_slope : array (n,), (m,)
        q and r.
    constant : float
        c0.
    discount, temperature : float
        gamma in (0, 1), tau > 0.
    reference_cov : array (m, m) or None
        S_mu; None for Lebesgue measure.
    """

    drift: FloatArray
    control: FloatArray
    noise_cov: FloatArray
    state_cost: FloatArray
    cross_cost: FloatArray
    action_cost: FloatArray
    state_slope: FloatArray
    action_slope: FloatArray
    constant: float
    discount: float
    temperature: float
    reference_cov: FloatArray | None = None

    @cached_property
    def _action_cost(self) -> FloatArray:
        """R~ = R + (tau/2) S_mu^{-1}."""
        if self.reference_cov is None:
            return self.action_cost
        return np.asarray(self.action_cost + 0.5 * self.temperature * np.linalg.inv(self.reference_cov))

    def _entropy(self, cov: FloatArray) -> float:
        """Part of E tau ln(dpi/dmu) that is not in R~."""
        m = len(cov)
        log_det = float(np.linalg.slogdet(cov)[1])
        if self.reference_cov is None:
            return -0.5 * self.temperature * (m * float(1.0 + np.log(2.0 * np.pi)) + log_det)
        return 0.5 * self.temperature * (float(np.linalg.slogdet(self.reference_cov)[1]) - log_det - m)

    def discounted(self, policy: GaussianPolicy, stage: Quadratic) -> Quadratic:
        """E^pi sum_n gamma^n stage(s_n) as a function of the first state.

        Raises
        ------
        ValueError
            gamma rho(A + B K)^2 >= 1: the sum diverges.
        """
        closed = self.drift + self.control @ policy.gain
        if self.discount * np.max(np.abs(np.linalg.eigvals(closed))) ** 2 >= 1.0:
            raise ValueError("the discounted cost of this policy is infinite: discount * radius(A + B K)^2 >= 1")
        matrix = np.asarray(solve_discrete_lyapunov(np.sqrt(self.discount) * closed.T, stage.matrix))
        push = self.control @ policy.offset
        right = stage.vector + self.discount * closed.T @ matrix @ push
        vector = np.linalg.solve(np.eye(len(closed)) - self.discount * closed.T, right)
        spread = self.control @ policy.cov @ self.control.T + self.noise_cov
        later = push @ matrix @ push + 2.0 * vector @ push + np.sum(matrix * spread)
        return Quadratic(matrix, vector, float(stage.constant + self.discount * later) / (1.0 - self.discount))

    def value(self, policy: GaussianPolicy) -> Quadratic:
        """V^pi, by discounted Lyapunov equations."""
        gain, offset, cost = policy.gain, policy.offset, self._action_cost
        cross = self.cross_cost @ gain
        stage = Quadratic(
            self.state_cost + cross + cross.T + gain.T @ cost @ gain,
            self.state_slope + self.cross_cost @ offset + gain.T @ (cost @ offset + self.action_slope),
            float(offset @ cost @ offset + 2.0 * self.action_slope @ offset + np.sum(cost * policy.cov))
            + self.constant
            + self._entropy(policy.cov),
        )
        return self.discounted(policy, stage)

    @cached_property
    def optimum(self) -> GaussianPolicy:
        """The soft-optimal policy, from the discounted Riccati equation."""
        scale = np.sqrt(self.discount)
        riccati = np.asarray(
            solve_discrete_are(
                scale * self.drift, scale * self.control, self.state_cost, self._action_cost, s=self.cross_cost
            )
        )
        half = self._action_cost + self.discount * self.control.T @ riccati @ self.control
        gain = -np.linalg.solve(half, self.cross_cost.T + self.discount * self.control.T @ riccati @ self.drift)
        closed = self.drift + self.control @ gain
        right = self.state_slope + gain.T @ self.action_slope
        vector = np.linalg.solve(np.eye(len(closed)) - self.discount * closed.T, right)
        offset = -np.linalg.solve(half, self.action_slope + self.discount * self.control.T @ vector)
        return GaussianPolicy(gain, offset, 0.5 * self.temperature * np.linalg.inv(half))

    @cached_property
    def optimal_value(self) -> Quadratic:
        """V*."""
        return self.value(self.optimum)

    @cached_property
    def hessian(self) -> FloatArray:
        """M*, the Hessian of Q* + tau U in the action; its spectrum holds the exact rates of K and k."""
        return np.asarray(self.temperature * np.linalg.inv(self.optimum.cov))

    @property
    def rate(self) -> float:
        """Late rate of the policy, lambda_min(M*); that of the gap is twice it."""
        return float(eigvalsh(self.hessian)[0])

    def gap(self, excess: GaussianPolicy) -> Quadratic:
        """V^pi - V* by (*) for the policy ``optimum + excess``: no cancellation."""
        ratios = eigvalsh(excess.cov, self.optimum.cov)
        stage = Quadratic(
            0.5 * excess.gain.T @ self.hessian @ excess.gain,
            0.5 * excess.gain.T @ self.hessian @ excess.offset,
            float(0.5 * excess.offset @ self.hessian @ excess.offset)
            + 0.5 * self.temperature * float(log_deficit(ratios).sum()),
        )
        return self.discounted(self.optimum + excess, stage)

    def _velocity(self, excess: GaussianPolicy) -> GaussianPolicy:
        """Time derivative of the policy's parameters."""
        policy, gap = self.optimum + excess, self.gap(excess)
        pull = 2.0 * self.discount * self.control.T
        closed = self.drift + self.control @ policy.gain
        gain = self.hessian @ excess.gain + pull @ gap.matrix @ closed
        push = gap.matrix @ self.control @ policy.offset + gap.vector
        bend = pull @ gap.matrix @ self.control
        cov = self.hessian @ excess.cov + excess.cov @ self.hessian + bend @ policy.cov + policy.cov @ bend
        return GaussianPolicy(-gain, -(self.hessian @ excess.offset + pull @ push), -cov)

    def flow(self, start: GaussianPolicy, times: Sequence[float]) -> tuple[FlowPoint, ...]:
        """The exact flow from ``start`` at increasing times >= 0.

        Raises
        ------
        ValueError
            The cost of a policy on the way is infinite, or the integration fails.
        """
        rate, origin = self.rate, start - self.optimum

        def right_side(t: float, scaled: FloatArray) -> FloatArray:
            decay = np.exp(-rate * t)
            excess = origin.unpacked(decay * scaled)
            return np.asarray(rate * scaled + self._velocity(excess).packed() / decay)

        end = max(times[-1], 1e-300)
        solution = solve_ivp(right_side, (0.0, end), origin.packed(), "DOP853", t_eval=times, rtol=1e-13, atol=1e-14)
        if not solution.success:
            raise ValueError(f"the flow could not be integrated: {solution.message}")
        points = []
        for t, scaled in zip(times, solution.y.T, strict=True):
            excess = origin.unpacked(np.exp(-rate * t) * scaled)
            gap = self.gap(excess)
            points.append(FlowPoint(t, self.optimum + excess, self.optimal_value + gap, gap))
        return tuple(points)
