"""Run several flows on one problem, each to its own file, and measure them.

A run file that is there and whole is not made again; one that was cut short is gone on with; one of another problem, or
of other settings, is refused, so that nothing is mixed up and nothing lost.  Processor time is that of this process,
noted after every step, without what compiling took: of a run that was there before it is what an earlier comparison in
the same folder noted (`compare.json`), or none.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wpoflow.core.arguments import check_mapping
from wpoflow.core.arrays import FloatArray
from wpoflow.problems.load import build_problem
from wpoflow.problems.problem_file import ProblemFile, read_problem
from wpoflow.problems.resume import origin_of, resume
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.flows.flow import as_flow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.notices import RunFileWarning
from wpoflow.solver.records.run import Optimum, Run
from wpoflow.solver.records.settings import Settings, Until
from wpoflow.solver.registry import AUTOMATIC, FLOWS
from wpoflow.solver.runs.compile_timer import CompileTimer
from wpoflow.solver.runs.evolve import Progress, evolve, run_settings
from wpoflow.solver.schemes.choice import chosen_scheme
from wpoflow.solver.storage.atomic import RunFileError, checkpoint_folder, write_text
from wpoflow.solver.storage.checkpoints import CheckpointFolder
from wpoflow.solver.storage.writer import open_run
from wpoflow.studies.comparison.contestant import Contestant, contestants
from wpoflow.studies.comparison.result import Comparison, Entry

REPORT = "compare.json"
Tell = Callable[[str, str], None]
RatesOf = Callable[[Run], Mapping[str, float]]


class _Clock:
    """Processor time after every step, without compiling."""

    def __init__(self, timer: CompileTimer) -> None:
        self._timer = timer
        self._begin = time.process_time() - timer.processor_seconds
        self.times: list[float] = [0.0]
        self.seconds: list[float] = [0.0]

    def __call__(self, progress: Progress) -> None:
        self.times.append(progress.time)
        self.seconds.append(time.process_time() - self._timer.processor_seconds - self._begin)

    def until(self, rows: FloatArray) -> FloatArray:
        """Seconds until the first step at or after each row, (rows,)."""
        at = np.minimum(np.searchsorted(self.times, rows * (1.0 - 1e-12)), len(self.times) - 1)
        return np.asarray(self.seconds)[at]


@dataclass(frozen=True)
class Asked:
    """What is asked of a comparison; see `validation.comparison.compare`."""

    problem: str | Path | GridMDP
    flows: Sequence[str]
    until: Until | None
    accuracy: float | None
    cells: Mapping[str, int] | None
    set: Mapping[str, Any] | None
    folder: str | Path | None
    force: bool
    progress: Tell | None


def measured(asked: Asked, rates: RatesOf) -> Comparison:
    """Run the flows and measure what each takes to which gap; ``rates`` gives guaranteed and sharp rate of a run."""
    check_mapping("cells", asked.cells, "{'x': 64}")
    check_mapping("set", asked.set, "{'problem.discount': 0.5}")
    problem, chosen = asked.problem, contestants(asked.flows)
    where = None if asked.folder is None else Path(asked.folder)
    entries: list[Entry] = []
    known = {} if where is None else _noted(where / REPORT)
    with CompileTimer() as timer:
        if isinstance(problem, GridMDP):
            runs = _of_grid(problem, chosen, where, timer, asked)
        else:
            runs = _of_file(problem, chosen, where, timer, asked)
        try:
            for one, path, done, clock in runs:
                cpu = clock.until(done.series["time"]) if clock is not None else known.get(_run_id(done))
                if cpu is None or len(cpu) != len(done.series["time"]):
                    cpu = np.full(len(done.series["time"]), np.nan)
                entries.append(Entry(one.label, path, done, np.asarray(cpu, dtype=np.float64), rates(done)))
                if done.status == "interrupted":
                    break
        except KeyboardInterrupt:  # between two steps of different runs
            if where is not None and entries and known.keys() <= {_run_id(entry.run) for entry in entries}:
                write_report(_of(problem, entries), where)
            raise
    return _of(problem, entries)


def write_report(found: Comparison, folder: Path) -> Path:
    """Write the numbers of a comparison into its folder, where the next one finds what its runs have taken."""
    return write_text(folder / REPORT, json.dumps(found.as_dict(), indent=1, allow_nan=False) + "\n")


def _of(problem: str | Path | GridMDP, entries: Sequence[Entry]) -> Comparison:
    name = problem.title if isinstance(problem, GridMDP) else problem
    return Comparison(entries[0].run.title, str(name), tuple(entries))


_Done = tuple[Contestant, str, Run, _Clock | None]


def _of_grid(
    mdp: GridMDP, chosen: list[Contestant], where: Path | None, timer: CompileTimer, asked: Asked
) -> Iterable[_Done]:
    """Runs of a problem stated in Python."""
    if asked.cells or asked.set:
        raise ValueError("cells and set replace values of a file that is still to be read")
    if asked.until is None:
        raise ValueError("until: must be given for a problem stated in Python")
    for one in chosen:
        _refuse(mdp, one, _control(one, asked.accuracy))
    _make(where)
    optimum = solve_optimum(mdp)
    for one in chosen:
        _tell(asked, one.label, "run")
        clock = _Clock(timer)
        path = None if where is None else where / one.file_name
        done = evolve(
            mdp,
            until=asked.until,
            flow=as_flow(mdp, one.flow, one.parameters),
            optimum=optimum,
            output=path,
            force=asked.force,
            progress=clock,
            **_control(one, asked.accuracy),
        )
        yield one, "" if path is None else str(path), done, clock


def _of_file(
    problem: str | Path, chosen: list[Contestant], where: Path | None, timer: CompileTimer, asked: Asked
) -> Iterable[_Done]:
    """Runs of a problem file, all of which are read before the first is begun."""
    stated = [_stated(problem, one, asked) for one in chosen]
    mdp = build_problem(stated[0])
    paths = [None if where is None else where / one.file_name for one in chosen]
    for one, text in zip(chosen, stated, strict=True):
        table = text.flow
        _refuse(mdp, one, {"scheme": table.scheme, "step": table.step, "accuracy": table.accuracy})
    present = [_present(path, text, asked.force) for path, text in zip(paths, stated, strict=True)]
    _make(where)
    optimum: Optimum | None = None
    for one, text, path, what in zip(chosen, stated, paths, present, strict=True):
        _tell(asked, one.label, what)
        if what == "keep" and path is not None:
            yield one, str(path), open_run(path), None
            continue
        if what == "resume" and path is not None:
            yield one, str(path), resume(path, progress=False), None  # what it took before is not known
            continue
        optimum = solve_optimum(mdp) if optimum is None else optimum
        clock = _Clock(timer)
        done = run_settings(
            mdp.stated_by(text.text),
            Settings(flow=text.flow, record=text.record),
            output=path,
            force=asked.force,
            progress=clock,
            optimum=optimum,
            origin=origin_of(text, problem),
        )
        yield one, "" if path is None else str(path), done, clock


def _tell(asked: Asked, label: str, what: str) -> None:
    if asked.progress is not None:
        asked.progress(label, what)


def _make(folder: Path | None) -> None:
    """The folder, once nothing is left to be refused."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)


def _stated(problem: str | Path, one: Contestant, asked: Asked) -> ProblemFile:
    """The problem with one flow in it, as its run file will keep it."""
    settings: dict[str, Any] = {**_control(one, asked.accuracy), "flow": one.flow}
    if asked.until is not None:
        settings["until"] = asked.until
    keys = {f"flow.{key}": str(value).lower() for key, value in one.parameters.items()}
    entry = FLOWS[one.flow]
    stated = "step" in settings or not entry.own_step or entry.step is not None
    if not stated and read_problem(problem, set=asked.set).flow.step is None:
        raise ValueError(f"flow {one.label!r}: its step belongs to the algorithm; give it, as {one.flow}:step=0.5")
    return read_problem(problem, cells=asked.cells, set={**(asked.set or {}), **keys}, **settings)


def _control(one: Contestant, accuracy: float | None) -> dict[str, Any]:
    """Scheme, step and accuracy of one of them."""
    found: dict[str, Any] = dict(one.settings)
    if accuracy is not None and "step" not in found and "accuracy" not in found and not FLOWS[one.flow].own_step:
        found["accuracy"] = accuracy
    return found


def _refuse(mdp: GridMDP, one: Contestant, control: Mapping[str, Any]) -> None:
    """Raise ValueError, naming the flow, if it cannot be followed on this problem."""
    try:
        chosen_scheme(mdp, control.get("scheme", AUTOMATIC), control.get("step"), one.flow, control.get("accuracy"))
    except ValueError as error:
        raise ValueError(f"flow {one.label!r}: {error}") from error


def _present(path: Path | None, stated: ProblemFile, force: bool) -> str:
    """What is to be done about a file: "run", "keep" or "resume"."""
    if path is None or force or not (path.exists() or checkpoint_folder(path).is_dir()):
        return "run"
    if path.exists():
        found = open_run(path)
        text, whole = found.problem, found.status == "complete"
    else:
        text, whole = CheckpointFolder(path).start().problem, False
    if text != stated.text:
        raise RunFileError(f"{path}: is a run of another problem or with other settings; give another folder, or force")
    return "keep" if whole else "resume"


def _noted(report: Path) -> dict[str, list[float]]:
    """Processor times by run, from an earlier comparison; none without one and, which is said, of a damaged one."""
    if not report.exists():
        return {}
    try:
        flows = json.loads(report.read_text(encoding="utf-8"))["flows"]
        return {
            entry["run_id"]: [np.nan if x is None else float(x) for x in entry["rows"]["cpu_seconds"]]
            for entry in flows
        }
    except (OSError, ValueError, KeyError, TypeError):
        lost = f"{report} cannot be read: processor times of the runs that are kept are not known"
        warnings.warn(lost, RunFileWarning, stacklevel=2)
        return {}


def _run_id(run: Run) -> str:
    return str(run.attributes.get("run_id", ""))
