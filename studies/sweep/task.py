"""Carrying out one point: in this process, or in a worker of whatever kind.

A task is text, numbers and paths alone, so that it travels anywhere; what it computes goes through the run file, and
the rows come back besides, so that nobody has to read them again.  One process at a time has a point: another one that
wants it, of this study or of another one over the same folder, is told that it is elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wpoflow.core.arrays import FloatArray
from wpoflow.core.display import silent
from wpoflow.core.registry import load
from wpoflow.core.text import one_line
from wpoflow.problems.load import build_problem, read_statement
from wpoflow.problems.memory import estimate, refuse_if_too_large
from wpoflow.problems.problem_file import ProblemFile, parse_problem
from wpoflow.problems.resume import resume
from wpoflow.solver.bellman.evaluation import NotFiniteError
from wpoflow.solver.bellman.system import BellmanError
from wpoflow.solver.records.flow_table import UntilTable
from wpoflow.solver.records.provenance import source_hash
from wpoflow.solver.records.run import Run
from wpoflow.solver.records.settings import Settings
from wpoflow.solver.records.stop import StopKind
from wpoflow.solver.runs.evolve import run_settings
from wpoflow.solver.storage.atomic import OutputLock, RunFileError, checkpoint_folder, part_path
from wpoflow.solver.storage.checkpoints import CheckpointFolder
from wpoflow.solver.storage.writer import open_run
from wpoflow.studies.sweep import worker
from wpoflow.studies.sweep.notes import PointNotes

COMPLETE, FAILED, INTERRUPTED, ELSEWHERE, MISSING = "complete", "failed", "interrupted", "elsewhere", "missing"
WARM_STEPS = 8
_HDF5 = b"\x89HDF\r\n\x1a\n"
_OURS = (ValueError, BellmanError, NotFiniteError, RunFileError)
_ENVIRONMENT = (OSError, MemoryError, ImportError, RunFileError)
ATTRIBUTES = ("run_id", "status", "stop_reason", "steps", "rejected_steps", "gap_floor", "reached_goal")
"""Of a run, which the result of a study needs."""


@dataclass(frozen=True)
class Task:
    """One point to be carried out.

    Attributes
    ----------
    name : str
        Of its files.
    title, label : str
        Of the problem.
    text : str
        The resolved problem.
    folder : str
    linear_solver : str or None
    checkpoint : float or None
        Seconds between checkpoints, as for `evolve`.
    measures : mapping
        Names of what is measured of the run, and where that is defined, as ``module:function``.
    retry : bool
        Run a point again that failed.
    """

    name: str
    title: str
    label: str
    text: str
    folder: str
    linear_solver: str | None = None
    checkpoint: float | None = None
    measures: Mapping[str, str] = field(default_factory=dict)
    retry: bool = False

    @property
    def path(self) -> Path:
        """The run file."""
        return Path(self.folder) / f"{self.name}.h5"

    @property
    def claim(self) -> Path:
        """What is locked by the process that has the point."""
        return Path(self.folder) / f"{self.name}.point"

    @property
    def notes(self) -> PointNotes:
        """Its notes."""
        return PointNotes(Path(self.folder), self.name)

    @property
    def stated(self) -> ProblemFile:
        """The problem, read again."""
        return replace(parse_problem(self.text, self.label), name=self.title)

    @property
    def at_its_end(self) -> bool:
        """Whether it is whole or has failed, as far as that is seen from outside its files."""
        if checkpoint_folder(self.path).is_dir():
            return self.path.exists() and _whole(self, open_run(self.path))
        return self.path.exists() or self.notes.path.exists()

    @property
    def begun(self) -> bool:
        """Whether there is something of it that is not whole."""
        return checkpoint_folder(self.path).is_dir() or self.claim.with_name(f"{self.claim.name}.lock").exists()


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a point.

    Attributes
    ----------
    name : str
    status : str
        complete, failed, interrupted, or elsewhere.
    did : str
        What was done: run, resume or keep.
    sentence : str
        Why it stopped or failed.
    series : mapping of arrays (rows,)
        Of the run, if it is complete.
    attributes : mapping
        Those of `ATTRIBUTES` that the run has.
    measured : mapping
        By measure, numbers by name.
    seconds : float
        That it took.
    """

    name: str
    status: str
    did: str = ""
    sentence: str = ""
    series: Mapping[str, FloatArray] = field(default_factory=dict)
    attributes: Mapping[str, str | int | float] = field(default_factory=dict)
    measured: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    seconds: float = 0.0


def carry_out(task: Task) -> Outcome:
    """Keep, go on with, or run a point; whatever becomes of it is told, and nothing is raised."""
    begun = time.monotonic()
    with worker.at_work(), silent():
        try:
            found = _claimed(task)
        except KeyboardInterrupt:
            found = Outcome(task.name, INTERRUPTED)
    return replace(found, seconds=time.monotonic() - begun)


def _claimed(task: Task) -> Outcome:
    try:
        claim = OutputLock(task.claim)
    except FileExistsError:
        return Outcome(task.name, ELSEWHERE)
    with claim:
        if worker.asked():
            return Outcome(task.name, INTERRUPTED)
        try:
            return _carried_out(task)
        except Exception as error:
            if isinstance(error, FileExistsError) and _written_elsewhere(task):
                return Outcome(task.name, ELSEWHERE)
            return failure(task, _sentence(error), isinstance(error, _ENVIRONMENT))


def failure(task: Task, sentence: str, environment: bool) -> Outcome:
    """The outcome of a point that failed, which is noted if that can be done."""
    with suppress(OSError, RunFileError):  # a full disk may be why it failed
        task.notes.keep_failure(sentence, environment)
    return Outcome(task.name, FAILED, sentence=sentence)


def present(task: Task) -> Outcome | None:
    """What is there of a point that needs nothing more to be done, or None.

    Raises
    ------
    RunFileError
        What is there is damaged, or of another problem.
    """
    if not task.path.exists():
        known = "" if task.retry or checkpoint_folder(task.path).is_dir() else task.notes.failure()
        return Outcome(task.name, FAILED, "keep", known) if known else None
    run = open_run(task.path)
    if run.problem != task.text:
        raise RunFileError(f"{task.path}: is a run of another problem; move it away")
    if run.status == FAILED and not task.retry and run.attributes.get("source_hash") == source_hash():
        return Outcome(task.name, FAILED, "keep", run.stop_reason)
    if not _whole(task, run):
        return None
    measured = task.notes.measured(str(run.attributes.get("run_id", ""))) if task.measures else {}
    return _of_run(task, run, "keep", measured) if task.measures.keys() <= measured.keys() else None


def _carried_out(task: Task) -> Outcome:
    if (done := present(task)) is not None:
        return done
    folder = CheckpointFolder(task.path)
    there = open_run(task.path) if task.path.exists() else None
    if there is not None and _whole(task, there):
        did, run = "keep", there  # only to be measured
    elif folder.begun and (there is None or there.status != FAILED):
        _clear(task)
        if folder.start().problem != task.text:
            raise RunFileError(f"{folder.path}: the checkpoints are of another problem; move them away")
        did, run = "resume", _gone_on_with(task)
    else:
        _clear(task)
        did, run = "run", _begun(task)
    if run.status == INTERRUPTED:
        return Outcome(task.name, INTERRUPTED, did, run.stop_reason)
    if run.status == FAILED:
        return Outcome(task.name, FAILED, did, run.stop_reason)
    measured = {name: dict(load(place)(run)) for name, place in task.measures.items()}
    task.notes.keep_measured(str(run.attributes["run_id"]), measured)
    return _of_run(task, run, did, measured)


def _whole(task: Task, run: Run) -> bool:
    """Whether a run has come to its end; one that a limit on wall time has ended keeps its checkpoints."""
    by_the_clock = run.attributes.get("stop_kind") == StopKind.WALL.value
    return run.status == COMPLETE and (by_the_clock or not checkpoint_folder(task.path).is_dir())


def _clear(task: Task) -> None:
    """Remove the unfinished file that a kill has left: it is written anew, and may hold nothing yet that says whose.

    The name is that of the point, and what has it begins as HDF5 does, or with nothing; anything else stays.
    """
    part = part_path(task.path)
    if part.is_symlink() or not part.is_file():
        return
    with part.open("rb") as stream:
        head = stream.read(len(_HDF5))
    if head == _HDF5 or not any(head):
        with OutputLock(task.path):
            part.unlink()


def _gone_on_with(task: Task) -> Run:
    try:
        return resume(task.path, progress=worker.stop_if_asked, checkpoint=task.checkpoint)
    except RunFileError as error:
        folder = checkpoint_folder(task.path)
        raise RunFileError(f"{error}; where {folder} is removed, the point is begun anew") from error


def _begun(task: Task) -> Run:
    stated = task.stated
    statement = read_statement(stated)
    expected = estimate(statement, stated.flow)
    refuse_if_too_large(task.label, expected.plan, expected.needed)
    return run_settings(
        build_problem(stated),
        _settings(task, stated),
        output=task.path,
        force=True,  # of what a kill left; whatever is whole was looked at before
        progress=worker.stop_if_asked,
        origin={"name": task.title, "label": task.label},
    )


def _settings(task: Task, stated: ProblemFile) -> Settings:
    return Settings.model_validate(
        {
            "flow": stated.flow,
            "record": stated.record,
            "linear_solver": task.linear_solver,
            "checkpoint": task.checkpoint,
        }
    )


def _of_run(task: Task, run: Run, did: str, measured: Mapping[str, Mapping[str, float]]) -> Outcome:
    kept = {name: run.attributes[name] for name in ATTRIBUTES if name in run.attributes}
    return Outcome(task.name, COMPLETE, did, run.stop_reason, dict(run.series), kept, dict(measured))


def _written_elsewhere(task: Task) -> bool:
    """Whether a run outside any study is writing the file."""
    try:
        OutputLock(task.path).release()
    except FileExistsError:
        return True
    return False


def _sentence(error: Exception) -> str:
    """What went wrong, in one line."""
    if isinstance(error, MemoryError):
        return f"out of memory: {one_line(error)}" if str(error) else "out of memory"
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return one_line(f"{error.filename}: {error.strerror}")
    if isinstance(error, (*_OURS, *_ENVIRONMENT)):
        return one_line(error)
    return f"internal error: {type(error).__name__}: {one_line(error)}"


def warm(task: Task) -> None:
    """A few steps of a point, so that its kernels are in the cache before several processes would compile them."""
    with worker.at_work(), silent(), suppress(Exception, KeyboardInterrupt):  # the point itself tells what is wrong
        stated = task.stated
        settings = _settings(task, stated)
        flow = settings.flow.model_copy(update={"until": UntilTable(steps=WARM_STEPS)})
        run_settings(build_problem(stated), settings.model_copy(update={"flow": flow}), progress=worker.stop_if_asked)


Carry = Callable[[Task], Outcome]


def as_tasks(found: Mapping[str, Any], folder: Path, **how: Any) -> list[Task]:
    """A task for each name, of the first point that has it."""
    return [
        Task(name, point.stated.name, point.stated.label, point.text, str(folder), point.linear_solver, **how)
        for name, point in found.items()
    ]
