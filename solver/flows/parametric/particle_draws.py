"""Particles drawn of cell probabilities."""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.compile import kernel
from wpoflow.solver.arithmetic.philox import WORDS, uniforms


@kernel()
def draw_particles(
    p: FloatArray,
    sizes: IntArray,
    edges: FloatArray,
    seed: int,
    first_stream: int,
    shared: bool,
    out: FloatArray,
) -> None:
    """Particles of cell probabilities, by inverse distribution functions, linear within cells, an axis after another.

    Parameters
    ----------
    p : array (S, A)
    sizes, edges
        Of the axes.
    seed, first_stream : int
        The stream of the first state; the others have those that follow.
    shared : bool
        Whether all states have stream zero.
    out : array (S, N d)
        Filled, the components of a particle one after another.
    """
    dim, cells = sizes.size, p.shape[1]
    numbers = out.shape[1]
    below, blocks = np.empty(cells + 1), np.empty((WORDS, (numbers + WORDS - 1) // WORDS))
    for i in range(p.shape[0]):
        below[0] = 0.0
        for k in range(cells):
            below[k + 1] = below[k] + p[i, k]
        row = out[i]
        uniforms(seed, 0, 0 if shared else first_stream + i, blocks, row)
        for first in range(0, numbers, dim):
            start, block, edge = 0, cells, 0
            for axis in range(dim):
                n = sizes[axis]
                block //= n
                sought = below[start] + row[first + axis] * (below[start + n * block] - below[start])
                low, high = 0, n - 1
                while low < high:
                    middle = (low + high) // 2
                    if below[start + (middle + 1) * block] > sought:
                        high = middle
                    else:
                        low = middle + 1
                start += low * block
                mass = below[start + block] - below[start]
                share = (sought - below[start]) / mass if mass > 0.0 else 0.5
                width = edges[edge + low + 1] - edges[edge + low]
                row[first + axis] = edges[edge + low] + max(0.0, min(1.0, share)) * width
                edge += n + 1
