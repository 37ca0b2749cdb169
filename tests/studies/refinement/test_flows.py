"""Refinement follows the flow that the problem states, with its parameters, and by schemes that are for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.variants import slow
from wpoflow.problems.load import load_problem
from wpoflow.solver.flows.flow import as_flow
from wpoflow.solver.runs.evolve import evolve
from wpoflow.studies.refinement.problem_study import refine
from wpoflow.studies.refinement.study import RefinementError

CELLS = {"x": 10, "u": 10}
FISHER_RAO = {"flow.kind": '"fisher-rao"'}
MIRROR = {"flow.kind": '"mirror"', "flow.step": "0.25"}
BOTH = {"flow.kind": '"wasserstein-fisher-rao"', "flow.beta": "3.0"}


def of_steps(given: dict[str, Any], **more: Any) -> Any:
    return refine(
        "lqr", 4, ("value_rho",), times=[2.0], directions=["time"], cells=CELLS, set=given, factor=2.0, **more
    )


@pytest.mark.parametrize(
    ("given", "order", "step"), [slow((FISHER_RAO, 4.0, 0.0125)), (MIRROR, 1.0, 0.05), slow((BOTH, 4.0, 0.0125))]
)
def test_orders_in_time_are_those_of_the_flow_and_its_scheme(given: dict[str, Any], order: float, step: float) -> None:
    study = of_steps(given, step=step)
    found = study.find("time", "value_rho")
    assert abs(found.orders[-1] - order) < 0.35
    mdp = load_problem("lqr", cells=dict(study.directions[0].levels[0].cells))
    kind, beta = given["flow.kind"].strip('"'), {"beta": 3.0} if "flow.beta" in given else {}
    followed = as_flow(mdp, "fisher-rao" if kind == "mirror" else kind, beta)  # what small mirror steps tend to
    exact = evolve(mdp, until=2.0, flow=followed, accuracy=1e-9).series["value_rho"][-1]
    np.testing.assert_allclose(found.values[-1], exact, rtol=2e-2 if kind == "mirror" else 1e-6)


def test_grids_are_refined_with_the_step_of_the_algorithm() -> None:
    how: dict[str, Any] = {"times": [1.0], "directions": ["actions"], "cells": CELLS}
    found = refine("lqr", 3, ("value_rho",), set=MIRROR, **how).find("actions", "value_rho")
    assert np.all(np.isfinite(found.values))
    with pytest.raises(RefinementError, match=r"the step 0.3 of mirror does not lead to time 1"):
        refine("lqr", 3, ("value_rho",), set={**MIRROR, "flow.step": "0.3"}, **how)


def test_a_scheme_that_is_not_for_the_flow_is_refused_with_those_that_are() -> None:
    with pytest.raises(ValueError, match="choose one of automatic, adams, euler"):
        of_steps(FISHER_RAO, scheme="extrapolated", step=0.2)
