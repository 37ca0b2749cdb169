"""Transitions on a coarser grid in sum, each times weights of the pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.coarsening import Coarsening
from wpoflow.grids.transitions.base import CoarseTransition, Transition
from wpoflow.grids.transitions.policy_rows import PolicySum

Parts = Sequence[tuple[FloatArray, CoarseTransition]]


def weighted_sum(parts: Parts, value: FloatArray, out: FloatArray) -> FloatArray:
    """Sum of weights times E[V(s') | s, a], in ``out`` (S, A)."""
    out[:] = 0.0
    for weight, part in parts:
        term = part.expect(value)
        term *= weight
        out += term
    return out


class CoarseSum:
    """Σ_o w_o P_o for weights w_o, (S', A); build it with ``coarse_sum``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = tuple(parts)

    def expect(self, value: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """E[V(s') | s, a], (S', A)."""
        out = np.empty(self._parts[0][0].shape) if out is None else out
        return weighted_sum(self._parts, value, out)

    def under(self, policy: FloatArray) -> PolicySum:
        """P^p for non-negative weights p, (S', A)."""
        return PolicySum(tuple(part.under(policy * weight) for weight, part in self._parts))

    def coarser(self, coarsening: Coarsening) -> CoarseSum | None:
        """See `Transition`."""
        return coarse_sum(self._parts, coarsening)


def coarse_sum(parts: Sequence[tuple[FloatArray, Transition | CoarseTransition]], kept: Coarsening) -> CoarseSum | None:
    """The sum of the coarser parts; None where one has none."""
    found = []
    for weight, part in parts:
        coarse = part.coarser(kept)
        if coarse is None:
            return None
        found.append((weight[kept.states], coarse))
    return CoarseSum(found)
