"""Smoothing without its width: every node gets the one state of greatest weight.

    (G V)_n ≈ w_n V[j(n)],      j(n) = argmax_j G_nj,    w_n = Σ_j G_nj

Row sums are kept.  Where nodes are copies of states nothing is changed; where the noise is narrower than the cells
little is, and what is wider mixes so fast that no factors are needed.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray, IndexArray, IntArray
from wpoflow.grids.smoothing import Banded, Smoothing


def nearest_states(smoothing: Smoothing) -> tuple[IndexArray, FloatArray | None]:
    """State of greatest weight of every node, (nodes,), and the sum of its weights, (nodes,); None where all are one.

    Of equal weights the first state is taken.
    """
    spread, split = smoothing.spread, smoothing.split
    shape = (spread if split is None else split).shape_in
    owner: IndexArray = np.zeros(1, dtype=np.int32)
    for axis, size in enumerate(shape):
        matrix = spread.matrices[axis]
        column = np.arange(spread.shape_in[axis]) if matrix is None else _greatest(matrix)
        ends = None if split is None else split.matrices[axis]
        state = column if ends is None else _greatest(ends)[column]
        owner = (owner[:, None] * size + state.astype(np.int32)).ravel()
    weight = None if smoothing.alive is None else spread.apply(smoothing.alive)
    return owner, weight


def _greatest(matrix: Banded) -> IntArray:
    """Column of the greatest entry of every row."""
    return np.asarray(matrix.sparse().argmax(axis=1), dtype=np.int64).ravel()
