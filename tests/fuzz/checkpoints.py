"""Damage the files of checkpoints.

A run is cut short.  Of each kind of file in its folder, truncations, flipped bits and scrambled blocks must be noticed
by the trailer, before the archive is opened.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.fuzz.answers import BadAnswerError, check_lines
from tests.fuzz.sealed_files import damaged
from tests.fuzz.table import Tally
from tests.fuzz.worker import Worker
from wpoflow.solver.storage.atomic import checkpoint_folder

KINDS = ("start", "optimum", "snapshot", "state")


class _CutShortError(BaseException):
    """Ends a run as a kill would."""


def cut_short(path: Path) -> None:
    """Leave the checkpoints of a run that ended in the middle."""
    from wpoflow.problems.load import load_problem
    from wpoflow.solver.runs.evolve import Progress, evolve

    def stop(report: Progress) -> None:
        if report.steps == 9:
            raise _CutShortError

    try:
        mdp = load_problem("lqr", cells={"x": 4, "u": 5})
        evolve(mdp, until={"steps": 15}, output=path, checkpoint=0.0, snapshots=4, progress=stop)
    except _CutShortError:
        return
    raise RuntimeError("the run was not cut short")


def newest_of(folder: Path, kind: str) -> Path:
    """The newest file of a kind in a folder of checkpoints."""
    return max(folder.glob(f"{kind}*.npz"))


def prepare(folder: Path) -> Callable[[tuple[str, bytes]], str]:
    """The judge of damage: it must be refused, and the archive must not be opened."""
    import zipfile

    from wpoflow.solver.storage.atomic import RunFileError
    from wpoflow.solver.storage.checkpoints import CheckpointFolder

    cut_short(folder / "run.h5")
    kept = CheckpointFolder(folder / "run.h5")
    places = {kind: newest_of(kept.path, kind) for kind in KINDS}
    for older in kept.states()[:-1]:
        older.unlink()
    number = int(places["snapshot"].stem.partition("-")[2])
    load: dict[str, Callable[[], object]] = {
        "start": kept.start,
        "optimum": kept.optimum,
        "snapshot": lambda: kept.snapshot(number),
        "state": kept.newest,
    }
    for read in load.values():
        if read() is None:
            raise BadAnswerError("a whole file is not read")

    def forbidden(*_: object, **__: object) -> None:
        raise BadAnswerError("a damaged archive was opened")

    zipfile.ZipFile = forbidden  # type: ignore[assignment, misc]

    def judge(case: tuple[str, bytes]) -> str:
        kind, content = case
        places[kind].write_bytes(content)
        try:
            load[kind]()
        except RunFileError as error:
            check_lines([str(error)], str(places[kind]))
            return "refused"
        raise BadAnswerError("damage was not noticed")

    return judge


def fuzz(count: int, seed: int, keep: Path | None = None) -> Tally:
    """Judge damaged files of each kind, so many truncations of each."""
    rng, tally = random.Random(seed), Tally(keep)
    with tempfile.TemporaryDirectory() as folder, Worker(prepare) as worker:
        cut_short(Path(folder) / "run.h5")
        for kind in KINDS:
            whole = newest_of(checkpoint_folder(Path(folder) / "run.h5"), kind).read_bytes()
            for family, case in damaged(whole, rng, count):
                tally.add(f"{kind}, {family}", case, worker.judge((kind, case)))
    return tally
