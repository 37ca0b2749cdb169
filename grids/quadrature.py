"""Points inside cells: Gauss-Legendre nodes and sub-cell midpoints, and their products by chunks of cells."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import SHOCK, Axis
from wpoflow.grids.labels import LABELS

CHUNK_POINTS = 1 << 19


def gauss_nodes(axis: Axis, order: int) -> FloatArray:
    """Gauss-Legendre nodes in every cell, (n, order); points of shocks and labels, which are counted, repeated."""
    if axis.boundary in (SHOCK, LABELS):
        return np.tile(axis.points[:, None], (1, order))
    x, _ = np.polynomial.legendre.leggauss(order)
    return np.asarray(axis.edges[:-1, None] + axis.widths[:, None] * (0.5 + 0.5 * x))


def gauss_weights(dim: int, order: int) -> FloatArray:
    """Weights of the product rule on the unit cell, (order**dim,), last axis fastest; they sum to one."""
    _, w = np.polynomial.legendre.leggauss(order)
    product = np.ones(1)
    for _ in range(dim):
        product = np.multiply.outer(product, 0.5 * w).ravel()
    return product


def midpoints(axis: Axis, count: int) -> FloatArray:
    """Midpoints of equal sub-cells of every cell, (n, count)."""
    return np.asarray(axis.edges[:-1, None] + axis.widths[:, None] * (np.arange(count) + 0.5) / count)


def points_in_cells(tables: Sequence[FloatArray]) -> Iterator[tuple[slice, list[FloatArray]]]:
    """Coordinates of all points of all cells, a bounded number at a time.

    Parameters
    ----------
    tables : sequence of arrays (n_j, q_j)
        Points of every cell, axis by axis.

    Yields
    ------
    cells : slice
        A range of cells in C order.
    coordinates : list of arrays (cells, Π q_j)
        One array per axis, last axis fastest.
    """
    shape = tuple(table.shape[0] for table in tables)
    per_cell = tuple(table.shape[1] for table in tables)
    inner = np.indices(per_cell).reshape(len(tables), math.prod(per_cell))
    total = math.prod(shape)
    step = max(1, CHUNK_POINTS // math.prod(per_cell))
    for start in range(0, total, step):
        cells = slice(start, min(start + step, total))
        index = np.unravel_index(np.arange(cells.start, cells.stop), shape) if shape else ()
        yield cells, [table[i][:, q] for table, i, q in zip(tables, index, inner, strict=True)]
