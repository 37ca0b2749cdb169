"""The files of a run's checkpoints, in the folder ``RUN.h5.checkpoint`` beside it, and how they are read.

    start.npz              what was asked for and with what it was made; written before anything is computed
    optimum.npz            the soft optimum, once
    snapshot-00003.npz     each snapshot, once
    state-00000012.npz     all that the rest of the run depends on, and all rows of the series; the last two are kept

Each is one whole file (see `solver.sealed_arrays`), so that a kill at any moment leaves whole files, and those a state
refers to were durable before it.  The unfinished run file is not needed: it is written anew from these.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from grids.arrays import FloatArray
from solver.output_path import checkpoint_folder
from solver.provenance import package_versions, source_hash
from solver.run import Optimum
from solver.run_settings import RunSettings
from solver.sealed_arrays import read_sealed, write_sealed
from solver.trailer import RunFileError

VERSION = 1
ROWS, NAMES = "rows", "row_names"


@dataclass(frozen=True)
class RunStart:
    """What was known of a run before it began.

    Attributes
    ----------
    run_id : str
        The same in all files of a run, and in no other's.
    settings : RunSettings
    problem : str
        The resolved problem text; empty for a problem stated in Python.
    digest : str
        Of the arrays of a problem stated in Python; else empty.
    origin : mapping
        What the front door wants to find again, as the name of the problem file and its SHA-256.
    force : bool
        Whether an older run file may be replaced.
    source_hash, packages : str
    """

    run_id: str
    settings: RunSettings
    problem: str
    digest: str
    origin: Mapping[str, str]
    force: bool
    source_hash: str
    packages: str

    def changes(self) -> list[str]:
        """What is no longer as it was when the run began, in words: sources, and versions of packages."""
        found = [] if self.source_hash == source_hash() else ["the sources of wpoflow have changed"]
        before, now = json.loads(self.packages), json.loads(package_versions())
        names = sorted(before.keys() | now.keys())
        return found + [
            f"{name} was {before.get(name, 'absent')} and is {now.get(name, 'absent')}"
            for name in names
            if before.get(name) != now.get(name)
        ]


class CheckpointFolder:
    """The folder of one run's checkpoints."""

    def __init__(self, run: str | os.PathLike[str]) -> None:
        self.path = checkpoint_folder(run)

    def begin(self, start: RunStart, optimum: Optimum | None) -> None:
        """Remove what an earlier run left, and keep what a new one begins with."""
        self.remove()
        self.path.mkdir()
        values = {field.name: getattr(start, field.name) for field in fields(RunStart)}
        values["settings"], values["origin"] = start.settings.text(), json.dumps(dict(start.origin))
        if optimum is not None:
            self.keep_optimum(optimum)
        write_sealed(self.path / "start.npz", {"version": VERSION, **values})

    def start(self) -> RunStart:
        """What the run began with.

        Raises
        ------
        RunFileError
            There are no checkpoints, or they cannot be used.
        """
        if not self.path.is_dir():
            raise RunFileError(f"{self.path}: there is no such folder: no checkpoints to go on from")
        values = read_sealed(self.path / "start.npz")
        if values.pop("version") != VERSION:
            raise RunFileError(f"{self.path}: checkpoints of another version of wpoflow")
        values["settings"] = RunSettings.of(values["settings"])
        values["origin"] = json.loads(values["origin"])
        return RunStart(**values)

    def keep_optimum(self, optimum: Optimum) -> None:
        """Keep the soft optimum unless it is kept already."""
        if not (self.path / "optimum.npz").exists():
            write_sealed(self.path / "optimum.npz", {f.name: getattr(optimum, f.name) for f in fields(Optimum)})

    def optimum(self) -> Optimum | None:
        """The soft optimum, if it was known."""
        path = self.path / "optimum.npz"
        return Optimum(**read_sealed(path)) if path.exists() else None

    def _snapshot(self, index: int) -> Path:
        return self.path / f"snapshot-{index:05d}.npz"

    def keep_snapshot(self, index: int, time: float, value: FloatArray, policy: FloatArray) -> None:
        """Keep one snapshot."""
        write_sealed(self._snapshot(index), {"time": time, "value": value, "policy": policy})

    def snapshot(self, index: int) -> tuple[float, FloatArray, FloatArray]:
        """Time, value (S,) and policy (S, A) of one snapshot."""
        found = read_sealed(self._snapshot(index))
        return found["time"], found["value"], found["policy"]

    def states(self) -> list[Path]:
        """The files of states, the newest last."""
        return sorted(self.path.glob("state-*.npz"))

    def keep_state(self, number: int, memory: Mapping[str, Any], rows: list[dict[str, float]]) -> None:
        """Keep a state with the rows so far; only the one before it is kept besides."""
        names = list(rows[0])
        table = np.array([[row[name] for name in names] for row in rows])
        write_sealed(self.path / f"state-{number:08d}.npz", {**memory, ROWS: table, NAMES: np.array(names)})
        for old in self.states()[:-2]:
            old.unlink()

    def newest(self) -> tuple[int, dict[str, Any], list[dict[str, float]]] | None:
        """Number, memory and rows of the newest state that is whole; None if none was kept yet.

        Raises
        ------
        RunFileError
            None of those that were kept is whole; of the newest.
        """
        damaged: RunFileError | None = None
        for path in reversed(self.states()):
            try:
                memory = read_sealed(path)
            except RunFileError as error:
                damaged = damaged or error
                continue
            table, names = memory.pop(ROWS), memory.pop(NAMES).tolist()
            rows = [dict(zip(names, row, strict=True)) for row in table.tolist()]
            return int(path.stem.partition("-")[2]), memory, rows
        if damaged is not None:
            raise damaged
        return None

    def bytes_kept(self) -> int:
        """Bytes of all files."""
        return sum(path.stat().st_size for path in self.path.glob("*"))

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        if self.path.is_dir():
            shutil.rmtree(self.path)

