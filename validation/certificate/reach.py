r"""How far Q is from Q* where later policies go: means of f = max_a ((Q - Q*)/tau)^2 under their occupancies.

For a policy of a descending run, u = V - V* now, P* = P^(p*), and any h with d_i^m f <= h_i in every state i, for the
occupancies d_i^m of all later policies p^m from i,

    B h = (1 - gamma) f + gamma min( P* h + sqrt(u/(2 tau)) osc_a P h,  max_a P h )

is such a bound again.  The start is h = max f, as occupancies have mass one at most; the smaller of h and B h, state by
state, follows h.  After a few times 1/(1 - gamma) rounds little is left of the start where policies are near p*: a
state far from its optimum that is hardly ever visited weighs what its visits do.

*Proof.*  d_i^m f = (1 - gamma) f_i + gamma sum_a p^m_ia sum_j P(j|i,a) d_j^m f, at most the same with h.  The mean of a
function of a under p^m is at most its maximum, and above that under p* by its oscillation times |p^m - p*|_1/2 at
most; |p^m - p*|_1 <= sqrt(2 KL(p^m|p*)) by Pinsker, and tau KL(p^m_i|p*_i) <= V^m_i - V*_i <= u_i by (I2) from i, as
d_i(i) >= 1 - gamma and values fall.

**Rounding.**  All terms are positive, but for the oscillation, which errs by a few eps of max f; rounds add up to
1/(1 - gamma) of those.
"""

from __future__ import annotations

import math

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.mdp import GridMDP

EPS = float(np.finfo(np.float64).eps)
ENLARGED = 1.0 + 1e-9
ROUNDS = 3.0  # in units of 1/(1 - gamma): e^-3 of the start is left
MOST_ROUNDS = 60


def later_means(f: FloatArray, gaps: FloatArray, best: FloatArray, mdp: GridMDP) -> FloatArray:
    """h, (S,): at least the mean of f under the occupancy of every later policy, from every state.

    Parameters
    ----------
    f : array (S,)
        Not negative; zero in states that are not counted.
    gaps : array (S,)
        At least V - V* now.
    best : array (S, A)
        p*.
    mdp : GridMDP
    """
    gamma, most = mdp.discount, float(f.max())
    apart = np.sqrt(np.where(mdp.counted, gaps, 0.0) / (2.0 * mdp.temperature))
    h = np.full_like(f, most)
    for _ in range(min(MOST_ROUNDS, math.ceil(ROUNDS / (1.0 - gamma)))):
        ahead = mdp.transition.expect(h)
        largest = ahead.max(axis=1)
        mean = np.minimum((best * ahead).sum(axis=1) + apart * (largest - ahead.min(axis=1)), largest)
        h = np.minimum(h, (1.0 - gamma) * f + gamma * mean)
    return np.asarray(h * ENLARGED + 16.0 * EPS * most / (1.0 - gamma))
