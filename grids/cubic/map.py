"""Limited cubic interpolation at given places of a product of axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import SHOCK
from wpoflow.grids.cubic.kernels import cubic_expect
from wpoflow.grids.cubic.table import CubicTable, bends_of, cubic_table
from wpoflow.grids.grid import Grid
from wpoflow.grids.interpolation import Stencil, empty_stencil, fill_stencil
from wpoflow.grids.smoothing import Banded, SeparableMap


@dataclass(frozen=True, eq=False)
class CubicMap:
    """Values at places, by limited cubic interpolation.

    Attributes
    ----------
    stencil : Stencil
        Corners and weights of the places, as without noise.
    before : SeparableMap
        From values at the points of the grid to values at the nodes.
    tables : sequence
        Of the axes along which there is something to interpolate; None for others.
    """

    stencil: Stencil
    before: SeparableMap
    tables: Sequence[CubicTable | None]

    @classmethod
    def at(cls, grid: Grid, places: FloatArray) -> CubicMap:
        """At the places (n, dim) in the box of a grid, as (n, 1)."""
        nodes, matrices = [], []
        for axis in grid.axes:
            y, index = axis.points, [*range(axis.size)]
            if axis.size > 1 and axis.periodic:
                y, index = np.append(y, y[0] + axis.length), [*index, 0]
            elif axis.size > 1 and axis.boundary == "reflect":
                y = np.concatenate(([2.0 * axis.lower - y[0]], y, [2.0 * axis.upper - y[-1]]))
                index = [0, *index, axis.size - 1]
            nodes.append(y)
            matrices.append(Banded.copying(index, axis.size) if len(index) > axis.size else None)
        stencil = empty_stencil(len(places), 1, [y.size for y in nodes], grid.axes)
        columns = [np.ascontiguousarray(places[:, j : j + 1]) for j in range(grid.dim)]
        fill_stencil(stencil, 0, len(places), columns, grid.axes, nodes)
        tables = [
            None if axis.boundary == SHOCK or y.size == 1 else cubic_table(axis, y)
            for axis, y in zip(grid.axes, nodes, strict=True)
        ]
        return cls(stencil, SeparableMap(tuple(matrices), grid.shape), tables)

    def limits(self, value: FloatArray) -> FloatArray:
        """The limits that hold for values at the points of the grid, to be kept for others."""
        return bends_of(np.ascontiguousarray(self.before.apply(value)), self.before.shape_out, self.tables)[1]

    def expect(self, value: FloatArray, out: FloatArray, limits: FloatArray | None = None) -> FloatArray:
        """C of values at the points of the grid, (S,), at all places, in the shape of the stencil's pairs."""
        values = np.ascontiguousarray(self.before.apply(value))
        shape = self.before.shape_out
        bends, _ = bends_of(values, shape, self.tables, limits)
        active = [j for j, table in enumerate(self.tables) if table is not None]
        known = [table for table in self.tables if table is not None]
        strides = np.array([int(np.prod(shape[j + 1 :])) for j in active], dtype=np.int64)
        sizes = np.array([shape[j] for j in active], dtype=np.int64)
        starts = (np.cumsum(sizes) - sizes).astype(np.int64)
        shift = np.concatenate([table.shift for table in known] or [np.zeros(0)])
        slope = np.concatenate([table.slope for table in known] or [np.zeros(0)])
        at = self.stencil
        cubic_expect(at.base, at.fraction, at.offsets, values, bends, strides, sizes, starts, shift, slope, out)
        return out
