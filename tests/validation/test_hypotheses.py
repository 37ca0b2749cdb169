"""Where a hypothesis of a claim is not met, it certifies nothing, and says which; where it is, it is judged."""

from __future__ import annotations

import numpy as np
import pytest

from tests.validation.cases import (
    SNAPSHOTS,
    altered,
    at_row,
    fixed,
    judged,
    nowhere_but_in_the_first_state,
    replace_run,
    small_problem,
    verdicts,
)
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.load import build_problem
from wpoflow.problems.problem_file import read_problem
from wpoflow.problems.statement import Statement, build
from wpoflow.solver.runs.evolve import evolve
from wpoflow.validation.evidence import Evidence, EvidenceError
from wpoflow.validation.finding import Verdict

HOLDS, FAILS, NOT_CERTIFIED = Verdict.HOLDS, Verdict.FAILS, Verdict.NOT_CERTIFIED
DECAYS = ("decay_weighted", "decay_sup_norm", "decay_paper", "certificate")


def test_rho_that_leaves_out_visited_states() -> None:
    """No paper's rate; the weighted one is known, in files of schema 2 from row to row where every step is a row."""
    evidence = fixed("lqr", "euler", mdp=nowhere_but_in_the_first_state(small_problem("lqr")))
    found = verdicts(evidence)
    assert (found["decay_paper"], found["decay_weighted"], found["decay_sup_norm"]) == (NOT_CERTIFIED, HOLDS, HOLDS)
    assert evidence.density_ratio == np.inf
    earlier = {"occupancy_ratio_largest": np.full_like(evidence.run.series["time"], np.nan)}  # a file of schema 2
    rows = evidence.run.series | earlier
    thinned = {name: values[::3] for name, values in rows.items()}
    assert judged("decay_weighted", altered(evidence, thinned)).verdict is NOT_CERTIFIED


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
    empty = {"navigation": {"decay_paper"}}.get(name_and_scheme[0], set())  # alpha certified in its rows is tiny
    assert {claim: found[claim] for claim in DECAYS} == {
        claim: Verdict.EMPTY if claim in empty else HOLDS for claim in DECAYS
    }
    assert {found[claim] for claim in ("late_rate", "late_mixture")} == {NOT_CERTIFIED}
    excess = evidence.run.series["kl_ratio_excess"]
    raised = np.append(excess[:-1], 1e-3)
    assert judged("decay_sup_norm", altered(evidence, {"kl_ratio_excess": raised})).verdict is NOT_CERTIFIED
    level = at_row(evidence.run.series["gap_sup"], 1, 1.0 + 1e-9)
    level[1] = level[0]
    assert excess[1] < -1e-3
    assert judged("decay_sup_norm", altered(evidence, {"gap_sup": level})).verdict is FAILS


@pytest.mark.parametrize("claim", [*DECAYS, "late_mixture"])
def test_a_run_of_another_flow_certifies_no_decay(lqr: Evidence, claim: str) -> None:
    assert judged(claim, altered(lqr)).verdict is HOLDS
    assert judged(claim, altered(lqr, attributes={"flow": "fisher-rao"})).verdict is NOT_CERTIFIED


def test_late_rates_are_those_of_the_flow_that_is_stated(lqr: Evidence) -> None:
    """A run of the Wasserstein flow does not pass for one of another; of a flow that is not known nothing is said."""
    flows = {"fisher-rao": "{}", "wasserstein-fisher-rao": '{"beta": 1.0}'}
    for flow, parameters in flows.items():
        other = altered(lqr, attributes={"flow": flow, "flow_parameters": parameters})
        assert judged("late_rate", other).verdict is FAILS
    assert judged("late_rate", altered(lqr, attributes={"flow": "OwnFlow"})).verdict is NOT_CERTIFIED


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
        "corrected",
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
