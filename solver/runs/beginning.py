"""Where a run begins: the problem's own first policy, or the last policy of another run, or one that is given.

A flow of Gaussians or particles takes up those of a run that has as many in every state, number by number, wherever its
cells are.  Between other states means, covariances and weights are interpolated; particles are not, as the mean of two
of them is none.  All else is made of the policy that was carried over: the run file says which.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from wpoflow.core.arrays import FloatArray, real_array
from wpoflow.grids.grid import Grid
from wpoflow.grids.transfer import interpolated_rows, transferred_policy
from wpoflow.solver.flows.flow import Flow
from wpoflow.solver.flows.parametric.parametric import ParametricFlow
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
    parameters : mapping of arrays (S, n)
        What a snapshot keeps of it, where the flow takes that up.
    """

    policy: FloatArray
    attributes: Mapping[str, str]
    parameters: Mapping[str, FloatArray] = field(default_factory=dict)

    @property
    def arrays(self) -> dict[str, FloatArray]:
        """Policy and parameters by name."""
        return {"policy": self.policy, **self.parameters}


def beginning_of(mdp: GridMDP, initial: Initial, flow: Flow) -> Beginning:
    """The first policy of a run that is begun from another run's last policy, or from one that is given.

    Parameters
    ----------
    mdp : GridMDP
    initial : Run, path or array (S, A)
        Of a run the last policy it keeps, carried over to the grids of the problem where they are not the same (see
        `grids.transfer`).
    flow : Flow
        Which is to be followed.

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
    found = _read(mdp, initial, flow) if slab.root else None
    shared = slab.shared(None if found is None else found.arrays)
    attributes = slab.decided(None if found is None else found.attributes)
    assert shared is not None
    called = _called(initial)
    policy = shared.pop("policy")
    try:
        mdp.check_policy(policy, "initial" if called is None else "its last policy")
    except ValueError as error:
        if called is None:
            raise
        raise RunFileError(f"{called}: {error}") from error
    return Beginning(policy, attributes, shared)


def _called(initial: Initial) -> str | None:
    """What a run to begin from is called; None of an array."""
    if isinstance(initial, str | os.PathLike):
        return os.fspath(initial)
    return "a run" if isinstance(initial, Run) else None


def _read(mdp: GridMDP, initial: Initial, flow: Flow) -> Beginning:
    """`beginning_of` in one process, before the policy is checked."""
    if isinstance(initial, Run):
        return _of_run(mdp, initial, "a run", flow)
    if isinstance(initial, str | os.PathLike):
        path = os.fspath(initial)
        try:
            return _of_run(mdp, open_run(path), path, flow)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    policy, shape = np.array(real_array(initial, "initial")), (mdp.states.size, mdp.actions.size)
    if policy.shape != shape:
        raise ValueError(f"initial has shape {policy.shape}; it must be {shape}")
    made = f"; {flow.made}" if isinstance(flow, ParametricFlow) else ""
    return Beginning(policy, {"initial": f"a policy that was given as an array{made}"})


def refuse_own_beginning(output: str | os.PathLike[str], initial: str | os.PathLike[str]) -> None:
    """Raise ValueError if a run would replace the file it begins from."""
    there, begun = final_path(output), final_path(initial)
    if there.exists() and begun.exists() and os.path.samefile(there, begun):
        raise ValueError(
            f"{os.fspath(output)}: the run begins from this file and would replace it; name another output"
        )


def _of_run(mdp: GridMDP, run: Run, called: str, flow: Flow) -> Beginning:
    try:
        policy, time = run.policy, float(run.snapshots.time[-1]) if run.snapshots is not None else np.nan
    except ValueError as error:
        raise ValueError("it keeps no policy to begin from") from error
    carried = transferred_policy(policy, run.states, run.actions, mdp.states, mdp.actions)
    same = np.array_equal(_edges(run.states, run.actions), _edges(mdp.states, mdp.actions))
    sizes = ", ".join(f"{axis.name} {axis.size}" for axis in (*run.states.axes, *run.actions.axes))
    how = "on the same grids" if same else f"carried over from {sizes}"
    sentence = f"the policy of {called} at flow time {time:.6g}, {how}"
    parameters: dict[str, FloatArray] = {}
    if isinstance(flow, ParametricFlow):
        kept = _kept(mdp, run, flow)
        found = flow.taken_up(kept)
        if found is not None:
            parameters, carried = kept, flow.projected(found)
        sentence += f"; {flow.made if found is None else flow.taken}"
    attributes = {"initial": sentence, "initial_run_id": str(run.attributes.get("run_id", ""))}
    return Beginning(carried, attributes, parameters)


def _kept(mdp: GridMDP, run: Run, flow: ParametricFlow) -> dict[str, FloatArray]:
    """The parameters of the last snapshot at the states of the problem; none where they cannot be had there."""
    same = np.array_equal(_edges(run.states), _edges(mdp.states))
    if run.snapshots is None or not (same or flow.between_states):
        return {}
    every = {name: run.snapshots.parameter(name, -1).reshape(run.states.size, -1) for name in run.snapshots.parameters}
    return every if same else {name: interpolated_rows(rows, run.states, mdp.states) for name, rows in every.items()}


def _edges(*grids: Grid) -> FloatArray:
    return np.concatenate([np.empty(0), *(axis.edges for grid in grids for axis in grid.axes)])
