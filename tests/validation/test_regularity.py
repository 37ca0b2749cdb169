"""Roughness in the action is seen on fine action grids at a few states, also where all axes together hide it."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy

import numpy as np
import pytest

from tests.validation.cases import judged
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.problem_file import read_problem
from wpoflow.problems.statement import Statement, build
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Snapshots
from wpoflow.solver.runs.evolve import evolve
from wpoflow.studies.refinement.plan import RefinedAxis
from wpoflow.validation.claims.regularity import at_few_states, informations, largest_information, largest_score
from wpoflow.validation.evidence import Evidence, Family
from wpoflow.validation.finding import Verdict
from wpoflow.validation.suite import LEVELS, problem_evidence

CELLS = {"s": 24, "a": 48}


def circle(sizes: Mapping[str, int], jump: float) -> GridMDP:
    """A circle of states; the cost jumps where the action is above 0.3."""

    def cost(s: FloatArray, a: FloatArray) -> FloatArray:
        return np.asarray(1.0 - np.cos(s) + a**2 + jump * (a > 0.3))

    return build(
        Statement(
            states=Grid((uniform_axis("s", 0.0, 2.0 * np.pi, sizes["s"], "periodic"),)),
            actions=Grid((uniform_axis("a", -1.0, 1.0, sizes["a"]),)),
            discount=0.8,
            temperature=0.5,
            cost=cost,
            dynamics={"s": lambda s, a: s + 0.5 * a},
            noise={"s": 0.4},
        )
    )


def evidence(jump: float) -> Evidence:
    def make(sizes: Mapping[str, int]) -> GridMDP:
        return circle({**CELLS, **sizes}, jump)

    axes = [RefinedAxis("s", "state", CELLS["s"]), RefinedAxis("a", "action", CELLS["a"])]
    return Evidence("circle", evolve(make({}), until=1.0, accuracy=1e-3), make({}), family=Family(make, axes))


def test_a_smooth_cost_holds_and_a_jump_does_not() -> None:
    assert judged("regularity", evidence(0.0)).verdict is Verdict.HOLDS
    assert judged("regularity", evidence(0.5)).verdict is Verdict.NOT_CERTIFIED


def test_slopes_of_a_small_jump_show_on_fine_action_grids_alone() -> None:
    """0.01 over a cell of the coarse grids is less than the slope beside it."""
    finding = judged("regularity", evidence(0.01))
    assert finding.verdict is Verdict.NOT_CERTIFIED
    slopes = [hypothesis for hypothesis in finding.hypotheses if hypothesis.name.startswith("q_slope_max")]
    together, fine = slopes
    assert together.met
    assert together.detail.endswith("on three grids")
    assert not fine.met
    assert fine.detail.endswith("on three action grids at a few states")


def test_axes_given_by_edges_are_named() -> None:
    known = evidence(0.0)
    assert known.family is not None
    axes = [RefinedAxis("s", "state", CELLS["s"]), RefinedAxis("a", "action", CELLS["a"], by_edges=True)]
    given = Evidence("circle", known.run, known.mdp, family=Family(known.family.make_mdp, axes))
    finding = judged("regularity", given)
    assert finding.verdict is Verdict.NOT_CERTIFIED
    assert "axis a is given by edges" in finding.reason


def test_few_states_and_as_many_action_cells_as_pairs_allow() -> None:
    def make(sizes: Mapping[str, int]) -> GridMDP:
        raise AssertionError(sizes)

    axes = [RefinedAxis("x", "state", 50), RefinedAxis("y", "state", 40), RefinedAxis("a", "action", 9)]
    sizes = {axis.name: axis.points for axis in at_few_states(Family(make, axes))}
    assert sizes["x"] * sizes["y"] < 60
    assert 15000 < sizes["x"] * sizes["y"] * sizes["a"] < 17000
    one = [RefinedAxis("a", "action", 64)]
    assert [axis.points for axis in at_few_states(Family(make, one))] == [800]
    assert at_few_states(Family(make, [RefinedAxis("x", "state", 9), RefinedAxis("a", "action", 1)])) == []


@pytest.mark.slow
@pytest.mark.parametrize(("name", "cells"), [("lqr", {"x": 48, "u": 48}), ("lqr", {}), ("inventory", {})])
def test_logarithms_of_cells_without_mass_and_layers_at_ends_are_not_roughness(
    name: str, cells: dict[str, int]
) -> None:
    """Smooth problems whose recorded score, over all cells, is the time error of the tails; densities steep at ends."""
    case = problem_evidence(read_problem(name, cells=cells), LEVELS["quick"])
    finding = judged("regularity", case)
    assert finding.verdict is Verdict.HOLDS, finding.reason
    scores = finding.notes["score where the policy is on three grids"]
    assert max(scores) < 1.02 * min(scores)


def test_a_score_that_is_rough_where_the_policy_is_does_not_hold() -> None:
    """A jump of the cost is a jump of ln p at any time, which cells hold a share of that is the larger the fewer."""
    finding = judged("regularity", evidence(0.5))
    (score,) = (one for one in finding.hypotheses if one.name.startswith("score"))
    assert not score.met


def test_labels_have_no_derivatives() -> None:
    finding = judged("regularity", problem_evidence(read_problem("grid_world"), LEVELS["quick"]))
    assert not finding.applies


def test_fisher_information_of_a_gaussian_is_one_over_its_variance() -> None:
    """tau/c'' of the equilibrium of a quadratic cost, whatever cells of no mass hold."""
    for cells, error in ((64, 2e-2), (128, 5e-3)):
        mdp = build(
            Statement(
                states=Grid(),
                actions=Grid((uniform_axis("a", -6.0, 6.0, cells),)),
                discount=0.5,
                temperature=0.3,
                cost=lambda a: np.asarray(0.6 * a**2),
                dynamics={},
            )
        )
        *_, last = informations(evolve(mdp, until=20.0, accuracy=1e-4))
        assert last[0] == pytest.approx(1.2 / 0.3, rel=error)


def test_information_sees_a_jump_and_roughness_where_the_score_is_not_looked_at() -> None:
    """Cells of less than 1e-4 of the uniform density, ragged ones, are none of the score's and not left out of it."""
    finding = judged("regularity", evidence(0.5))
    (information,) = (one for one in finding.hypotheses if one.name.startswith("relative Fisher"))
    assert not information.met
    mdp = circle({"s": 1, "a": 400}, 0.0)
    smooth = np.exp(np.linspace(np.log(2.0), np.log(1e-5), 400))
    ragged = np.where((smooth < 5e-5) & (np.arange(400) % 2 == 0), smooth / 9.0, smooth)
    found = []
    for density in (smooth, ragged):
        run = copy(evolve(mdp, until={"steps": 1}, step=0.1, scheme="euler"))
        run.snapshots = Snapshots(np.ones(1), np.zeros((1, 1)), density[None, None, :] / density.sum())
        found.append((largest_score(run), largest_information(run)))
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-6)
    assert found[1][1] > found[0][1] + 0.2


def test_one_action_has_no_derivatives() -> None:
    """It held: every monitor was zero, and did not grow."""

    def make(sizes: Mapping[str, int]) -> GridMDP:
        return circle({**CELLS, **sizes, "a": 1}, 0.0)

    axes = [RefinedAxis("s", "state", CELLS["s"]), RefinedAxis("a", "action", 1)]
    case = Evidence("circle", evolve(make({}), until=1.0, accuracy=1e-3), make({}), family=Family(make, axes))
    finding = judged("regularity", case)
    assert not finding.applies
    assert finding.verdict is Verdict.NOT_CERTIFIED
