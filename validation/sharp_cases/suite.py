"""The claims on the sharp cases: each must hold, with its constants attained and a tolerance that could see.

A finding here is the claim's own finding with two further measurements: its slack is at most what the case leaves open
(1.03 and the like: a constant 1.1 times larger fails outright, one 1.1 times smaller leaves too much slack), and no
tolerance of its is larger, relative to what it measures, than the resolution stated here.  A claim that should be
judged on a case and is not, fails.  The constants themselves are held against closed forms (`constants_attained`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from wpoflow.problems.load import build_problem
from wpoflow.problems.problem_file import read_problem
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.evolve import evolve_to_the_end
from wpoflow.validation.claims import CLAIMS
from wpoflow.validation.constants.proven import ProvenBound
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Finding, Measurement, Verdict
from wpoflow.validation.independent.generator import Frozen, Geometry
from wpoflow.validation.independent.policy import PolicyValues
from wpoflow.validation.sharp_cases import problems
from wpoflow.validation.sharp_cases.two_cells import exact_alpha

RESOLUTION = {
    "structure": 2e-12,
    "recomputed": 3e-7,
    "trajectory": 1e-3,
    "identities": 3e-9,
    "pointwise_descent": 3e-10,
    "dissipation_identity": 5e-3,
    "kl_contraction": 1e-6,
    "constants_ordered": 1e-8,
    "static_inequality": 1e-8,
    "decay_weighted": 1e-4,
    "decay_sup_norm": 1e-4,
    "decay_paper": 1e-4,
    "decay_any_rho": 1e-3,
    "certificate": 1e-3,
    "sharp_certificate": 1e-3,
    "late_rate": 1e-3,
    "late_mixture": 3e-2,
    "policy_iteration": 1e-7,
    "fisher_rao_identity": 1e-3,
    "fisher_rao_bound": 1e-3,
    "iteration_contraction": 1e-6,
    "mirror_contraction": 1e-6,
}
"""The largest tolerance of each claim, relative to what it measures (absolute where that is zero or
negligible: `Measurement.relative_tolerance`)."""
ONE_STEP = "one step's factor"


class ChainEvidence(Evidence):
    """Knows alpha of the state R exactly, at every row; the other states are at their Gibbs policies."""

    @cached_property
    def alpha_from_now_on(self) -> ProvenBound:
        """The least of alpha over this row and all later ones, (rows,)."""
        mdp, snapshots = self.mdp, self.run.snapshots
        assert mdp is not None
        assert snapshots is not None
        geometry = Geometry.of(mdp.actions)
        found = []
        for policy in snapshots.each_policy():
            frozen = Frozen.of(geometry, PolicyValues(mdp, policy).q, mdp.reference_mass, mdp.temperature)
            found.append(exact_alpha(frozen, 0))
        rows = np.searchsorted(snapshots.time, self.run.series["time"] * (1.0 - 1e-12))
        least = np.minimum.accumulate(np.array(found)[rows][::-1])[::-1]
        return ProvenBound(least, ("two_cells",), "validation/sharp_cases/two_cells.py")


@dataclass(frozen=True)
class SharpCase:
    """A problem, how it is run, and what its claims leave open.

    Attributes
    ----------
    name : str
    make : callable
        The problem.
    how : dict
        For `evolve`.
    claims : dict of claim to float
        Which claims are judged, and the most slack of each; infinite where none is asked for.
    evidence : type
    sharper : dict of claim to float
        Resolutions that are finer here than `RESOLUTION`.
    """

    name: str
    make: Callable[[], GridMDP]
    how: Mapping[str, Any]
    claims: Mapping[str, float]
    evidence: type[Evidence] = field(default=Evidence)
    sharper: Mapping[str, float] = field(default_factory=dict)


INF = float("inf")
MOST_STEPS = 1500
"""No case takes more than a fifth of these to where it says."""
_SHORT = [4e-7 * k for k in range(1, 9)]
_LATER = [0.1 * k for k in range(1, 26)]
_EVERY = [0.02 * k for k in range(1, 26)]
CASES: dict[str, SharpCase] = {
    case.name: case
    for case in (
        SharpCase(
            "flat path",
            lambda: problems.flat((6,)),
            {"until": {"gap": 1e-14}, "accuracy": 1e-6, "snapshots": 40},
            {
                "structure": INF,
                "recomputed": INF,
                "trajectory": INF,
                "identities": INF,
                "pointwise_descent": INF,
                "dissipation_identity": INF,
                "kl_contraction": 1.02,
                "constants_ordered": 1.0001,
                "static_inequality": 1.0001,
                "decay_weighted": 1.02,
                "decay_sup_norm": 1.02,
                "decay_paper": 1.02,
                "decay_any_rho": 1.08,
                "certificate": 1.02,
                "sharp_certificate": INF,
                "late_rate": INF,
                "late_mixture": INF,
            },
        ),
        SharpCase(
            "flat circle",
            lambda: problems.flat((8,), circle=True),
            {"until": {"gap": 1e-14}, "accuracy": 1e-6, "snapshots": 40},
            {
                "recomputed": INF,
                "trajectory": INF,
                "constants_ordered": 1.0001,
                "static_inequality": 1.0001,
                "kl_contraction": 1.05,
                "late_rate": INF,
            },
        ),
        SharpCase(
            "flat box",
            lambda: problems.flat((4, 6)),
            {"until": {"gap": 1e-14}, "accuracy": 1e-6, "snapshots": 40},
            {
                "recomputed": INF,
                "trajectory": INF,
                "constants_ordered": 1.0001,
                "static_inequality": 1.0001,
                "kl_contraction": 1.02,
            },
        ),
        SharpCase(
            "graded circle",
            problems.graded_circle,
            {"until": {"gap": 1e-10}, "accuracy": 1e-6, "snapshots": 40},
            {
                "structure": INF,
                "recomputed": INF,
                "trajectory": INF,
                "identities": INF,
                "dissipation_identity": INF,
                "constants_ordered": INF,
                "static_inequality": INF,
                "sharp_certificate": INF,
                "late_rate": INF,
            },
        ),
        SharpCase(
            "graded path",
            problems.graded_path,
            {"until": {"gap": 1e-10}, "accuracy": 1e-6, "snapshots": 40},
            {
                "structure": INF,
                "recomputed": INF,
                "trajectory": INF,
                "identities": INF,
                "dissipation_identity": INF,
                "constants_ordered": INF,
                "static_inequality": INF,
                "sharp_certificate": INF,
                "late_rate": INF,
            },
        ),
        SharpCase(
            "starved cell",
            problems.starved,
            {"flow": "fisher-rao", "until": 25.0, "accuracy": 1e-6, "snapshots": 12},
            {"recomputed": INF, "trajectory": INF, "fisher_rao_identity": INF, "fisher_rao_bound": INF},
        ),
        SharpCase(
            "wrong well, Fisher–Rao",
            problems.wrong_well,
            {"flow": "fisher-rao", "until": 0.8, "accuracy": 1e-6, "snapshots": {"times": [0.2 * k for k in range(5)]}},
            {"fisher_rao_bound": INF},
        ),
        SharpCase(
            "wrong well, mirror",
            problems.wrong_well,
            {"flow": "mirror", "until": 4.0, "step": 1.0, "snapshots": {"times": [0.0, 1.0, 2.0, 3.0, 4.0]}},
            {"mirror_contraction": INF},
        ),
        SharpCase(
            "staircase",
            problems.staircase,
            {"flow": "policy-iteration", "until": 4.0, "step": 1.0},
            {"iteration_contraction": 1.05},
        ),
        SharpCase(
            "corridor",
            problems.corridor,
            {"until": {"gap": 1e-12}, "accuracy": 1e-6, "snapshots": 30},
            {"decay_any_rho": INF, "late_mixture": INF},
        ),
        SharpCase(
            "flat path, Euler steps",
            lambda: problems.flat((6,)),
            {
                "until": 2.6,
                "step": 0.1,
                "scheme": "euler",
                "series": {"times": _LATER},
                "snapshots": {"times": [0.0, *_LATER]},
            },
            {"recomputed": INF, "trajectory": INF, "decay_sup_norm": INF},
            sharper={"decay_sup_norm": 1e-8},
        ),
        SharpCase(
            "chain",
            problems.chain,
            {
                "until": 2e-5,  # by when kappa is 2 % less than at first
                "accuracy": 1e-7,
                "series": {"times": [*_SHORT, 1.8e-5]},
                "snapshots": {"times": [0.0, *_SHORT, 1.8e-5, 2e-5]},
            },
            {
                "static_inequality": 1.04,
                "decay_paper": 1.04,
                "decay_sup_norm": 1.04,
                "decay_weighted": 1.04,
            },
            ChainEvidence,
        ),
        SharpCase(
            "spike",
            problems.spike,
            {"until": _SHORT[-1], "accuracy": 1e-6, "series": {"times": _SHORT[:-1]}},
            {"static_inequality": 1.03, "constants_ordered": INF},
        ),
        SharpCase(
            "barrier",
            problems.barrier,
            {"until": {"gap": 1e-12}, "accuracy": 1e-5, "snapshots": 20},
            {
                "recomputed": INF,
                "certificate": INF,
                "sharp_certificate": INF,
                "decay_sup_norm": INF,
                "identities": INF,
                "policy_iteration": INF,
                "late_mixture": INF,
            },
        ),
        SharpCase(
            "two successors",
            problems.two_successors,
            {"until": {"gap": 1e-8}, "accuracy": 1e-5, "snapshots": 5},
            {"policy_iteration": 1.03},
        ),
        SharpCase(
            "regulator",
            lambda: build_problem(read_problem("lqr", cells={"x": 8, "u": 8})),
            {"until": {"gap": 1e-8}, "accuracy": 1e-5, "snapshots": 12},
            {
                "structure": INF,
                "recomputed": INF,
                "trajectory": INF,
                "identities": INF,
                "pointwise_descent": INF,
                "dissipation_identity": INF,
                "sharp_certificate": INF,
                "policy_iteration": INF,
            },
        ),
        SharpCase(
            "regulator, Euler steps",
            lambda: build_problem(read_problem("lqr", cells={"x": 8, "u": 8})),
            {
                "until": 0.52,
                "step": 0.02,
                "scheme": "euler",
                "series": {"times": _EVERY},
                "snapshots": {"times": [0.0, *_EVERY]},
            },
            {"structure": INF, "recomputed": INF, "trajectory": INF, "decay_weighted": INF, "decay_sup_norm": INF},
            sharper={"recomputed": 7e-8, "trajectory": 2e-8, "decay_weighted": 2e-11, "decay_sup_norm": 2e-11},
        ),
    )
}


def evidence_of(case: SharpCase) -> Evidence:
    """Run a case: to where it says, or for `MOST_STEPS`, so that a wrong solver that gets nowhere is judged, too."""
    mdp, until = case.make(), case.how["until"]
    criteria = {"steps": MOST_STEPS, **(until if isinstance(until, Mapping) else {"time": until})}
    return case.evidence(f"sharp: {case.name}", evolve_to_the_end(mdp, **{**case.how, "until": criteria}), mdp)


def sharpened(finding: Finding, case: SharpCase) -> Finding:
    """A finding with what a sharp case asks of it besides."""
    if finding.verdict is Verdict.NOT_CERTIFIED:
        missing = Measurement(f"judged here ({finding.reason})", 0.0, 1.0, "=")
        return _with(finding, (missing,))
    further, most_slack = [], case.claims[finding.claim]
    if np.isfinite(most_slack):
        further += [
            Measurement(f"slack of: {quantity}", slack, most_slack, "<=")
            for quantity, slack in _slacks(finding).items()
        ]
    largest = max(finding.measurements, key=lambda entry: entry.relative_tolerance)
    further.append(
        Measurement(
            f"tolerance of: {largest.quantity}",
            largest.relative_tolerance,
            case.sharper.get(finding.claim, RESOLUTION[finding.claim]),
            "<=",
            largest.where,
        )
    )
    return _with(finding, (*finding.measurements, *further))


def _slacks(finding: Finding) -> dict[str, float]:
    """The least slack of every quantity measured, but for single steps, which know alpha's bound alone."""
    found: dict[str, float] = {}
    for entry in finding.measurements:
        if entry.slack is not None and not entry.quantity.startswith(ONE_STEP):
            found[entry.quantity] = min(entry.slack, found.get(entry.quantity, np.inf))
    return found or {"nothing": np.nan}


def _with(finding: Finding, measurements: tuple[Measurement, ...]) -> Finding:
    return Finding(finding.claim, finding.case, finding.statement, finding.source, (), measurements, finding.notes)


def sharp_findings(case: SharpCase, only: Sequence[str] = ()) -> list[Finding]:
    """All claims on a sharp case, or those named."""
    evidence = evidence_of(case)
    return [sharpened(CLAIMS[name].finding(evidence), case) for name in case.claims if not only or name in only]
