"""Rates of decay of the suboptimality: guaranteed, observed, sharp.

With alpha a lower bound of the grid's modified log-Sobolev constant over the states, kappa the concentrability
max_i d*_i/d_i and lambda_i the spectral gap of the optimal policy in state i (all rates; theory: section 4 of
Šiška & Zhang, arXiv:2605.22622, on the grid):

    static inequality     dissipation >= (2 alpha/kappa) gap                 every policy
    weighted              d gap(rho)/dt <= -(2 alpha/kappa) gap(rho)
    sup norm              d |V - V*|_sup/dt <= -2 alpha (1 - gamma) |V - V*|_sup
    the paper's           2 alpha (1 - gamma)/|d*_rho/rho|_sup, from kappa <= |d*_rho/rho|_sup/(1 - gamma)
    for the future        alpha^m >= alpha* exp(-gamma |V^n - V*|_sup/tau) for all m >= n, state by state
    from now on           rates that tend to the sharp one: `validation.certificate`
    sharp, late           gap ~ sum_i w_i exp(-2 lambda_i t), hence 2 min lambda_i in the end

The functions that give a guaranteed rate take alpha as a `ProvenBound` and nothing else: an estimate cannot enter.

Why the first holds: by (I1) with p' = p*, gap <= tau/(1-gamma) sum d*_i KL(p_i|g_i), and the dissipation (I4) is at
least tau/(1-gamma) sum d_i 2 alpha_i KL(p_i|g_i).  Fully discrete: one unsplit backward Euler step lowers KL(.|g) by
1/(1 + 2 alpha dt); with theta = 2 alpha dt/(1 + 2 alpha dt) the sup norm falls by 1 - theta (1 - gamma), the weighted
gap by 1 - theta/kappa.

For the future: values fall pointwise along every descent scheme (judged by the claim ``pointwise_descent``), so
0 <= Q^m - Q* <= Q^n - Q* = gamma P (V^n - V*), and Holley–Stroock compares the Gibbs policies; any lower bound of
alpha* may stand for it.  It tends to alpha* as the run converges, and is worthless early at small temperature.

Rounding: exp and products add a few eps relative to these formulae; an error e of Q*, at most the soft Bellman residual
over 1 - gamma, changes alpha and with it the rates by no more than 2 e/tau relative (Holley–Stroock), below 1e-9 in the
gallery; what alpha itself allows for rounding is in `validation.constants.rounding`.

Source: Holley & Stroock, J. Stat. Phys. 46 (1987) 1159, doi:10.1007/BF01011161.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.validation.constants.proven import ProvenBound, proven


def contraction_fraction(alpha: float, dt: float) -> float:
    """theta = 2 alpha dt/(1 + 2 alpha dt): the part of KL(p|g) an unsplit backward Euler step removes at least."""
    product = 2.0 * alpha * dt
    return product / (1.0 + product) if np.isfinite(product) else 1.0


def backward_euler_factor(alpha: float, share: float, dt: float) -> float:
    """What is left of the suboptimality after unsplit backward Euler steps of total length dt, at most.

    One step leaves 1 - theta share, share = 1 - gamma (sup norm) or 1/kappa (weighted).  With r = 1 - share this is
    (1 + r x)/(1 + x), x = 2 alpha dt, and (1 + r x)(1 + r y)(1 + x + y) <= (1 + r (x + y))(1 + x)(1 + y) since
    r^2 (1 + x + y) <= 1 + r (x + y) for 0 <= r <= 1: many steps are at least as good as one of the same length.
    """
    return 1.0 - contraction_fraction(alpha, dt) * share


def flow_factor(rate: float, dt: float) -> float:
    """What is left after the continuous flow has run for dt, at most: exp(-rate dt)."""
    return float(np.exp(-rate * dt))


def future_bound(bound: ProvenBound, largest: FloatArray | float, discount: float, temperature: float) -> ProvenBound:
    """Lower bound of alpha, or lambda, of all later Gibbs policies.

    Parameters
    ----------
    bound : ProvenBound
        Of the optimal policy.
    largest : array or float
        Upper bound of max_i (V - V*)_i; where it is negative or no number nothing is guaranteed: no number.
    discount, temperature : float
    """
    known = np.asarray(largest, dtype=np.float64)
    reliable = known >= 0.0
    factor = np.exp(-discount * np.where(reliable, known, 0.0) / temperature)
    return bound.lowered(np.where(reliable, factor, np.nan))


def static_rate(alpha: ProvenBound, kappa: FloatArray) -> FloatArray:
    """2 alpha/kappa; zero where kappa is infinite.  TypeError unless alpha is proven."""
    return np.asarray(2.0 * proven(alpha) / kappa)


def sup_norm_rate(alpha: ProvenBound, discount: float) -> FloatArray:
    """2 alpha (1 - gamma), of the shape of alpha.  TypeError unless alpha is proven."""
    return np.asarray(2.0 * proven(alpha) * (1.0 - discount))


def paper_rate(alpha: ProvenBound, discount: float, density_ratio: float) -> FloatArray:
    """2 alpha (1 - gamma)/|d*_rho/rho|_sup, of the shape of alpha: the paper's rate with the grid's alpha for tau LSI.

    TypeError unless alpha is proven.
    """
    return np.asarray(2.0 * proven(alpha) * (1.0 - discount) / density_ratio)


def any_rho_rate(alpha: ProvenBound, discount: float, theta: float) -> FloatArray:
    """2 alpha (1 - gamma/theta), of the shape of alpha: of gap(nu_theta), for any rho (claim `decay_any_rho`).

    TypeError unless alpha is proven.
    """
    return np.asarray(2.0 * proven(alpha) * (1.0 - discount / theta))


def mixture_rate(weights: FloatArray, spectral_gaps: FloatArray, dt: float) -> float:
    """Local rate of sum_i w_i exp(-2 lambda_i t) at dt past the time of the weights."""
    decayed = weights * np.exp(-2.0 * (spectral_gaps - spectral_gaps.min()) * dt)
    return float(2.0 * np.add.reduce(decayed * spectral_gaps) / np.add.reduce(decayed))


def late_rate(slowest: float, state_dim: int, time: float) -> float:
    """2 lambda_min + dim/(2t): the local rate on a continuum of states with an interior quadratic minimum of lambda."""
    return 2.0 * slowest + state_dim / (2.0 * time)
