r"""The certificate of |V - V*|_sup formed again from its statement: dense values, dense spectral gaps, plain bisection.

For a policy p, g the Gibbs policy of its own Q, u = V - V*, delta_s = max_a (Q - Q*)/tau, x = p/g, phi(x) = x ln x - x
+ 1 and any M > 1,

    beta_s(M) = lambda_s (1 + e^(-u_s/(2 tau)))/K(M),   K(M) = phi(M)/(sqrt(M) - 1)^2,
    T_s(M)    = e^-delta sum_k g_k (2 phi(x_k e^delta) - phi(M))_+,  and 0 for M >= max x e^delta,

lambda_s = e^-delta times the larger of the gaps of p* and g.  What is certified down to an excess L is at most

    2 min_s max(alpha_s, beta_s(M_s)) share,   M_s the least with tau T_s(M_s) <= (1 - gamma) L,
    share = max(1 - gamma, (1 - gamma/(2 sqrt 2) sqrt(r/(tau (1 - gamma))))_+^2),
    r = min(max u, (tau/gamma) sqrt(max_i h_i)),
    h = min(h, (1 - gamma) delta^2 + gamma min(P* h + sqrt(u/(2 tau)) osc_a P h, max_a P h)), from max delta^2 on.

alpha_s is taken as given: a bound, judged elsewhere. What a certificate along rho gives away, 1 - share = q and its
excess, obey q excess >= b^2, tau/(8 (1 - gamma)) times the least of rho.h and, for every eta tried, of v.delta^2 + w
max delta^2, v = (1 - gamma) rho (I - gamma' P*)^-1, gamma' = gamma (1 + eta), q' = gamma/(1 - gamma'), R = sum_k (p -
(1 + eta) e^-delta g)_+ and w = q'/(1 - q' max R) v.R.
At an instant the guaranteed rate is 2 tau/(1 - gamma) sum d_s beta_s KL(p_s|g_s)/gap, beta_s the larger of alpha_s and
lambda_s max_M (1 + m)/K(M) (1 - T/Ent) of g itself, m = sum sqrt(p g), T = sum over x > M of g phi(x); between values
of x T is constant and K increases, so that the maximum is at one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.independent.generator import Frozen, Geometry
from wpoflow.validation.independent.policy import PolicyValues, bregman, entropy_terms

HALVINGS = 80
ROUNDS = 400


def _factor(log_most: float) -> float:
    """K(M) of ln M; 2 at M = 1."""
    if log_most < 1e-5:  # K = 2 + ln(M)/3 + ...
        return 2.0 + log_most / 3.0
    if log_most > 30.0:  # both terms divided by M, which may be beyond double precision
        return float((log_most - 1.0 + np.exp(-log_most)) / np.expm1(-0.5 * log_most) ** 2)
    root = np.expm1(0.5 * log_most)
    return float(bregman(np.array(log_most)) / root**2)


def _log_bregman(log_most: float) -> float:
    """ln phi(M) of ln M > 0: phi itself is beyond double precision from M = e^700 on, and g is below it."""
    if log_most < 1.0:
        return float(np.log(bregman(np.array(log_most))))
    return float(log_most + np.log(log_most - 1.0 + np.exp(-log_most)))


@dataclass(frozen=True, eq=False)
class OneState:
    """p and ln g, (A,); delta, e^(-u/(2 tau)), and bounds alpha and lambda of all later policies."""

    policy: FloatArray
    log_g: FloatArray
    delta: float
    mean: float
    alpha: float
    gap: float

    def tails(self, log_most: float) -> float:
        """T of ln M."""
        reduced = self.log_g - self.delta
        with np.errstate(over="ignore"):  # infinite where M is far above x: nothing is left there
            threshold = np.exp(reduced + _log_bregman(log_most))
        moved = 2.0 * entropy_terms(self.policy, reduced) - threshold
        return float(np.where(self._log_x() > -self.delta, np.maximum(moved, 0.0), 0.0).sum())

    def _log_x(self) -> FloatArray:
        with np.errstate(divide="ignore"):
            return np.log(self.policy) - self.log_g

    def best(self, allowed: float) -> float:
        """The largest beta whose tails are no more than allowed."""
        high, low = max(float(self._log_x().max()) + self.delta, 1e-12), 0.0
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            low, high = (low, middle) if self.tails(middle) <= allowed else (middle, high)
        return max(self.alpha, self.gap * min((1.0 + self.mean) / _factor(high), 1.0))


class CertificateAgain:
    """What can be certified of a policy.

    Parameters
    ----------
    mdp : GridMDP
    geometry : Geometry
    policy, best_q, best_log : arrays (S, A)
        p, Q* and ln p*.
    values : PolicyValues
        Of the policy.
    alpha_best, alpha_now : arrays (S,)
        Lower bounds of alpha of p* and of the Gibbs policy of the policy's Q.

    Attributes
    ----------
    noise : float
        What the spectral gaps may err by, of themselves, and with them at most every rate.
    """

    def __init__(
        self, mdp: GridMDP, geometry: Geometry, policy: FloatArray, best_q: FloatArray, best_log: FloatArray,
        values: PolicyValues, alpha_best: FloatArray, alpha_now: FloatArray,
    ) -> None:  # fmt: skip
        self.mdp, self.values, self.best = mdp, values, np.exp(best_log)
        tau, gamma = mdp.temperature, mdp.discount
        self.present = Frozen.of(geometry, values.q, mdp.reference_mass, tau)
        optimal = Frozen.of(geometry, best_q, mdp.reference_mass, tau)
        self.to_best = entropy_terms(policy, best_log).sum(axis=1)
        self.u = values.solve(tau * self.to_best)
        self.delta = gamma * mdp.transition.expect(np.where(mdp.counted, self.u, 0.0)).max(axis=1) / tau
        self.policy = policy
        with np.errstate(divide="ignore"):
            self.log_x = np.log(policy) - self.present.log_g
        states = range(len(policy))
        kept, (at_best, best_error) = np.exp(-self.delta), np.transpose([optimal.spectral_gap(k) for k in states])
        self.gap_now, error = np.transpose([self.present.spectral_gap(k) for k in states])
        both, errors = np.append(self.gap_now, at_best), np.append(error, best_error)
        self.noise = float((errors[both > 0.0] / both[both > 0.0]).max(initial=0.0))
        self.alpha_now = np.maximum(alpha_now, kept * alpha_best)  # Holley and Stroock: p* may know more of it
        gap = kept * np.maximum(self.gap_now, at_best)
        alpha, mean = kept * np.maximum(alpha_best, alpha_now), np.exp(-self.u / (2.0 * tau))
        self.states = [
            OneState(
                policy[k], self.present.log_g[k], float(self.delta[k]), float(mean[k]), float(alpha[k]), float(gap[k])
            )
            for k in states
        ]

    @cached_property
    def means(self) -> FloatArray:
        """h: of delta^2 under the occupancy of every later policy from a state, at most."""
        tau, gamma, meant = self.mdp.temperature, self.mdp.discount, self.mdp.counted
        squares = np.where(meant, self.delta, 0.0) ** 2
        apart, mean = np.sqrt(np.where(meant, self.u, 0.0) / (2.0 * tau)), np.full_like(squares, squares.max())
        for _ in range(ROUNDS):
            ahead = self.mdp.transition.expect(mean)
            later = (self.best * ahead).sum(axis=1) + apart * np.ptp(ahead, axis=1)
            mean = np.minimum(mean, (1.0 - gamma) * squares + gamma * np.minimum(later, ahead.max(axis=1)))
        return mean

    @cached_property
    def share(self) -> float:
        """What of 2 beta reaches the sup norm."""
        tau, gamma, meant = self.mdp.temperature, self.mdp.discount, self.mdp.counted
        reach = min(float(self.u[meant].max()), tau * float(np.sqrt(self.means[meant].max())) / gamma)
        left = max(1.0 - gamma / (2.0 * np.sqrt(2.0)) * np.sqrt(reach / (tau * (1.0 - gamma))), 0.0)
        return float(max(1.0 - gamma, left**2))

    def rate(self, level: float) -> float:
        """The largest rate of |V - V*|_sup that can be certified down to a level."""
        allowed = level * self.share * (1.0 - self.mdp.discount) / self.mdp.temperature
        meant = np.flatnonzero(np.broadcast_to(self.mdp.counted, self.u.shape))
        return 2.0 * self.share * min(self.states[int(k)].best(allowed) for k in meant)

    def square(self, rooms: Sequence[float]) -> float:
        """The least b^2 of gap(rho), of all eta in units of 1/gamma - 1."""
        gamma, meant = self.mdp.discount, self.mdp.counted
        squares = np.where(meant, self.delta, 0.0) ** 2
        least = min(float(squares.max()), float(self.mdp.rho @ self.means))
        along = self.mdp.transition.under(self.best).dense().T
        for room in rooms:
            wider = 1.0 + room * (1.0 / gamma - 1.0)
            source = (1.0 - gamma) * self.mdp.rho
            visits = np.linalg.solve(np.eye(len(squares)) - gamma * wider * along, source)
            spilt = np.maximum(self.policy - wider * np.exp(self.present.log_g - self.delta[:, None]), 0.0).sum(axis=1)
            spilt, factor = np.where(meant, spilt, 0.0), gamma / (1.0 - gamma * wider)
            lost = factor * float(spilt.max())
            if lost < 1.0:
                wide = factor / (1.0 - lost) * float(visits @ spilt)
                least = min(least, float(visits @ squares) + wide * float(squares.max()))
        return self.mdp.temperature / (8.0 * (1.0 - gamma)) * least

    def instantaneous(self) -> float:
        """The guaranteed dissipation(rho)/gap(rho) of the policy itself."""
        tau, gamma = self.mdp.temperature, self.mdp.discount
        densities = entropy_terms(self.policy, self.present.log_g)
        entropy, root = densities.sum(axis=1), np.sqrt(self.policy) * np.exp(self.present.log_g / 2.0)
        total = 0.0
        for k in range(len(self.u)):
            mean, density = float(root[k].sum()), densities[k]
            places = np.append(self.log_x[k][self.log_x[k] > 0.0], 0.0)
            tails = np.array([density[self.log_x[k] > place].sum() for place in places])
            kept = np.maximum(1.0 - tails / max(entropy[k], 1e-300), 0.0)
            shares = [(1.0 + mean) / _factor(float(place)) * left for place, left in zip(places, kept, strict=True)]
            beta = max(float(self.alpha_now[k]), float(self.gap_now[k]) * min(max(shares), 1.0))
            total += float(self.values.occupancy[k]) * beta * float(entropy[k])
        gap = tau / (1.0 - gamma) * float(self.values.occupancy @ self.to_best)
        return 2.0 * tau / (1.0 - gamma) * total / gap
