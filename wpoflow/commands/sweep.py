"""``wpoflow sweep``: a problem over lists of keys, a run file for each point, and one labelled result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wpoflow.commands.subject import naming_its_subject
from wpoflow.compiling import telling_of_compiling
from wpoflow.exits import CommandError, Exit, warn
from wpoflow.studies.sweep.points import resolved
from wpoflow.studies.sweep.study_file import default_folder, plan_of
from wpoflow.studies.sweep.values import StudyError
from wpoflow.views.terminal import path_text, show

if TYPE_CHECKING:
    from wpoflow.studies.sweep.result import Study
    from wpoflow.studies.sweep.study import Asked

MOST_TOLD = 20  # points that failed


@naming_its_subject
def main(
    *,
    names: Sequence[str],
    asked: Mapping[str, Any],
    over: Mapping[str, Any],
    together: Mapping[str, Any],
    output: Path | None,
    jobs: int,
    engine: str,
    shard: str | None,
    measures: Sequence[str],
    explain: bool,
    collect: bool,
    retry: bool,
    zarr: bool,
    checkpoint: float | None,
    quiet: bool,
) -> Exit:
    """Run, keep or go on with every point; or explain, or collect."""
    if collect:
        return _collect(names, output, measures, zarr, quiet)
    with _ranks(engine, jobs, explain) as pool:
        if pool is None:  # a rank that has carried out what it was given
            return Exit.DONE
        return _sweep(
            names,
            asked,
            over,
            together,
            output,
            {"jobs": jobs, "shard": shard, "executor": pool or None},
            {"measures": _measures(measures), "checkpoint": checkpoint, "retry": retry},
            explain,
            zarr,
            quiet,
        )


@contextmanager
def _ranks(engine: str, jobs: int, explain: bool) -> Iterator[Any]:
    """The executor of an engine, false where processes of our own do; None on ranks that only carry points out."""
    if engine != "mpi" or explain:
        yield False
        return
    if jobs > 1:
        raise StudyError("--jobs: the engine mpi has as many workers as ranks; give one of them")
    from wpoflow.studies.sweep.mpi import mpi_pool

    with mpi_pool() as pool:
        yield pool


def _measures(names: Sequence[str]) -> dict[str, str]:
    if not names:
        return {}
    from wpoflow.validation.sweep import chosen_measures

    return chosen_measures(names)


def _sweep(
    names: Sequence[str],
    asked: Mapping[str, Any],
    over: Mapping[str, Any],
    together: Mapping[str, Any],
    output: Path | None,
    how: Mapping[str, Any],
    of_points: Mapping[str, Any],
    explain: bool,
    zarr: bool,
    quiet: bool,
) -> Exit:
    if not names:
        raise StudyError("PROBLEM: give a gallery name, a problem file or a study file")
    settings = {name: asked.get(name) for name in ("until", "flow", "scheme", "step", "accuracy")}
    places = {**{key: f"--over {key}" for key in over}, **{key: f"--zip {key}" for key in together}}
    places |= {key: f"--set {key}" for key in asked.get("set", {}) if key not in places}
    groups = [together] if together else []
    same = {"set": asked.get("set"), "cells": asked.get("cells"), "settings": settings, "places": places}
    plan = plan_of(list(names), over, groups, **same)
    points = resolved(plan)  # mistakes are answered before anything heavy is imported
    folder = default_folder(names[0]) if output is None else output
    from wpoflow.studies.sweep.study import asked_for, carry_out_all, part_of

    study = asked_for(plan, folder, points, **of_points)
    try:
        part = part_of(study.tasks, how["shard"])
    except StudyError as error:
        raise StudyError(f"--{error}") from error
    if explain:
        from wpoflow.commands.sweep_explain import explained

        show(explained(study, how["jobs"]))
        return Exit.DONE
    from wpoflow.views.sweep_progress import SweepProgress

    if zarr:
        _check_zarr()
    if not quiet:
        show(f"{plan.size:,} points in {path_text(folder)}")
    alone = how["jobs"] == 1 and how["executor"] is None
    with SweepProgress(len(part), shown=not quiet) as progress:
        try:
            with telling_of_compiling(quiet) if alone else nullcontext():
                found = carry_out_all(study, **how, progress=progress)
        except KeyboardInterrupt as error:
            done = progress.done.total()
            raise CommandError(
                Exit.INTERRUPTED,
                f"interrupted; {done} of {len(part)} points are done; the same command goes on",
            ) from error
    return _ended(study, found, zarr, quiet)


def _collect(names: Sequence[str], output: Path | None, measures: Sequence[str], zarr: bool, quiet: bool) -> Exit:
    """Make the result of the files that are there."""
    if output is None and not names:
        raise StudyError("--collect: name the folder of the study")
    given = Path(names[0]) if names else Path()
    folder = output or (given if given.is_dir() else default_folder(names[0]))
    if zarr:
        _check_zarr()
    from wpoflow.studies.sweep.study import collect

    found = collect(folder, list(measures) or None)
    return _told(found, zarr, quiet)


def _ended(study: Asked, found: Study, zarr: bool, quiet: bool) -> Exit:
    """What came of it; of a part of a study what came of this part."""
    if found.counts.get("missing"):
        if not quiet:
            show(f"{_counts(found)}; when all are there: wpoflow sweep --collect {path_text(study.folder)}")
        return _failures(found)
    return _told(found, zarr, quiet)


def _told(found: Study, zarr: bool, quiet: bool) -> Exit:
    from wpoflow.studies.sweep.notes import RESULT

    written = [found.folder / RESULT]
    if zarr:
        from wpoflow.studies.sweep.zarr import ZARR, write_zarr

        write_zarr(found, found.folder / ZARR)
        written.append(found.folder / ZARR)
    if not quiet:
        show(f"{_counts(found)}\nwritten to {', '.join(map(path_text, written))}, beside a run file for each point")
    return _failures(found)


def _check_zarr() -> None:
    from wpoflow.studies.sweep.zarr import check_zarr

    check_zarr()


def _counts(found: Study) -> str:
    counts = ", ".join(f"{number:,} {status}" for status, number in sorted(found.counts.items()))
    return counts + (f"; {found.short:,} short of what was asked for" if found.short else "")


def _failures(found: Study) -> Exit:
    from wpoflow.views.sweep_progress import values_text

    failed = found.failures()
    for values, sentence in failed[:MOST_TOLD]:
        warn(f"{values_text(values)}: {sentence}")
    if len(failed) > MOST_TOLD:
        warn(f"and {len(failed) - MOST_TOLD} points more; stop_reason in {found.folder} tells of each")
    if none := 0 < found.short == found.counts.get("complete"):
        first = next(
            text
            for text, goal in zip(found["stop_reason"].flat, found["reached_goal"].flat, strict=True)
            if goal == 0.0
        )
        warn(f"no point reached what was asked for; the first: {first}")
    return Exit.SHORT_OF_GOAL if failed or none else Exit.DONE
