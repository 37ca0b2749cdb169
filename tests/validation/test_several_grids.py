"""Claims that run a problem on several grids: orders in time, and regularity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from tests.validation.cases import judged
from tests.variants import slow_but
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.statement import Statement, build
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.evolve import evolve
from wpoflow.studies.refinement.plan import RefinedAxis
from wpoflow.validation.claims import orders
from wpoflow.validation.everything import followed_otherwise
from wpoflow.validation.evidence import Evidence, Family
from wpoflow.validation.finding import Verdict
from wpoflow.validation.suite import LEVELS, problem_evidence

HOLDS, FAILS, NOT_CERTIFIED = Verdict.HOLDS, Verdict.FAILS, Verdict.NOT_CERTIFIED


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
    assert finding.reason.startswith(("score where the policy is", "q_slope_max"))


def test_the_order_of_backward_euler_is_one_even_with_a_jump() -> None:
    for cost in ("smooth", "jump"):
        assert judged("orders", several_grids(cost)).verdict is HOLDS


def test_a_scheme_of_another_order_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order said to be judged is two, backward Euler's is one."""
    monkeypatch.setattr(orders, "ORDER", 2.0)
    assert judged("orders", several_grids("smooth")).verdict is FAILS


OTHERWISE = slow_but(
    (name for name, one in followed_otherwise().items() if one.flow.anneal is None),
    *("bandit, fisher-rao", "lqr, mirror", "lqr, policy-iteration"),
)


@pytest.mark.parametrize("claim", ["orders", "regularity"])
@pytest.mark.parametrize("name", OTHERWISE)
def test_claims_of_several_grids_say_something_of_every_flow_or_are_not_of_it(name: str, claim: str) -> None:
    """The whole suite stopped at policy iteration, whose step cannot be refined, and left others not certified."""
    case = replace(problem_evidence(followed_otherwise()[name], LEVELS["full"]), name=name)
    finding = judged(claim, case)
    assert finding.verdict is Verdict.HOLDS or not finding.applies, finding.reason
