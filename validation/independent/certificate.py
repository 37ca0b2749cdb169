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
from functools import cached_property

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.independent.generator import Frozen, Geometry
from wpoflow.validation.independent.policy import PolicyValues, bregman, entropy_terms

HALVINGS = 80
ROUNDS = 400


def _factor(log_most: FloatArray) -> FloatArray:
    """K(M) of ln M; 2 at M = 1."""
    with np.errstate(all="ignore"):
        near = 2.0 + log_most / 3.0  # K = 2 + ln(M)/3 + ...
        plain = bregman(log_most) / np.expm1(0.5 * log_most) ** 2
        far = (log_most - 1.0 + np.exp(-log_most)) / np.expm1(-0.5 * log_most) ** 2  # divided by M: e^700 and beyond
    return np.select([log_most < 1e-5, log_most > 30.0], [near, far], plain)


def _log_bregman(log_most: FloatArray) -> FloatArray:
    """ln phi(M) of ln M > 0: phi itself is beyond double precision from M = e^700 on, and g is below it."""
    with np.errstate(all="ignore"):
        near, far = np.log(bregman(log_most)), log_most + np.log(log_most - 1.0 + np.exp(-log_most))
    return np.where(log_most < 1.0, near, far)


class Optimal:
    """What certificates of all policies of a problem have in common.

    Parameters
    ----------
    mdp : GridMDP
    geometry : Geometry
    best_q, best_log : arrays (S, A)
        Q* and ln p*.
    alpha : array (S,)
        Lower bounds of alpha of p*.
    """

    def __init__(
        self, mdp: GridMDP, geometry: Geometry, best_q: FloatArray, best_log: FloatArray, alpha: FloatArray
    ) -> None:
        self.mdp, self.geometry, self.log, self.alpha = mdp, geometry, best_log, alpha
        self.policy = np.exp(best_log)
        self.gap, self.gap_error = Frozen.of(geometry, best_q, mdp.reference_mass, mdp.temperature).spectral_gaps()
        self._visits: dict[float, FloatArray] = {}

    def visits(self, discount: float) -> FloatArray:
        """rho (I - gamma' P*)^{-1} of a discount gamma', (S,)."""
        if discount not in self._visits:
            along = self.mdp.transition.under(self.policy).dense().T
            self._visits[discount] = np.asarray(np.linalg.solve(np.eye(len(along)) - discount * along, self.mdp.rho))
        return self._visits[discount]


class CertificateAgain:
    """What can be certified of a policy.

    Parameters
    ----------
    optimal : Optimal
    policy : array (S, A)
    values : PolicyValues
        Of the policy.
    alpha : array (S,)
        Lower bounds of alpha of the Gibbs policy of the policy's Q.

    Attributes
    ----------
    noise : float
        What the spectral gaps may err by, of themselves, and with them at most every rate.
    """

    def __init__(self, optimal: Optimal, policy: FloatArray, values: PolicyValues, alpha: FloatArray) -> None:
        self.optimal, self.policy, self.values, self.mdp = optimal, policy, values, optimal.mdp
        mdp, tau, gamma = optimal.mdp, optimal.mdp.temperature, optimal.mdp.discount
        self.present = Frozen.of(optimal.geometry, values.q, mdp.reference_mass, tau)
        self.to_best = entropy_terms(policy, optimal.log).sum(axis=1)
        # sums of terms that are not negative: what elimination leaves below zero is its rounding
        self.u = np.maximum(values.solve(tau * self.to_best), 0.0)
        self.delta = gamma * mdp.transition.expect(np.where(mdp.counted, self.u, 0.0)).max(axis=1) / tau
        with np.errstate(divide="ignore"):
            self.log_x = np.log(policy) - self.present.log_g
        self.gap_now, error = self.present.spectral_gaps()
        both, errors = np.append(self.gap_now, optimal.gap), np.append(error, optimal.gap_error)
        self.noise = float((errors[both > 0.0] / both[both > 0.0]).max(initial=0.0))
        kept = np.exp(-self.delta)
        self.alpha_now = np.maximum(alpha, kept * optimal.alpha)  # Holley and Stroock: p* may know more of it
        self.gap, self.alpha = kept * np.maximum(self.gap_now, optimal.gap), kept * np.maximum(optimal.alpha, alpha)
        reduced = self.present.log_g - self.delta[:, None]
        self._reduced, self._moved = reduced, 2.0 * entropy_terms(policy, reduced)
        self._present_cells = self.log_x > -self.delta[:, None]

    def tails(self, log_most: FloatArray) -> FloatArray:
        """T of ln M of every state, (S,)."""
        with np.errstate(over="ignore"):  # infinite where M is far above x: nothing is left there
            threshold = np.exp(self._reduced + _log_bregman(log_most)[:, None])
        left = np.maximum(self._moved - threshold, 0.0)
        return np.asarray(np.where(self._present_cells, left, 0.0).sum(axis=1))

    def betas(self, allowed: float) -> FloatArray:
        """The largest beta of every state whose tails are no more than allowed, (S,)."""
        high = np.maximum(self.log_x.max(axis=1) + self.delta, 1e-12)
        low = np.zeros_like(high)
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            enough = self.tails(middle) <= allowed
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        mean = np.exp(-self.u / (2.0 * self.mdp.temperature))
        return np.asarray(np.maximum(self.alpha, self.gap * np.minimum((1.0 + mean) / _factor(high), 1.0)))

    @cached_property
    def means(self) -> FloatArray:
        """h: of delta^2 under the occupancy of every later policy from a state, at most."""
        tau, gamma, meant = self.mdp.temperature, self.mdp.discount, self.mdp.counted
        squares = np.where(meant, self.delta, 0.0) ** 2
        apart, mean = np.sqrt(np.where(meant, self.u, 0.0) / (2.0 * tau)), np.full_like(squares, squares.max())
        for _ in range(ROUNDS):
            ahead = self.mdp.transition.expect(mean)
            later = (self.optimal.policy * ahead).sum(axis=1) + apart * (ahead.max(axis=1) - ahead.min(axis=1))
            before = mean
            mean = np.minimum(mean, (1.0 - gamma) * squares + gamma * np.minimum(later, ahead.max(axis=1)))
            if np.array_equal(mean, before):
                break
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
        return 2.0 * self.share * float(self.betas(allowed)[self.mdp.counted].min())

    def square(self, rooms: Sequence[float]) -> float:
        """The least b^2 of gap(rho), of all eta in units of 1/gamma - 1."""
        gamma, meant = self.mdp.discount, self.mdp.counted
        squares = np.where(meant, self.delta, 0.0) ** 2
        least = min(float(squares.max()), float(self.mdp.rho @ self.means))
        for room in rooms:
            wider = 1.0 + room * (1.0 / gamma - 1.0)
            visits = (1.0 - gamma) * self.optimal.visits(gamma * wider)
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
        order = np.argsort(-self.log_x, axis=1)  # x falls: T at a value of x is of the cells before it
        log_x = np.take_along_axis(self.log_x, order, axis=1)
        densities = np.take_along_axis(entropy_terms(self.policy, self.present.log_g), order, axis=1)
        entropy, mean = densities.sum(axis=1), (np.sqrt(self.policy) * np.exp(self.present.log_g / 2.0)).sum(axis=1)
        above = np.where(log_x > 0.0, np.cumsum(densities, axis=1) - densities, np.inf)
        above = np.column_stack([above, np.where(log_x > 0.0, densities, 0.0).sum(axis=1)])  # and M = 1
        kept = np.maximum(1.0 - above / np.maximum(entropy, 1e-300)[:, None], 0.0)
        factor = _factor(np.column_stack([np.maximum(log_x, 0.0), np.zeros(len(log_x))]))
        shares = ((1.0 + mean[:, None]) / factor * kept).max(axis=1)
        beta = np.maximum(self.alpha_now, self.gap_now * np.minimum(shares, 1.0))
        total = float(self.values.occupancy @ (beta * entropy))
        gap = tau / (1.0 - gamma) * float(self.values.occupancy @ self.to_best)
        return 2.0 * tau / (1.0 - gamma) * total / gap
