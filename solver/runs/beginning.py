"""Where a run begins: the problem's own first policy, or the last policy of another run, or one that is given."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from wpoflow.core.arrays import FloatArray, real_array
from wpoflow.grids.grid import Grid
from wpoflow.grids.transfer import transferred_policy
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Run
from wpoflow.solver.storage.atomic import RunFileError, final_path
from wpoflow.solver.storage.writer import open_run

Initial = Run | str | os.PathLike[str] | FloatArray
"""A run, its file, or cell probabilities (S, A)."""


@dataclass(frozen=True, eq=False)
class Beginning:
    """A first policy that is not the problem's own.

    Attributes
    ----------
    policy : array (S, A)
    attributes : mapping
        What the run file says of it.
    """

    policy: FloatArray
    attributes: Mapping[str, str]


def beginning_of(mdp: GridMDP, initial: Initial) -> Beginning:
    """The first policy of a run that is begun from another run's last policy, or from one that is given.

    Parameters
    ----------
    mdp : GridMDP
    initial : Run, path or array (S, A)
        Of a run the last policy it keeps, carried over to the grids of the problem where they are not the same (see
        `grids.transfer`).

    Raises
    ------
    RunFileError
        The file cannot be read, or its policy is none.
    ValueError
        The run keeps no policy, its axes are others than the problem's, or the array is no policy or masked.

    Notes
    -----
    Of several processes the root reads it, whole, and deals out the rows.
    """
    slab = mdp.slab
    found = _read(mdp, initial) if slab.root else None
    shared = slab.shared(None if found is None else {"policy": found.policy})
    attributes = slab.decided(None if found is None else found.attributes)
    assert shared is not None
    called = _called(initial)
    try:
        mdp.check_policy(shared["policy"], "initial" if called is None else "its last policy")
    except ValueError as error:
        if called is None:
            raise
        raise RunFileError(f"{called}: {error}") from error
    return Beginning(shared["policy"], attributes)


def _called(initial: Initial) -> str | None:
    """What a run to begin from is called; None of an array."""
    if isinstance(initial, str | os.PathLike):
        return os.fspath(initial)
    return "a run" if isinstance(initial, Run) else None


def _read(mdp: GridMDP, initial: Initial) -> Beginning:
    """`beginning_of` in one process, before the policy is checked."""
    if isinstance(initial, Run):
        return _of_run(mdp, initial, "a run")
    if isinstance(initial, str | os.PathLike):
        path = os.fspath(initial)
        try:
            return _of_run(mdp, open_run(path), path)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    policy, shape = np.array(real_array(initial, "initial")), (mdp.states.size, mdp.actions.size)
    if policy.shape != shape:
        raise ValueError(f"initial has shape {policy.shape}; it must be {shape}")
    return Beginning(policy, {"initial": "a policy that was given as an array"})


def refuse_own_beginning(output: str | os.PathLike[str], initial: str | os.PathLike[str]) -> None:
    """Raise ValueError if a run would replace the file it begins from."""
    there, begun = final_path(output), final_path(initial)
    if there.exists() and begun.exists() and os.path.samefile(there, begun):
        raise ValueError(
            f"{os.fspath(output)}: the run begins from this file and would replace it; name another output"
        )


def _of_run(mdp: GridMDP, run: Run, called: str) -> Beginning:
    try:
        policy, time = run.policy, float(run.snapshots.time[-1]) if run.snapshots is not None else np.nan
    except ValueError as error:
        raise ValueError("it keeps no policy to begin from") from error
    carried = transferred_policy(policy, run.states, run.actions, mdp.states, mdp.actions)
    same = np.array_equal(_edges(run.states, run.actions), _edges(mdp.states, mdp.actions))
    sizes = ", ".join(f"{axis.name} {axis.size}" for axis in (*run.states.axes, *run.actions.axes))
    how = "on the same grids" if same else f"carried over from {sizes}"
    sentence = f"the policy of {called} at flow time {time:.6g}, {how}"
    return Beginning(carried, {"initial": sentence, "initial_run_id": str(run.attributes.get("run_id", ""))})


def _edges(*grids: Grid) -> FloatArray:
    return np.concatenate([axis.edges for grid in grids for axis in grid.axes])
