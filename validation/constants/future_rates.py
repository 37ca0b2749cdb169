r"""Rates that stay guaranteed for the whole future of a descending run.

Values fall pointwise along every descent scheme, so 0 <= Q^m - Q* <= Q^n - Q* = gamma P (V^n - V*) for all m >= n, and
by Holley–Stroock (`bound_holley_stroock`) the modified log-Sobolev constants alpha(Gibbs policy of Q^m) obey, state by
state,

    alpha^m >= alpha* exp(-gamma |V^n - V*|_inf / tau).

Any lower bound of alpha* may stand for it.  The bound tends to alpha* as the run converges, and then says rate
2 alpha* (1-gamma), forever.

**Failure.**  The exponent is in units of tau: worthless early in a run at small temperature.  Pointwise descent is
presupposed and not checked here; the claim ``pointwise_descent`` judges it on the run.

**Rounding.**  exp and products add a few eps relative; an error e of V*, at most the soft Bellman residual over 1 -
gamma, changes alpha by no more than 2 e/tau relative (Holley–Stroock), below 1e-9 in the gallery; what alpha itself
allows for rounding is in `rounding`.

Source: Holley & Stroock, J. Stat. Phys. 46 (1987) 1159, doi:10.1007/BF01011161.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray


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
