"""Controls of what is claimed of annealed runs and of policy iteration: caught if broken, and not if not."""

from __future__ import annotations

import pytest

from tests.variants import slow
from wpoflow.validation.claims import CLAIMS
from wpoflow.validation.claims.claim import CONSTANT
from wpoflow.validation.finding import Verdict
from wpoflow.validation.suite import LEVELS, validate_problem, validate_run

SMALL = {"x": 12, "u": 12}
OF_ANNEALED = ("structure", "annealed_descent", "annealed_identity", "annealed_cost")


@pytest.mark.parametrize("kind", [slow("fisher-rao"), slow("wasserstein"), "wasserstein-fisher-rao"])
def test_nothing_that_takes_the_temperature_for_constant_is_said_of_an_annealed_run(kind: str) -> None:
    changes = {"flow.kind": f'"{kind}"', "flow.anneal": '{ schedule = "exponential", rate = 0.2 }', "flow.until": "8.0"}
    seen = []
    result = validate_problem("lqr", LEVELS["quick"], cells=SMALL, set=changes, watch=lambda found: seen.append(found))
    of_file = validate_run(seen[0].run, "run")
    assert result.passed
    assert of_file.passed
    verdicts = {finding.claim: finding.verdict for finding in result.findings}
    assert verdicts["structure"] is verdicts["annealed_descent"] is Verdict.HOLDS
    expected = Verdict.HOLDS if kind == "fisher-rao" else Verdict.NOT_CERTIFIED
    assert verdicts["annealed_cost"] is verdicts["annealed_identity"] is expected
    for finding in (*result.findings, *of_file.findings):
        if finding.claim not in OF_ANNEALED:
            assert finding.verdict is Verdict.NOT_CERTIFIED
            assert finding.hypotheses[0].name == CONSTANT
            assert "exponential" in finding.reason
    rates = result.cases["lqr"]["rates"]
    assert set(rates["guaranteed"]) == set(rates["certified"]) == {0.0}
    assert rates["sharp"] == "nan"


def test_claims_of_other_temperatures_do_not_speak_of_constant_ones() -> None:
    result = validate_problem("lqr", cells=SMALL, set={"flow.until": "2.0"}, only=list(OF_ANNEALED[1:]))
    assert not result.findings
    assert CLAIMS["annealed_cost"].any_temperature
