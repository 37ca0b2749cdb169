"""The files of a run's checkpoints, in the folder ``RUN.h5.checkpoint`` beside it, and how they are read.

    start.npz              what was asked for and with what it was made; written before anything is computed
    optimum.npz            the soft optimum, once
    snapshot-00003.npz     each snapshot, once
    state-00000012.npz     all that the rest of the run depends on, and all rows of the series; the last two are kept

Each is one whole file (see `solver.storage.sealed_arrays`), so that a kill at any moment leaves whole files, and those
a state refers to were durable before it.  The unfinished run file is not needed: it is written anew from these.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.provenance import package_versions, source_hash
from wpoflow.solver.records.run import Optimum
from wpoflow.solver.records.settings import RunSettings
from wpoflow.solver.runs.checkpoint_check import (
    check_memory,
    check_names,
    check_optimum,
    check_rows,
    check_settings,
    check_snapshot,
)
from wpoflow.solver.schemes.integrator import OF_FLOW
from wpoflow.solver.storage.atomic import TRAILER_LENGTH, RunFileError, checkpoint_folder, final_path
from wpoflow.solver.storage.sealed_arrays import read_sealed, write_sealed

VERSION = 1
ROWS, NAMES = "rows", "row_names"
_STATE = re.compile(r"state-\d{8,}\.npz")


@dataclass(frozen=True, eq=False)
class State:
    """A state of a run that can be gone on from.

    Attributes
    ----------
    number : int
        Of its file.
    memory : dict
    rows : list of dict
        The rows of the series so far.
    passed_over : str
        What is wrong with a newer one; empty if this is the newest.
    """

    number: int
    memory: dict[str, Any]
    rows: list[dict[str, float]]
    passed_over: str


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
    replaces : str
        What `identity` gave of an older file that may be replaced; else empty.
    source_hash, packages : str
    """

    run_id: str
    settings: RunSettings
    problem: str
    digest: str
    origin: Mapping[str, str]
    replaces: str
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
        path = self.path / "start.npz"
        values = read_sealed(path)
        version = values.pop("version", None)
        if not isinstance(version, int) or version != VERSION:
            raise RunFileError(f"{path}: of another version of wpoflow")
        with _fitting(path):
            check_names(values, (field.name for field in fields(RunStart)))
            if not all(isinstance(value, str) for value in values.values()):
                raise ValueError("a text is a number")
            values["settings"] = RunSettings.of(values["settings"])
            check_settings(values["settings"])
            for name in ("origin", "packages"):
                kept = json.loads(values[name])
                if not isinstance(kept, dict) or not all(isinstance(text, str) for text in kept.values()):
                    raise ValueError(f"{name} is no table of texts")
                values[name] = kept if name == "origin" else values[name]
        return RunStart(**values)

    def keep_optimum(self, optimum: Optimum) -> None:
        """Keep the soft optimum unless it is kept already."""
        if not (self.path / "optimum.npz").exists():
            write_sealed(self.path / "optimum.npz", {f.name: getattr(optimum, f.name) for f in fields(Optimum)})

    def optimum(self, mdp: GridMDP) -> Optimum | None:
        """The soft optimum, if it was known; raises RunFileError if it is damaged."""
        path = self.path / "optimum.npz"
        if not path.exists():
            return None
        found = read_sealed(path)
        with _fitting(path):
            check_optimum(found, mdp)
        return Optimum(**found)

    def _snapshot(self, index: int) -> Path:
        return self.path / f"snapshot-{index:05d}.npz"

    def keep_snapshot(self, index: int, time: float, value: FloatArray, policy: FloatArray) -> None:
        """Keep one snapshot."""
        write_sealed(self._snapshot(index), {"time": time, "value": value, "policy": policy})

    def snapshot(self, index: int, mdp: GridMDP) -> tuple[float, FloatArray, FloatArray]:
        """Time, value (S,) and policy (S, A) of one snapshot; raises RunFileError if it is damaged."""
        path = self._snapshot(index)
        found = read_sealed(path)
        with _fitting(path):
            check_snapshot(found, mdp)
        return found["time"], found["value"], found["policy"]

    def states(self) -> list[Path]:
        """The files of states, the newest last.

        Raises
        ------
        OSError
            The folder is there and cannot be read.
        """
        try:
            names = os.listdir(self.path)
        except FileNotFoundError:
            return []
        return sorted(self.path / name for name in names if _STATE.fullmatch(name))

    def keep_state(self, number: int, memory: Mapping[str, Any], rows: list[dict[str, float]]) -> None:
        """Keep a state with the rows so far; only the one before it is kept besides."""
        names = list(rows[0])
        table = np.array([[row[name] for name in names] for row in rows])
        write_sealed(self.path / f"state-{number:08d}.npz", {**memory, ROWS: table, NAMES: np.array(names)})
        for old in self.states()[:-2]:
            old.unlink()

    def newest(self, mdp: GridMDP, scheme: str) -> State | None:
        """The newest state that is whole and of this problem and scheme; None if none was kept yet.

        Raises
        ------
        RunFileError
            None of those that were kept is whole; of the newest.
        OSError
            The folder cannot be read.
        """
        damaged: RunFileError | None = None
        for path in reversed(self.states()):
            try:
                memory = read_sealed(path)
                with _fitting(path):
                    rows = _rows(memory.pop(ROWS), memory.pop(NAMES))
                    check_memory(memory, mdp, scheme)
                    check_rows(rows, memory[OF_FLOW + "time"])
            except RunFileError as error:
                damaged = damaged or error
                continue
            return State(int(path.stem.partition("-")[2]), memory, rows, str(damaged or ""))
        if damaged is not None:
            raise damaged
        return None

    def check_kept(self, state: State, mdp: GridMDP) -> None:
        """Raise RunFileError unless all that a state refers to is there and whole."""
        if self.optimum(mdp) is None:
            raise RunFileError(f"{self.path / 'optimum.npz'}: No such file or directory")
        times = [self.snapshot(index, mdp)[0] for index in range(state.memory["snapshots"])]
        if not np.all(np.diff(times) > 0.0):
            raise RunFileError(f"{self.path}: the snapshots are not in order of time")

    def bytes_kept(self) -> int:
        """Bytes of all files."""
        return sum(path.stat().st_size for path in self.path.glob("*"))

    @property
    def begun(self) -> bool:
        """Whether there is what a run began with; without it the rest is debris of a removal, or of no run yet."""
        return (self.path / "start.npz").exists()

    def remove(self) -> None:
        """Remove the folder with all that is in it, what the run began with first."""
        if self.path.is_dir():
            (self.path / "start.npz").unlink(missing_ok=True)
            shutil.rmtree(self.path)


def identity(path: str | os.PathLike[str]) -> str:
    """A text that tells a file from others: its length and its last bytes, of a run file its SHA-256; empty if absent.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    path = final_path(path)
    if not path.is_file():
        return ""
    with path.open("rb") as stream:
        length = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, length - TRAILER_LENGTH))
        return f"{length} {stream.read().hex()}"


def _rows(table: Any, names: Any) -> list[dict[str, float]]:
    """The rows of a table (rows, names)."""
    if np.ndim(table) != 2 or np.ndim(names) != 1 or table.dtype.kind != "f":
        raise ValueError("the rows are no table of numbers")
    return [dict(zip(names.tolist(), row, strict=True)) for row in table.tolist()]


@contextmanager
def _fitting(path: Path) -> Iterator[None]:
    """What does not fit is said of the file."""
    try:
        yield
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise RunFileError(f"{path}: not of this run: {error}") from error
