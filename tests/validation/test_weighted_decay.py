"""Decay of gap(rho) judged by the largest kappa of the steps between rows, as the run records it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.validation.cases import altered, controlled, judged, small_problem
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.evolve import evolve
from wpoflow.validation.claims.decay_weighted import concentrability
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Verdict

STEPS = "occupancy_ratio_largest"


@pytest.fixture(scope="module")
def left_out() -> GridMDP:
    """rho in the first state alone: no bound is known a priori."""
    mdp = small_problem("lqr")
    return replace(mdp, rho=np.eye(mdp.states.size)[0])


@pytest.mark.parametrize("how", [{"accuracy": 1e-5}, {"step": 0.05, "scheme": "euler"}])
def test_it_is_certified_between_rows_far_apart(left_out: GridMDP, how: dict[str, float]) -> None:
    run = evolve(left_out, until=6.0, series={"every": 0.5}, snapshots=5, **how)  # type: ignore[arg-type]
    evidence = Evidence("lqr", run)
    assert evidence.density_ratio == np.inf
    finding = judged("decay_weighted", evidence)
    assert finding.verdict is Verdict.HOLDS
    # a kappa that is too small asks for more than the flow does, and fails
    wrong = {STEPS: 0.01 * run.series[STEPS], "occupancy_ratio": 0.01 * run.series["occupancy_ratio"]}
    assert judged("decay_weighted", altered(evidence, wrong)).verdict is Verdict.FAILS
    unknown = {STEPS: np.full_like(run.series[STEPS], np.nan)}
    assert judged("decay_weighted", altered(evidence, unknown)).verdict is Verdict.NOT_CERTIFIED


def test_the_largest_kappa_since_the_last_row_counts() -> None:
    """Of controlled runs that of the row before as well; none is larger than the a-priori bound."""
    evidence = controlled("lqr", time=2.0)
    series, prior = evidence.run.series, evidence.density_ratio / (1.0 - evidence.discount)
    kappa, now = concentrability(evidence), series["occupancy_ratio"]
    assert np.all(kappa[:-1] >= np.maximum(now[:-1], now[1:]))
    assert np.all(kappa <= prior)
    peak = np.ones_like(now)
    peak[5] = 1e6  # in the steps that lead to row 5
    raised = concentrability(altered(evidence, {STEPS: peak}))
    np.testing.assert_array_equal(raised[[3, 4, 5]], [now[3], prior, now[5]])
