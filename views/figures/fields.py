"""What figures show of a run, as arrays: chosen states, slices, densities and marginals, snapshots, times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.text import did_you_mean
from wpoflow.grids.axis import SHOCK, Axis
from wpoflow.grids.grid import Grid
from wpoflow.solver.records.run import Run
from wpoflow.views.figures.formats import FigureError

NO_OPTIMUM = "the run ended before its optimum was known"
NO_ROWS = "the file holds no rows of a flow"
NO_SNAPSHOTS = "the file holds no snapshots of a policy"
NO_ACTIONS = "there is one action cell, and the policy cannot move"


def signed_value(run: Run, symbol: str, *, short: bool = False) -> tuple[float, str]:
    """Factor and label with which a value is drawn: of a problem stated in rewards minus V, which is what is earned.

    ``symbol`` is V with its arguments, as in ``V^*(s)``; ``short``, as for a legend: without a word.
    """
    if str(run.attributes.get("objective", "")).startswith("maximise"):  # the first word of `solver.mdp.REWARDS`
        return -1.0, f"$-{symbol}$" if short else f"$-{symbol}$, rewards"
    return 1.0, f"${symbol}$"


def long_axes(grid: Grid) -> list[int]:
    """Positions of the axes of more than one point."""
    return [k for k, axis in enumerate(grid.axes) if axis.size > 1]


def no_moving_policy(run: Run) -> str:
    """Why there is no policy whose change could be shown; empty if there is: snapshots and an action axis."""
    if not long_axes(run.actions):
        return NO_ACTIONS
    return "" if snapshot_times(run).size else NO_SNAPSHOTS


@dataclass(frozen=True, eq=False)
class Slice:
    """A state of a run, and the state axes a figure lies along through it.

    Parameters
    ----------
    run : Run
    wanted : mapping of state axis to number, optional
        The nearest grid point is taken; the middle of axes left out.
    count : int
        Most axes to lie along: the first of more than one point, shocks after others, those with a chosen value last.
    """

    run: Run
    wanted: Mapping[str, float] | None = None
    count: int = 0

    @cached_property
    def index(self) -> tuple[int, ...]:
        """Index of the state on every axis.

        Raises
        ------
        FigureError
            An axis that is not one of the states, or a number outside its box.
        """
        names = [axis.name for axis in self.run.states.axes]
        for name in self.wanted or {}:
            if name not in names:
                choices = f"choose among {', '.join(names)}" if names else "there is one state only"
                choices += did_you_mean(name, names)
                raise FigureError(f"state {name}: {choices}")
        return tuple(_index(axis, (self.wanted or {}).get(axis.name)) for axis in self.run.states.axes)

    @cached_property
    def along(self) -> list[int]:
        """Positions of the axes."""
        axes, wanted = self.run.states.axes, self.wanted or {}
        free = sorted(long_axes(self.run.states), key=lambda k: (axes[k].name in wanted, axes[k].boundary == SHOCK))
        return sorted(free[: self.count])

    @property
    def axes(self) -> list[Axis]:
        """The axes themselves."""
        return [self.run.states.axes[k] for k in self.along]

    @property
    def rows(self) -> IntArray:
        """Numbers of the states of the slice, in C order."""
        return np.asarray(self.of(np.arange(self.run.states.size))).ravel()

    @property
    def words(self) -> str:
        """The state, without the axes the slice lies along: ``x = 0.5, v = 0``."""
        return ", ".join(
            f"{axis.name} = {_rounded(axis, i):.3g}"
            for k, (axis, i) in enumerate(zip(self.run.states.axes, self.index, strict=True))
            if k not in self.along and axis.size > 1
        )

    def of(self, values: NDArray[Any]) -> NDArray[Any]:
        """A function of the state, (S,) or (S, ...), on the axes of the slice."""
        where = tuple(slice(None) if k in self.along else i for k, i in enumerate(self.index))
        return np.asarray(values.reshape((*self.run.states.shape, *values.shape[1:]))[where])


def _index(axis: Axis, wanted: float | None) -> int:
    if wanted is None:
        return axis.size // 2
    if not axis.lower <= wanted <= axis.upper:
        raise FigureError(f"state {axis.name} = {wanted:g}: outside the box [{axis.lower:g}, {axis.upper:g}]")
    return int(np.argmin(np.abs(axis.points - wanted)))


def _rounded(axis: Axis, i: int) -> float:
    """A point, zero where it differs from zero by rounding only."""
    point = float(axis.points[i])
    return 0.0 if abs(point) < 1e-9 * axis.length else point


def densities(run: Run, policy: FloatArray) -> FloatArray:
    """Cell probabilities (..., A) as densities with respect to the action volume, (..., actions)."""
    return np.asarray((policy / run.actions.volumes).reshape(*policy.shape[:-1], *run.actions.shape))


def marginal(run: Run, policy: FloatArray, k: int) -> FloatArray:
    """Density of action axis ``k`` alone, (..., n_k), from cell probabilities (..., A)."""
    cells = policy.reshape(*policy.shape[:-1], *run.actions.shape)
    lead = policy.ndim - 1
    others = tuple(lead + j for j in range(run.actions.dim) if j != k)
    return np.asarray(cells.sum(axis=others) / run.actions.axes[k].widths)


def snapshot_times(run: Run) -> FloatArray:
    """Times of the snapshots, none if there are none."""
    return np.zeros(0) if run.snapshots is None else run.snapshots.time


def some_snapshots(run: Run, most: int) -> list[int]:
    """Evenly spread snapshots, the first and the last among them."""
    count = snapshot_times(run).size
    return sorted({round(float(k)) for k in np.linspace(0, count - 1, min(most, count))}) if count else []


def time_edges(times: FloatArray) -> FloatArray:
    """Edges of columns about increasing times: geometric means between positive ones; the ends are times themselves."""
    if times.size == 1:
        return np.array([times[0] - 0.5, times[0] + 0.5])
    before, after = times[:-1], times[1:]
    inner = np.where(before > 0.0, np.sqrt(np.maximum(before, 0.0) * after), 0.5 * after)
    return np.concatenate((times[:1], inner, times[-1:]))


def geometric(times: FloatArray) -> bool:
    """Whether times are better read on a logarithmic scale."""
    positive = times[times > 0.0]
    return bool(positive.size > 2 and positive[-1] > 20.0 * positive[0])


def time_words(time: float) -> str:
    """A flow time for a legend."""
    return f"$t={time:.3g}$" if "e" not in f"{time:.3g}" else rf"$t={_power(time)}$"


def _power(number: float) -> str:
    mantissa, exponent = f"{number:.2g}".split("e")
    times = "" if mantissa == "1" else rf"{mantissa}\!\times\!"
    return rf"{times}10^{{{int(exponent)}}}"
