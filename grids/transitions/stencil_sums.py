"""Sums over the stencils of all pairs, by the kernel that fits: values at the pairs, and the rows of a policy."""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray, IndexArray
from wpoflow.grids.interpolation import Stencil
from wpoflow.grids.transitions.noisy_plane_kernels import noisy_plane_combine, noisy_plane_expect
from wpoflow.grids.transitions.policy_rows import Pattern
from wpoflow.grids.transitions.stencil_kernels import (
    stencil_combine,
    stencil_combine_1,
    stencil_combine_2,
    stencil_expect,
    stencil_expect_1,
    stencil_expect_2,
    stencil_expect_4,
)
from wpoflow.grids.transitions.tensor_plane_kernels import tensor_plane_combine, tensor_plane_expect
from wpoflow.grids.transitions.tensor_stencil import TensorStencil


def corners_of(stencil: Stencil | TensorStencil) -> IndexArray:
    """Flat node number (S, A) of the lowest corner of every pair; negative where it ends."""
    return stencil.corners() if isinstance(stencil, TensorStencil) else stencil.base


def interpolate(stencil: Stencil | TensorStencil, values: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """Values at all pairs, (S, A), from contiguous values at the nodes."""
    out = np.empty(stencil.pairs) if out is None else out
    if isinstance(stencil, TensorStencil):
        tensor_plane_expect(*stencil.places, values, out)
        return out
    base, fraction, offsets = stencil.base, stencil.fraction, stencil.offsets
    if fraction.shape[2] == 1 and offsets[1] == 1:
        stencil_expect_1(base, fraction, values, out)
    elif fraction.shape[2] == 2 and offsets[1] == 1:
        stencil_expect_2(base, fraction, int(offsets[2]), values, out)
    elif stencil.rows_of_three:
        noisy_plane_expect(base, fraction, stencil.rows_of_three, values, out)
    elif fraction.shape[2] == 4 and offsets[1] == 1:
        stencil_expect_4(base, fraction, offsets, values, out)
    else:
        stencil_expect(base, fraction, offsets, values, out)
    return out


def combine(stencil: Stencil | TensorStencil, weights: FloatArray, pattern: Pattern) -> FloatArray:
    """Entries, in the order of the pattern, of the rows Σ_k weights[i, k] × (interpolation weights of pair i, k)."""
    data = np.empty(pattern.indices.size)
    places = (pattern.columns, pattern.indptr, pattern.indices, data)
    if isinstance(stencil, TensorStencil):
        tensor_plane_combine(*stencil.places, weights, *places)
        return data
    base, fraction, offsets = stencil.base, stencil.fraction, stencil.offsets
    if fraction.shape[2] == 1 and offsets[1] == 1:
        stencil_combine_1(base, fraction, weights, *places)
    elif fraction.shape[2] == 2 and offsets[1] == 1:
        stencil_combine_2(base, fraction, int(offsets[2]), weights, *places)
    elif stencil.rows_of_three:
        noisy_plane_combine(base, fraction, stencil.rows_of_three, weights, *places)
    else:
        stencil_combine(base, fraction, offsets, weights, *places)
    return data
