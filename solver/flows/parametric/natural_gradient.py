"""Natural-gradient steps on means and standard deviations, with a trust region: the algorithm as it was published.

    (m, ln sigma)' = (m, ln sigma) + s eta F^{-1} v,     s <= 1 the largest with KL(N(m, C) | N(m', C')) <= trust region

(Pfau et al., arXiv:2505.00663: the Wasserstein gradient through the policy's parameters, preconditioned by their Fisher
information F, and a bound on KL, as in maximum a posteriori policy optimisation.)  For Gaussians F^{-1} of the
published gradient is the Bures–Wasserstein velocity itself: dm/dt = -E grad Q, d sigma/dt = -sigma E hess Q without
entropy.  So the steps are explicit ones of this flow in its own numbers, each state's shortened to its trust region.
There is no line search, and V may rise.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.flows.parametric.moments import triangles

BISECTIONS = 50


def gaussian_divergence(before: FloatArray, after: FloatArray, dim: int) -> FloatArray:
    """KL(N_before | N_after) of Gaussians by their numbers (S, P), (S,); infinite or nan beyond floating point."""
    old, new = triangles(before, dim), triangles(after, dim)
    with np.errstate(all="ignore"):
        spread = np.linalg.solve(new, np.concatenate([old, (after - before)[:, :dim, None]], axis=2))
        squares = (spread * spread).sum(axis=(1, 2))
        logs = np.log(np.einsum("sjj->sj", new) / np.einsum("sjj->sj", old)).sum(axis=1)
        return np.asarray(0.5 * (squares - dim) + logs)


def within_trust_region(parameters: FloatArray, change: FloatArray, dim: int, trust_region: float | None) -> FloatArray:
    """Numbers (S, P) after a change, shortened in every state until KL(old | new) is at most the trust region."""
    if trust_region is None:
        return np.asarray(parameters + change)

    def fits(share: FloatArray) -> FloatArray:
        return np.asarray(gaussian_divergence(parameters, parameters + share[:, None] * change, dim) <= trust_region)

    whole = np.ones(parameters.shape[0])
    low, high = np.zeros_like(whole), whole.copy()
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        inside = fits(middle)
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return np.asarray(parameters + np.where(fits(whole), whole, low)[:, None] * change)
