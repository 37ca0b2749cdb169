"""The truth at states as a data set: an xarray Dataset, netCDF, a CSV table or Parquet.

Tables have a column for every state axis, then ``value``, ``value_band``, ``markov_value``, ``markov_band``, for every
action axis ``mean_u``, ``mean_band_u``, ``std_u``, ``mode_u``, and for every action cell ``q[u = 0.5]`` and
``density[u = 0.5]``.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.optional import optional
from wpoflow.core.text import did_you_mean
from wpoflow.solver.corrected.value import CorrectedValue
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.provenance import VERSION
from wpoflow.solver.storage.atomic import check_output, writing

ENDINGS = (".csv", ".parquet", ".nc")


class Known(Protocol):
    """What is written of a `wpoflow.Truth`; arrays of n states are further attributes."""

    @property
    def mdp(self) -> GridMDP:
        """The problem."""
        ...

    @property
    def solution(self) -> CorrectedValue:
        """On its grid."""
        ...

    @property
    def states(self) -> FloatArray:
        """(n, dim)."""
        ...

    @property
    def band_axes(self) -> tuple[str, ...]:
        """Axes that the band is measured on."""
        ...


def check_ending(path: Path) -> None:
    """Refuse a file whose ending says of no format how to write it, or of one that cannot be written here.

    Raises
    ------
    ValueError
        Another ending.
    ImportError
        What writes the format is not installed.
    """
    if path.suffix not in ENDINGS:
        near = did_you_mean(path.suffix, ENDINGS)
        raise ValueError(f"{path}: the truth is written as one of {', '.join(ENDINGS)}, by the file's ending{near}")
    if path.suffix == ".parquet":
        optional("pyarrow.parquet", f"{path}: Parquet needs pyarrow", "parquet")
    if path.suffix == ".nc":
        for module in ("xarray", "h5netcdf"):
            optional(module, f"{path}: netCDF needs {module}", "xarray")


def save(truth: Known, path: Path, *, force: bool) -> Path:
    """See `Truth.save`."""
    check_ending(path)
    check_output(path, force)
    with writing(path) as part:
        if path.suffix == ".csv":
            _write_csv(truth, part)
        elif path.suffix == ".parquet":
            arrow, parquet = (optional(name, f"{path}: Parquet needs pyarrow", "parquet") for name in _ARROW)
            table = arrow.table(dict(columns(truth)))
            parquet.write_table(table.replace_schema_metadata({k: str(v) for k, v in attributes(truth).items()}), part)
        else:
            dataset(truth).to_netcdf(part, engine="h5netcdf")
    return path


_ARROW = ("pyarrow", "pyarrow.parquet")


def attributes(truth: Known) -> dict[str, Any]:
    """What the numbers are of, in words and numbers."""
    mdp, found = truth.mdp, truth.solution
    return {
        "title": mdp.title,
        "objective": mdp.objective,
        "discount": mdp.discount,
        "temperature": mdp.temperature,
        "residual": found.residual,
        "iterations": found.iterations,
        "grid": " x ".join(f"{axis.name} {axis.size}" for axis in (*mdp.states.axes, *mdp.actions.axes)),
        "band": (
            f"from a coarser grid ({', '.join(truth.band_axes)}), the largest difference around the state over r - 1, "
            "r the ratio of spacings: a bound of errors of first or higher order"
        ),
        "transition": mdp.transition_in_words,
        "wpoflow_version": VERSION,
        "problem": mdp.statement,
    }


def columns(truth: Known) -> Mapping[str, FloatArray]:
    """The columns of a table."""
    states, actions = truth.mdp.states, truth.mdp.actions
    found = {axis.name: truth.states[:, j] for j, axis in enumerate(states.axes)}
    for name in ("value", "value_band", "markov_value", "markov_band"):
        found[name] = getattr(truth, name)
    for name in ("mean", "mean_band", "std", "mode"):
        for j, axis in enumerate(actions.axes):
            found[f"{name}_{axis.name}"] = getattr(truth, name)[:, j]
    for name in ("q", "density"):
        array = getattr(truth, name)
        for k in range(actions.size):
            found[f"{name}[{actions.describe(k)}]"] = array[:, k]
    return found


def _write_csv(truth: Known, path: Path) -> None:
    table = columns(truth)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(table)
        for row in zip(*(column.tolist() for column in table.values()), strict=True):
            writer.writerow([repr(x) for x in row])


def dataset(truth: Known) -> Any:
    """See `Truth.to_xarray`: dimension ``state`` and the action axes; moments have ``action_axis``."""
    xarray = optional("xarray", "to_xarray needs xarray", "xarray")
    states, actions = truth.mdp.states, truth.mdp.actions
    names, shape = [axis.name for axis in actions.axes], actions.shape
    arrays: dict[str, Any] = {
        name: ("state", getattr(truth, name)) for name in ("value", "value_band", "markov_value", "markov_band")
    }
    for name in ("mean", "mean_band", "std", "mode"):
        for j, axis in enumerate(actions.axes):
            arrays[f"{name}_{axis.name}"] = ("state", getattr(truth, name)[:, j], {"units": axis.units or "1"})
    for name in ("q", "density"):
        arrays[name] = (("state", *names), getattr(truth, name).reshape(-1, *shape))
    coordinates: dict[str, Any] = {
        axis.name: ("state", truth.states[:, j], {"units": axis.units or "1"}) for j, axis in enumerate(states.axes)
    }
    for axis in actions.axes:
        points = np.array(axis.labels) if axis.labels else axis.points
        coordinates[axis.name] = (axis.name, points, {"units": axis.units or "1"})
    return xarray.Dataset(arrays, coordinates, attributes(truth))
