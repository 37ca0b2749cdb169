r"""Values, occupancy and relative entropies of one policy, by their definitions: dense or iterated, NumPy alone.

    V = r + gamma P V,   r = sum_k p (c + tau ln(p/m)),   Q = c + gamma E[V],   d = (1 - gamma) sum_n gamma^n rho P^n

Values and suboptimalities of few states are solved for by dense elimination; of many, summed as Neumann series until
what is left is below rounding, which needs products with P alone.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.mdp import GridMDP

DENSE = 1500  # states
LEFT = 1e-17
SMALL = 3e-2


def bregman(log_ratio: FloatArray) -> FloatArray:
    """L e^L - e^L + 1: by its series sum_j (j - 1)/j! L^j where it would cancel."""
    x = log_ratio
    series = x**2 * (0.5 + x * (1 / 3 + x * (1 / 8 + x * (1 / 30 + x * (1 / 144 + x * (1 / 840 + x / 5760))))))
    with np.errstate(all="ignore"):
        return np.where(np.abs(x) < SMALL, series, x * np.exp(x) - np.expm1(x))


def relative_entropy(policy: FloatArray, log_g: FloatArray) -> FloatArray:
    """KL(p|g) of every state, (S,), as a sum of non-negative terms; ``log_g`` (S, A) or (A,)."""
    return np.asarray(entropy_terms(policy, log_g).sum(axis=1))


def entropy_terms(policy: FloatArray, log_g: FloatArray) -> FloatArray:
    """g phi(p/g) = p ln(p/g) - p + g cell by cell, never negative, also where g underflows or p/g overflows."""
    g = np.exp(log_g)
    with np.errstate(all="ignore"):
        ratio = np.log(policy) - log_g
        far = policy * ratio - policy + g
        near = g * bregman(np.clip(ratio, -1.0, 1.0))
    return np.where(policy == 0.0, g, np.where(np.abs(ratio) < 0.5, near, far))


class PolicyValues:
    """Value functions of one policy.

    Parameters
    ----------
    mdp : GridMDP
        Its cost, masses, rho and transition are used, and none of its methods.
    policy : array (S, A)
    """

    def __init__(self, mdp: GridMDP, policy: FloatArray) -> None:
        self.mdp, self.policy = mdp, policy
        self.rows = mdp.transition.under(policy)
        small = mdp.states.size <= DENSE
        self._system = np.eye(mdp.states.size) - mdp.discount * self.rows.dense() if small else None
        self.to_reference = relative_entropy(policy, np.log(mdp.reference_mass))
        reward = (policy * mdp.cost).sum(axis=1) + mdp.temperature * self.to_reference
        self.value = self.solve(reward)
        self.q = mdp.cost + mdp.discount * mdp.transition.expect(self.value)
        self.occupancy = self.transposed((1.0 - mdp.discount) * mdp.rho)

    def solve(self, right: FloatArray) -> FloatArray:
        """(I - gamma P)^{-1} applied to (S,)."""
        if self._system is not None:
            return np.asarray(np.linalg.solve(self._system, right))
        return self._series(right, self.rows.matvec)

    def transposed(self, right: FloatArray) -> FloatArray:
        """(I - gamma P^T)^{-1} applied to (S,)."""
        if self._system is not None:
            return np.asarray(np.linalg.solve(self._system.T, right))
        return self._series(right, self.rows.rmatvec)

    def _series(self, right: FloatArray, product: object) -> FloatArray:
        assert callable(product)
        total, term, discount = right.copy(), right, self.mdp.discount
        for _ in range(int(np.ceil(np.log(LEFT) / np.log(discount)))):
            term = discount * product(term)
            total = total + term
        return total
