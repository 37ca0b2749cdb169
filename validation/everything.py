"""The whole validation suite, in parts that do not depend on each other and may be judged by several processes.

What is found does not depend on how many there are: every part is judged by one of them, from its problem on, and
the findings stand in the order of the parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, BrokenExecutor, Future, wait
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

from wpoflow.core.memory import OutOfMemoryError, needed_by
from wpoflow.problems.gallery import gallery_names
from wpoflow.problems.load import build_problem
from wpoflow.problems.problem_file import ProblemFile, read_problem
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.registry import FLOWS, own_step_flows
from wpoflow.studies.sweep.engine import several_processes
from wpoflow.validation.claims import CLAIMS, exact_solution, gaussian_law, particle_law
from wpoflow.validation.control import caught, run_control
from wpoflow.validation.controls import CONTROLS
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.exact_cases.cases import CASES as EXACT
from wpoflow.validation.finding import Finding
from wpoflow.validation.judged_flow import WASSERSTEIN
from wpoflow.validation.sharp_cases import constants_attained
from wpoflow.validation.sharp_cases.suite import CASES as SHARP
from wpoflow.validation.sharp_cases.suite import sharp_findings
from wpoflow.validation.suite import LEVELS, SuiteResult, judge_case, merged, problem_evidence


def _cooled(flow: str, schedule: str, rate: float) -> dict[str, str]:
    return {"flow.kind": f'"{flow}"', "flow.anneal": f'{{ schedule = "{schedule}", rate = {rate} }}'}


FEW = {"action.a.cells": "32"}
ONE = {"flow.kind": '"gaussian"'}
FOLLOWED: dict[str, tuple[str, dict[str, str]]] = {
    "lqr, annealed": ("lqr", _cooled("fisher-rao", "harmonic", 0.3)),
    "bandit, annealed exponentially": ("bandit", FEW | _cooled("fisher-rao", "exponential", 0.05)),
    "bandit, annealed logarithmically": ("bandit", FEW | _cooled("fisher-rao", "logarithmic", 1.0)),
    "bandit, annealed, wasserstein": ("bandit", FEW | _cooled("wasserstein", "harmonic", 0.2)),
    "bandit, one Gaussian": ("bandit", FEW | ONE),
    "lqr, one Gaussian": ("lqr", {"state.x.cells": "24", "action.u.cells": "48"} | ONE),
}
"""Problems followed in other ways than their files say, by the name of the case."""
CONTROL_CELLS = {"x": 24, "u": 24}
RELATIVES = {"bandit": {"a": 32}, "lqr": {"x": 8, "u": 12}}
"""Problems on which flows other than the Wasserstein flow are judged, and their cells."""
OWN_STEP, OWN_STEPS = 0.5, {"particles": 0.05}
OWN_KEYS = {
    "beta": "0.7",
    "components": "2",
    "entropy": "true",
    "particles": "100",
    "seed": "7",
    "noise": '"shared"',
    "bandwidth": "0.1",
}
"""Keys of flows, at values that are not one: a factor left out is seen."""
OWN_PROBLEMS = {
    "law of particles": particle_law,
    "law of Gaussians": gaussian_law,
    "constants in closed form": constants_attained,
}
"""Claims that have problems of their own, by what the parts are called."""
LOOK = 0.2  # seconds between two looks at what has begun
LOST = "a process of the suite was lost, as for want of memory, before the {} was judged; --jobs 1 needs least of it"
Progress = Callable[[str], None]
View = Callable[[Evidence], Any]
"""What is kept of a case once it is judged, while its run is still at hand."""


@dataclass(frozen=True)
class Judged:
    """What came of one part.

    Attributes
    ----------
    found : SuiteResult
        Without controls, which hold functions and do not leave a process.
    of_controls : dict of name to list of Finding
        Findings on negative controls.
    views : dict of name to whatever was kept of a case
    """

    found: SuiteResult
    of_controls: dict[str, list[Finding]] = field(default_factory=dict)
    views: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """A part of the suite: how it is called, and a call without arguments that judges it, in any process."""

    title: str
    judge: Callable[[], Judged]


def parts(level: str, only: Sequence[str] = (), view: View | None = None) -> Iterator[Part]:
    """Gallery, other flows on small problems, exact solutions, sharp cases, negative controls.

    Parameters
    ----------
    level : str
        A key of `suite.LEVELS`.
    only : sequence of str
        Names of claims; by default all.
    view : callable, optional
        Of the evidence of a case, what is to be kept of it; several processes need a function of a module.
    """
    if not only or set(only) & CLAIMS.keys():
        for name in gallery_names():
            yield Part(f"problem {name}", partial(_problem, name, read_problem(name), level, only, view))
        for name, problem in followed_otherwise().items():
            yield Part(f"problem {name}", partial(_problem, name, problem, level, only, view))
    if not only or exact_solution.NAME in only:
        for name in EXACT:
            yield Part(f"exact solution {name}", partial(_exact, name, level))
    for title, claim in OWN_PROBLEMS.items():
        if not only or claim.NAME in only:
            yield Part(title, partial(_own, title, level))
    for name, case in SHARP.items():
        if not only or set(only) & case.claims.keys():
            yield Part(f"sharp case {name}", partial(_sharp, name, level, only))
    for name in CONTROLS if not only else ():
        yield Part(f"negative control: {name}", partial(_control, name, level))


def _problem(name: str, problem: ProblemFile, level: str, only: Sequence[str], view: View | None) -> Judged:
    with needed_by(problem.label):
        evidence = replace(problem_evidence(problem, LEVELS[level]), name=name)
        found = judge_case(level, evidence, LEVELS[level], only)
    return Judged(found, views={} if view is None else {name: view(evidence)})


def _exact(name: str, level: str) -> Judged:
    return Judged(SuiteResult(level, [exact_solution.finding(EXACT[name], LEVELS[level].exact_grids)]))


def _own(title: str, level: str) -> Judged:
    return Judged(SuiteResult(level, [OWN_PROBLEMS[title].finding()]))


def _sharp(name: str, level: str, only: Sequence[str]) -> Judged:
    return Judged(SuiteResult(level, sharp_findings(SHARP[name], only)))


@cache
def control_problem() -> GridMDP:
    """The problem that negative controls are made of; as one object, so that its runs are known again."""
    return build_problem(read_problem("lqr", cells=CONTROL_CELLS))


def _control(name: str, level: str) -> Judged:
    return Judged(SuiteResult(level), of_controls={name: run_control(CONTROLS[name], control_problem())})


def followed_otherwise() -> dict[str, ProblemFile]:
    """Problems with another flow, or an annealed temperature, by the name of the case."""
    found = {name: read_problem(problem, set=changes) for name, (problem, changes) in FOLLOWED.items()}
    for flow, entry in FLOWS.items():
        keys = {
            "flow.kind": f'"{flow}"',
            **{f"flow.{key}": OWN_KEYS[key] for key in (*entry.required, *entry.parameters)},
        }
        if flow in own_step_flows():
            keys["flow.step"] = str(entry.step or OWN_STEPS.get(flow, OWN_STEP))
        for problem, cells in RELATIVES.items() if flow != WASSERSTEIN else ():
            found[f"{problem}, {flow}"] = read_problem(problem, cells=cells, set=keys)
    return found


def validate_everything(
    level: str = "quick",
    only: Sequence[str] = (),
    progress: Progress | None = None,
    view: View | None = None,
    jobs: int = 1,
) -> tuple[SuiteResult, dict[str, Any]]:
    """The whole suite.

    Claims that are not of a case's flow, actions or temperature are left out where all are judged.

    Parameters
    ----------
    level, only, view
        As for `parts`.
    progress : callable, optional
        Told the title of each part when it begins.
    jobs : int
        Number of processes.

    Returns
    -------
    result : SuiteResult
    views : dict
        What ``view`` kept of each case, by its name.

    Raises
    ------
    OutOfMemoryError
        Memory did not suffice, or one of several processes was lost.
    """
    result, views = _together(list(parts(level, only, view)), level, progress, jobs)
    if not only:  # of a single problem or run they are listed, with the reason
        result.findings[:] = [found for found in result.findings if found.applies]
    return result, views


def validate_problems(
    problems: Sequence[ProblemFile],
    level: str = "quick",
    only: Sequence[str] = (),
    progress: Progress | None = None,
    view: View | None = None,
    jobs: int = 1,
) -> tuple[SuiteResult, dict[str, Any]]:
    """Some problems, as `validate_everything` judges all."""
    chosen = [Part(f"problem {one.name}", partial(_problem, one.name, one, level, only, view)) for one in problems]
    return _together(chosen, level, progress, jobs)


def _together(
    chosen: list[Part], level: str, progress: Progress | None, jobs: int
) -> tuple[SuiteResult, dict[str, Any]]:
    every = _all_judged(chosen, progress or (lambda title: None), jobs)
    result, views = merged([SuiteResult(level), *(judged.found for judged in every)]), {}
    for judged in every:
        views.update(judged.views)
        for name, findings in judged.of_controls.items():
            result.controls[name] = (CONTROLS[name], findings, caught(CONTROLS[name], findings))
    return result, views


def _all_judged(chosen: list[Part], tell: Progress, jobs: int) -> list[Judged]:
    if min(jobs, len(chosen)) < 2:
        found = []
        for part in chosen:
            tell(part.title)
            found.append(part.judge())
        return found
    with several_processes(min(jobs, len(chosen))) as executor:
        futures = {executor.submit(part.judge): part for part in chosen}
        untold = dict(futures)
        while not all(future.done() for future in futures):
            for future in [future for future in untold if future.running() or future.done()]:
                tell(untold.pop(future).title)
            for future in wait(futures, LOOK, FIRST_EXCEPTION).done:
                _result(future, futures[future])
        return [_result(future, part) for future, part in futures.items()]


def _result(future: Future[Judged], part: Part) -> Judged:
    try:
        return future.result()
    except BrokenExecutor as error:
        raise OutOfMemoryError(LOST.format(part.title)) from error
