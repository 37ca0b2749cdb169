"""Each claim fails when a series, a constant or a step that it speaks of is altered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.solver.faults import Still
from tests.validation.cases import altered, at_row, controlled, fixed, judged, middle, replaced
from wpoflow.core.arrays import FloatArray
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.validation.claims import kl_contraction
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.lower_bounds import LowerBounds, lower_bounds
from wpoflow.validation.controls import BrokenFlow
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Verdict

HOLDS, FAILS, NOT_CERTIFIED = Verdict.HOLDS, Verdict.FAILS, Verdict.NOT_CERTIFIED


def scaled(evidence: Evidence, series: str, factor: float, since: float = 0.0) -> FloatArray:
    values = evidence.run.series[series]
    return np.where(evidence.run.series["time"] >= since, factor * values, values)


def alterations(evidence: Evidence) -> list[tuple[str, dict[str, FloatArray]]]:
    series, half, late = evidence.run.series, middle(evidence), len(evidence.run.series["time"]) - 5
    return [
        ("structure", {"mass_error": replaced(evidence, "mass_error", half, 1e-12)}),
        ("structure", {"density_min": replaced(evidence, "density_min", half, -1e-300)}),
        ("identities", {"value_rho": series["value_rho"] + 1e-9}),
        ("identities", {"gap": replaced(evidence, "gap", half, -1e-9)}),
        ("identities", {"gap_sup": at_row(series["bellman_residual"], half, 10.01)}),
        ("pointwise_descent", {"descent_defect": replaced(evidence, "descent_defect", half, 1e-9)}),
        ("dissipation_identity", {"rate_observed": 0.5 * series["rate_observed"]}),
        ("dissipation_identity", {"rate_observed": scaled(evidence, "rate_observed", 1.01)}),
        ("static_inequality", {"dissipation": at_row(series["dissipation"], late, 1e-3)}),
        ("static_inequality", {"dissipation": at_row(series["dissipation"], late, 0.0)}),
        ("static_inequality", {"dissipation": at_row(series["dissipation"], late, -1.0)}),
        ("decay_weighted", {"gap": at_row(series["gap"], half, 1.2)}),
        ("decay_sup_norm", {"gap_sup": at_row(series["gap_sup"], half, 1.2)}),
        ("decay_paper", {"gap": at_row(series["gap"], half, 1.2)}),
        ("decay_paper", {"dissipation": at_row(series["dissipation"], late, 0.0)}),
        ("certificate", {"gap_sup": np.maximum(series["gap_sup"], series["gap_sup"][late])}),
        ("certificate", {"gap": np.maximum(series["gap"], series["gap"][late])}),
        ("late_mixture", {"rate_observed": scaled(evidence, "rate_observed", 1.02, 0.8 * series["time"][-1])}),
    ]


NOT_A_NUMBER = [
    ("structure", "mass_error"),
    ("structure", "density_min"),
    ("identities", "value_rho"),
    ("identities", "gap"),
    ("identities", "gap_sup"),
    ("pointwise_descent", "descent_defect"),
    ("dissipation_identity", "rate_observed"),
    ("static_inequality", "dissipation"),
    ("static_inequality", "gap"),
    ("decay_weighted", "gap"),
    ("decay_sup_norm", "gap_sup"),
    ("decay_paper", "gap"),
    ("certificate", "gap_sup"),
]


@pytest.mark.parametrize("case", range(18))
def test_an_altered_series_fails(lqr: Evidence, case: int) -> None:
    found = alterations(lqr)
    assert len(found) == 18
    claim, series = found[case]
    assert judged(claim, altered(lqr)).verdict is HOLDS
    assert judged(claim, altered(lqr, series)).verdict is FAILS


@pytest.mark.parametrize(("claim", "series"), NOT_A_NUMBER)
def test_a_row_that_is_not_a_number_fails(lqr: Evidence, claim: str, series: str) -> None:
    broken = altered(lqr, {series: replaced(lqr, series, middle(lqr), np.nan)})
    assert judged(claim, broken).verdict is FAILS


def test_backward_euler_decay_is_held_to_the_discrete_theorem(lqr_euler: Evidence) -> None:
    """Without time error in the budget a gap that stays the same for one step is a violation."""
    series, row = lqr_euler.run.series, middle(lqr_euler)
    for claim, name in (("decay_weighted", "gap"), ("decay_paper", "gap"), ("decay_sup_norm", "gap_sup")):
        stays = replaced(lqr_euler, name, row, float(series[name][row - 1]))
        assert judged(claim, altered(lqr_euler)).verdict is HOLDS
        assert judged(claim, altered(lqr_euler, {name: stays})).verdict is FAILS


class Slowed(WassersteinFlow):
    """Steps a quarter as long as asked for."""

    def step(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
        return super().step(p, q, 0.25 * dt, out)


def test_steps_that_are_too_short_contract_too_little() -> None:
    evidence = fixed("bandit", "euler")
    assert evidence.mdp is not None
    slow = Evidence("slow", evidence.run, evidence.mdp, Slowed(evidence.mdp))
    assert judged("kl_contraction", slow).verdict is FAILS
    still = Evidence("still", evidence.run, evidence.mdp, Still(evidence.mdp))
    for claim in ("kl_contraction", "decay_weighted", "decay_sup_norm"):
        assert judged(claim, still).verdict is FAILS


def test_the_a_posteriori_form_certifies_nothing_of_a_step_that_stands_still() -> None:
    """theta is measured: a split step that does nothing has theta = 0 and breaks no bound."""
    evidence = controlled("navigation", steps=20)
    assert evidence.mdp is not None
    still = Evidence("still", evidence.run, evidence.mdp, Still(evidence.mdp))
    finding = judged("decay_sup_norm", still)
    steps = [entry for entry in finding.measurements if "a posteriori" in entry.quantity]
    assert [(entry.measured, entry.bound) for entry in steps] == [(1.0, 1.0)] * 4


@pytest.mark.parametrize(("lift", "verdict"), [(0.999, HOLDS), (1.001, FAILS)])
def test_a_lower_bound_above_alpha_is_found_out(lqr: Evidence, lift: float, verdict: Verdict) -> None:
    evidence = altered(lqr)
    known = judged("constants_ordered", evidence).measurements
    ratio = max(known[0].measured, known[2].measured)  # over alpha where it was looked at, over lambda elsewhere
    assert 0.5 < ratio < 1.0
    values = {name: lift / ratio * values for name, values in evidence.bounds.values.items()}
    vars(evidence)["bounds"] = LowerBounds(values)
    assert judged("constants_ordered", evidence).verdict is verdict


def test_policy_iteration_towards_another_optimum_is_not_quadratic(lqr: Evidence) -> None:
    run = altered(lqr).run
    wrong = replace(lqr.optimum, q=lqr.optimum.q + 1e-3 * np.sin(np.arange(lqr.optimum.q.shape[1])))
    vars(run)["optimum"] = wrong
    assert judged("policy_iteration", Evidence("wrong", run, lqr.mdp)).verdict is FAILS


def test_with_two_action_axes_the_unsplit_step_is_held_to_the_theorem_and_the_split_one_to_descent() -> None:
    finding = judged("kl_contraction", fixed("navigation", "euler", time=0.5))
    assert finding.verdict is HOLDS
    split, unsplit = (
        [entry for entry in finding.measurements if entry.quantity.endswith(f", {kind} step")]
        for kind in ("split", "unsplit")
    )
    assert len(split) == len(unsplit) == 8
    assert all(entry.bound == 1.0 for entry in split)
    assert all(entry.bound < 1.0 for entry in unsplit)
    assert finding.slack is not None
    assert finding.slack < 5.0


def test_with_two_action_axes_a_larger_alpha_and_a_step_the_wrong_way_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = fixed("navigation", "euler", time=0.5)
    assert evidence.mdp is not None
    slack = judged("kl_contraction", evidence).slack or np.nan
    backwards = BrokenFlow(evidence.mdp, lambda q, dt: (-q, dt))
    assert judged("kl_contraction", Evidence("back", evidence.run, evidence.mdp, backwards)).verdict is FAILS
    sound = lower_bounds

    def larger(generators: Generators) -> LowerBounds:
        return LowerBounds({name: 1.02 * slack * values for name, values in sound(generators).values.items()})

    monkeypatch.setattr(kl_contraction, "lower_bounds", larger)
    assert judged("kl_contraction", evidence).verdict is FAILS
