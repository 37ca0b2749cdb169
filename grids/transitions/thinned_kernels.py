"""Kernels for rows of a policy that are thinned to few of its pairs; see `grids.transitions.thinned`.

States are taken in order, and columns of a row are ascending: results never depend on the number of threads.
"""

from __future__ import annotations

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray, IndexArray, IntArray
from wpoflow.core.compile import kernel
from wpoflow.grids.transitions.stencil_kernels import BLOCKS, move_row

U = np.uintp


@kernel(parallel=True)
def representative_pairs(base: IndexArray, policy: FloatArray, action: IndexArray, weight: FloatArray) -> None:
    """List, in every state, the pairs in which the m quantiles (j + 1/2)/m of the policy fall, and their weights.

    Arrays base (S, A), negative where a pair ends; policy (S, A); action, weight (S, m), the actions ascending, -1 from
    where there are no more.  Weights are in proportion to the policy, their sum that of all pairs which do not end.
    """
    states, actions = base.shape
    most = action.shape[1]
    for i in numba.prange(states):
        total = 0.0
        for k in range(actions):
            if base[i, k] >= 0:
                total += policy[i, k]
        passed, kept, found, hit = 0.0, 0.0, 0, 0
        for k in range(actions):
            if base[i, k] >= 0:
                passed += policy[i, k]
                taken = False
                while hit < most and (hit + 0.5) * total < passed * most:
                    hit += 1
                    taken = True
                if taken:
                    action[i, found] = k
                    weight[i, found] = policy[i, k]
                    kept += policy[i, k]
                    found += 1
        for c in range(found):
            weight[i, c] *= total / kept
        for c in range(found, most):
            action[i, c] = -1


@kernel()
def representative_entries(
    indptr: IntArray,
    indices: IndexArray,
    data: FloatArray,
    most: int,
    new_indptr: IntArray,
    new_indices: IndexArray,
    new_data: FloatArray,
) -> None:
    """Thin rows to the entries in which their quantiles (j + 1/2)/most fall, or keep those that are no longer.

    ``new_indptr`` starts as the bounds of rows of at most ``most`` entries, and ends as those of what is left, in the
    first places of ``new_indices`` and ``new_data``: rows follow one another without room between them.
    """
    place = 0
    for i in range(indptr.size - 1):
        low, high, first = indptr[i], indptr[i + 1], place
        if high - low <= most:
            for t in range(low, high):
                new_indices[place], new_data[place] = indices[t], data[t]
                place += 1
        else:
            total = 0.0
            for t in range(low, high):
                total += data[t]
            passed, kept, hit = 0.0, 0.0, 0
            for t in range(low, high):
                passed += data[t]
                taken = False
                while hit < most and (hit + 0.5) * total < passed * most:
                    hit += 1
                    taken = True
                if taken:
                    new_indices[place], new_data[place] = indices[t], data[t]
                    kept += data[t]
                    place += 1
            for t in range(first, place):
                new_data[t] *= total / kept
        new_indptr[i] = first
    new_indptr[indptr.size - 1] = place


@kernel()
def listed_pattern(
    base: IndexArray,
    action: IndexArray,
    offsets: IndexArray,
    owner: IndexArray,
    seen: IndexArray,
    indptr: IntArray,
    indices: IndexArray,
) -> None:
    """`stencil_pattern` of the pairs listed in ``action`` (S, m), over the states that own the nodes.

    Without room in ``indices`` only the bounds are set; ``seen`` (states,) starts at -1.
    """
    states, most = action.shape
    place, listing = 0, indices.size > 0
    for i in range(states):
        for c in range(most):
            k = action[i, c]
            if k < 0:
                break
            n = base[i, k]
            for corner in range(offsets.size):
                j = owner[U(n + offsets[corner])]
                if seen[U(j)] != i:
                    seen[U(j)] = i
                    if listing:
                        indices[place] = j
                    place += 1
        if listing:
            indices[indptr[i] : place].sort()
        indptr[i + 1] = place


@kernel(parallel=True)
def listed_combine(
    base: IndexArray,
    fraction: FloatArray,
    action: IndexArray,
    weight: FloatArray,
    offsets: IndexArray,
    owner: IndexArray,
    share: FloatArray,
    columns: int,
    indptr: IntArray,
    indices: IndexArray,
    data: FloatArray,
) -> None:
    """Set row i of ``data`` to the sum of the stencils of its listed pairs, times their weights (S, m).

    The entry of a node goes to the state that owns it, times the node's ``share`` (nodes,) if there are any.
    """
    states, most = action.shape
    dim = fraction.shape[2]
    for b in numba.prange(BLOCKS):
        work = np.zeros(columns)
        weights = np.empty(offsets.size)
        for i in range(b * states // BLOCKS, (b + 1) * states // BLOCKS):
            for c in range(most):
                k = action[i, c]
                if k < 0:
                    break
                n = base[i, k]
                weights[0] = weight[i, c]
                filled = 1
                for j in range(dim):
                    upper = fraction[i, k, j]
                    for corner in range(filled - 1, -1, -1):
                        high = weights[corner] * upper
                        weights[2 * corner + 1] = high
                        weights[2 * corner] = weights[corner] - high
                    filled *= 2
                for corner in range(filled):
                    node = U(n + offsets[corner])
                    part = weights[corner] if share.size == 0 else weights[corner] * share[node]
                    work[U(owner[node])] += part
            move_row(work, indices, indptr[i], indptr[i + 1], data)
