"""The transition P^p of a policy as weights over stencils of all pairs, where its rows would be too many: P^p = M G.

    M x = Σ_k p[i, k] (interpolation of x at the pair),     G the map from states to nodes

With d state axes the pairs of a state touch up to A 2^d nodes, far more than numbers held for the pairs themselves (d
weights and a place each).  A product then takes the time of an expectation, and memory that of the policy, which is
copied: the operator stays what it is when the array it came from is written over.

Incomplete factors need rows.  They are made of a few pairs of each state, those in which quantiles of the policy fall:
all that matter where it is nearly deterministic, and evenly spread actions where it is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from wpoflow.core.arrays import FloatArray, IndexArray, IntArray
from wpoflow.grids.interpolation import Stencil
from wpoflow.grids.nearest_states import nearest_states
from wpoflow.grids.smoothing import Smoothing
from wpoflow.grids.transitions.noisy_plane_kernels import noisy_plane_matvec
from wpoflow.grids.transitions.pair_kernels import pairs_matvec, pairs_matvec_4, pairs_scatter, pairs_scatter_4
from wpoflow.grids.transitions.policy_rows import MOST_THINNED, PolicyRows, pattern_of, same_states, state_axes_of
from wpoflow.grids.transitions.sparse_kernels import add_parts
from wpoflow.grids.transitions.thinned_kernels import listed_combine, listed_pattern, representative_pairs

MOST_ENTRIES = 1 << 23  # rows with no more entries are held: they take a tenth of a gigabyte
MOST_THINNING = 1 << 20  # the same where nothing spreads them: thinned rows then take less time besides
ENTRIES_PER_PAIR = 3  # so are rows with no more than this many for each pair
PARTS = 4
MOST_QUANTILES = 8


@dataclass(frozen=True, eq=False)
class PolicyPairs:
    """P^p = M G over stencils.

    Parameters
    ----------
    stencil : Stencil
        Corners and weights of all pairs.
    weights : array (S, A)
        The policy.
    smoothing : Smoothing
        The map G from states to nodes.
    rows : callable
        P^p as compressed rows, for solvers that need the matrix.
    """

    stencil: Stencil
    weights: FloatArray
    smoothing: Smoothing
    rows: Callable[[FloatArray], PolicyRows]

    @property
    def n_states(self) -> int:
        """Number of states S."""
        return int(self.weights.shape[0])

    @property
    def work(self) -> int:
        """Multiply-adds of one product."""
        return int(self.weights.size * self.stencil.offsets.size) + self.smoothing.work

    @property
    def state_axes(self) -> int:
        """See `PolicyTransition`."""
        return state_axes_of(self.smoothing)

    @property
    def thins(self) -> bool:
        """See `PolicyTransition`."""
        return self.smoothing.identity or self.smoothing.copies is not None

    def thinned(self) -> PolicyRows:
        """The pairs of each state in which quantiles of its policy fall; see `representative_pairs`."""
        stencil, rows, columns = self.stencil, self.n_states, math.prod(same_states(self.smoothing).spread.shape_in)
        quantiles = min(MOST_QUANTILES, max(1, MOST_THINNED // stencil.offsets.size))
        action: IndexArray = np.empty((rows, quantiles), dtype=np.int32)
        weight = np.empty((rows, quantiles))
        representative_pairs(stencil.base, self.weights, action, weight)
        owner, share = nearest_states(self.smoothing)
        places = (stencil.base, action, stencil.offsets, owner)
        pattern = pattern_of(rows, columns, lambda *a: listed_pattern(*places, *a))
        data, shares = np.empty(pattern.indices.size), np.empty(0) if share is None else share
        given = (stencil.base, stencil.fraction, action, weight, stencil.offsets, owner, shares, columns)
        listed_combine(*given, pattern.indptr, pattern.indices, data)
        return PolicyRows(pattern, data, same_states(self.smoothing))

    def matvec(self, x: FloatArray) -> FloatArray:
        """P^p x, (S,)."""
        out = np.empty(self.n_states)
        self.multiply(np.ascontiguousarray(x) if self.smoothing.identity else self.smoothing.apply(x), out)
        return out

    def multiply(self, values: FloatArray, out: FloatArray) -> None:
        """Set out to the product of M with values at nodes; it has an entry for each row of weights."""
        stencil = self.stencil
        if stencil.rows_of_three:
            noisy_plane_matvec(stencil.base, stencil.fraction, stencil.rows_of_three, self.weights, values, out)
            return
        product = pairs_matvec_4 if self._four else pairs_matvec
        product(stencil.base, stencil.fraction, stencil.offsets, self.weights, values, out)

    @property
    def _four(self) -> bool:
        """Whether it is interpolated on four axes, the last of unit stride."""
        return self.stencil.fraction.shape[2] == 4 and int(self.stencil.offsets[1]) == 1

    def rmatvec(self, x: FloatArray) -> FloatArray:
        """(P^p)ᵀ x, (S,)."""
        blocks = self.blocks(self.weights.size)
        parts = np.zeros((blocks, self.smoothing.size))
        self.scatter(x, np.arange(blocks + 1) * self.n_states // blocks, parts)
        return self.added(parts)

    def blocks(self, entries: int) -> int:
        """In how many blocks of states a transposed product is summed, whatever the number of pairs."""
        return PARTS

    def scatter(self, x: FloatArray, bounds: IntArray, parts: FloatArray) -> None:
        """Add Mᵀ x of the states between bounds to parts, (blocks, nodes); x has an entry for each row of weights."""
        stencil, values = self.stencil, np.ascontiguousarray(x)
        scatter = pairs_scatter_4 if self._four else pairs_scatter
        scatter(stencil.base, stencil.fraction, stencil.offsets, self.weights, values, bounds, parts)

    def added(self, parts: FloatArray) -> FloatArray:
        """(P^p)ᵀ x, (S,), of the sums over all blocks of states, (blocks, nodes)."""
        nodes = np.empty(self.smoothing.size)
        add_parts(parts, nodes)
        return nodes if self.smoothing.identity else self.smoothing.apply_transposed(nodes)

    def dense(self) -> FloatArray:
        """P^p as an array (S, S)."""
        return self.rows(self.weights).dense()

    def sparse(self) -> sp.csr_array:
        """P^p in compressed rows."""
        return self.rows(self.weights).sparse()
