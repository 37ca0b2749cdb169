"""The files of a run's checkpoints, in the folder ``RUN.h5.checkpoint`` beside it, and how they are read.

    start.npz              what was asked for and with what it was made; written before anything is computed
    initial.npz            the first policy, where it is not the problem's own, and the parameters it is made of
    optimum.npz            the soft optimum, once
    snapshot-00003.npz     each snapshot, once
    state-00000012.npz     all that the rest of the run depends on, and all rows of the series; the last two are kept

Each is one whole file (see `solver.storage.sealed_arrays`), so that a kill at any moment leaves whole files, and those
a state refers to were durable before it.  The unfinished run file is not needed: it is written anew from these.  What a
state holds is known to whoever made it; here it is arrays and numbers by name.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.slabs import RowBlocks, StoredRows, send_rows
from wpoflow.solver.records.layout import PARAMETERS
from wpoflow.solver.records.provenance import package_versions, source_hash
from wpoflow.solver.records.run import Optimum
from wpoflow.solver.records.series import FURTHER_SERIES, SERIES, SINCE, names_of
from wpoflow.solver.records.settings import Settings
from wpoflow.solver.storage.atomic import TRAILER_LENGTH, RunFileError, checkpoint_folder, final_path
from wpoflow.solver.storage.sealed_arrays import read_sealed, read_sealed_rows, write_sealed

VERSION = 3
ROWS, NAMES, SNAPSHOTS = "rows", "row_names", "snapshots"
_STATE = re.compile(r"state-\d{8,}\.npz")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A state of a run that can be gone on from.

    Attributes
    ----------
    number : int
        Of its file.
    arrays : dict
        Arrays and numbers by name.
    rows : list of dict
        The rows of the series so far.
    snapshots : int
        How many of them belong to it.
    passed_over : str
        What is wrong with a newer one; empty if this is the newest.
    """

    number: int
    arrays: dict[str, Any]
    rows: list[dict[str, float]]
    snapshots: int
    passed_over: str = ""


@dataclass(frozen=True)
class RunStart:
    """What was known of a run before it began.

    Attributes
    ----------
    run_id : str
        The same in all files of a run, and in no other's.
    settings : Settings
    problem : str
        The resolved problem text; empty for a problem stated in Python.
    digest : str
        Of the arrays of a problem stated in Python; else empty.
    origin : mapping
        What the front door wants to find again, as the name of the problem file and its SHA-256.
    replaces : str
        What `identity` gave of an older file that may be replaced; else empty.
    source_hash, packages : str
    initial : mapping
        Attributes that say which policy it began from, if that was not the problem's own; else empty.
    """

    run_id: str
    settings: Settings
    problem: str
    digest: str
    origin: Mapping[str, str]
    replaces: str
    source_hash: str
    packages: str
    initial: Mapping[str, str] = field(default_factory=dict)

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

    def texts(self) -> dict[str, str]:
        """All of it as texts by name."""
        values = {field.name: getattr(self, field.name) for field in fields(RunStart)}
        mappings = {name: json.dumps(dict(values[name])) for name in ("origin", "initial")}
        return {**values, "settings": self.settings.text(), **mappings}

    @staticmethod
    def of(texts: Mapping[str, Any]) -> RunStart:
        """From `texts`; ValueError where they cannot be those of a run."""
        names = {entry.name for entry in fields(RunStart)}
        known = {"initial": "{}", **texts}  # which earlier versions did not write
        if known.keys() != names or not all(isinstance(text, str) for text in known.values()):
            raise ValueError("it is not what a run begins with")
        mappings = {name: json.loads(known[name]) for name in ("origin", "initial")}
        return RunStart(**{**known, "settings": Settings.parse(known["settings"]), **mappings})


class CheckpointFolder:
    """The folder of one run's checkpoints.

    Parameters
    ----------
    run : path
        The run file.
    by_rows : bool
        Whether arrays of pairs are left in their files when they are asked for, as `StoredRows`, for processes none of
        which holds them whole.
    """

    def __init__(self, run: str | os.PathLike[str], by_rows: bool = False) -> None:
        self.path, self._by_rows = checkpoint_folder(run), by_rows

    def _read(self, path: Path) -> dict[str, Any]:
        return read_sealed_rows(path, (ROWS,)) if self._by_rows else read_sealed(path)

    def begin(self, start: RunStart, optimum: Optimum | None, initial: Mapping[str, FloatArray] | None = None) -> None:
        """Keep what a new run begins with, its first policy if one was given; then remove what an earlier one left."""
        earlier, fresh = self.path.with_name(self.path.name + ".old"), copy(self)
        fresh.path = self.path.with_name(self.path.name + ".new")
        for debris in (earlier, fresh.path):
            if debris.is_dir():
                shutil.rmtree(debris)
        fresh.path.mkdir()
        try:
            if initial is not None:
                write_sealed(fresh.path / "initial.npz", dict(initial))
            if optimum is not None:
                fresh.keep_optimum(optimum)
            fresh.keep_start(start)
        except BaseException:
            shutil.rmtree(fresh.path)
            raise
        if self.path.is_dir():
            self.path.rename(earlier)
        fresh.path.rename(self.path)
        if earlier.is_dir():
            shutil.rmtree(earlier)

    def keep_start(self, start: RunStart) -> None:
        """Keep what the run began with, or what it is gone on with."""
        write_sealed(self.path / "start.npz", {"version": VERSION, **start.texts()})

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
        texts = read_sealed(path)
        version = texts.pop("version", None)
        if version != VERSION:
            raise RunFileError(f"{path}: of another version of wpoflow")
        with of_this_run(path):
            return RunStart.of(texts)

    def initial(self) -> dict[str, FloatArray] | None:
        """The first ``policy`` and its parameters, (S, n), if one is kept; raises RunFileError if it is damaged."""
        path = self.path / "initial.npz"
        if not path.exists():
            return None
        found = self._read(path)
        with of_this_run(path):
            names = ["policy", *(name for name in PARAMETERS if name in found)]
            return {name: found[name] for name in names}

    @property
    def holds_optimum(self) -> bool:
        """Whether the soft optimum is kept."""
        return (self.path / "optimum.npz").exists()

    def keep_optimum(self, optimum: Optimum) -> None:
        """Keep the soft optimum unless it is kept already."""
        if not self.holds_optimum:
            write_sealed(self.path / "optimum.npz", {f.name: getattr(optimum, f.name) for f in fields(Optimum)})

    def optimum(self) -> Optimum | None:
        """The soft optimum, if it was known; raises RunFileError if it is damaged."""
        path = self.path / "optimum.npz"
        if not path.exists():
            return None
        found = self._read(path)
        with of_this_run(path):
            return Optimum(**found)

    def _snapshot(self, index: int) -> Path:
        return self.path / f"snapshot-{index:05d}.npz"

    def keep_snapshot(
        self,
        index: int,
        time: float,
        value: FloatArray,
        policy: FloatArray | RowBlocks,
        parameters: Mapping[str, FloatArray | RowBlocks] | None = None,
    ) -> None:
        """Keep one snapshot."""
        content = {"time": time, "value": value, "policy": policy, **(parameters or {})}
        write_sealed(self._snapshot(index), content)

    def snapshot(
        self, index: int
    ) -> tuple[float, FloatArray, FloatArray | StoredRows, dict[str, FloatArray | StoredRows]]:
        """Time, value (S,), policy (S, A) and parameters of one snapshot; raises RunFileError if it is damaged."""
        found = self._read(self._snapshot(index))
        with of_this_run(self._snapshot(index)):
            parameters = {name: found[name] for name in PARAMETERS if name in found}
            return found["time"], found["value"], found["policy"], parameters

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

    def keep_state(self, checkpoint: Checkpoint) -> Path:
        """Keep a state with the rows so far; only the one before it is kept besides."""
        path = self.path / f"state-{checkpoint.number:08d}.npz"
        write_sealed(path, content_of(checkpoint))
        for old in self.states()[:-2]:
            old.unlink()
        return path

    def newest(self) -> Checkpoint | None:
        """The newest state that is whole, with all it refers to; None if none was kept yet.

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
                content = self._read(path)
                with of_this_run(path):
                    return checkpoint_of(content, int(path.stem.partition("-")[2]), str(damaged or ""))
            except RunFileError as error:
                damaged = damaged or error
        if damaged is not None:
            raise damaged
        return None

    def check_kept(self, checkpoint: Checkpoint) -> None:
        """Raise RunFileError unless all that a state refers to is there and whole."""
        if self.optimum() is None:
            raise RunFileError(f"{self.path / 'optimum.npz'}: No such file or directory")
        for index in range(checkpoint.snapshots):
            self.snapshot(index)

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


class SendingFolder:
    """The folder as a process sees it that keeps nothing: it sends its rows to the one that does."""

    def begin(self, start: RunStart, optimum: Optimum | None, initial: Mapping[str, FloatArray] | None = None) -> None:
        """See `CheckpointFolder`."""
        for array in (initial or {}).values():
            send_rows(array)
        if optimum is not None:
            self.keep_optimum(optimum)

    def keep_optimum(self, optimum: Optimum) -> None:
        """See `CheckpointFolder`."""
        for entry in fields(Optimum):
            send_rows(getattr(optimum, entry.name))

    def keep_snapshot(
        self,
        index: int,
        time: float,
        value: FloatArray,
        policy: FloatArray | RowBlocks,
        parameters: Mapping[str, FloatArray | RowBlocks] | None = None,
    ) -> None:
        """See `CheckpointFolder`; what is kept is in the run file already."""

    def keep_state(self, checkpoint: Checkpoint) -> None:
        """See `CheckpointFolder`."""
        for array in checkpoint.arrays.values():
            send_rows(array)

    def states(self) -> list[Path]:
        """See `CheckpointFolder`."""
        return []

    def remove(self) -> None:
        """See `CheckpointFolder`."""


AnyFolder = CheckpointFolder | SendingFolder


def content_of(checkpoint: Checkpoint) -> dict[str, Any]:
    """A checkpoint as arrays and numbers by name."""
    names = names_of(checkpoint.rows[0])
    table = np.array([[row[name] for name in names] for row in checkpoint.rows])
    return {**checkpoint.arrays, ROWS: table, NAMES: np.array(names), SNAPSHOTS: checkpoint.snapshots}


def checkpoint_of(content: dict[str, Any], number: int, passed_over: str = "") -> Checkpoint:
    """A checkpoint from `content_of`; raises ValueError or LookupError where it cannot be one."""
    arrays = dict(content)
    table, names, snapshots = arrays.pop(ROWS), arrays.pop(NAMES).tolist(), arrays.pop(SNAPSHOTS)
    if later := [name for name in SINCE if name in SERIES and name not in names]:
        raise ValueError(
            f"an earlier wpoflow wrote it, without the series {', '.join(later)}; it cannot be gone on with"
        )
    further = [name for name in FURTHER_SERIES if name in names]
    if names != [*SERIES, *further] or table.ndim != 2 or not len(table):
        raise ValueError("its rows are not those of a run")
    rows = [dict(zip(names, row, strict=True)) for row in table.tolist()]
    return Checkpoint(number, arrays, rows, int(snapshots), passed_over)


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


@contextmanager
def of_this_run(path: Path) -> Iterator[None]:
    """What does not fit is said of the file."""
    try:
        yield
    except (ValueError, LookupError, TypeError) as error:
        raise RunFileError(f"{path}: not of this run: {error}") from error
