"""Sweeps: every point of a study is carried out by some executor, and all of them become one labelled result.

A point that is there and whole is not run again, one that was cut short is gone on with, one that fails is kept with
its sentence, and the others go on.  What a study is asked for, its points and their names, is kept in ``study.json``,
so that its result can be made of the files alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wpoflow.core.text import one_line
from wpoflow.problems.problem_file import names_file
from wpoflow.solver.storage.atomic import RunFileError, check_output
from wpoflow.studies.sweep.collect import collected, from_files
from wpoflow.studies.sweep.engine import Executor, in_this_process, through, with_processes
from wpoflow.studies.sweep.netcdf import write_study
from wpoflow.studies.sweep.notes import RESULT, SCHEMA, STUDY, json_text, read_json, write_json
from wpoflow.studies.sweep.plan import Plan
from wpoflow.studies.sweep.points import Point, resolved
from wpoflow.studies.sweep.result import Study
from wpoflow.studies.sweep.study_file import default_folder, plan_of
from wpoflow.studies.sweep.task import Outcome, Task, as_tasks, present
from wpoflow.studies.sweep.values import StudyError

Progress = Callable[[Outcome, Mapping[str, Any]], None]


@dataclass(frozen=True, eq=False)
class Asked:
    """A study with its points, ready to be carried out.

    Attributes
    ----------
    plan : Plan
    points : list of Point
    folder : Path
    tasks : list of Task
        One for each name; points that resolve to the same run share it.
    by_name : mapping
        The first point with each name.
    """

    plan: Plan
    points: list[Point]
    folder: Path
    tasks: list[Task]
    by_name: Mapping[str, Point]

    @property
    def title(self) -> str:
        """Of the study, or of its problems."""
        titles = dict.fromkeys(point.stated.title for point in self.points if point.stated is not None)
        return self.plan.title or "; ".join(titles)

    def content(self) -> dict[str, Any]:
        """Of ``study.json``."""
        records = list(dict.fromkeys(p.stated.record.model_dump_json() for p in self.points if p.stated is not None))
        groups = [{key: list(values) for key, values in group.keys.items()} for group in self.plan.groups]
        stated = {
            "problems": list(self.plan.problems),
            "groups": groups,
            "set": dict(self.plan.set),
            "cells": dict(self.plan.cells),
            "settings": dict(self.plan.settings),
        }
        return {
            "study_schema_version": SCHEMA,
            "title": self.title,
            **stated,
            "text": json_text(stated),
            "records": [json.loads(record) for record in records],
            "points": [
                {
                    "name": point.name,
                    "fault": point.fault,
                    "record": None if point.stated is None else records.index(point.stated.record.model_dump_json()),
                    "until": None if point.stated is None else point.stated.flow.until.time,
                }
                for point in self.points
            ],
        }


def asked_for(plan: Plan, folder: str | Path, points: list[Point] | None = None, **how: Any) -> Asked:
    """A plan with its points, if they are not known already; ``how`` as the last attributes of `Task`."""
    points = resolved(plan) if points is None else points
    where = Path(folder)
    by_name: dict[str, Point] = {}
    for point in points:
        if point.name:
            by_name.setdefault(point.name, point)
    return Asked(plan, points, where, as_tasks(by_name, where, **how), by_name)


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What is asked of a sweep; see `validation.sweep.sweep`, where ``measures`` are names."""

    problem: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
    over: Mapping[str, Any] | None = None
    together: Sequence[Mapping[str, Any]] = ()
    set: Mapping[str, Any] | None = None
    cells: Mapping[str, int] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    folder: str | os.PathLike[str] | None = None
    executor: Executor | None = None
    jobs: int = 1
    shard: str | tuple[int, int] | None = None
    measures: Mapping[str, str] = field(default_factory=dict)
    checkpoint: float | None = None
    retry: bool = False
    progress: Progress | None = None


def swept(sweep: Sweep) -> Study:
    """Run every point."""
    problem = sweep.problem
    plan = plan_of(problem, sweep.over, sweep.together, set=sweep.set, cells=sweep.cells, settings=sweep.settings)
    first = problem if isinstance(problem, str | os.PathLike) else plan.problems[0]
    where = default_folder(os.fspath(first)) if sweep.folder is None else Path(sweep.folder)
    asked = asked_for(plan, where, measures=dict(sweep.measures), checkpoint=sweep.checkpoint, retry=sweep.retry)
    return carry_out_all(asked, executor=sweep.executor, jobs=sweep.jobs, shard=sweep.shard, progress=sweep.progress)


def carry_out_all(
    asked: Asked,
    *,
    executor: Executor | None = None,
    jobs: int = 1,
    shard: str | tuple[int, int] | None = None,
    progress: Progress | None = None,
) -> Study:
    """Carry out all points of a study, or one part of them, and write the result once all are there."""
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise StudyError(f"jobs: {one_line(repr(jobs), 40)} is not a positive whole number")
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise TypeError(
            f"executor is of type {type(executor).__name__}; it must be one of concurrent.futures, or have its submit"
        )
    if executor is not None and jobs > 1:
        raise StudyError("jobs: an executor has workers of its own; give one of them")
    part = part_of(asked.tasks, shard)
    prepare_folder(asked)
    outcomes: dict[str, Outcome] = {}

    def told(task: Task, found: Outcome) -> None:
        outcomes[task.name] = found
        if progress is not None:
            progress(found, asked.by_name[task.name].values)

    missing = [task for task in part if not _kept(task, told)]
    if executor is not None:
        through(executor, missing, told)
    elif jobs > 1 and len(missing) > 1:
        with_processes(jobs, missing, told)
    else:
        in_this_process(missing, told)
    if len(part) < len(asked.tasks):
        if not all(task.at_its_end for task in asked.tasks):
            return collected(asked.content(), outcomes, asked.folder)
        outcomes |= {
            task.name: from_files(asked.folder, task.name, task.measures)
            for task in asked.tasks
            if task.name not in outcomes
        }
    found = collected(asked.content(), outcomes, asked.folder)
    write_study(found, asked.folder / RESULT)
    return found


def collect(folder: str | os.PathLike[str], measures: Iterable[str] | None = None) -> Study:
    """Make ``study.nc`` from the files of a study, as far as they are there.

    Raises
    ------
    RunFileError
        The folder holds no study.
    """
    where = Path(folder)
    content = read_json(where / STUDY)
    if not content:
        raise RunFileError(f"{where}: holds no study: there is no {STUDY}")
    if content.get("study_schema_version") != SCHEMA:
        raise RunFileError(f"{where / STUDY}: of another version of wpoflow")
    chosen = content.get("measures", []) if measures is None else measures
    names = dict.fromkeys(point["name"] for point in content["points"] if point["name"])
    found = collected(content, {name: from_files(where, name, chosen) for name in names}, where)
    write_study(found, where / RESULT)
    return found


def prepare_folder(asked: Asked) -> None:
    """Make the folder, and keep in it what the study is.

    Raises
    ------
    FileExistsError
        There is something in the way that is not of wpoflow.
    OSError
        It cannot be made, or not be written to.
    """
    if asked.folder.exists() and not asked.folder.is_dir():
        raise FileExistsError(f"{asked.folder}: exists and is no folder")
    asked.folder.mkdir(parents=True, exist_ok=True)
    for name in (STUDY, RESULT):
        check_output(asked.folder / name, force=True, reads=[p for p in asked.plan.problems if names_file(p)])
    measures = list(asked.tasks[0].measures) if asked.tasks else []
    write_json(asked.folder / STUDY, {**asked.content(), "measures": measures})


def part_of(tasks: list[Task], shard: str | tuple[int, int] | None) -> list[Task]:
    """Every n-th task, from the i-th on, or all; i counts from 0 or from 1, as job arrays do.

    Raises
    ------
    StudyError
        What is asked for is no part.
    """
    if shard is None:
        return tasks
    words = shard.split("/") if isinstance(shard, str) else list(map(str, shard))
    if len(words) != 2 or not all(word.strip().isdecimal() for word in words):
        raise StudyError(f"shard: {one_line(repr(shard), 40)} is not i/n, as 2/8")
    number, count = map(int, words)
    if not (count > 0 and number <= count):
        raise StudyError(f"shard: {number}/{count}: the first number is from 0 to {count}, or from 1")
    return list(tasks[number % count :: count])


def _kept(task: Task, told: Callable[[Task, Outcome], None]) -> bool:
    """Whether nothing is left to be done of a point, which is then told."""
    try:
        found = present(task)
    except (RunFileError, OSError):  # who carries the point out says so in its place
        return False
    if found is not None:
        told(task, found)
    return found is not None
