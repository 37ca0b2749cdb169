"""Where rho leaves out states that the optimal policy visits, the claims name them and say what helps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import wpoflow as wpo
from tests.validation.cases import altered
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.claims import CLAIMS
from wpoflow.validation.evidence import Evidence

WALK_TO_THE_GOAL = """
[problem]
discount = 0.9
temperature = 0.3
[state.x]
bounds = [-1.0, 1.0]
cells = 21
[action.u]
bounds = [-1.0, 1.0]
cells = 12
[dynamics]
x = "x + 0.13*u"
[cost]
running = "1 + u**2/2"
terminal_set = "x > 0.85"
[flow]
until = { time = 2.0 }
"""


@pytest.fixture(scope="module")
def mdp(tmp_path_factory: pytest.TempPathFactory) -> GridMDP:
    path: Path = tmp_path_factory.mktemp("walk") / "walk.toml"
    path.write_text(WALK_TO_THE_GOAL, encoding="utf-8")
    return wpo.load_problem(path)


def judged(mdp: GridMDP, claim: str) -> wpo.validation.finding.Finding:
    return CLAIMS[claim].finding(Evidence("walk", wpo.evolve(mdp, until=2.0), mdp))


def test_the_paper_s_theorem_is_judged_for_another_law_and_says_why(mdp: GridMDP) -> None:
    finding = judged(mdp, "decay_paper")
    assert finding.verdict == "holds"
    assert finding.reason.startswith("main theorem for nu_theta")
    assert "x = 0.9" in finding.notes["why not for rho itself"]


def test_the_states_are_named_with_a_way_out(mdp: GridMDP) -> None:
    """In a file of an earlier schema, which does not hold the largest ratios of the steps; else they are known."""
    evidence = Evidence("walk", wpo.evolve(mdp, until=2.0), mdp)
    assert CLAIMS["decay_weighted"].finding(evidence).verdict == "holds"
    unknown = np.full_like(evidence.run.series["time"], np.nan)
    finding = CLAIMS["decay_weighted"].finding(altered(evidence, {"occupancy_ratio_largest": unknown}))
    assert finding.verdict == "not certified"
    words = next(h.detail for h in finding.hypotheses if not h.met)
    # with the default law, the one point inside the set that is interpolated with is visited, and left out
    optimum = wpo.solve_optimum(mdp)
    missed = (mdp.rho == 0.0) & (optimum.occupancy > 0.0)
    assert list(mdp.states.points[missed, 0]) == pytest.approx([0.9])
    assert f"rho is 0 at 1 of the {np.count_nonzero(optimum.occupancy > 0.0)} states" in words
    assert "x = 0.9" in words
    assert "inside a terminal set" in words
    assert "rho=0.99*mdp.rho" in words
    assert "\n" not in words


def test_the_way_out_works(mdp: GridMDP) -> None:
    positive = replace(mdp, rho=0.99 * mdp.rho + 0.01 * mdp.counted / mdp.counted.sum())
    finding = judged(positive, "decay_paper")
    assert finding.verdict == "holds"
