"""Steps that are a mixture of logarithms, p' ∝ p^x g^(1-x), g the Gibbs policy of Q: one formula of several flows.

With L = ln(p/g) a step leaves x L, up to a constant.  KL(.|g) falls along the geometric mean towards g, so it is a
descent step whatever x in [0, 1) is.  Rounding: ln p' is wrong by a few eps (|ln p| + osc(Q)/tau).
"""

from __future__ import annotations

import sys
from typing import ClassVar

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.flows.flow import Flow
from wpoflow.solver.flows.mixture_kernels import (
    advantage_variance,
    logarithms,
    mix_logarithms,
    mix_policies,
)

LEAST_WEIGHT = sys.float_info.min  # in place of a weight that underflows, so that what has no mass gets none


def log_of(p: FloatArray) -> FloatArray:
    """ln p, (S, A); minus infinity where p is zero."""
    out = np.empty_like(p)
    logarithms(p, out)
    return out


class MixtureFlow(Flow):
    """A flow whose steps are mixtures; subclasses give ``name`` and `weights`."""

    logarithmic: ClassVar[bool] = True

    def weights(self, dt: float) -> tuple[float, float]:
        """x > 0, and 1 - x to full relative precision, of a step of length dt."""
        raise NotImplementedError

    def step(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
        """See `Flow.step`."""
        mix_policies(p, q, self.mdp.log_mass, self.mdp.temperature, *self.weights(dt), out)
        return out

    def log_step(self, log_p: FloatArray, q: FloatArray, dt: float, log_out: FloatArray, out: FloatArray) -> FloatArray:
        """See `Flow.log_step`."""
        mix_logarithms(log_p, q, self.mdp.log_mass, self.mdp.temperature, *self.weights(dt), log_out, out)
        return out

    def variance(self, p: FloatArray, q: FloatArray) -> FloatArray:
        """Variance under p of Q + tau ln(p/m), per state (S,)."""
        out = np.empty(p.shape[0])
        advantage_variance(p, q, self.mdp.log_mass, self.mdp.temperature, out)
        return out
