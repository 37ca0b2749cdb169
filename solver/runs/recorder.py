"""Keeps the rows and snapshots of a run, in memory or in a run file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from types import TracebackType
from typing import Any

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.slabs import RowBlocks
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.layout import variables
from wpoflow.solver.records.run import Optimum, Run, Snapshots
from wpoflow.solver.records.series import SERIES, names_of
from wpoflow.solver.storage.problem_arrays import problem_arrays, problem_head
from wpoflow.solver.storage.writer import RunWriter, SendingWriter, open_run, spread_optimum

Kept = Mapping[str, FloatArray]
Stored = Mapping[str, FloatArray | RowBlocks]


class Recorder:
    """Takes what a run produces and gives back a `Run`.

    Parameters
    ----------
    mdp : GridMDP
    output : path or None
        Run file to write; without one everything is kept in memory.
    force : bool
        Replace an existing file.
    attributes : mapping, optional
        Further attributes known at the start.
    lengths : mapping, optional
        Of the dimensions of parameters that snapshots keep.

    Attributes
    ----------
    rows : list of dict
        The rows of the series so far.
    snapshots : int
        Number of snapshots so far.
    snapshot_time : float
        Time of the last one; -1 before there is one.
    """

    def __init__(
        self,
        mdp: GridMDP,
        output: str | os.PathLike[str] | None,
        force: bool,
        attributes: Mapping[str, str | int | float] | None = None,
        lengths: Mapping[str, int] | None = None,
    ) -> None:
        self._mdp = mdp
        self.rows: list[dict[str, float]] = []
        self.snapshots = 0
        self.snapshot_time = -1.0
        self._times: list[float] = []
        self._values: list[FloatArray] = []
        self._policies: list[FloatArray] = []
        self._parameters: dict[str, list[FloatArray]] = {}
        self._lengths = dict(lengths or {})
        self._optimum: Optimum | None = None
        arrays = {} if output is None else problem_arrays(mdp)
        head = problem_head(mdp, attributes or {}, lengths)
        self._attributes = head.attributes
        self._writer: RunWriter | SendingWriter | None = None
        if output is not None:
            root = mdp.slab.root
            self._writer = RunWriter(output, head, arrays=arrays, force=force) if root else SendingWriter(output)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.abandon()

    def discard(self) -> None:
        """Remove the unfinished file: nothing was computed that is worth keeping."""
        if self._writer is not None:
            self._writer.discard()

    def optimum(self, optimum: Optimum) -> Optimum:
        """Keep the soft optimum, and hand back what the run needs of it: all but a policy that is in a file."""
        optimum = optimum.stated(self._mdp.temperature)
        if self._writer is not None:
            self._writer.optimum(spread_optimum(self._mdp.slab, optimum))
            optimum = optimum.without_policy()
        self._optimum = optimum
        return optimum

    def row(self, row: Mapping[str, float]) -> None:
        """Keep one row of the series."""
        self.rows.append(dict(row))
        if self._writer is not None:
            self._writer.record(row)

    def snapshot(self, time: float, value: FloatArray, policy: FloatArray, parameters: Kept | None = None) -> None:
        """Keep value and policy at a time, and of a flow of parameters what it says of these."""
        slab = self._mdp.slab
        kept = {name: slab.spread(array) for name, array in (parameters or {}).items()}
        self.stored_snapshot(time, value, slab.spread(policy), kept)

    def stored_snapshot(
        self, time: float, value: FloatArray, policy: FloatArray | RowBlocks, parameters: Stored | None = None
    ) -> None:
        """Keep value, policy and parameters at a time, as they are stored."""
        self.snapshots, self.snapshot_time = self.snapshots + 1, time
        if self._writer is not None:
            self._writer.snapshot(time, value, policy, parameters)
        else:
            assert isinstance(policy, np.ndarray)
            self._times.append(time)
            self._values.append(value.copy())
            self._policies.append(policy.copy())
            for name, array in (parameters or {}).items():
                assert isinstance(array, np.ndarray)
                self._parameters.setdefault(name, []).append(array.copy())

    def _of_table(self, name: str, array: FloatArray) -> FloatArray:
        """Parameters of all snapshots in the shape that a `Run` has them in."""
        mdp = self._mdp
        return array.reshape(variables(mdp.states, mdp.actions, self._lengths)[f"snapshot/{name}"].flat)

    def kept_optimum(self) -> Optimum | None:
        """The soft optimum, once it is known: of a run that is written, as it is in the file."""
        if self._optimum is None or self._writer is None:
            return self._optimum
        assert isinstance(self._writer, RunWriter)
        return self._writer.kept_optimum(self._optimum)

    def kept_snapshot(self, index: int) -> tuple[float, FloatArray, FloatArray | RowBlocks, Stored]:
        """Time, value (S,), policy (S, A) and parameters of a snapshot."""
        if self._writer is not None:
            assert isinstance(self._writer, RunWriter)
            return self._writer.kept_snapshot(index)
        parameters = {name: arrays[index] for name, arrays in self._parameters.items()}
        return self._times[index], self._values[index], self._policies[index], parameters

    def close(
        self,
        status: str,
        stop_reason: str,
        attributes: Mapping[str, str | int | float],
        end_state: Mapping[str, Any] | None = None,
    ) -> Run:
        """Finish, and give back the run; a file keeps what it may be extended from, if that is given.

        Of several processes the root gives back the file's run, the others one of rows and attributes alone.
        """
        mdp = self._mdp
        if self._writer is not None:
            self._writer.close(status, stop_reason, attributes, end_state)
            if mdp.slab.root:
                return open_run(self._writer.path)
        names = names_of(self.rows[0]) if self.rows else list(SERIES)
        pairs = (len(self._times), mdp.states.size, mdp.actions.size)
        gap_floor = {} if self._optimum is None else {"gap_floor": self._optimum.gap_floor}
        return Run(
            states=mdp.states,
            actions=mdp.actions,
            series={name: np.array([row[name] for row in self.rows]) for name in names},
            snapshots=Snapshots(
                np.array(self._times),
                np.array(self._values).reshape(pairs[:2]),
                np.array(self._policies).reshape(pairs),
                {name: self._of_table(name, np.array(arrays)) for name, arrays in self._parameters.items()},
                self._lengths,
            )
            if self._writer is None
            else None,
            optimum=self._optimum if self._writer is None else None,
            problem_arrays=partial(problem_arrays, mdp),
            reference_mass=mdp.reference_mass,
            rho=mdp.rho,
            attributes={**self._attributes, **gap_floor, **attributes, "status": status, "stop_reason": stop_reason},
        )
