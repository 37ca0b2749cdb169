"""From a run's checkpoints to its problem, and on with the run."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from wpoflow.core.display import shown_progress
from wpoflow.problems.load import build_problem
from wpoflow.problems.problem_file import ProblemFile, names_file, parse_problem
from wpoflow.solver.flows.flow import AnyFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Run
from wpoflow.solver.records.settings import Until
from wpoflow.solver.runs.evolve import Progress
from wpoflow.solver.runs.resume import change, resume_run
from wpoflow.solver.storage.atomic import RunFileError
from wpoflow.solver.storage.checkpoints import RunStart
from wpoflow.solver.storage.writer import open_run


def origin_of(problem: ProblemFile, name_or_path: str | Path) -> dict[str, str]:
    """What is kept with the checkpoints of a run of a problem file: its names, and path and SHA-256 of a file."""
    names = {"name": problem.name, "label": problem.label}
    if not names_file(name_or_path):
        return names
    path = Path(name_or_path).resolve()
    return {**names, "path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def prepare(
    run: str | os.PathLike[str],
    *,
    until: Until | None = None,
    checkpoint: float | None = None,
    anyway: bool = False,
) -> RunStart | None:
    """What a run goes on with that was cut short or is to be extended; None if there is nothing left to go on with.

    Raises
    ------
    RunFileError
        As `solver.runs.resume.change`; or sources, packages or the problem file have changed since, and ``anyway`` is
        off.
    ValueError
        As `solver.runs.resume.change`.
    """

    def accept(start: RunStart) -> None:
        changes = start.changes() + _changes_of_file(start)
        if changes and not anyway:
            raise RunFileError(
                f"{run}: {'; '.join(changes)}: the rest of the run may differ; to go on all the same: anyway=True, "
                "with the problem as it was"
            )

    return change(run, until, checkpoint, accept)


def problem_of(start: RunStart) -> ProblemFile:
    """The problem a run was begun with, as it was then."""
    problem = parse_problem(start.problem, start.origin.get("label", "problem.toml"))
    return replace(problem, name=start.origin.get("name", problem.name))


def _changes_of_file(start: RunStart) -> list[str]:
    path = start.origin.get("path")
    if path is None or not Path(path).is_file():
        return []  # the problem is kept with the checkpoints: a file that is gone is not missed
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return [] if digest == start.origin["sha256"] else [f"the problem file {path} has changed"]


def resume(
    run: str | os.PathLike[str],
    *,
    mdp: GridMDP | None = None,
    flow: AnyFlow | None = None,
    until: Until | None = None,
    anyway: bool = False,
    progress: Callable[[Progress], None] | bool | None = None,
    checkpoint: float | None = None,
) -> Run:
    """Go on with a run that was cut short, from its last checkpoint, bit for bit as if it had not been; or extend one.

    Parameters
    ----------
    run : path
        The run file, whether it is there or not; the checkpoints are in the folder ``RUN.h5.checkpoint`` beside it.
    mdp : GridMDP, optional
        The problem, for one that was stated in Python.
    flow : Flow or DescentStep, optional
        The flow, for a run whose flow was an object.
    until : float or mapping, optional
        Other stop criteria, as for `evolve`; a run that has ended is extended.
    anyway : bool
        Go on although sources, packages or the problem file have changed.
    progress, checkpoint
        As for `solver.runs.evolve.evolve`.

    Returns
    -------
    Run
        One that has ended is given as it is, unless ``until`` says how to extend it.

    Raises
    ------
    RunFileError
        There is no checkpoint, or something has changed since.
    ValueError
        The problem or the flow is not given where it must be.
    """
    start = prepare(run, until=until, checkpoint=checkpoint, anyway=anyway)
    if start is None:
        return open_run(run)
    if mdp is None:
        if not start.problem:
            raise ValueError(f"{run}: its problem was stated in Python; give it as mdp to go on")
        mdp = build_problem(problem_of(start))
    with shown_progress(progress, start.settings.flow.until.criteria) as show:
        return resume_run(mdp, run, flow=flow, progress=show)
