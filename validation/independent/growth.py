r"""Fisher–Rao growth, mixtures of logarithms and their Lyapunov function, by their definitions: NumPy alone.

delta = Q + tau ln(p/m),   sum_k p_k delta_k = V,   growth  d/dt p = -p (delta - V),   dissipation Var_p(delta)
mixture  ln p' = x ln p + (1 - x) ln g - ln Z
y = sum_i d*_i KL(p*_i | p_i)
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.independent.policy import bregman


def centred_advantage(mdp: GridMDP, policy: FloatArray, q: FloatArray) -> FloatArray:
    """delta - V, (S, A); zero where p is, which then neither grows nor counts."""
    with np.errstate(all="ignore"):
        delta = q + mdp.temperature * (np.log(policy) - np.log(mdp.reference_mass))
    delta = np.where(policy > 0.0, delta, 0.0)
    middle = delta.max(axis=1, keepdims=True)
    delta = delta - middle  # so that what is averaged is of the size of its spread
    centred = delta - (policy * delta).sum(axis=1, keepdims=True) / policy.sum(axis=1, keepdims=True)
    return np.asarray(np.where(policy > 0.0, centred, 0.0))


def growth(mdp: GridMDP, policy: FloatArray, q: FloatArray) -> FloatArray:
    """-p (delta - V), (S, A)."""
    return np.asarray(-policy * centred_advantage(mdp, policy, q))


def variance(mdp: GridMDP, policy: FloatArray, q: FloatArray) -> FloatArray:
    """Var_p(delta), (S,)."""
    return np.asarray((policy * centred_advantage(mdp, policy, q) ** 2).sum(axis=1))


def mixture(log_p: FloatArray, log_g: FloatArray, kept: float, rest: float) -> FloatArray:
    """ln of p^kept g^rest, normalised, (S, A); a zero of p stays one."""
    with np.errstate(all="ignore"):
        exponent = np.where(np.isinf(log_p), -np.inf, kept * log_p + rest * log_g)
        top = exponent.max(axis=1, keepdims=True)
        return np.asarray(exponent - top - np.log(np.exp(exponent - top).sum(axis=1, keepdims=True)))


def mixture_weights(flow: str, temperature: float, length: float) -> tuple[float, float]:
    """x and 1 - x of a step: e^{-tau dt} of Fisher–Rao, 1/(1 + tau eta) of mirror descent."""
    product = temperature * length
    if flow == "mirror":
        return 1.0 / (1.0 + product), product / (1.0 + product)
    return float(np.exp(-product)), float(-np.expm1(-product))


def divergence(log_p: FloatArray, log_other: FloatArray) -> FloatArray:
    """KL(p | other) of every state from logarithms, (S,), as a sum of non-negative terms; infinite if it is."""
    with np.errstate(all="ignore"):
        ratio = np.where(np.isinf(log_p), -np.inf, log_p - log_other)
        p, other = np.exp(log_p), np.exp(log_other)
        far = np.where(p > 0.0, p * ratio, 0.0) - p + other
        near = other * bregman(np.clip(ratio, -1.0, 1.0))
        return np.asarray(np.where(np.abs(ratio) < 0.5, near, far).sum(axis=1))


def to_comparator(occupancy: FloatArray, log_best: FloatArray, log_p: FloatArray) -> float:
    """y = sum_i d_i KL(q_i | p_i) for a comparator q with its occupancy d."""
    terms = divergence(log_best, log_p)
    met = occupancy > 0.0
    return float((occupancy[met] * terms[met]).sum())
