"""Small cases for the tests of the claims, and copies of them with something altered.

Runs are kept: those who alter one take a copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.problems.load import build_problem
from wpoflow.problems.problem_file import read_problem
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Run
from wpoflow.solver.runs.evolve import evolve
from wpoflow.validation.claims import CLAIMS
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Finding, Verdict
from wpoflow.validation.suite import LEVELS, judge

CELLS = {
    "bandit": {"a": 64},
    "lqr": {"x": 20, "u": 20},
    "torus": {"s": 24, "a": 24},
    "navigation": {"x": 6, "y": 6, "vx": 5, "vy": 5},
}
SNAPSHOTS = 40


def small_problem(name: str) -> GridMDP:
    """A gallery problem on few cells."""
    return build_problem(read_problem(name, cells=CELLS[name]))


@cache
def controlled(name: str, steps: int = 5000, time: float = 1e9) -> Evidence:
    """A run of controlled error; unless it is cut short, long past the time at which rates are sharp."""
    problem = read_problem(name, cells=CELLS[name])
    mdp = small_problem(name)
    run = evolve(
        mdp,
        until={"gap": 3e-17, "steps": steps, "time": time},
        accuracy=problem.flow.accuracy,
        snapshots=SNAPSHOTS,
    )
    return Evidence(name, run, mdp)


@cache
def fixed(name: str, scheme: str, step: float = 0.05, time: float = 6.0, mdp: GridMDP | None = None) -> Evidence:
    """A run of equal steps, every step a row."""
    mdp = small_problem(name) if mdp is None else mdp
    run = evolve(
        mdp, until=time, step=step, scheme=scheme, snapshots=5, series={"every": step}, optimum=solve_optimum(mdp)
    )
    return Evidence(name, run, mdp)


def altered(
    evidence: Evidence, series: Mapping[str, FloatArray] | None = None, attributes: Mapping[str, Any] | None = None
) -> Evidence:
    """A copy with other series or attributes, judged by its run alone."""
    run = evidence.run
    return Evidence(
        evidence.name,
        Run(
            states=run.states,
            actions=run.actions,
            series={**run.series, **(series or {})},
            snapshots=run.snapshots,
            optimum=run.optimum,
            reference_mass=run.reference_mass,
            rho=run.rho,
            attributes={**run.attributes, **(attributes or {})},
        ),
    )


def judged(name: str, evidence: Evidence) -> Finding:
    """One claim on one case."""
    return CLAIMS[name].finding(evidence)


def at_row(values: FloatArray, row: int, change: float) -> FloatArray:
    """A copy with one entry multiplied."""
    out = values.copy()
    out[row] *= change
    return out


def middle(evidence: Evidence) -> int:
    """The middle row."""
    return len(evidence.run.series["time"]) // 2


def replaced(evidence: Evidence, name: str, row: int, value: float) -> FloatArray:
    """A series with another number in one row."""
    out = evidence.run.series[name].copy()
    out[row] = value
    return out


def replace_run(evidence: Evidence, **series: FloatArray) -> Evidence:
    """The same run with other series, the problem still known."""
    return Evidence(evidence.name, altered(evidence, series).run, evidence.mdp)


def verdicts(evidence: Evidence) -> dict[str, Verdict]:
    """Of all claims at level quick."""
    return {finding.claim: finding.verdict for finding in judge(evidence, LEVELS["quick"])}


def nowhere_but_in_the_first_state(mdp: GridMDP) -> GridMDP:
    """The problem with all of rho in its first state."""
    return replace(mdp, rho=np.eye(mdp.states.size)[0])
