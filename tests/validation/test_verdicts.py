"""Every claim on small problems: verdicts as they should be, and rates in their order."""

from __future__ import annotations

import numpy as np
import pytest

from tests.validation.cases import altered, verdicts
from wpoflow.validation.case_numbers import case_numbers
from wpoflow.validation.claims import CLAIMS
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Verdict

HOLDS, NOT_CERTIFIED = Verdict.HOLDS, Verdict.NOT_CERTIFIED
FAMILY = {"orders", "regularity"}
NOT_YET: dict[tuple[str, str], set[str]] = {}
EULER = {"late_rate", "late_mixture", "decay_any_rho"}  # of unsplit steps, too: these speak of the flow itself
NOT_YET["navigation", "euler"] = {"sharp_certificate", *EULER}
EMPTY: dict[tuple[str, str], set[str]] = {  # the certified alpha of the rows is below 1e-6 of what is seen
    ("bandit", "euler"): {"decay_paper", "certificate"},
    ("navigation", "controlled"): {"decay_paper"},
    ("navigation", "euler"): {"decay_paper"},
}


def expected(name: str, run: str, usual: set[str]) -> dict[str, Verdict]:
    not_certified = NOT_YET.get((name, run), usual)
    made = [claim for claim, entry in CLAIMS.items() if not (claim in FAMILY or entry.flows or entry.annealed)]
    found = {claim: NOT_CERTIFIED if claim in not_certified else HOLDS for claim in made}
    if name == "bandit":  # Q does not depend on the policy: one iteration ends it
        found["policy_iteration"] = Verdict.EMPTY
    for claim in EMPTY.get((name, run), ()):
        found[claim] = Verdict.EMPTY
    return found


def test_controlled_runs(problem: str, long_run: Evidence) -> None:
    assert verdicts(long_run) == expected(problem, "controlled", set())


def test_backward_euler_runs(problem: str, euler_run: Evidence) -> None:
    assert verdicts(euler_run) == expected(problem, "euler", EULER)


def test_a_run_alone_is_judged_alike_where_that_is_enough(long_run: Evidence) -> None:
    whole, alone = verdicts(long_run), verdicts(altered(long_run))
    assert set(whole) - set(alone) == {
        "recomputed", "trajectory", "kl_contraction", "policy_iteration", "decay_any_rho", "corrected",
    }  # fmt: skip
    # without the problem single steps are not judged, which may be all that has content
    assert all(verdict in (whole[claim], Verdict.EMPTY) for claim, verdict in alone.items())
    assert all(whole[claim] is HOLDS for claim, verdict in alone.items() if verdict is not whole[claim])


def test_guaranteed_below_observed_below_and_towards_sharp(problem: str, long_run: Evidence) -> None:
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
