"""The pairs of some states, and functions of a coarser grid under them: P_c = R P I, I as in `grids.coarsening`.

Along an axis without noise places between nodes become places between those kept, which changes nothing but rounding.
Along one with noise nodes stay, and smoothing begins with I.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from wpoflow.core.arrays import FloatArray, IndexArray, IntArray
from wpoflow.grids.coarsening import Coarsening
from wpoflow.grids.interpolation import Stencil
from wpoflow.grids.smoothing import Banded, SeparableMap, Smoothing
from wpoflow.grids.transitions.coarse_kernels import place_among_fewer
from wpoflow.grids.transitions.tensor_stencil import TensorStencil

Coarser = tuple[Stencil | TensorStencil, Smoothing, list[FloatArray]]


def coarse_stencil(
    stencil: Stencil | TensorStencil,
    smoothing: Smoothing,
    nodes: Sequence[FloatArray],
    weights: Sequence[int],
    coarsening: Coarsening,
) -> Coarser:
    """Stencil, smoothing and nodes of the coarser transition.

    Parameters
    ----------
    nodes : sequence of array
        Nodes of each axis.
    weights : sequence of int
        How many weights a place has along each axis: one without noise, two with it, none if nothing is interpolated.
    """
    if isinstance(stencil, TensorStencil):
        which = coarsening.states
        parts = (stencil.rows[which], stencil.columns[which], stencil.row_steps[which], stencil.column_steps[which])
        return TensorStencil(*parts, stencil.stride), _after(smoothing, coarsening), list(nodes)
    fewer_points = [kept.size < axis.points.size for kept, axis in zip(coarsening.kept, coarsening.axes, strict=True)]
    moved = [smoothing.alive is None and n == 1 and less for n, less in zip(weights, fewer_points, strict=True)]
    if not any(moved):
        which = coarsening.states
        kept_stencil = Stencil(stencil.base[which], stencil.fraction[which], stencil.offsets)
        return kept_stencil, _after(smoothing, coarsening), list(nodes)
    fewer, tables = [], []
    for y, here, kept in zip(nodes, moved, coarsening.kept, strict=True):
        numbers = np.arange(y.size)
        if here:  # with the seam of a circle, which is its first point once more
            numbers = np.append(kept, y.size - 1) if kept[-1] != y.size - 1 else kept
        fewer.append(y[numbers])
        tables.append(_table(y, numbers))
    starts = np.cumsum([0, *(table[0].size for table in tables[:-1])]).astype(np.int64)
    first = np.cumsum([0, *weights[:-1]])
    columns = np.where(moved, first, -1).astype(np.int64)
    intervals, shifts, slopes = (np.concatenate([table[part] for table in tables]) for part in range(3))
    shape = (coarsening.states.size, *stencil.fraction.shape[1:])
    base: IndexArray = np.empty(shape[:2], dtype=np.int32)
    fraction = np.empty(shape)
    old, new = (_strides([y.size for y in each]) for each in (nodes, fewer))
    given = (coarsening.states, stencil.base, stencil.fraction, old, starts)
    place_among_fewer(*given, intervals, shifts, slopes, columns, new, base, fraction)
    changed = Stencil(base, fraction, _offsets(new, weights))
    return changed, _between(smoothing, moved, fewer, coarsening), fewer


def _table(nodes: FloatArray, kept: IntArray) -> tuple[IntArray, FloatArray, FloatArray]:
    """For every node: the interval of nodes kept it begins in, and the weight there as shift + slope w."""
    if kept.size == nodes.size:
        return np.arange(nodes.size), np.zeros(nodes.size), np.ones(nodes.size)
    numbers = np.arange(nodes.size)
    interval = np.clip(np.searchsorted(kept, numbers, side="right") - 1, 0, kept.size - 2)
    low, high = nodes[kept[interval]], nodes[kept[interval + 1]]
    after = nodes[np.minimum(numbers + 1, nodes.size - 1)]
    return interval.astype(np.int64), (nodes - low) / (high - low), (after - nodes) / (high - low)


def _strides(shape: Sequence[int]) -> IntArray:
    return np.array([math.prod(shape[j + 1 :]) for j in range(len(shape))], dtype=np.int64)


def _offsets(strides: IntArray, weights: Sequence[int]) -> IndexArray:
    """As `empty_stencil` makes them: two corners for every weight, last axis fastest."""
    offsets: IndexArray = np.zeros(1, dtype=np.int32)
    for stride, count in zip(strides, weights, strict=True):
        for _ in range(count):
            offsets = (offsets[:, None] + np.array([0, stride], dtype=np.int32)).ravel()
    return offsets


def _between(
    smoothing: Smoothing, moved: Sequence[bool], nodes: Sequence[FloatArray], coarsening: Coarsening
) -> Smoothing:
    """Smoothing of functions of the coarse grid to the nodes, where nothing is weighed by what is alive."""
    spread = smoothing.spread
    matrices: list[Banded | None] = []
    for axis, here in enumerate(moved):
        size, matrix = coarsening.kept[axis].size, spread.matrices[axis]
        if here:
            seam = nodes[axis].size > size
            matrices.append(Banded.copying([*range(size), 0], size) if seam else None)
        else:
            matrices.append(_product(matrix, coarsening.interpolation.matrices[axis]))
    return Smoothing(SeparableMap(tuple(matrices), tuple(kept.size for kept in coarsening.kept)))


def _after(smoothing: Smoothing, coarsening: Coarsening) -> Smoothing:
    """Smoothing of what I makes of functions of the coarse grid, all nodes kept."""
    before = coarsening.interpolation
    first = smoothing.spread if smoothing.split is None else smoothing.split
    pairs = zip(first.matrices, before.matrices, strict=True)
    begun = SeparableMap(tuple(_product(matrix, each) for matrix, each in pairs), before.shape_in)
    if smoothing.alive is None:
        return Smoothing(begun)
    if smoothing.split is None:
        return Smoothing(smoothing.spread, before, smoothing.alive)
    return Smoothing(smoothing.spread, begun, smoothing.alive)


def _product(after: Banded | None, before: Banded | None) -> Banded | None:
    if after is None or before is None:
        return before if after is None else after
    return Banded.from_dense((after.sparse() @ before.sparse()).toarray())
