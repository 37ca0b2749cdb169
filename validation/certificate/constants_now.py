"""The better constant state by state: alpha, or lambda once p/g is bounded, from an instant on.

For every later policy D >= 2 beta_s (Ent - T_s) in each state, with either of

    beta_s = alpha_s,                           T_s = 0
    beta_s = lambda_s (1 + m_s)/K(M_s),         T_s the entropy of the tails above M_s (`entropy`)

alpha_s and lambda_s bounds for all later Gibbs policies (`instant`), and m_s >= exp(-(V - V*)_s/(2 tau)): KL(p|g) <=
(V - V*)_s/tau by (I3), which only falls, and m = sum sqrt(p g) >= exp(-KL(p|g)/2) by Jensen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.validation.certificate.entropy import ENLARGED, entropy_factor, later_tails
from wpoflow.validation.certificate.instant import Instant
from wpoflow.validation.constants.proven import ProvenBound


@dataclass(frozen=True, eq=False)
class Decided:
    """beta of every state as a proven bound (S,), and the entropy (S,) that it says nothing of."""

    beta: ProvenBound
    tails: FloatArray


def decided(instant: Instant, allowed: FloatArray, temperature: float) -> Decided:
    """The larger of the two constants in every state, infinite where a state does not count.

    Parameters
    ----------
    instant : Instant
    allowed : array (S,)
        What T_s may be.
    temperature : float
    """
    log_most, tails = later_tails(instant.policy, instant.gibbs, instant.log_ratio, instant.drift, allowed)
    mean = np.exp(-instant.gaps / (2.0 * temperature))
    # K >= (1 + m) wherever p and g are laws: 1 is not exceeded but by rounding
    share = np.minimum((1.0 + mean) / entropy_factor(log_most), 1.0) / ENLARGED
    by_gap, by_alpha = instant.constants.gap.lowered(share), instant.constants.alpha
    beta = by_alpha.or_better(by_gap)
    left = np.where(instant.counted & (by_gap.value > by_alpha.value), tails, 0.0)
    if not instant.counted.all():
        value = np.where(instant.counted, beta.value, np.inf)
        beta = ProvenBound(value, beta.names, beta.source)
    return Decided(beta, left)
