"""Plans at execution: exact backups, exact plans of linear-quadratic control, and the same bits in any company."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import TimeLimit

from tests.problems.environments.gymnasia import NoisyPoint, Point, point_states
from wpoflow.core.arrays import BoolArray, FloatArray
from wpoflow.grids.axis import label_axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import interpolated_transition
from wpoflow.problems.environments.build import from_environment
from wpoflow.problems.environments.cross_entropy import CrossEntropy, Plans, judged
from wpoflow.problems.environments.look_ahead import LookAhead
from wpoflow.problems.environments.planning import Decisions
from wpoflow.problems.environments.models import Steps
from wpoflow.problems.environments.policy import GridPolicy
from wpoflow.problems.environments.rollout import rollout
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.load import load_problem
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.mdp import GridMDP

GAMMA, TAU = 0.8, 0.3
LINE = Grid((uniform_axis("x", 0.0, 8.0, 9, "clamp"),))
PUSHES = Grid((uniform_axis("u", -1.5, 1.5, 3),))


def shifted(states: FloatArray, actions: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """On the points 0 to 8, by -1, 0 or 1; what leaves to the left ends."""
    x, u = states[:, 0], np.rint(actions[:, 0])
    reward = -((x - 5.0) ** 2) * 0.1 - 0.3 * np.abs(u) + np.cos(3.0 * x)
    return np.clip(x + u, 0.0, 8.0)[:, None], reward, x + u < 0.0


def line_problem() -> GridMDP:
    """The grid problem of these steps, which lead from points to points: nothing is interpolated."""
    pairs = np.repeat(LINE.points, 3, axis=0), np.tile(PUSHES.points, (9, 1))
    following, reward, ended = shifted(*pairs)
    mass = np.array([0.2, 0.5, 0.3])
    return GridMDP(
        states=LINE,
        actions=PUSHES,
        discount=GAMMA,
        temperature=TAU,
        cost=-reward.reshape(9, 3),
        transition=interpolated_transition(LINE, following.reshape(9, 3, 1), ended=ended.reshape(9, 3)),
        reference_mass=mass,
        rho=np.full(9, 1.0 / 9.0),
        initial_policy=np.tile(mass, (9, 1)),
    )


def backed_up_by_hand(mdp: GridMDP, value: FloatArray, depth: int, temperature: float) -> FloatArray:
    """Q of d Bellman backups on the grid, by their formula."""
    for _ in range(depth):
        q = mdp.cost + mdp.discount * mdp.transition.expect(value)
        soft = -temperature * np.log((mdp.reference_mass * np.exp(-q / (temperature or 1.0))).sum(axis=1))
        value = soft if temperature else q.min(axis=1)
    return q


def policy_of(plan: Any, value: FloatArray | None = None, **how: Any) -> GridPolicy:
    mdp = line_problem()
    best = solve_optimum(mdp)
    if value is not None:
        best = replace(best, value=value)
    return GridPolicy.from_problem(mdp, best, plan=plan, step=shifted, repeat=1, **how)


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
@pytest.mark.parametrize("temperature", [None, 0.05, 0.0])
def test_look_ahead_is_so_many_bellman_backups(depth: int, temperature: float | None) -> None:
    """Of any value, at every point; and their Gibbs policy is acted by."""
    mdp, value = line_problem(), np.random.default_rng(depth).normal(size=9)
    policy = policy_of(LookAhead(depth, temperature=temperature), value)
    tau = TAU if temperature is None else temperature
    q = backed_up_by_hand(mdp, value, depth, tau)
    p = policy.planner.probabilities(LINE.points)
    if tau == 0.0:
        assert np.array_equal(p.argmax(axis=1), q.argmin(axis=1))
        assert np.array_equal(policy(LINE.points)[:, 0], PUSHES.points[q.argmin(axis=1), 0])
        return
    weights = mdp.reference_mass * np.exp(-q / tau)
    assert p == pytest.approx(weights / weights.sum(axis=1, keepdims=True), rel=1e-10)
    acted = GridPolicy(LINE, PUSHES, p)
    assert policy(LINE.points) == pytest.approx(acted(LINE.points), abs=1e-9)


def test_with_the_optimal_value_any_depth_has_the_optimal_policy() -> None:
    mdp = line_problem()
    best = solve_optimum(mdp)
    for depth in (1, 2, 4):
        p = policy_of(LookAhead(depth)).planner.probabilities(LINE.points)
        assert p == pytest.approx(best.policy, rel=1e-9)
    hard = solve_optimum(mdp, temperature=0.0)
    for depth in (1, 3):
        policy = GridPolicy.from_problem(mdp, hard, plan=LookAhead(depth), step=shifted)
        assert policy.planner.temperature == 0.0
        assert np.array_equal(policy.planner.probabilities(LINE.points), hard.policy)


def test_without_a_value_the_horizon_is_optimal() -> None:
    """Against all 3^4 sequences, added up one by one."""
    policy = policy_of(LookAhead(4, temperature=0.0), np.zeros(9))
    for x in LINE.points:
        costs = {}
        for sequence in itertools.product(PUSHES.points, repeat=4):
            state, total = x[None], 0.0
            for j, action in enumerate(sequence):
                state, reward, ended = shifted(state, action[None])
                total -= GAMMA**j * float(reward[0])
                if ended[0]:
                    break
            first = float(sequence[0][0])
            costs[first] = min(costs.get(first, np.inf), total)
        assert float(policy(x)[0]) == min(costs, key=costs.__getitem__)
    assert not np.array_equal(policy(LINE.points), policy_of(LookAhead(4, temperature=0.0))(LINE.points))


def test_a_table_is_backed_up_with_its_chances() -> None:
    """FrozenLake slips: every depth has the policy of the optimum, and of no value that of so many steps."""
    lake = from_environment("FrozenLake-v1", discount=0.9, temperature=0.05)
    best = solve_optimum(lake)
    value = np.random.default_rng(0).random(16)
    for depth in (1, 3):
        policy = GridPolicy.from_problem(lake, best, plan=LookAhead(depth))
        assert policy.planner.probabilities(lake.states.points) == pytest.approx(best.policy, rel=1e-8)
        policy = GridPolicy.from_problem(lake, replace(best, value=value), plan=LookAhead(depth))
        weights = lake.reference_mass * np.exp(-backed_up_by_hand(lake, value, depth, 0.05) / 0.05)
        expected = weights / weights.sum(axis=1, keepdims=True)
        assert policy.planner.probabilities(lake.states.points) == pytest.approx(expected, rel=1e-9)
    own = GridPolicy.from_problem(lake, best)
    for plan in (None, LookAhead(2)):
        done = rollout(own, "FrozenLake-v1", episodes=5, seed=3, plan=plan)
        assert done.returns.tolist() == rollout(own, "FrozenLake-v1", episodes=5, seed=3).returns.tolist()
    with pytest.raises(ProblemError, match="action is labels; plans by samples need an interval"):
        rollout(own, "FrozenLake-v1", episodes=1, plan=CrossEntropy())
    with pytest.raises(ProblemError, match="hold = 3, but the problem is a table"):
        rollout(own, "FrozenLake-v1", episodes=1, plan=LookAhead(hold=3))
