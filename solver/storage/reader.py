"""Reading a run file back: the seal first, then HDF5; large arrays are read, and judged, when they are asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from warnings import warn

import h5py
import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.memory import needed_by
from wpoflow.core.text import one_line
from wpoflow.grids.grid import Grid
from wpoflow.grids.reflection import reflection_of
from wpoflow.solver.records.layout import (
    MEMBER,
    PARAMETERS,
    PARTICLE,
    PROBLEM_ARRAYS,
    SCHEMA_VERSION,
    Variable,
    variables,
)
from wpoflow.solver.records.notices import RunFileWarning
from wpoflow.solver.records.run import Optimum, Run, Snapshots
from wpoflow.solver.records.series import FURTHER_SERIES, SERIES, SINCE, later_series
from wpoflow.solver.storage.atomic import RunFileError
from wpoflow.solver.storage.contents import DAMAGE, LEAST_SCHEMA, Contents, DamagedContents, Scalar, reading
from wpoflow.solver.storage.plausible import of_attributes, of_optimum
from wpoflow.solver.storage.seal import check_seal

NAMED_LOSSES = 12


def open_run(path: str | os.PathLike[str], *, anyway: bool = False) -> Run:
    """Read a run file; its optimum and snapshots are read when asked for.

    Parameters
    ----------
    path : path
    anyway : bool
        Of a file that is not whole, or left by a run that was killed, read at once what HDF5 can read, with nan for
        what it cannot, and say so in the attribute ``damage``; any number of such a run may be wrong.  HDF5 itself may
        fail to return from a damaged file.

    Raises
    ------
    RunFileError
        The file is missing, unreadable, truncated, altered, or not a run file; or its numbers are those of no run.
    MemoryError
        There is no room for what is asked for.

    Warns
    -----
    RunFileWarning
        The file is not sealed, as another program opened it for writing, and its contents are as they were; the
        attribute ``unsealed`` of the run says so as well.
    """
    try:
        unsealed = check_seal(path)
        run = reading(Path(path), _read)
    except RunFileError as error:
        if not anyway or not Path(path).is_file():
            raise
        return _read_damaged(Path(path), str(error))
    if unsealed:
        run.attributes = {**run.attributes, "unsealed": unsealed}
        warn(f"{path}: {unsealed}; to seal it again: wpoflow seal {path}", RunFileWarning, stacklevel=2)
    return run


def _read_damaged(path: Path, damage: str) -> Run:
    try:
        with needed_by(str(path)), h5py.File(path, "r", locking=False) as file:  # it may be of a run that still goes
            contents = DamagedContents(file, path)
            run = _read(contents)
    except DAMAGE as error:
        raise RunFileError(f"{damage}; and too damaged to be read anyway: {error}") from error
    named = contents.losses[:NAMED_LOSSES]
    if more := len(contents.losses) - len(named):
        named.append(f"and {more} more")
    lost = f"cannot be read: {', '.join(named)}" if named else "everything can be read, but may be wrong"
    run.attributes = {**run.attributes, "damage": one_line(f"{damage.removeprefix(f'{path}: ')}; {lost}", 2000)}
    return run


def _read(contents: Contents) -> Run:
    attributes = contents.attributes()
    states, actions = (_grid(contents, attributes, kind) for kind in ("state", "action"))
    contents.judge(of_attributes(attributes))
    lengths = contents.lengths((MEMBER, PARTICLE)) if contents.has("snapshot") else {}
    table = variables(states, actions, lengths)
    held = [name for name in SERIES if SINCE.get(name, LEAST_SCHEMA) <= _schema(attributes)]
    held += [name for name in FURTHER_SERIES if name in contents.file]
    rows = contents.rows([table[name] for name in held])
    series = {name: contents.at_once(table[name], rows) for name in held}
    return Run(
        states=states,
        actions=actions,
        series=with_later_series(series, attributes),
        snapshots=_snapshots(contents, table) if contents.has("snapshot") else None,
        optimum=contents.later(partial(_optimum, table=table, attributes=attributes))
        if contents.has("optimum")
        else None,
        reference_mass=contents.at_once(table["reference_mass"]),
        rho=contents.at_once(table["rho"]),
        attributes=attributes,
        problem_arrays=contents.later(partial(_problem, table=table)) if contents.has("problem") else None,
        source=str(contents.path),
    )


def _schema(attributes: Mapping[str, Scalar]) -> int:
    """The schema of a file; the present one of a damaged file that does not say."""
    found = attributes.get("schema_version", SCHEMA_VERSION)
    return found if isinstance(found, int) else SCHEMA_VERSION


def with_later_series(series: dict[str, FloatArray], attributes: Mapping[str, Scalar]) -> dict[str, FloatArray]:
    """All series, of a file of earlier versions, too: its temperature was constant."""
    temperature, discount = (float(attributes.get(name, np.nan)) for name in ("temperature", "discount"))
    with np.errstate(all="ignore"):
        known = later_series(series["entropy"], series["value_rho"], temperature, discount)
    found = {name: series[name] if name in series else known[name] for name in SERIES}
    return found | {name: series[name] for name in FURTHER_SERIES if name in series}


def _grid(contents: Contents, attributes: Mapping[str, Scalar], kind: str) -> Grid:
    if f"{kind}_axes" not in attributes:
        raise ValueError(f"its {kind} axes are not known")
    mirror = reflection_of(str(attributes["reflection"])) if kind == "state" and "reflection" in attributes else None
    return Grid(tuple(contents.axis(name) for name in str(attributes[f"{kind}_axes"]).split()), mirror)


def _snapshots(contents: Contents, table: Mapping[str, Variable]) -> Snapshots:
    time, value, policy = (table[f"snapshot/{name}"] for name in ("snapshot_time", "value", "policy"))
    rows = contents.rows([time, value, policy])
    found = {name: table[f"snapshot/{name}"] for name in PARAMETERS if name in contents.file["snapshot"]}
    lengths = {name: table[f"snapshot/{name}"].shape[0] for name in (MEMBER, PARTICLE)}
    return Snapshots(
        contents.at_once(time, rows),
        contents.kept(value, rows),
        contents.kept(policy, rows),
        {name: contents.kept(entry, rows) for name, entry in found.items()},
        {name: length for name, length in lengths.items() if length >= 0},
    )


def _optimum(contents: Contents, table: Mapping[str, Variable], attributes: Mapping[str, Scalar]) -> Optimum:
    stated = "temperature" in contents.file["optimum"].attrs  # earlier versions did not
    temperature = contents.optimum_number("temperature") if stated else float(attributes.get("temperature", np.nan))
    value, q, policy, occupancy = (
        contents.array(table[f"optimum/{name}"]) for name in ("value", "q", "policy", "occupancy")
    )
    found = Optimum(
        value=value,
        q=q,
        policy=policy,
        occupancy=occupancy,
        temperature=temperature,
        bellman_residual=contents.optimum_number("bellman_residual"),
        gap_floor=contents.optimum_number("gap_floor"),
        iterations=int(np.nan_to_num(contents.optimum_number("iterations"))),
    )
    contents.judge(of_optimum(found))
    return found


def _problem(contents: Contents, table: Mapping[str, Variable]) -> dict[str, FloatArray | IntArray]:
    present = [name for name in PROBLEM_ARRAYS if name in contents.file["problem"]]
    return {name: contents.array(table[f"problem/{name}"]) for name in present}
