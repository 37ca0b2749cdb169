"""Damage run files.

Truncations, flipped bits and scrambled blocks must be noticed by the trailer, before HDF5 sees the file.  Run files
that another program changed and that were sealed again must be read or refused in one line.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from warnings import catch_warnings

import numpy as np

from tests.fuzz.answers import BadAnswerError, check_lines
from tests.fuzz.sealed_files import OPENED, changed, damaged
from tests.fuzz.table import Tally
from tests.fuzz.worker import Worker
from wpoflow.solver.storage.seal import data_end


def prepare_trailer(folder: Path) -> Callable[[bytes], str]:
    """The judge of damage: it must be refused, and HDF5 must not see it."""
    import h5py

    from wpoflow.solver.storage.atomic import RunFileError, check_trailer
    from wpoflow.solver.storage.writer import open_run

    def forbidden(*_: object, **__: object) -> None:
        raise BadAnswerError("HDF5 saw a damaged file")

    h5py.File = forbidden
    path = folder / "damaged.h5"

    def judge(content: bytes) -> str:
        path.write_bytes(content)
        for read in (check_trailer, open_run):
            try:
                read(path)
            except RunFileError as error:
                check_lines([str(error)], str(path))
            else:
                raise BadAnswerError("damage was not noticed")
        return "refused"

    return judge


def prepare_reading(folder: Path) -> Callable[[bytes], str]:
    """The judge of sealed files: they are read in full, or refused in one line."""
    from wpoflow.solver.records.notices import RunFileWarning
    from wpoflow.solver.storage.atomic import RunFileError
    from wpoflow.solver.storage.plausible import implausible
    from wpoflow.solver.storage.writer import open_run

    path = folder / "sealed.h5"

    def judge(content: bytes) -> str:
        path.write_bytes(content)
        try:
            with catch_warnings(category=RunFileWarning, action="ignore"):  # another program opened it for writing
                run = open_run(path)
            answer = "read" if implausible(run) is None else "implausible"
            _look_at(run)
        except RunFileError as error:
            check_lines([str(error)], str(path))
            return "refused"
        return answer

    judge(_tiny(path))
    return judge


def _look_at(run: Any) -> None:
    """Do with a run what the command info does, and read all arrays."""
    from wpoflow.commands.info import as_dict
    from wpoflow.views.terminal import summary, table

    text = table(summary(run))
    if not text.replace("\n", "").isprintable():
        raise BadAnswerError("a summary that a terminal would obey")
    json.dumps(as_dict(run), allow_nan=False)
    if run.optimum is not None and run.optimum.policy.shape != (run.states.size, run.actions.size):
        raise BadAnswerError("the optimum has another shape")
    if run.snapshots is not None and run.snapshots.policy.shape != (
        len(run.snapshots.time),
        run.states.size,
        run.actions.size,
    ):
        raise BadAnswerError("the snapshots have another shape")
    if len({len(values) for values in run.series.values()}) != 1:
        raise BadAnswerError("series of several lengths")
    _ = np.sum(run.rho) + np.sum(run.reference_mass)


def _tiny(path: Path) -> bytes:
    """A small run file."""
    from tests.wpoflow.runs import small_run

    path.unlink(missing_ok=True)
    small_run(path)
    return path.read_bytes()


def fuzz(count: int, seed: int, keep: Path | None = None) -> Tally:
    """Judge damage, so many files of each family, and files that were changed."""
    rng, tally = random.Random(seed), Tally(keep)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run.h5"
        whole = _tiny(run)
        with Worker(prepare_trailer) as worker:
            for family, case in damaged(whole, rng, count, data_end(run) or -1):
                tally.add(family, case, worker.judge(case))
        with Worker(prepare_reading) as worker:
            for name, case in changed(run, Path(folder)):
                tally.add(name if name == OPENED else "changed", case, worker.judge(case), name)
    return tally
