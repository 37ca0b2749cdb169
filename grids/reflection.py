"""A declared reflection: s -> -s, a -> -a along some axes leaves a problem as it is, so that half of its states do.

With V(s) = V(-s), minus along the axes named, V is known everywhere by its values where one of these axes, the halved
one, is not negative.  A state on the other side is folded: all its named coordinates change sign.  What an action is
there is told by that at the image, its named coordinates times -1.  Between the points nothing changes: the image of a
multilinear interpolation on points that lie symmetrically about 0 is the interpolation at the image.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray


@dataclass(frozen=True)
class Reflection:
    """Which axes change sign, and which of them the grid has the half of.

    Attributes
    ----------
    halved : str
        The state axis that is kept from 0 on.
    names : tuple of str
        All state and action axes that change sign, the halved one among them.
    period : float
        Of the halved axis where it is periodic, twice its upper end; 0 where it is not.
    """

    halved: str
    names: tuple[str, ...]
    period: float = 0.0

    @property
    def words(self) -> str:
        """What it says, in one line."""
        around = f", period {self.period:.6g}" if self.period else ""
        return f"{', '.join(self.names)} change sign together; {self.halved} is kept from 0 on{around}"

    @property
    def text(self) -> str:
        """As JSON, by which `reflection_of` makes it again."""
        return json.dumps({"halved": self.halved, "names": list(self.names), "period": self.period})

    def fold(self, axes: Sequence[str], columns: Sequence[FloatArray]) -> tuple[list[FloatArray], BoolArray]:
        """States in the half, and which of them were mirrored.

        Parameters
        ----------
        axes : sequence of str
            Names of the state axes.
        columns : sequence of arrays
            Of every axis the coordinates, of any one shape.

        Returns
        -------
        columns : list of arrays
            With the halved one not negative, within half its period where it has one.
        mirrored : array of bool
            Of the same shape.
        """
        first = columns[list(axes).index(self.halved)]
        if self.period:
            half = 0.5 * self.period
            first = np.where(np.abs(first) <= half, first, np.mod(first + half, self.period) - half)
        mirrored = np.asarray(first < 0.0)
        found = [np.where(mirrored, -x, x) if name in self.names else x for name, x in zip(axes, columns, strict=True)]
        found[list(axes).index(self.halved)] = np.abs(first)
        return found, mirrored

    def signs(self, axes: Sequence[str]) -> FloatArray:
        """Of every axis -1 where it changes sign, else 1, (dim,)."""
        return np.array([-1.0 if name in self.names else 1.0 for name in axes])


def reflection_of(text: str) -> Reflection:
    """A reflection by its `text`.

    Raises
    ------
    ValueError
        Another text.
    """
    try:
        found = json.loads(text)
        names = tuple(str(name) for name in found["names"])
        made = Reflection(str(found["halved"]), names, float(found["period"]))
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"reflection {text!r} is none") from None
    if made.halved not in made.names or not 0.0 <= made.period < np.inf:
        raise ValueError(f"reflection {text!r} is none")
    return made
