"""Limited cubic interpolation at given places of a product of axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.cubic.kernels import cubic_expect
from wpoflow.grids.cubic.table import CubicTable, Mirror, bends_of, cubic_tables, mirror_of
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
    mirror : Mirror, optional
        Where the grid is the half of one.
    """

    stencil: Stencil
    before: SeparableMap
    tables: Sequence[CubicTable | None]
    mirror: Mirror | None = None

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
        mirror = mirror_of(grid, [axis.points for axis in grid.axes])
        before = SeparableMap(tuple(matrices), grid.shape)
        return cls(stencil, before, cubic_tables(grid, nodes, mirror), mirror)

    def limits(self, value: FloatArray) -> FloatArray:
        """The limits that hold for values at the points of the grid, to be kept for others."""
        return self._bends(self._at_nodes(value), value, None)[1]

    def _at_nodes(self, value: FloatArray) -> FloatArray:
        return np.ascontiguousarray(self.before.apply(value))

    def _bends(
        self, at_nodes: FloatArray, mirrored: FloatArray, limits: FloatArray | None
    ) -> tuple[FloatArray, FloatArray]:
        images = None
        if self.mirror is not None:
            flipped = np.flip(mirrored.reshape(self.before.shape_in), self.mirror.flipped)
            images = self.mirror.halved, self._at_nodes(np.ascontiguousarray(flipped).reshape(-1))
        return bends_of(at_nodes, self.before.shape_out, self.tables, limits, images)

    def expect(
        self,
        value: FloatArray,
        out: FloatArray,
        limits: FloatArray | None = None,
        mirrored: FloatArray | None = None,
    ) -> FloatArray:
        """C of values at the points of the grid, (S,), at all places, in the shape of the stencil's pairs.

        ``mirrored``, (S,), is the function whose value at -s this one's is at s, on the half of a grid: the value
        itself unless it is given, as by Q of the mirrored action.
        """
        values, shape = self._at_nodes(value), self.before.shape_out
        bends, _ = self._bends(values, value if mirrored is None else mirrored, limits)
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
