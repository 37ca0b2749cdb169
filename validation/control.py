"""What a negative control is, how it is run, and whether it is caught.

The real kernels are fed wrong inputs through a wrapper around the flow's step; no kernel is copied.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.flows.flow import Flow
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Run
from wpoflow.solver.registry import AUTOMATIC
from wpoflow.solver.runs.evolve import evolve_to_the_end
from wpoflow.validation.claims import CLAIMS
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Finding, Verdict
from wpoflow.validation.sharp_cases.problems import flat

TWO_PERCENT = 1.02
TIME, STEP, ACCURACY = 12.0, 0.05, 1e-4
FAILS, NOT_CERTIFIED = Verdict.FAILS, Verdict.NOT_CERTIFIED


def as_stated(mdp: GridMDP) -> GridMDP:
    """The problem itself."""
    return mdp


def as_it_is(run: Run) -> Run:
    """The run itself."""
    return run


@dataclass(frozen=True)
class Control:
    """A broken case and what must come of it.

    Attributes
    ----------
    name, what : str
    broken : callable or None
        Makes the broken flow of a problem; None where the problem itself is outside the hypotheses.
    change : callable
        Changes the problem.
    evidence : type
        What the claims are judged on.
    expected : dict of claim to Verdict
    controlled : bool
        Whether the steps are of controlled error, and not of fixed size.
    falsify : callable
        Changes what the run recorded.
    time, own_step : float
        How far it is run, and by what step where that belongs to the flow.
    sound : callable
        Makes the flow of which the broken one is made: the claims named hold of it.
    """

    name: str
    what: str
    broken: Callable[[GridMDP], Flow] | None
    expected: dict[str, Verdict]
    change: Callable[[GridMDP], GridMDP] = as_stated
    evidence: type[Evidence] = Evidence
    controlled: bool = False
    falsify: Callable[[Run], Run] = as_it_is
    time: float = TIME
    own_step: float = 0.5
    sound: Callable[[GridMDP], Flow] = WassersteinFlow


def recorded(**changes: Callable[[FloatArray], FloatArray]) -> Callable[[Run], Run]:
    """Falsifies series by name."""

    def falsify(run: Run) -> Run:
        false = copy(run)
        false.series = {**run.series, **{name: change(run.series[name]) for name, change in changes.items()}}
        return false

    return falsify


def scaled(values: FloatArray) -> FloatArray:
    """Numbers 2 % too large."""
    return TWO_PERCENT * values


def flat_cost(mdp: GridMDP) -> GridMDP:
    """Instead of the problem, a flat cost on equal cells."""
    return flat((6,))


def run_control(control: Control, mdp: GridMDP) -> list[Finding]:
    """Findings of the claims a control speaks of, on a problem with one action axis."""
    how = control.controlled, control.time, control.own_step
    run, changed, flow = _run(control.broken, control.change, *how, mdp)
    evidence = control.evidence(control.name, control.falsify(run), changed, flow)
    return [CLAIMS[name].finding(evidence) for name in control.expected]


@lru_cache(maxsize=2)
def _run(
    broken: Callable[[GridMDP], Flow] | None,
    change: Callable[[GridMDP], GridMDP],
    controlled: bool,
    time: float,
    own_step: float,
    mdp: GridMDP,
) -> tuple[Run, GridMDP, Flow | None]:
    """The run of a control; that of one after another with the same flow and problem is not run again."""
    changed = change(mdp)
    flow = None if broken is None else broken(changed)
    run = evolve_to_the_end(
        changed,
        until=time,
        flow="wasserstein" if flow is None else flow,
        optimum=solve_optimum(changed),
        **_steps(flow, controlled, own_step),
    )
    return run, changed, flow


def _steps(flow: Flow | None, controlled: bool, own_step: float) -> dict[str, Any]:
    """How a flow is followed."""
    if flow is not None and flow.own_step:
        return {"step": own_step, "series": {"every": own_step}, "snapshots": 20}
    if not controlled:
        return {"step": STEP, "scheme": "euler", "series": {"every": STEP}, "snapshots": 5}
    scheme = AUTOMATIC if flow is not None and flow.logarithmic else "extrapolated"
    return {"accuracy": ACCURACY, "scheme": scheme, "snapshots": 20}


def caught(control: Control, findings: list[Finding]) -> bool:
    """Whether every claim named was judged and came out as it must."""
    return {finding.claim: finding.verdict for finding in findings} == control.expected
