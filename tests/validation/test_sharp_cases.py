"""On the sharp cases inequalities are equalities: as they stand they hold, and a tenth more fails."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.mutant import ROOT
from tests.suite_mutants import GROUPS
from tests.suite_mutants_run import HEAD, NOT_TRIED, PAGE, row, rows_of, with_rows
from wpoflow.solver.bellman.evaluation import evaluate, occupancy
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.claims import CLAIMS, decay_paper, decays
from wpoflow.validation.constants.proven import ProvenBound
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Finding, Verdict
from wpoflow.validation.independent.generator import Frozen, Geometry
from wpoflow.validation.sharp_cases import constants_attained, problems
from wpoflow.validation.sharp_cases.suite import CASES, RESOLUTION, evidence_of, sharpened
from wpoflow.validation.sharp_cases.two_cells import exact_alpha
from wpoflow.validation.suite import claim_names


@cache
def evidence(name: str) -> Evidence:
    return evidence_of(CASES[name])


def fresh(name: str) -> Evidence:
    """The same run, with nothing computed of it yet."""
    known, case = evidence(name), CASES[name]
    return case.evidence(known.name, known.run, known.mdp)


def found(name: str, claim: str) -> Finding:
    return sharpened(CLAIMS[claim].finding(fresh(name)), CASES[name])


def test_constants_attained() -> None:
    assert constants_attained.finding().verdict is Verdict.HOLDS


@pytest.mark.parametrize(("name", "claim"), [(name, claim) for name, case in CASES.items() for claim in case.claims])
def test_sound_claims_hold(name: str, claim: str) -> None:
    finding = sharpened(CLAIMS[claim].finding(evidence(name)), CASES[name])
    assert finding.verdict is Verdict.HOLDS, [entry for entry in finding.measurements if not entry.holds]


def test_the_chain_attains_every_rate_of_the_theory() -> None:
    mdp = problems.chain()
    now = evaluate(mdp, mdp.initial_policy)
    gap, best = now.value - evidence("chain").optimum.value, evidence("chain").optimum.occupancy
    visited = occupancy(mdp, now.system)
    gamma = mdp.discount
    assert best[0] / mdp.rho[0] == pytest.approx(1.0 + gamma, rel=1e-6)
    assert best[0] / visited[0] == pytest.approx((1.0 + gamma) / (1.0 - gamma), rel=0.02)
    frozen = Frozen.of(Geometry.of(mdp.actions), now.q, mdp.reference_mass, mdp.temperature)
    lost = frozen.dissipation(mdp.initial_policy)
    assert np.abs(lost[1:]).max() < 1e-9 * lost[0]
    rate = float(visited @ lost) / (1.0 - gamma) / float(mdp.rho @ gap)
    assert rate == pytest.approx(2.0 * exact_alpha(frozen, 0) * (1.0 - gamma) / (best[0] / mdp.rho[0]), rel=0.03)


@pytest.mark.parametrize(
    ("module", "function", "case", "claim"),
    [
        (decays, "flow_factor", "flat path", "decay_weighted"),
        (decays, "flow_factor", "flat path", "decay_sup_norm"),
        (decays, "flow_factor", "chain", "decay_paper"),
        (decays, "flow_factor", "chain", "decay_sup_norm"),
        (decays, "flow_factor", "flat path", "certificate"),
        (decay_paper, "paper_rate", "chain", "decay_paper"),
    ],
)
@pytest.mark.parametrize("factor", [1.1, 1 / 1.1])
def test_a_rate_a_tenth_off_fails(
    module: Any, function: str, case: str, claim: str, factor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = getattr(module, function)
    if function == "paper_rate":  # of a proven bound: nothing but what it gives can be off
        monkeypatch.setattr(module, function, lambda *given: factor * sound(*given))
    else:
        monkeypatch.setattr(module, function, lambda rate, *rest: sound(factor * rate, *rest))
    assert found(case, claim).verdict is Verdict.FAILS


def without_exponent(bound: ProvenBound, largest: Any, discount: float, temperature: float) -> ProvenBound:
    return bound.lowered(np.exp(0.0 * np.asarray(largest)))


def test_a_certificate_without_its_exponent_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wpoflow.validation.evidence.future_bound", without_exponent)
    assert found("barrier", "recomputed").verdict is Verdict.FAILS


def test_a_tolerance_that_could_not_see_fails() -> None:
    case = CASES["flat path"]
    for claim in case.claims:
        finding = CLAIMS[claim].finding(evidence("flat path"))
        entry = finding.measurements[0]
        blind = replace(entry, rounding=200.0 * RESOLUTION[claim] * max(1.0, abs(entry.bound), abs(entry.measured)))
        assert sharpened(replace(finding, measurements=(blind,)), case).verdict is Verdict.FAILS


def test_a_claim_that_is_not_judged_on_a_sharp_case_fails() -> None:
    finding = CLAIMS["late_rate"].finding(replace_run(evidence("flat path")))
    assert finding.verdict is Verdict.NOT_CERTIFIED
    assert sharpened(finding, CASES["flat path"]).verdict is Verdict.FAILS


def replace_run(known: Evidence) -> Evidence:
    from copy import copy

    run = copy(known.run)
    run.snapshots = None
    return Evidence(known.name, run, known.mdp)


def test_every_claim_with_a_tolerance_is_sharp_somewhere() -> None:
    judged = {claim for case in CASES.values() for claim in case.claims}
    assert judged == set(RESOLUTION)
    of_others = {name for name, claim in CLAIMS.items() if claim.flows or claim.annealed}
    # two need several grids; one is an equation, and broken in a test of its own
    assert set(CLAIMS) - judged - of_others == {"orders", "regularity", "corrected"}


@pytest.mark.parametrize("group", list(GROUPS))
def test_mutants_apply_to_the_sources(group: str) -> None:
    for name, mutant in GROUPS[group].items():
        text = (ROOT / mutant.file).read_text(encoding="utf-8")
        assert mutant.applied(text) != text, name


def test_a_solver_that_goes_to_another_equilibrium_is_judged_and_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """It never comes to the gap asked for, and its steps grow without end: the case ends all the same."""
    monkeypatch.setattr(GridMDP, "log_reference_density", GridMDP.log_mass)
    case = CASES["graded circle"]
    astray = evidence_of(case)
    assert astray.run.series["gap"][-1] > 0.1
    for claim in ("structure", "recomputed", "late_rate"):
        assert sharpened(CLAIMS[claim].finding(astray), case).verdict is Verdict.FAILS


def test_the_page_of_mutants_has_the_rows_of_the_command() -> None:
    found = rows_of(PAGE.read_text(encoding="utf-8"))
    assert list(found) == [(group, name) for group, mutants in GROUPS.items() for name in mutants]
    claims = set(claim_names())
    for caught in found.values():
        named = set(re.findall("`([^`]*)`", caught))
        assert caught.startswith("the control ") or caught == NOT_TRIED or (named and named <= claims), caught


def test_a_run_of_some_groups_leaves_the_other_rows() -> None:
    page = "words\n" + HEAD + row("|d*/rho|", "mean", "`decay_paper` on chain") + row("gone", "gone", "`structure`")
    after = rows_of(with_rows(page, {("kappa", "mean"): "`recomputed` on flat path"}))
    assert after["|d*/rho|", "mean"] == "`decay_paper` on chain"
    assert after["kappa", "mean"] == "`recomputed` on flat path"
    assert after["kappa", "one"] == NOT_TRIED
    assert ("gone", "gone") not in after
