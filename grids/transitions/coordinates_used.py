"""Which coordinates a vectorised function looks at, found by handing it arguments that cannot be looked at.

A terminal set that leaves the noisy coordinates alone can be judged exactly, and one that uses few of them needs sums
over few axes.  The test errs on one side only: a coordinate counts as used as soon as the function touches it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from wpoflow.grids.grid import Grid


class _Sealed:
    """Has the shape of an array and refuses every operation."""

    __array_ufunc__ = None

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self.ndim, self.size = shape, len(shape), shape[0]

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("the coordinate is sealed")

    __array__ = __bool__ = __eq__ = __ne__ = __hash__ = __iter__ = __len__ = _refuse


def coordinates_used(function: Callable[..., Any], states: Grid) -> tuple[bool, ...]:
    """For each state axis, whether a vectorised function uses that coordinate; those tried are the grid's points."""
    columns = list(states.points.T)
    used = []
    for j in range(states.dim):
        arguments = [_Sealed((states.size,)) if j == k else column for k, column in enumerate(columns)]
        try:
            function(*arguments)
        except Exception:  # of whatever kind a function raises when an argument does not behave as an array
            used.append(True)
        else:
            used.append(False)
    return tuple(used)
