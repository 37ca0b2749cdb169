r"""Entropy against its dissipation when p/g is bounded: the spectral gap in place of the log-Sobolev constant.

One state; x = p/g, M >= max x, m = sum g sqrt(x) in (0, 1], Ent = sum g phi(x) = KL(p|g) with
phi(x) = x ln x - x + 1, and D = sum over faces of c_f (x_b - x_a)(ln x_b - ln x_a), the dissipation over temperature.

**Without tails.**  D >= 2 lambda (1 + m)/K(M) Ent, K(M) = phi(M)/(sqrt(M) - 1)^2.  For (x - y)(ln x - ln y) >=
4 (sqrt x - sqrt y)^2, so D >= 4 lambda Var_g(sqrt x) = 4 lambda (1 - m^2), as sum g x = 1; and phi(x) <= K(M)
(sqrt x - 1)^2 for x <= M, so Ent <= K(M) sum g (sqrt x - 1)^2 = 2 K(M) (1 - m).  With f = sqrt x, k(f) =
(f^2 ln f^2 - f^2 + 1)/(f - 1)^2 increases from k(0) = 1 through k(1) = 2: only an *upper* bound of p/g enters, and as
M -> 1 the factor tends to one.

**With tails set apart.**  Where a policy is still far from g in cells of no mass (p/g = 1e30 at g = 1e-60), M says
nothing.  For any M > 1 let T = sum over x_k > M of g_k phi(x_k), the entropy in the tails.  The same proof with the
sum over the cells of x <= M alone gives

    D >= 2 lambda (1 + m)/K(M) (Ent - T).

**From now on.**  Let g be the present Gibbs policy, or that of the optimum, and drift >= max_a (Q^n - Q*)/tau.  Later
policies p^m of a descending run, g^m their Gibbs policies: since Q* <= Q^m <= Q^n,

    ln M^m <= ln M^n + drift,      T^m <= e^-drift sum_k g_k psi(x_k e^drift),      psi(x) = (2 phi(x) - phi(M))_+ .

*Why.*  A step of a Markov kernel that leaves the frozen g invariant (the flow; backward Euler, split or not) lowers
max x and sum g psi(x) for every convex psi.  When Q falls to Q', ln g' - ln g = (Q - Q')/tau - (TV - TV')/tau is at
least minus a *number* of the state, and these numbers add up to (TV^n - TV^m)/tau <= (TV^n - V*)/tau <= drift, for T
is monotone and TV^n - V* is at most the largest Q^n - Q* there.  Hence max(p/g) rises by no more than that factor in
all; and g psi(p/g) falls in g (its derivative is psi - x psi' <= psi(0) = 0, psi being convex), so that sum g
psi(p/g) is at most its value with g e^-drift for g.  The same holds from x = p/p*: g^n >= p* e^-drift.  And psi >=
phi above M.

**Rounding.**  The caller's drift covers the error of ln x; all terms of T are positive, each computed to 1e-12, and T
is enlarged by 1e-9 of itself.  K errs by 1e-14 of itself, which `ENLARGED` covers as well.

Sources: Diaconis & Saloff-Coste, Ann. Appl. Probab. 6 (1996) 695, doi:10.1214/aoap/1034968224, for 4 (sqrt x - sqrt
y)^2; Miclo, Sém. Probab. 31 (1997) 136, for entropies along Markov kernels.
"""

from __future__ import annotations

import math

import numpy as np

from wpoflow.core.arrays import FloatArray

ENLARGED = 1.0 + 1e-9
BISECTIONS = 30
NEWTON_STEPS = 12
LEAST_THRESHOLD, MOST_THRESHOLD = 1e-24, 1e120  # of phi(M); beyond, K(M) is of no use
LEAST_LOG = 1e-12
NEAR = 0.5
_SERIES = [(-1.0) ** j / math.factorial(j) for j in range(19, 1, -1)]
_BREGMAN = [(j - 1) / math.factorial(j) for j in range(19, 1, -1)]


def entropy_factor(log_most: FloatArray) -> FloatArray:
    """K(M) of ln M > 0: (r - 1 + e^-r)/(1 - e^(-r/2))^2, without cancellation and without overflow."""
    r = np.asarray(log_most)
    near = r < NEAR
    small, large = np.where(near & (r > 0.0), r, 1.0), np.where(near, 1.0, r)
    series = np.polyval(_SERIES, small) / (np.expm1(-small / 2.0) / small) ** 2
    closed = (large - 1.0 + np.exp(-large)) / np.expm1(-large / 2.0) ** 2
    return np.where(near, np.where(r > 0.0, series, 2.0), closed)


def relative_entropy_density(log_ratio: FloatArray, policy: FloatArray, gibbs: FloatArray) -> FloatArray:
    """g phi(x) cell by cell, x = e^log_ratio = policy/gibbs; where the policy is zero, g.

    Policy and Gibbs policy are given besides, as e^log_ratio may overflow.
    """
    near = np.abs(log_ratio) < NEAR
    small = np.where(near, log_ratio, 0.0)
    far = np.where(policy > 0.0, policy * (np.where(policy > 0.0, log_ratio, 1.0) - 1.0), 0.0) + gibbs
    return np.where(near, gibbs * small * small * np.polyval(_BREGMAN, small), far)


def later_tails(
    policy: FloatArray, gibbs: FloatArray, log_ratio: FloatArray, drift: FloatArray, allowed: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Thresholds ln M above which, now and ever after, the tails hold no more entropy than allowed.

    Parameters
    ----------
    policy, gibbs, log_ratio : arrays (S, A)
        p, g and ln(p/g), -inf where p is zero.
    drift : array (S,)
        As above, finite.
    allowed : array (S,)
        Bound asked for T, not negative.

    Returns
    -------
    log_most, tails : arrays (S,)
        About the least ln M that does, and the bound of T there; with ln M = max ln x + drift there is no tail at all,
        and T = 0.
    """
    shifted = np.where(policy > 0.0, log_ratio + drift[:, None], -np.inf)
    none = np.maximum(shifted.max(axis=1), LEAST_LOG)
    above = shifted > 0.0
    reduced = gibbs * np.exp(-drift)[:, None]
    entropy = np.where(above, relative_entropy_density(np.where(above, shifted, 0.0), policy, reduced), 0.0)
    weight = np.where(above, reduced, 0.0)

    def tails(threshold: FloatArray) -> FloatArray:
        """sum of (2 phi - threshold)_+, which is the bound of T above the M of phi(M) = threshold."""
        return np.asarray(np.maximum(2.0 * entropy - weight * threshold[:, None], 0.0).sum(axis=1) * ENLARGED)

    most, least = np.full_like(none, MOST_THRESHOLD), np.full_like(none, LEAST_THRESHOLD)
    enough = tails(most) <= allowed
    for _ in range(BISECTIONS):
        middle = np.sqrt(least * most)
        fine = tails(middle) <= allowed
        most, least = np.where(fine, middle, most), np.where(fine, least, middle)
    log_most = inverse_entropy(most)
    better = enough & (log_most < none)
    return np.where(better, log_most, none), np.where(better, tails(most), 0.0)


def inverse_entropy(threshold: FloatArray) -> FloatArray:
    """ln M of phi(M) = threshold > 0, M > 1, rounded upwards.

    (r - 1) e^r + 1 is convex in r = ln M and at least r^2/2, and above e^r where r >= 2: Newton's method from above
    falls to the solution.
    """
    r = np.minimum(np.sqrt(2.0 * threshold), np.maximum(np.log(threshold), 2.0))
    for _ in range(NEWTON_STEPS):
        value = relative_entropy_density(r, np.exp(r), np.ones_like(r))
        r = r - (value - threshold) * np.exp(-r) / r
    return np.asarray(r * ENLARGED)


def present_share(policy: FloatArray, gibbs: FloatArray, log_ratio: FloatArray, rounding: FloatArray) -> FloatArray:
    """Largest (1 + m)/K(M) (1 - T/Ent) over thresholds M, for the present policy, (S,): D >= 2 lambda times it Ent.

    Parameters
    ----------
    policy, gibbs, log_ratio : arrays (S, A)
    rounding : array (S,)
        Error of ln(p/g).
    """
    ratio = np.where(policy > 0.0, log_ratio, -np.inf)
    density = relative_entropy_density(np.where(policy > 0.0, ratio, 0.0), policy, gibbs)
    entropy = density.sum(axis=1)
    mean = np.minimum((np.sqrt(policy) * np.sqrt(gibbs)).sum(axis=1), 1.0) / ENLARGED
    top = np.maximum(ratio.max(axis=1) + rounding, LEAST_LOG)
    best = (1.0 + mean) / entropy_factor(top)
    for share in np.geomspace(1e-6, 1.0, 40)[:-1]:
        most = np.maximum(share * top, LEAST_LOG)
        tails = np.where(ratio > (most - rounding)[:, None], density, 0.0).sum(axis=1) * ENLARGED
        kept = np.where(entropy > 0.0, 1.0 - tails / np.where(entropy > 0.0, entropy, 1.0), 0.0)
        best = np.maximum(best, (1.0 + mean) / entropy_factor(most) * kept)
    return np.asarray(best / ENLARGED)
