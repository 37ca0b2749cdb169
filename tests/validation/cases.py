"""Small cases for the tests of the claims, and copies of them with something altered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wpoflow.core.arrays import FloatArray
from wpoflow.problems.load import build_problem
from wpoflow.problems.problem_file import read_problem
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Run
from wpoflow.solver.runs.evolve import evolve
from wpoflow.validation.claims import CLAIMS
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Finding

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
