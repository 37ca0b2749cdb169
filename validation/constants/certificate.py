r"""Rates that stay guaranteed for the whole future of a descending run.

Values fall pointwise along every descent scheme, so 0 <= Q^m - Q* <= Q^n - Q* for all m >= n, and by Holley–Stroock
(`bound_holley_stroock`) the modified log-Sobolev constants alpha(Gibbs policy of Q^m) obey, state by state,

    alpha^m >= alpha* exp(-max_a (Q^n - Q*)/tau)                 (from Q*)
            >= alpha* exp(-gamma |V^n - V*|_inf / tau)           (from the gap alone: Q^n - Q* = gamma P (V^n - V*))

    alpha^m >= alpha^n exp(-max_a (Q^n - Q*)/tau)
            >= alpha^n exp(-(gamma/(1-gamma)) max_i KL(p^n_i|g^n_i))      (without Q*),

the last since 0 <= Q^n - Q^m <= Q^n - Q* and V^n - V* <= tau/(1-gamma) max_i KL (identity I3).  Any lower bound of
alpha* or alpha^n may stand for it.  The first two tend to alpha* and the last to alpha^n as the run converges, and all
then say rate 2 alpha* (1-gamma), forever.

**Failure.**  The exponent is in units of tau: worthless early in a run at small temperature.  Pointwise descent is
presupposed and not checked here; the claim ``pointwise_descent`` judges it on the run.  Q* must be an optimum solved to
rounding, or from above: where it exceeds Q^n the difference counts as zero.

**Rounding.**  exp and products add a few eps relative; an error e of Q*, at most the soft Bellman residual over 1 -
gamma, changes alpha by no more than 2 e/tau relative (Holley–Stroock), below 1e-9 in the gallery; what alpha itself
allows for rounding is in `rounding`.

Source: Holley & Stroock, J. Stat. Phys. 46 (1987) 1159, doi:10.1007/BF01011161.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray


def alpha_for_all_later(
    alpha_star: FloatArray,
    q_now: FloatArray,
    q_star: FloatArray,
    temperature: float,
) -> FloatArray:
    """Lower bound of alpha of all later Gibbs policies, from Q*, (S,).

    Parameters
    ----------
    alpha_star : array (S,)
        Lower bounds of alpha of the optimal policy.
    q_now, q_star : arrays (S, A)
        Q of the present policy, and the optimal one.
    temperature : float
    """
    excess = np.maximum(np.max(q_now - q_star, axis=1), 0.0)
    return np.asarray(alpha_star * np.exp(-excess / temperature))


def alpha_from_gap(alpha_star: FloatArray, largest_gap: float, discount: float, temperature: float) -> FloatArray:
    """Lower bound of alpha of all later Gibbs policies, from max_i (V - V*)_i, (S,).

    Raises
    ------
    ValueError
        A gap that is negative or not a number.
    """
    if not largest_gap >= 0.0:
        raise ValueError(f"largest gap {largest_gap}: must not be negative")
    return np.asarray(alpha_star * np.exp(-discount * largest_gap / temperature))


def alpha_without_optimum(alpha_now: FloatArray, largest_divergence: float, discount: float) -> FloatArray:
    """Lower bound of alpha of all later Gibbs policies, from max_i KL(p_i|g_i) and alpha at present, (S,).

    Raises
    ------
    ValueError
        A divergence that is negative or not a number.
    """
    if not largest_divergence >= 0.0:
        raise ValueError(f"largest relative entropy {largest_divergence}: must not be negative")
    return np.asarray(alpha_now * np.exp(-discount / (1.0 - discount) * largest_divergence))
