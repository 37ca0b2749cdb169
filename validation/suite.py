"""Judging problems and runs: every claim on a case, at one of two levels; the whole suite is `validation.everything`.

A problem is run once with its own error control, further than its file asks so that late rates can be seen; claims
are then judged on that run.  Level ``quick`` coarsens the grids to about fifteen hundred pairs and leaves out what
needs several grids; ``full`` uses the problem's own grids and everything.  Runs stop by gap, time and number of
steps, never by the clock: what is judged does not depend on the machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wpoflow.core.arguments import check_kind
from wpoflow.core.arrays import underflow_to_zero
from wpoflow.core.display import Displayed
from wpoflow.core.text import did_you_mean
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.load import build_problem
from wpoflow.problems.problem_file import ProblemFile, read_problem
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.flows.flow import UnsuitableFlowError, as_flow, check_suitable, flow_class, suitable_flows
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Run
from wpoflow.solver.runs.evolve import evolve_to_the_end
from wpoflow.solver.schemes.choice import chosen_scheme
from wpoflow.studies.refinement.problem_grids import coarsened, refined_axes, with_cells
from wpoflow.validation.case_numbers import case_numbers
from wpoflow.validation.claims import CLAIMS, exact_solution, gaussian_law, particle_law
from wpoflow.validation.control import Control
from wpoflow.validation.evidence import Evidence, Family
from wpoflow.validation.finding import Finding, Verdict
from wpoflow.validation.sharp_cases import constants_attained

FURTHER = 1e-10  # the gap a run is followed to, relative to the one its file asks for
LONGER = 4.0
FINEST = 1e-4
"""Accuracy of runs of controlled error, or the file's own if that is finer: late rates are judged to 1 %."""
FLOORS = 1e9  # the gap stays this many rounding floors away
SNAPSHOTS = 40


@dataclass(frozen=True)
class Level:
    """How thoroughly the suite looks.

    Attributes
    ----------
    name : str
    most_pairs : float
        Grids with more pairs are coarsened to about so many.
    steps : int
        Most time steps of a run.
    exact_grids : int
        Grids on which exact solutions are compared.
    families : bool
        Whether claims that need several grids are judged.
    bounds : str
        Level of the lower bounds of alpha (`constants.lower_bounds`).
    """

    name: str
    most_pairs: float
    steps: int
    exact_grids: int
    families: bool
    bounds: str


LEVELS = {
    "quick": Level("quick", 1500.0, 800, 3, False, "quick"),
    "full": Level("full", math.inf, 5000, 4, True, "full"),
}


@dataclass(frozen=True)
class SuiteResult(Displayed):
    """What a validation found.

    Attributes
    ----------
    level : str
    findings : list of Finding
    cases : dict of name to dict
        Constants and rates of every case (`validation.case_numbers`).
    controls : dict of name to (what was broken, its findings, whether it was caught)
    left_out : dict of (claim, case) to str
        Why a claim that was named could not be judged.
    """

    level: str
    findings: list[Finding] = field(default_factory=list)
    cases: dict[str, dict[str, Any]] = field(default_factory=dict)
    controls: dict[str, tuple[Control, list[Finding], bool]] = field(default_factory=dict)
    left_out: dict[tuple[str, str], str] = field(default_factory=dict)

    def __repr__(self) -> str:
        verdict = "passed" if self.passed else "FAILED"
        return f"SuiteResult({self.level!r}, {len(self.findings)} findings on {len(self.cases)} cases: {verdict})"

    @property
    def failed(self) -> list[Finding]:
        """Claims that fail, those of the controls left out."""
        return [finding for finding in self.findings if finding.verdict is Verdict.FAILS]

    @property
    def passed(self) -> bool:
        """No claim fails, and every control is caught."""
        return not self.failed and all(found for _, _, found in self.controls.values())


def problem_evidence(problem: ProblemFile, level: Level) -> Evidence:
    """Run a problem as the level asks.

    Raises
    ------
    ProblemError
        The flow or the scheme its file names does not apply.
    """
    axes = refined_axes(problem)
    cells = coarsened(axes, level.most_pairs)

    def make(sizes: Mapping[str, int]) -> GridMDP:
        return build_problem(with_cells(problem, {**cells, **sizes}))

    mdp = make({})
    asked = problem.flow
    try:
        check_suitable(flow_class(asked.kind), asked.kind, mdp.actions)
    except UnsuitableFlowError as error:
        raise ProblemError(f"{problem.label}: {error}") from error
    try:
        chosen_scheme(mdp, asked.scheme, asked.step, asked.kind, asked.accuracy, asked.anneal is not None)
    except ValueError as error:  # it begins with the word scheme
        raise ProblemError(f"{problem.label}: flow.{error}") from error
    followed = as_flow(mdp, asked.kind, asked.parameters)
    accuracy = None if asked.accuracy is None else min(asked.accuracy, FINEST)
    how: dict[str, Any] = {"scheme": asked.scheme, "step": asked.step, "accuracy": accuracy, "flow": followed}
    how["anneal"] = asked.annealing
    longer = LONGER if asked.anneal is None else 1.0  # or the temperature might vanish
    time = None if asked.until.time is None else longer * asked.until.time
    run = _long_run(mdp, level, asked.until.gap, time, how)
    smaller = [replace(axis, points=cells.get(axis.name, axis.points)) for axis in axes]
    own = {axis.name: axis.points for axis in axes}
    return Evidence(problem.name, run, mdp, family=Family(make, smaller), own_grid=own, bounds_level=level.bounds)


def _long_run(mdp: GridMDP, level: Level, gap: float | None, time: float | None, how: dict[str, Any]) -> Run:
    """A run further than the problem asks for, but not so far that rounding would be judged."""
    optimum = solve_optimum(mdp)
    goal = FURTHER * (1.0 if gap is None else gap)
    criteria: dict[str, float] = {"gap": max(goal, FLOORS * optimum.gap_floor), "steps": level.steps}
    if time is not None:
        criteria["time"] = time
    return evolve_to_the_end(mdp, until=criteria, optimum=optimum, snapshots=SNAPSHOTS, **how)


Watcher = Callable[[Evidence], None]
"""Told of every case once it is judged, while its run is still at hand."""


@underflow_to_zero
def judge(evidence: Evidence, level: Level, only: Sequence[str] = ()) -> list[Finding]:
    """All claims that apply to a case, or those named."""
    chosen = [claim for name, claim in CLAIMS.items() if not only or name in only]
    chosen = [claim for claim in chosen if level.families or only or not claim.needs_family]
    return [claim.finding(evidence) for claim in chosen if claim.applies(evidence)]


def validate_run(run: Run, name: str = "run", only: Sequence[str] = (), watch: Watcher | None = None) -> SuiteResult:
    """Judge a run by its file alone: series, optimum and snapshots.

    Raises
    ------
    EvidenceError
        The run does not hold what is needed.
    ValueError
        A claim in ``only`` that there is not.
    """
    check_kind("run", run, Run, "a Run: wpoflow.open_run(file), or what wpoflow.evolve gives")
    _check_names(only)
    return judge_case("run", Evidence(name, run), LEVELS["quick"], only, watch)


def validate_problem(
    problem: str | Path | ProblemFile | GridMDP,
    level: str | Level = "quick",
    only: Sequence[str] = (),
    watch: Watcher | None = None,
    *,
    cells: Mapping[str, int] | None = None,
    set: Mapping[str, Any] | None = None,
) -> SuiteResult:
    """Run a problem and judge every claim on it.

    Parameters
    ----------
    problem : str, Path, ProblemFile or GridMDP
        A gallery name or a file, as for `load_problem`; or a grid problem, which is judged on its own grid at either
        level, by all claims but those that need several grids, along the Wasserstein flow, or where that does not suit
        it, along the Fisher–Rao flow.
    level : str
        ``quick`` coarsens grids to about fifteen hundred pairs and leaves out what needs several; ``full`` takes the
        problem's own grid and judges everything.
    only : sequence of str
        Names of claims; by default all.
    watch : callable, optional
        Given the evidence once it is judged.
    cells, set : mappings, optional
        Replace grid sizes and keys of the file, as in `load_problem`.

    Returns
    -------
    SuiteResult
        ``findings``, ``passed``, and ``cases``, whose ``grid`` and ``own_grid`` say on which grid was judged.

    Raises
    ------
    ProblemError
        Faults of the file, or a scheme in it that does not apply.
    ValueError
        An unknown level or claim; names the choices.
    """
    _check_names(only)
    if isinstance(level, str):
        if level not in LEVELS:
            near = did_you_mean(level, LEVELS)
            raise ValueError(f"level {level!r}: choose among {', '.join(LEVELS)}{near}")
        level = LEVELS[level]
    if isinstance(problem, GridMDP | ProblemFile) and (cells or set):
        raise ValueError("cells and set replace values of a file that is still to be read")
    if isinstance(problem, GridMDP):
        run = _long_run(problem, level, None, None, {"flow": suitable_flows(problem.actions)[0]})
        evidence = Evidence(problem.title or "problem", run, problem, bounds_level=level.bounds)
    else:
        stated = problem if isinstance(problem, ProblemFile) else read_problem(problem, cells=cells, set=set)
        evidence = problem_evidence(stated, level)
    return judge_case(level.name, evidence, level, only, watch)


def _check_names(only: Sequence[str]) -> None:
    unknown = [name for name in only if name not in claim_names()]
    if unknown:
        near = did_you_mean(unknown[0], claim_names())
        raise ValueError(f"claim {', '.join(unknown)}: choose among {', '.join(claim_names())}{near}")


def judge_case(
    name: str, evidence: Evidence, level: Level, only: Sequence[str] = (), watch: Watcher | None = None
) -> SuiteResult:
    """The findings on a case, its constants and rates, as the result of a level or run of that name."""
    result = SuiteResult(name, judge(evidence, level, only), {evidence.name: case_numbers(evidence)})
    for claim in only:
        if claim in CLAIMS and (words := CLAIMS[claim].obstacle(evidence)):
            result.left_out[claim, evidence.name] = words
    if watch is not None:
        watch(evidence)
    return result


def merged(results: Sequence[SuiteResult]) -> SuiteResult:
    """Several results as one."""
    whole = SuiteResult(results[0].level if len({result.level for result in results}) == 1 else "mixed")
    for result in results:
        whole.findings.extend(result.findings)
        whole.cases.update(result.cases)
        whole.controls.update(result.controls)
        whole.left_out.update(result.left_out)
    return whole


def claim_names() -> list[str]:
    """All names that ``only`` may hold."""
    return [*CLAIMS, exact_solution.NAME, particle_law.NAME, gaussian_law.NAME, constants_attained.NAME]
