"""Kernel that places stencils among fewer nodes."""

import numba

from wpoflow.core.arrays import FloatArray, IndexArray, IntArray
from wpoflow.core.compile import kernel


@kernel(parallel=True)
def place_among_fewer(
    states: IntArray,
    base: IndexArray,
    fraction: FloatArray,
    strides: IntArray,
    starts: IntArray,
    intervals: IntArray,
    shifts: FloatArray,
    slopes: FloatArray,
    columns: IntArray,
    new_strides: IntArray,
    new_base: IndexArray,
    new_fraction: FloatArray,
) -> None:
    """Set the corners and weights of the pairs of some states among the nodes kept.

    Parameters
    ----------
    states : array (S',)
        Numbers of the states, rows of ``base`` (S, A) and ``fraction`` (S, A, d).
    strides, new_strides : arrays (axes,)
        Distances of neighbouring nodes of an axis, before and after.
    starts : array (axes,)
        Where the entries of an axis begin in the next three arrays, one for each of its nodes.
    intervals, shifts, slopes : arrays
        Number of the node kept before a node e, and the weight of the node kept after that, shift + slope w, at a
        place of weight w between e and e + 1.
    columns : array (axes,)
        Which weight is changed, of d; -1 for axes whose nodes are all kept.
    """
    for r in numba.prange(states.size):
        i = states[r]
        for k in range(base.shape[1]):
            rest = base[i, k]
            for j in range(fraction.shape[2]):
                new_fraction[r, k, j] = fraction[i, k, j]
            if rest < 0:
                new_base[r, k] = -1
                continue
            place = 0
            for j in range(strides.size):
                e = rest // strides[j]
                rest -= e * strides[j]
                t = starts[j] + e
                place += intervals[t] * new_strides[j]
                c = columns[j]
                if c >= 0:
                    new_fraction[r, k, c] = min(max(shifts[t] + slopes[t] * fraction[i, k, c], 0.0), 1.0)
            new_base[r, k] = place
