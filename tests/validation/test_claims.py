"""Every claim on small problems: verdicts as they should be, and each claim can be made to fail."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import replace

import numpy as np
import pytest

from tests.solver.faults import Still
from tests.validation.cases import CELLS, SNAPSHOTS, altered, at_row, controlled, fixed, judged, small_problem
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.load import build_problem
from wpoflow.problems.problem_file import read_problem
from wpoflow.problems.statement import Statement, build
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.evolve import evolve
from wpoflow.studies.refinement.plan import RefinedAxis
from wpoflow.validation.case_numbers import case_numbers
from wpoflow.validation.claims import CLAIMS, kl_contraction, orders
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.lower_bounds import LowerBounds, lower_bounds
from wpoflow.validation.controls import BrokenFlow
from wpoflow.validation.evidence import Evidence, EvidenceError, Family
from wpoflow.validation.finding import Verdict
from wpoflow.validation.suite import LEVELS, judge

HOLDS, FAILS, NOT_CERTIFIED = Verdict.HOLDS, Verdict.FAILS, Verdict.NOT_CERTIFIED
FAMILY = {"orders", "regularity"}
ELSEWHERE = {"iteration_contraction", "annealed_descent", "annealed_cost"}  # of runs of another kind
DECAYS = ("decay_weighted", "decay_sup_norm", "decay_paper", "certificate")
LATE = ("late_rate", "late_mixture")
NOT_YET: dict[tuple[str, str], set[str]] = {}
EULER = {*LATE, "decay_any_rho"}  # of unsplit steps, too: these speak of the flow itself
NOT_YET["navigation", "euler"] = {"sharp_certificate", *EULER}
EMPTY: dict[tuple[str, str], set[str]] = {  # the certified alpha of the rows is below 1e-6 of what is seen
    ("bandit", "euler"): {"decay_paper", "certificate"},
    ("navigation", "controlled"): {"decay_paper"},
    ("navigation", "euler"): {"decay_paper"},
}


@pytest.fixture(scope="module", params=list(CELLS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def long_run(name: str) -> Evidence:
    """A run of controlled error to a gap of 1e-16."""
    return controlled(name)


@pytest.fixture(scope="module")
def euler_run(name: str) -> Evidence:
    """A run of equal backward Euler steps."""
    return fixed(name, "euler")


@pytest.fixture(scope="module")
def lqr() -> Evidence:
    return controlled("lqr")


@pytest.fixture(scope="module")
def lqr_euler() -> Evidence:
    return fixed("lqr", "euler")


def verdicts(evidence: Evidence) -> dict[str, Verdict]:
    return {finding.claim: finding.verdict for finding in judge(evidence, LEVELS["quick"])}


def expected(name: str, run: str, usual: set[str]) -> dict[str, Verdict]:
    not_certified = NOT_YET.get((name, run), usual) | ELSEWHERE
    found = {claim: NOT_CERTIFIED if claim in not_certified else HOLDS for claim in CLAIMS if claim not in FAMILY}
    if name == "bandit":  # Q does not depend on the policy: one iteration ends it
        found["policy_iteration"] = Verdict.EMPTY
    for claim in EMPTY.get((name, run), ()):
        found[claim] = Verdict.EMPTY
    return found


def test_controlled_runs(name: str, long_run: Evidence) -> None:
    assert verdicts(long_run) == expected(name, "controlled", set())


def test_backward_euler_runs(name: str, euler_run: Evidence) -> None:
    assert verdicts(euler_run) == expected(name, "euler", EULER)


def test_a_run_alone_is_judged_alike_where_that_is_enough(long_run: Evidence) -> None:
    whole, alone = verdicts(long_run), verdicts(altered(long_run))
    assert set(whole) - set(alone) == {
        "recomputed", "trajectory", "kl_contraction", "policy_iteration", "decay_any_rho", "annealed_cost",
    }  # fmt: skip
    # without the problem single steps are not judged, which may be all that has content
    assert all(verdict in (whole[claim], Verdict.EMPTY) for claim, verdict in alone.items())
    assert all(whole[claim] is HOLDS for claim, verdict in alone.items() if verdict is not whole[claim])


def test_guaranteed_below_observed_below_and_towards_sharp(name: str, long_run: Evidence) -> None:
    rates = case_numbers(long_run)["rates"]
    rows = np.flatnonzero(rates["judged"])
    assert rows.size > 50
    for guarantee in ("guaranteed", "paper", "certified_rho"):
        assert np.all(np.array(rates[guarantee])[rows] <= np.array(rates["observed"])[rows])
    # equal where there is one state, up to rounding
    assert np.all(np.array(rates["paper"])[rows] <= np.array(rates["sup_norm"])[rows] * (1.0 + 1e-14))
    assert rates["guaranteed"][rows[-1]] > 0.05 * rates["sharp"]
    assert 0.98 * rates["sharp"] < rates["certified"][rows[-1]] <= rates["sharp"] * (1.0 + 1e-9)
    assert rates["certified_rho"][rows[-1]] > 0.98 * rates["sharp"]
    assert rates["observed"][rows[-1]] == pytest.approx(rates["sharp"], rel=0.05)


# each claim fails when what it speaks of is altered


def scaled(evidence: Evidence, series: str, factor: float, since: float = 0.0) -> FloatArray:
    values = evidence.run.series[series]
    return np.where(evidence.run.series["time"] >= since, factor * values, values)


def middle(evidence: Evidence) -> int:
    return len(evidence.run.series["time"]) // 2


def replaced(evidence: Evidence, name: str, row: int, value: float) -> FloatArray:
    out = evidence.run.series[name].copy()
    out[row] = value
    return out


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


def replace_run(evidence: Evidence, **series: FloatArray) -> Evidence:
    """The same run with other series, the problem still known."""
    return Evidence(evidence.name, altered(evidence, series).run, evidence.mdp)


def at_other_times(evidence: Evidence, factor: float) -> Evidence:
    """All times multiplied by a factor."""
    other = altered(evidence, {"time": factor * evidence.run.series["time"]}).run
    assert other.snapshots is not None
    later = copy(other.snapshots)
    vars(later)["time"] = factor * np.asarray(other.snapshots.time)
    vars(other)["snapshots"] = later
    return Evidence(evidence.name, other, evidence.mdp)


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


def test_a_wrong_spectral_gap_is_found_out_by_the_slowest_state(lqr: Evidence) -> None:
    evidence = altered(lqr)
    vars(evidence)["spectral_gaps"] = 1.001 * lqr.spectral_gaps
    entry = next(e for e in judged("late_rate", evidence).measurements if "slowest" in e.quantity)
    assert not entry.holds
    assert entry.tolerance < 1e-3 * entry.bound


def test_policy_iteration_towards_another_optimum_is_not_quadratic(lqr: Evidence) -> None:
    run = altered(lqr).run
    wrong = replace(lqr.optimum, q=lqr.optimum.q + 1e-3 * np.sin(np.arange(lqr.optimum.q.shape[1])))
    vars(run)["optimum"] = wrong
    assert judged("policy_iteration", Evidence("wrong", run, lqr.mdp)).verdict is FAILS


# hypotheses


def nowhere_but_in_the_first_state(mdp: GridMDP) -> GridMDP:
    return replace(mdp, rho=np.eye(mdp.states.size)[0])


def test_rho_that_leaves_out_visited_states() -> None:
    """No paper's rate; the weighted one is known from row to row where every step is a row."""
    evidence = fixed("lqr", "euler", mdp=nowhere_but_in_the_first_state(small_problem("lqr")))
    found = verdicts(evidence)
    assert (found["decay_paper"], found["decay_weighted"], found["decay_sup_norm"]) == (NOT_CERTIFIED, HOLDS, HOLDS)
    assert evidence.density_ratio == np.inf
    rows = evidence.run.series
    thinned = {name: values[::3] for name, values in rows.items()}
    assert judged("decay_weighted", altered(evidence, thinned)).verdict is NOT_CERTIFIED


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


@pytest.mark.parametrize("factor", [1.0 / 1.02, 1.02])
def test_late_rates_fail_narrowly_on_every_problem(long_run: Evidence, factor: float) -> None:
    """The gap's rate at 2 % off; time that passes 2 % faster or slower than the snapshots say."""
    faster = replace_run(long_run, rate_observed=factor * long_run.run.series["rate_observed"])
    assert judged("late_mixture", faster).verdict is FAILS
    assert judged("late_rate", at_other_times(long_run, factor)).verdict is FAILS


def test_late_rates_know_a_larger_spectral_gap_on_every_problem(long_run: Evidence) -> None:
    evidence = replace_run(long_run)
    vars(evidence)["spectral_gaps"] = 1.02 * long_run.spectral_gaps
    below = [entry for entry in judged("late_rate", evidence).measurements if "from below" in entry.quantity]
    assert len(below) == 1
    assert not below[0].holds


def test_late_rates_need_not_wait_for_the_slowest_mode() -> None:
    """The run ends before the slowest state is in its slowest mode; its Rayleigh quotients are judged all the same."""
    evidence = controlled("navigation", time=10.0)
    finding = judged("late_rate", evidence)
    assert finding.verdict is HOLDS
    assert judged("late_mixture", evidence).verdict is HOLDS


@pytest.mark.parametrize("claim", ["decay_paper", "decay_any_rho"])
def test_where_rho_leaves_out_visited_states_the_theorem_is_judged_for_another_law(claim: str) -> None:
    mdp = nowhere_but_in_the_first_state(small_problem("lqr"))
    run = evolve(mdp, until={"gap": 1e-9}, accuracy=1e-4, snapshots=SNAPSHOTS)
    evidence = Evidence("one state", run, mdp)
    finding = judged(claim, evidence)
    assert evidence.density_ratio == np.inf
    assert finding.verdict is HOLDS
    assert all("nu" in entry.quantity for entry in finding.measurements)
    stays = np.full_like(run.series["gap"], run.series["gap"][0])
    assert judged(claim, replace_run(evidence, gap=stays)).verdict is FAILS


@pytest.mark.parametrize("name_and_scheme", [("bandit", "extrapolated"), ("navigation", "euler")])
def test_other_fixed_steps_are_judged_by_what_they_removed(name_and_scheme: tuple[str, str]) -> None:
    """The a-posteriori form: as long as every step lowers KL(p|g) in every state, by the part that it removed."""
    evidence = fixed(*name_and_scheme)
    found = verdicts(evidence)
    empty = EMPTY.get(name_and_scheme, set())
    assert {claim: found[claim] for claim in DECAYS} == {
        claim: Verdict.EMPTY if claim in empty else HOLDS for claim in DECAYS
    }
    assert {found[claim] for claim in LATE} == {NOT_CERTIFIED}
    excess = evidence.run.series["kl_ratio_excess"]
    raised = np.append(excess[:-1], 1e-3)
    assert judged("decay_sup_norm", altered(evidence, {"kl_ratio_excess": raised})).verdict is NOT_CERTIFIED
    level = at_row(evidence.run.series["gap_sup"], 1, 1.0 + 1e-9)
    level[1] = level[0]
    assert excess[1] < -1e-3
    assert judged("decay_sup_norm", altered(evidence, {"gap_sup": level})).verdict is FAILS


@pytest.mark.parametrize("claim", [*DECAYS, *LATE])
def test_a_run_of_another_flow_certifies_no_decay(lqr: Evidence, claim: str) -> None:
    assert judged(claim, altered(lqr)).verdict is HOLDS
    assert judged(claim, altered(lqr, attributes={"flow": "fisher-rao"})).verdict is NOT_CERTIFIED


def test_a_short_run_certifies_no_late_rate() -> None:
    evidence = controlled("lqr", steps=30)
    assert judged("late_rate", evidence).verdict is NOT_CERTIFIED
    assert judged("decay_sup_norm", evidence).verdict is HOLDS


def test_a_run_that_ends_before_one_mode_is_left_certifies_no_late_rate() -> None:
    """The slowest state has long been falling; its deviation is still large and the target still moves."""
    finding = judged("late_rate", controlled("lqr", time=2.0))
    assert finding.verdict is NOT_CERTIFIED
    assert finding.reason.startswith("late")


def test_states_no_policy_reaches_certify_no_weighted_rate(lqr: Evidence) -> None:
    ratio = np.full_like(lqr.run.series["time"], 1e300)
    for claim in ("static_inequality", "decay_weighted"):
        assert judged(claim, altered(lqr, {"occupancy_ratio": ratio})).verdict is NOT_CERTIFIED


def test_one_action_leaves_nothing_to_certify() -> None:
    mdp = build(
        Statement(
            states=Grid((uniform_axis("x", -1.0, 1.0, 5, "clamp"),)),
            actions=Grid((uniform_axis("u", 0.0, 1.0, 1),)),
            discount=0.5,
            temperature=1.0,
            cost=lambda x, u: x**2 + u,
            dynamics={"x": lambda x, u: 0.5 * x},
            noise={"x": 0.2},
        )
    )
    evidence = Evidence("one action", evolve(mdp, until=1.0, accuracy=1e-3), mdp)
    found = verdicts(evidence)
    assert {claim for claim, verdict in found.items() if verdict is HOLDS} == {
        "structure", "recomputed", "trajectory", "identities", "pointwise_descent", "dissipation_identity",
    }  # fmt: skip
    assert FAILS not in found.values()


def test_a_run_without_its_optimum_or_rows_is_refused(lqr: Evidence) -> None:
    run = altered(lqr).run
    vars(run)["optimum"] = None
    with pytest.raises(EvidenceError, match="optimum"):
        Evidence("early", run)
    with pytest.raises(EvidenceError, match="no rows"):
        altered(lqr, {name: values[:0] for name, values in lqr.run.series.items()})


def test_a_sound_run_that_bends_does_not_fail_for_its_quadrature() -> None:
    """The rate has inflection points late in these runs: rows say nothing there, and a bound must not pretend to."""
    for cells, steps in (((22, 22), 300), ((16, 40), 300), ((20, 25), 150)):
        mdp = build_problem(read_problem("torus", cells=dict(zip(("s", "a"), cells, strict=True))))
        run = evolve(mdp, until={"gap": 1e-18, "steps": steps}, snapshots=3)
        finding = judged("dissipation_identity", Evidence("torus", run, mdp))
        assert finding.verdict is HOLDS, finding.reason
        assert finding.notes["intervals left out"] < np.count_nonzero(run.series["time"]) / 2


# claims on several grids


def bandit(cost: str, cells: int) -> GridMDP:
    def jump(a: FloatArray) -> FloatArray:
        return np.asarray(0.5 * a**2 + 0.5 * (a > 0.3) if cost == "jump" else 0.5 * a**2)

    return build(
        Statement(
            actions=Grid((uniform_axis("a", -2.0, 2.0, cells),)),
            discount=0.9,
            temperature=0.5,
            cost=jump,
            policy_density=lambda a: np.asarray(np.exp(-((a - 0.5) ** 2))),
        )
    )


def several_grids(cost: str, cells: int = 32) -> Evidence:
    def make(sizes: Mapping[str, int]) -> GridMDP:
        return bandit(cost, sizes.get("a", cells))

    run = evolve(make({}), until={"time": 2.0}, accuracy=1e-3)
    return Evidence(cost, run, make({}), family=Family(make, [RefinedAxis("a", "action", cells)]))


def test_monitors_of_a_smooth_cost_are_bounded_and_of_a_jump_are_not() -> None:
    assert judged("regularity", several_grids("smooth")).verdict is HOLDS
    finding = judged("regularity", several_grids("jump"))
    assert finding.verdict is NOT_CERTIFIED
    assert finding.reason.startswith(("score_max", "q_slope_max"))


def test_the_order_of_backward_euler_is_one_even_with_a_jump() -> None:
    for cost in ("smooth", "jump"):
        assert judged("orders", several_grids(cost)).verdict is HOLDS


def test_a_scheme_of_another_order_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order said to be judged is two, backward Euler's is one."""
    monkeypatch.setattr(orders, "ORDER", 2.0)
    assert judged("orders", several_grids("smooth")).verdict is FAILS
