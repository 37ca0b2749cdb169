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
EMPTY, FAILS, NOT_CERTIFIED = Verdict.EMPTY, Verdict.FAILS, Verdict.NOT_CERTIFIED


def as_stated(mdp: GridMDP) -> GridMDP:
    """The problem itself."""
    return mdp


def as_it_is(run: Run) -> Run:
    """The run itself."""
    return run


@dataclass(frozen=True)
class How:
    """How a case is followed: arguments of `evolve`; ``every`` is that of the series, by default as in files."""

    until: float = 12.0
    step: float | None = None
    accuracy: float | None = None
    scheme: str = AUTOMATIC
    every: float | None = None
    snapshots: int = 20
    anneal: tuple[str, float] | None = None

    def evolve(self, mdp: GridMDP, flow: Flow | str) -> Run:
        """The run of a flow."""
        how: dict[str, Any] = {"until": self.until, "scheme": self.scheme, "snapshots": self.snapshots}
        if self.every is not None:
            how["series"] = {"every": self.every}
        if self.anneal is not None:
            how["anneal"] = dict(zip(("schedule", "rate"), self.anneal, strict=True))
        return evolve_to_the_end(mdp, flow=flow, step=self.step, accuracy=self.accuracy, **how)


EULER = How(step=0.05, scheme="euler", every=0.05, snapshots=5)
CONTROLLED = How(accuracy=1e-4, scheme="extrapolated")
LOGARITHMIC = How(accuracy=1e-4)
OWN_STEPS = How(step=0.5, every=0.5)


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
    evidence : callable
        Makes what the claims are judged on, of name, run, problem and flow.
    expected : dict of claim to Verdict
    how : How
        How it is followed.
    falsify : callable
        Changes what the run recorded.
    sound : callable
        Makes the flow of which the broken one is made: the claims named hold of it.
    """

    name: str
    what: str
    broken: Callable[[GridMDP], Flow] | None
    expected: dict[str, Verdict]
    change: Callable[[GridMDP], GridMDP] = as_stated
    evidence: Callable[..., Evidence] = Evidence
    how: How = EULER
    falsify: Callable[[Run], Run] = as_it_is
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
    run, changed, flow = _run(control.broken, control.change, control.how, mdp)
    evidence = control.evidence(control.name, control.falsify(run), changed, flow)
    return [CLAIMS[name].finding(evidence) for name in control.expected]


@lru_cache(maxsize=2)
def _run(
    broken: Callable[[GridMDP], Flow] | None, change: Callable[[GridMDP], GridMDP], how: How, mdp: GridMDP
) -> tuple[Run, GridMDP, Flow | None]:
    """The run of a control; that of one after another with the same flow and problem is not run again."""
    changed = change(mdp)
    flow = None if broken is None else broken(changed)
    return how.evolve(changed, "wasserstein" if flow is None else flow), changed, flow


def caught(control: Control, findings: list[Finding]) -> bool:
    """Whether every claim named was judged and came out as it must."""
    return {finding.claim: finding.verdict for finding in findings} == control.expected
