"""What figures show of a run, as arrays: chosen states, slices, densities and marginals, snapshots, times."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.grids.axis import Axis
from wpoflow.grids.grid import Grid
from wpoflow.solver.records.run import Run
from wpoflow.views.figures.formats import FigureError

NO_OPTIMUM = "the run ended before its optimum was known"
NO_ROWS = "the file holds no rows of a flow"
NO_SNAPSHOTS = "the file holds no snapshots of a policy"
NO_ACTIONS = "there is one action cell, and the policy cannot move"


def long_axes(grid: Grid) -> list[int]:
    """Positions of the axes of more than one point."""
    return [k for k, axis in enumerate(grid.axes) if axis.size > 1]


def chosen_state(run: Run, wanted: Mapping[str, float] | None) -> tuple[int, ...]:
    """Index of the state point nearest to the one asked for on every axis; the middle where nothing is asked.

    Raises
    ------
    FigureError
        An axis that is not one of the states, or a number outside its box.
    """
    wanted = wanted or {}
    names = [axis.name for axis in run.states.axes]
    for name in wanted:
        if name not in names:
            choices = f"choose among {', '.join(names)}" if names else "there is one state only"
            raise FigureError(f"state {name}: {choices}")
    return tuple(_index(axis, wanted.get(axis.name)) for axis in run.states.axes)


def _index(axis: Axis, wanted: float | None) -> int:
    if wanted is None:
        return axis.size // 2
    if not axis.lower <= wanted <= axis.upper:
        raise FigureError(f"state {axis.name} = {wanted:g}: outside the box [{axis.lower:g}, {axis.upper:g}]")
    return int(np.argmin(np.abs(axis.points - wanted)))


def flat_index(grid: Grid, index: tuple[int, ...]) -> int:
    """Number of a point in C order."""
    return int(sum(i * stride for i, stride in zip(index, grid.strides, strict=True)))


def drawn_axes(run: Run, wanted: Mapping[str, float] | None, count: int) -> list[int]:
    """State axes a figure lies along: the first of more than one point, those with a chosen value last."""
    wanted = wanted or {}
    free = sorted(long_axes(run.states), key=lambda k: run.states.axes[k].name in wanted)
    return sorted(free[:count])


def slice_of(values: FloatArray, run: Run, along: list[int], index: tuple[int, ...]) -> FloatArray:
    """A function of the state, (S,) or (S, ...), on the axes ``along``, the others held at ``index``."""
    where = tuple(slice(None) if k in along else i for k, i in enumerate(index))
    return np.asarray(values.reshape((*run.states.shape, *values.shape[1:]))[where])


def slice_rows(run: Run, along: list[int], index: tuple[int, ...]) -> IntArray:
    """Numbers of the states in a slice, in C order."""
    return slice_of(np.arange(run.states.size).astype(np.float64), run, along, index).astype(np.int64).ravel()


def words(run: Run, index: tuple[int, ...], but: list[int] | None = None) -> str:
    """A state in words, without the axes that are drawn along: ``x = 0.5, v = 0``."""
    return ", ".join(
        f"{axis.name} = {_rounded(axis, index[k]):.3g}"
        for k, axis in enumerate(run.states.axes)
        if k not in (but or []) and axis.size > 1
    )


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
