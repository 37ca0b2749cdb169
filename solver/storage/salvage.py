"""What can be read of a run file that is not whole: truncated, altered, or left by a run that was killed.

HDF5 may crash or never return on damaged data, so a process of its own reads it (`solver.storage.salvage_child`) with
limits on time and memory.  Numbers that cannot be read are nan, and the attribute ``damage`` of the run says what is
lost. Damage that HDF5 does not notice cannot be told: any number of such a run may be wrong.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.text import one_line
from wpoflow.grids.axis import Axis
from wpoflow.grids.grid import Grid
from wpoflow.solver.records.run import Optimum, Run, Snapshots
from wpoflow.solver.records.series import SERIES
from wpoflow.solver.storage.atomic import RunFileError

SECONDS, BYTES_PER_SECOND = 5.0, 2e7
NAMED_LOSSES = 12

_CHILD = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from wpoflow.solver.storage.salvage_child import main
main(sys.argv[2])
"""


@dataclass
class Pieces:
    """What the child could read, by name, and what it could not."""

    arrays: dict[str, FloatArray] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)


def salvage_run(path: str | os.PathLike[str], damage: str) -> Run:
    """The run of a file that is not whole, with nan for what cannot be read.

    Parameters
    ----------
    path : path
    damage : str
        What is wrong with the file, in words; begins the attribute ``damage`` of the run.

    Raises
    ------
    RunFileError
        Its axes cannot be read, without which no number has a meaning.
    """
    pieces = read_pieces(path)
    try:
        states, actions = (_grid(pieces, kind) for kind in ("state", "action"))
    except (LookupError, ValueError) as error:
        why = "; ".join([str(error.args[0]), *pieces.losses[:1]])
        raise RunFileError(f"{damage}; and too damaged to be read anyway: {why}") from error
    length = Counter(len(pieces.arrays[name]) for name in SERIES if name in pieces.arrays).most_common(1)
    rows = length[0][0] if length else 0
    series = {name: _shaped(pieces, name, (rows,)) for name in SERIES}
    reference_mass = np.ravel(_shaped(pieces, "reference_mass", actions.shape))
    rho = np.ravel(_shaped(pieces, "rho", states.shape))
    optimum, snapshots = _optimum(pieces, states, actions), _snapshots(pieces, states, actions)
    named = [*pieces.losses[:NAMED_LOSSES]]
    if more := len(pieces.losses) - len(named):
        named.append(f"and {more} more")
    lost = f"cannot be read: {', '.join(named)}" if named else "everything can be read, but may be wrong"
    own = {name: value for name, value in pieces.attributes.items() if "." not in name}
    return Run(
        states=states,
        actions=actions,
        series=series,
        snapshots=snapshots,
        optimum=optimum,
        reference_mass=reference_mass,
        rho=rho,
        attributes={**own, "damage": one_line(f"{damage.removeprefix(f'{path}: ')}; {lost}", 2000)},
    )


def read_pieces(path: str | os.PathLike[str]) -> Pieces:
    """Let a process of its own read the file, and collect what it says before it ends, or its time does."""
    seconds = SECONDS + os.path.getsize(path) / BYTES_PER_SECOND
    arguments = [sys.executable, "-c", _CHILD, json.dumps(sys.path), os.fspath(Path(path).resolve())]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        ending = "HDF5 crashed on what follows"
        try:
            said, _ = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            said, _ = child.communicate()
            ending = f"HDF5 did not come back within {seconds:.0f} s"
    pieces, ended = _parsed(said)
    if not ended:
        pieces.losses.append(ending)
    return pieces


def _parsed(said: bytes) -> tuple[Pieces, bool]:
    pieces, at = Pieces(), 0
    while (end := said.find(b"\n", at)) >= 0:
        piece = json.loads(said[at:end])
        at = end + 1
        if "end" in piece:
            return pieces, True
        if "attribute" in piece:
            pieces.attributes[piece["attribute"]] = piece["value"]
        elif "name" not in piece:
            pieces.losses.append(one_line(piece["lost"], 100))
        else:
            size = math.prod(piece["shape"])
            if len(said) < at + 8 * size:
                break
            pieces.arrays[piece["name"]] = np.frombuffer(said, np.float64, size, at).reshape(piece["shape"])
            at += 8 * size
            if piece["lost"]:
                pieces.losses.append(f"{piece['lost']} of the {size} numbers of {piece['name']}")
    return pieces, False


def _grid(pieces: Pieces, kind: str) -> Grid:
    key = f"{kind}_axes"
    if key not in pieces.attributes:
        raise ValueError(f"its {kind} axes are not known")
    axes = []
    for name in str(pieces.attributes[key]).split():
        if f"{name}_edges" not in pieces.arrays or f"{name}_edges.boundary" not in pieces.attributes:
            raise ValueError(f"the {kind} axis {one_line(name, 40)} cannot be read")
        axes.append(Axis(name, pieces.arrays[f"{name}_edges"], str(pieces.attributes[f"{name}_edges.boundary"])))
    return Grid(tuple(axes))


def _shaped(pieces: Pieces, name: str, shape: Sequence[int]) -> FloatArray:
    """An array of the shape it must have; rows that are missing at its end, or all of it, are nan."""
    found = pieces.arrays.get(name)
    if found is not None and found.shape == tuple(shape):
        return found
    whole = np.full(shape, math.nan)
    if found is not None and found.shape[1:] == tuple(shape[1:]) and found.ndim == len(shape):
        rows = min(len(found), shape[0])
        whole[:rows] = found[:rows]
    elif found is not None:
        pieces.losses.append(f"{name} (of the wrong shape)")
    return whole


def _optimum(pieces: Pieces, states: Grid, actions: Grid) -> Optimum | None:
    if not any(name.startswith("optimum/") for name in pieces.arrays):
        return None
    pairs = (*states.shape, *actions.shape)
    value, occupancy = (_shaped(pieces, f"optimum/{n}", states.shape).ravel() for n in ("value", "occupancy"))
    q, policy = (_shaped(pieces, f"optimum/{n}", pairs).reshape(states.size, -1) for n in ("q", "policy"))
    numbers: Mapping[str, Any] = {
        name: pieces.attributes.get(f"optimum.{name}", math.nan) for name in ("bellman_residual", "gap_floor")
    }
    iterations = pieces.attributes.get("optimum.iterations", 0)
    return Optimum(
        value=value,
        q=q,
        policy=policy,
        occupancy=occupancy,
        iterations=iterations if isinstance(iterations, int) else 0,
        **{name: value if isinstance(value, int | float) else math.nan for name, value in numbers.items()},
    )


def _snapshots(pieces: Pieces, states: Grid, actions: Grid) -> Snapshots | None:
    lengths = [len(a) for name, a in pieces.arrays.items() if name.startswith("snapshot/") and a.ndim]
    if not lengths:
        return None
    rows = max(lengths)
    time = _shaped(pieces, "snapshot/snapshot_time", (rows,))
    value = _shaped(pieces, "snapshot/value", (rows, *states.shape))
    policy = _shaped(pieces, "snapshot/policy", (rows, *states.shape, *actions.shape))
    return Snapshots(time, value.reshape(rows, -1), policy.reshape(rows, states.size, -1))
