"""Phase portrait: mean motion of the state under the optimal policy as streamlines, the mean action as colour.

Labels have no mean: where there are no other actions, the colour is the likeliest label.

The dynamics are those of the problem text in the run file, before noise; clamped and reflecting boundaries act on
them, periodic ones do not, so that streamlines run on over the end.  On a periodic action axis the mean is that on
the circle.  With more than two state axes the motion in the slice is shown, projected onto it.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from scipy.interpolate import RegularGridInterpolator

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.grids.axis import Axis
from wpoflow.problems.load import read_statement
from wpoflow.problems.problem_file import parse_problem
from wpoflow.problems.statement import Value
from wpoflow.solver.records.run import Run
from wpoflow.views.figures.canvas import BLACK, MAP, SINGLE, new_figure
from wpoflow.views.figures.fields import NO_OPTIMUM, Slice, long_axes
from wpoflow.views.figures.panels import axes_map, colour_bar, in_units, linear_norm, plain

NODES = 41
CIRCLE_MAP = "twilight"


def why_not(run: Run) -> str:
    """The optimum, two state axes and the problem's text are needed."""
    if run.optimum is None:
        return NO_OPTIMUM
    if len(long_axes(run.states)) < 2:
        return "it needs two state axes of more than one point"
    if not run.problem:
        return "the problem was stated in Python, and its dynamics are not in the file"
    return ""


def displacements(run: Run, rows: IntArray) -> FloatArray:
    """Mean of f(s, a) - s under the optimal policy at some states, (states, axes)."""
    assert run.optimum is not None
    statement = read_statement(parse_problem(run.problem, "the problem in the run file"))
    names = [axis.name for axis in run.states.axes]
    out = np.zeros((rows.size, len(names)))
    for number, row in enumerate(rows):
        here = run.states.points[row]
        policy = run.optimum.policy[row]
        for outcome in statement.branches:
            weight = _evaluated(outcome.probability, here, run)
            for k, name in enumerate(names):
                there = _at_boundary(_evaluated(outcome.dynamics[name], here, run), run.states.axes[k])
                if (table := statement.states.axes[k].table) is not None:
                    points = run.states.axes[k].points
                    there = np.full_like(there, table[np.searchsorted(points, here[k])] @ points)
                out[number, k] += policy @ (weight * (there - here[k]))
    return out


def _evaluated(value: Value, here: FloatArray, run: Run) -> FloatArray:
    """A value at one state and all actions, (A,)."""
    shape = (run.actions.size,)
    if not callable(value):
        return np.full(shape, float(value))
    coordinates = [np.full(shape, x) for x in here] + [np.ascontiguousarray(a) for a in run.actions.points.T]
    with np.errstate(all="ignore"):
        return np.broadcast_to(np.asarray(value(*coordinates), dtype=np.float64), shape)


def _at_boundary(there: FloatArray, axis: Axis) -> FloatArray:
    """Next states after clamping or one reflection."""
    if axis.boundary == "clamp":
        return np.clip(there, axis.lower, axis.upper)
    if axis.boundary == "reflect":
        mirrored = np.where(there > axis.upper, 2.0 * axis.upper - there, there)
        return np.asarray(np.where(mirrored < axis.lower, 2.0 * axis.lower - mirrored, mirrored))
    return there


def likeliest_axis(run: Run) -> int | None:
    """The first axis of labels, where all long action axes are such; None where there is another."""
    axes = long_axes(run.actions)
    return axes[0] if axes and not any(run.actions.axes[k].connected for k in axes) else None


def mean_actions(run: Run, rows: IntArray) -> tuple[FloatArray, str, bool]:
    """Mean action of the optimal policy, its modulus with several axes, or the number of the likeliest label.

    And what that is called, and whether it is an angle.
    """
    assert run.optimum is not None
    policy = run.optimum.policy[rows]
    if (named := likeliest_axis(run)) is not None:
        cells = policy.reshape(len(rows), *run.actions.shape)
        others = tuple(j + 1 for j in range(run.actions.dim) if j != named)
        label = rf"likeliest {plain(run.actions.axes[named].name)} under $\pi^*$"
        return cells.sum(axis=others).argmax(axis=1).astype(np.float64), label, False
    axes = [k for k in long_axes(run.actions) if run.actions.axes[k].connected]
    if len(axes) == 1:
        axis, values = run.actions.axes[axes[0]], run.actions.points[:, axes[0]]
        label = rf"mean of {plain(axis.name)} under $\pi^*${in_units(axis)}"
        if axis.periodic:
            turn = 2.0 * np.pi / axis.length
            angle = np.angle(policy @ np.exp(1j * turn * (values - axis.lower)))
            return axis.lower + np.mod(angle, 2.0 * np.pi) / turn, label, True
        return policy @ values, label, False
    mean = policy @ run.actions.points
    return np.sqrt((mean[:, axes] ** 2).sum(axis=1)), r"modulus of the mean action under $\pi^*$", False


def draw(cut: Slice) -> Figure:
    """Streamlines over colour."""
    first, second = cut.axes
    shape = (first.size, second.size)
    motion = displacements(cut.run, cut.rows)[:, cut.along].reshape(*shape, 2)
    action, label, is_angle = mean_actions(cut.run, cut.rows)
    figure = new_figure(SINGLE, 3.1)
    panel = figure.subplots()
    colours = CIRCLE_MAP if is_angle else MAP
    mesh = axes_map(panel, first, second, action.reshape(shape), linear_norm(action), colours)
    mesh.set_alpha(0.6)
    across, up, field = _even(first, second, motion)
    if np.any(np.hypot(field[..., 0], field[..., 1]) > 0.0):
        panel.streamplot(
            across, up, field[..., 0].T, field[..., 1].T, color=BLACK, linewidth=0.6, arrowsize=0.6, density=1.1
        )
    panel.set_xlim(first.lower, first.upper)
    panel.set_ylim(second.lower, second.upper)
    named = likeliest_axis(cut.run)
    colour_bar(mesh, panel, label, names=() if named is None else cut.run.actions.axes[named].labels)
    return figure


def _even(first: Axis, second: Axis, field: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The field on evenly spaced points, which streamlines need, (NODES, NODES, 2)."""
    across, up = (np.linspace(axis.points[0], axis.points[-1], NODES) for axis in (first, second))
    at = np.stack(np.meshgrid(across, up, indexing="ij"), axis=-1)
    at = np.clip(at, [first.points[0], second.points[0]], [first.points[-1], second.points[-1]])
    return across, up, np.asarray(RegularGridInterpolator((first.points, second.points), field)(at))
