"""A run as an xarray DataTree, identical to what xarray reads from its file.

`xarray.open_datatree` and `xarray.open_dataset`, with either engine (h5netcdf, netCDF4), give the same groups,
dimensions, coordinates, types and attributes: ``identical`` holds, and tests say so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.solver.records.layout import (
    LONG_NAMES,
    OPTIMUM_NUMBERS,
    UNITS,
    axis_long_name,
    index_long_name,
    names,
    problem_layout,
    problem_long_name,
)

if TYPE_CHECKING:
    import xarray

    from wpoflow.solver.records.run import Run

Variable = tuple[tuple[str, ...], FloatArray | IntArray, dict[str, str]]


def run_as_datatree(run: Run) -> xarray.DataTree:
    """The run as a DataTree: series and axes at the root; groups ``optimum``, ``snapshot``, ``problem`` if it has them.

    Raises
    ------
    ImportError
        xarray is not installed (``pip install "wpoflow[xarray]"``).
    """
    try:
        import xarray
    except ImportError as error:
        raise ImportError('to_xarray needs xarray: pip install "wpoflow[xarray]"') from error

    groups = {"/": xarray.Dataset(_root(run), _axes(run), dict(run.attributes))}
    if run.optimum is not None:
        numbers = {name: getattr(run.optimum, name) for name in OPTIMUM_NUMBERS}
        groups["/optimum"] = xarray.Dataset(_optimum(run), attrs=numbers)
    if run.snapshots is not None and len(run.snapshots.time):
        time = _variable("snapshot/snapshot_time", ("snapshot_time",), run.snapshots.time)
        groups["/snapshot"] = xarray.Dataset(_snapshots(run), {"snapshot_time": time})
    if run.problem_arrays:
        groups["/problem"] = xarray.Dataset(*_problem(run))
    return xarray.DataTree.from_dict(groups)


def _variable(
    path: str, dims: tuple[str, ...], values: FloatArray | IntArray, long_name: str | None = None, **more: str
) -> Variable:
    described = {"units": UNITS, "long_name": LONG_NAMES[path] if long_name is None else long_name, **more}
    return dims, values, described


def _root(run: Run) -> dict[str, Variable]:
    found = {name: _variable(name, ("time",), values) for name, values in run.series.items() if name != "time"}
    for name, grid, values in (("reference_mass", run.actions, run.reference_mass), ("rho", run.states, run.rho)):
        found[name] = _variable(name, names(grid), values.reshape(grid.shape))
    return found


def _axes(run: Run) -> dict[str, Variable]:
    found = {"time": _variable("time", ("time",), run.series["time"])}
    for kind, grid in (("state", run.states), ("action", run.actions)):
        for axis in grid.axes:
            for name, values in ((axis.name, axis.points), (f"{axis.name}_edges", axis.edges)):
                long_name = axis_long_name(kind, axis, values is axis.edges)
                found[name] = _variable(name, (name,), values, long_name, boundary=axis.boundary)
    return found


def _optimum(run: Run) -> dict[str, Variable]:
    assert run.optimum is not None
    pairs = run.states.shape + run.actions.shape
    over_states, over_pairs = names(run.states), names(run.states) + names(run.actions)
    found = {}
    for name in ("value", "occupancy"):
        values = getattr(run.optimum, name)
        found[name] = _variable(f"optimum/{name}", over_states, values.reshape(run.states.shape))
    for name in ("q", "policy"):
        values = getattr(run.optimum, name)
        found[name] = _variable(f"optimum/{name}", over_pairs, values.reshape(pairs))
    return found


def _snapshots(run: Run) -> dict[str, Variable]:
    assert run.snapshots is not None
    kept, over_states = run.snapshots, ("snapshot_time", *names(run.states))
    rows = len(kept.time)
    value = kept.value.reshape((rows, *run.states.shape))
    policy = kept.policy.reshape((rows, *run.states.shape, *run.actions.shape))
    return {
        "value": _variable("snapshot/value", over_states, value),
        "policy": _variable("snapshot/policy", over_states + names(run.actions), policy),
    }


def _problem(run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
    over_pairs = names(run.states) + names(run.actions)
    arrays, indices = {}, {}
    for name, array in run.problem_arrays.items():
        shape, dims = problem_layout(name, array.shape, run.states, run.actions)
        arrays[name] = _variable(name, dims, array.reshape(shape), problem_long_name(name))
        for k, dim in enumerate(dims):
            if dim not in over_pairs:
                indices[dim] = _variable(dim, (dim,), np.arange(shape[k]), index_long_name(name, k))
    return arrays, indices
