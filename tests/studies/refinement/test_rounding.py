"""Differences that rounding makes are never read as an order, nor called divergent."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from tests.validation.cases import small_problem
from tests.variants import slow
from wpoflow.problems.load import load_problem
from wpoflow.solver.mdp import GridMDP
from wpoflow.studies.refinement.result import RefinementStudy
from wpoflow.studies.refinement.study import refine
from wpoflow.views.refinement_table import study_text

SERIES = ["value_rho", "gap", "gap_sup", "kl_sup", "dissipation", "entropy", "q_slope_max"]


def steps_refined(make: GridMDP, quantities: list[str], time: float) -> RefinementStudy:
    def same(cells: Mapping[str, int]) -> GridMDP:
        return make

    return refine(same, [], 4, quantities, times=[time], directions=["time"], scheme="extrapolated")


@pytest.mark.slow
@pytest.mark.parametrize("discount", [slow(0.9), 0.999])
def test_a_run_that_has_arrived_is_down_to_rounding(discount: float) -> None:
    """At t = 40 the regulator's gap is at its floor; whatever the step, the numbers differ by rounding alone."""
    mdp = load_problem("lqr", cells={"x": 33, "u": 32}, set={"problem.discount": discount})
    found = steps_refined(mdp, SERIES, 40.0)
    for name in SERIES:
        study = found.find("time", name)
        assert study.finest.behaviour == "unresolved", name
        assert study.noise_from == "rounding"
        assert np.all(np.isnan(study.orders)), name
        assert max(abs(d) for d in study.differences[1:]) <= study.noise
    text = study_text(found)
    assert text.count("down to rounding") == len(SERIES)
    assert "divergent" not in text


def test_an_order_above_rounding_is_still_seen() -> None:
    """The noise is no excuse: at t = 1 the same steps show their order in every one of the series."""
    mdp = load_problem("lqr", cells={"x": 33, "u": 32})
    names = ["value_rho", "gap", "kl_sup", "dissipation", "rate_observed", "entropy"]
    found = refine(lambda cells: mdp, [], 4, names, times=[1.0], directions=["time"], scheme="euler")
    for name in names:
        study = found.find("time", name)
        assert study.finest.behaviour == "monotone"
        assert study.orders[-1] == pytest.approx(1.0, abs=0.1)
        assert study.noise < 1e-6 * abs(study.differences[-1])


def test_high_order_steps_end_in_rounding_not_in_divergence() -> None:
    """Extrapolated steps of a short flow: their differences fall until rounding, whose ratios mean nothing."""
    found = steps_refined(small_problem("lqr"), ["value_rho", "entropy"], 0.2)
    for study in found.directions[0].studies:
        assert study.finest.behaviour != "divergent"
