"""Reading a run file back: the trailer first, then HDF5 with guards, large arrays when they are asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import h5py
import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis
from wpoflow.grids.grid import Grid
from wpoflow.solver.records.layout import SCHEMA_VERSION
from wpoflow.solver.records.run import Optimum, ProblemArrays, Rows, Run, Snapshots
from wpoflow.solver.records.series import SERIES
from wpoflow.solver.storage.atomic import RunFileError, check_trailer
from wpoflow.solver.storage.guarded_reading import (
    DAMAGE,
    axis_names,
    find_data,
    missing_attributes,
    read_attribute,
    read_attributes,
    read_numbers,
)
from wpoflow.solver.storage.salvage import salvage_run

T = TypeVar("T")


def open_run(path: str | os.PathLike[str], *, anyway: bool = False) -> Run:
    """Read a run file; its optimum and snapshots are read when asked for.

    Parameters
    ----------
    path : path
    anyway : bool
        Of a file that is not whole read what can be read, with nan for what cannot, and say so in the attribute
        ``damage`` (`solver.storage.salvage`); any number of such a run may be wrong.

    Raises
    ------
    RunFileError
        The file is missing, unreadable, truncated, altered, or not a run file.
    """
    try:
        check_trailer(path)
    except RunFileError as error:
        if not anyway or not Path(path).is_file():
            raise
        return salvage_run(path, str(error))
    return _reading(path, lambda file: _read(file, Path(path).resolve()))


def _reading(path: str | os.PathLike[str], read: Callable[[h5py.File], T]) -> T:
    try:
        with h5py.File(path, "r") as file:
            return read(file)
    except DAMAGE as error:
        raise RunFileError(f"{path}: not a run file of schema {SCHEMA_VERSION}: {error}") from error


def _read(file: h5py.File, path: Path) -> Run:
    attributes = read_attributes(file)
    schema = attributes.get("schema_version", "missing")
    if schema != SCHEMA_VERSION:
        newer = isinstance(schema, int) and schema > SCHEMA_VERSION
        raise ValueError(f"its schema_version is {schema}" + ("; a newer wpoflow reads it" if newer else ""))
    if missing := missing_attributes(attributes):
        raise ValueError(f"attribute {missing[0]} is missing")
    states, actions = (_read_grid(file, axis_names(attributes, kind)) for kind in ("state", "action"))
    pairs = (states.size, actions.size)
    layouts = {"value": states.shape, "policy": states.shape + actions.shape}

    def rows(name: str, shape: tuple[int, ...]) -> Rows:
        def read(file: h5py.File, index: int | slice) -> FloatArray:
            found: FloatArray = find_data(file, f"snapshot/{name}", (None, *layouts[name]))[index]
            return found.reshape((-1, *shape) if isinstance(index, slice) else shape)

        return lambda index: _reading(path, lambda file: read(file, index))

    snapshots = None
    if "snapshot" in file:
        time = read_numbers(file, "snapshot/snapshot_time", (None,))
        for name, layout in layouts.items():
            find_data(file, f"snapshot/{name}", (time.size, *layout))
        snapshots = Snapshots(time, rows("value", pairs[:1]), rows("policy", pairs))
    length = find_data(file, "time", (None,)).shape
    return Run(
        states=states,
        actions=actions,
        series={name: read_numbers(file, name, length) for name in SERIES},
        snapshots=snapshots,
        optimum=(lambda: _reading(path, lambda file: _read_optimum(file, layouts))) if "optimum" in file else None,
        reference_mass=np.ravel(read_numbers(file, "reference_mass", actions.shape)),
        rho=np.ravel(read_numbers(file, "rho", states.shape)),
        attributes=attributes,
        problem_arrays=(lambda: _reading(path, lambda file: _read_arrays(file, states, actions)))
        if "problem" in file
        else None,
    )


def _read_arrays(file: h5py.File, states: Grid, actions: Grid) -> ProblemArrays:
    """The arrays that state a problem: over pairs (S, A), over states (S,), or over indices of their own."""
    found = {}
    for name in file["problem"]:
        data = find_data(file, f"problem/{name}", None)
        if not data.is_scale:
            over_axes = all(len(dim) > 0 and dim[0].parent.name == "/" for dim in data.dims)
            flat = (states.size, actions.size) if len(data.dims) > states.dim else (states.size,)
            found[name] = data[()].reshape(flat) if over_axes else data[()]
    return found


def _read_optimum(file: h5py.File, layouts: Mapping[str, tuple[int, ...]]) -> Optimum:
    def read(name: str, layout: str) -> FloatArray:
        return read_numbers(file, f"optimum/{name}", layouts[layout])

    value = np.ravel(read("value", "value"))
    return Optimum(
        value=value,
        q=read("q", "policy").reshape(value.size, -1),
        policy=read("policy", "policy").reshape(value.size, -1),
        bellman_residual=float(read_attribute(file["optimum"], "bellman_residual")),
        gap_floor=float(read_attribute(file["optimum"], "gap_floor")),
        occupancy=np.ravel(read("occupancy", "value")),
        iterations=int(read_attribute(file["optimum"], "iterations")),
    )


def _read_grid(file: h5py.File, names: Sequence[str]) -> Grid:
    axes = []
    for name in names:
        edges = read_numbers(file, f"{name}_edges", (None,))
        axes.append(Axis(name, edges, str(read_attribute(file[f"{name}_edges"], "boundary"))))
    return Grid(tuple(axes))
