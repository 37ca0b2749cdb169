"""Product grids: any number of axes, points numbered in C order (the last axis runs fastest)."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray
from wpoflow.grids.axis import Axis
from wpoflow.grids.reflection import Reflection


@dataclass(frozen=True, eq=False)
class Grid:
    """Product of axes.  No axis at all gives one point, the state space of a bandit.

    Parameters
    ----------
    axes : sequence of Axis
    reflection : Reflection, optional
        Of states that are half of those of a problem; `grids.halving.halved_grid` makes it.

    Raises
    ------
    ValueError
        Two axes of the same name, cells whose volume no floating-point number holds, or a reflection that halves none
        of the axes.
    """

    axes: tuple[Axis, ...] = ()
    reflection: Reflection | None = None

    def __repr__(self) -> str:
        return f"Grid({' x '.join(f'{axis.name} {axis.size}' for axis in self.axes) or 'one point'})"

    def __post_init__(self) -> None:
        object.__setattr__(self, "axes", tuple(self.axes))
        names = [axis.name for axis in self.axes]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"axis {name} is given twice")
        if self.reflection is not None and self.reflection.halved not in names:
            raise ValueError(f"reflection: the halved axis {self.reflection.halved} is none of {', '.join(names)}")
        for extreme in ("min", "max"):
            volume = math.prod(float(getattr(axis.widths, extreme)()) for axis in self.axes)
            if not sys.float_info.min <= volume < math.inf:
                raise ValueError(f"axes {', '.join(names)}: their cells have a volume of {volume:g}, beyond all floats")

    @property
    def dim(self) -> int:
        """Number of axes."""
        return len(self.axes)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Number of points on each axis."""
        return tuple(axis.size for axis in self.axes)

    @cached_property
    def size(self) -> int:
        """Number of points (and of cells)."""
        return math.prod(self.shape)

    @cached_property
    def strides(self) -> tuple[int, ...]:
        """How far apart in a flat array neighbours along each axis lie."""
        return tuple(math.prod(self.shape[j + 1 :]) for j in range(self.dim))

    def folded(self, columns: Sequence[FloatArray]) -> tuple[list[FloatArray], BoolArray]:
        """States where the grid has them, and which were mirrored for that: see `Reflection.fold`."""
        if self.reflection is None:
            return list(columns), np.zeros(np.shape(columns[0]) if columns else (), dtype=np.bool_)
        return self.reflection.fold([axis.name for axis in self.axes], columns)

    @cached_property
    def points(self) -> FloatArray:
        """Coordinates of all points, (size, dim)."""
        return _product([axis.points for axis in self.axes])

    @cached_property
    def volumes(self) -> FloatArray:
        """Cell volumes, (size,)."""
        return np.asarray(_product([axis.widths for axis in self.axes]).prod(axis=1))

    def describe(self, index: int) -> str:
        """Coordinates of one point in words, for error lines: ``x = 0.5, move = up``."""
        index = range(self.size)[index]
        places = np.unravel_index(index, self.shape) if self.axes else ()
        return ", ".join(f"{axis.name} = {axis.word(int(k))}" for axis, k in zip(self.axes, places, strict=True))


def _product(columns: list[FloatArray]) -> FloatArray:
    if not columns:
        return np.zeros((1, 0))
    return np.stack([mesh.ravel() for mesh in np.meshgrid(*columns, indexing="ij")], axis=1)
