"""Look-ahead: so many exact Bellman backups, whatever its model is, and what it refuses."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import TimeLimit

from tests.problems.environments.gymnasia import NoisyPoint, Point, point_states
from tests.variants import slow_but
from wpoflow.core.arrays import BoolArray, FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import interpolated_transition
from wpoflow.problems.environments.build import from_environment
from wpoflow.problems.environments.cross_entropy import CrossEntropy
from wpoflow.problems.environments.look_ahead import LookAhead
from wpoflow.problems.environments.policy import GridPolicy
from wpoflow.problems.environments.rollout import rollout
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.load import load_problem, read_statement
from wpoflow.problems.pairs import evaluate
from wpoflow.problems.problem_file import parse_problem
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
        costs: dict[float, float] = {}
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


PENDULUM = {"theta": 15, "speed": 15, "torque": 5}


def test_decisions_are_as_long_as_the_q_of_the_problem_shows() -> None:
    """Also where the environment is called, and of the single precision of the car; else it is to be said."""
    cases: tuple[tuple[Any, Any, int], ...] = (
        ("Pendulum-v1", {"cells": PENDULUM}, 1),
        ("Pendulum-v1", {"cells": PENDULUM}, 3),
        ("MountainCarContinuous-v0", {"cells": {"position": 9, "velocity": 9, "force": 3}}, 4),
        (Point(), {"states": point_states(), "cells": {"action_0": 3, "action_1": 3}}, 2),
    )
    for env, how, repeat in cases:
        mdp = from_environment(env, discount=0.9, temperature=0.2, repeat=repeat, **how)
        policy = GridPolicy.from_problem(mdp, solve_optimum(mdp), plan=LookAhead()).for_environment(env)
        assert policy.planner.hold == repeat
        assert policy.planner.decisions.discount == pytest.approx(0.9**repeat, rel=1e-12)
        q = solve_optimum(mdp).q
        p = policy.planner.probabilities(mdp.states.points)
        weights = mdp.reference_mass * np.exp(-(q - q.min(axis=1, keepdims=True)) / 0.2)
        assert p == pytest.approx(weights / weights.sum(axis=1, keepdims=True), rel=1e-4)
    mdp = from_environment("Pendulum-v1", discount=0.9, temperature=0.2, cells=PENDULUM)
    heavy = gymnasium.make("Pendulum-v1", g=3.0)
    best = solve_optimum(mdp)
    with pytest.raises(ProblemError, match=r"are not those of the problem its value is of: Q is off by .* repeat="):
        _ = GridPolicy.from_problem(mdp, best, plan=LookAhead()).for_environment(heavy).planner
    assert GridPolicy.from_problem(mdp, best, plan=LookAhead(repeat=2)).for_environment(heavy).planner.hold == 2


@pytest.mark.parametrize("depth", [1, 2])
def test_the_dynamics_a_problem_states_are_those_of_the_environment(depth: int) -> None:
    """Steps, held or not, of a file and of the environment's model make the same policy; the file's come first."""
    for hold in (1, 4):
        mdp = load_problem("pendulum", cells=PENDULUM, set={"problem.temperature": 0.5, "problem.hold": hold})
        best = solve_optimum(mdp)
        found = []
        for model in ("problem", "environment", ""):
            plan = LookAhead(depth, model=model)
            policy = GridPolicy.from_problem(mdp, best, plan=plan).for_environment("Pendulum-v1")
            assert policy.planner.hold == hold
            assert policy.planner.decisions.discount == pytest.approx(0.98**hold, rel=1e-12)
            found.append(policy.planner.probabilities(np.random.default_rng(0).uniform(-3.0, 3.0, (30, 2))))
        assert found[0] == pytest.approx(found[1], rel=1e-8)
        assert np.array_equal(found[0], found[2])
        assert np.ptp(found[0], axis=1).max() > 0.01
    shorter = GridPolicy.from_problem(mdp, best, plan=LookAhead(hold=2)).for_environment("Pendulum-v1")
    assert shorter.planner.decisions.discount == pytest.approx(0.98**2, rel=1e-12)


@pytest.mark.parametrize(("boundary", "turn"), [("clamp", 0), ("reflect", 1), ("periodic", 2)])
@pytest.mark.parametrize("hold", slow_but([1, 2], 2))
def test_stated_steps_stay_in_the_box(boundary: str, turn: int, hold: int) -> None:
    """Clamped, folded or wrapped after every step, also within a plan: as steps written by hand."""
    asked = {"noise.x": 0.0, "dynamics.x": "'x + 1.5*u'", "state.x.boundary": f"'{boundary}'", "problem.hold": hold}
    mdp = load_problem("lqr", cells={"x": 17, "u": 5}, set=asked)
    best = solve_optimum(mdp)

    def step(states: FloatArray, actions: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
        x, u = states[:, 0], actions[:, 0]
        moved = x + 1.5 * u
        folded = 4.0 - np.abs(np.mod(moved + 4.0, 16.0) - 8.0)
        following = (np.clip(moved, -4.0, 4.0), folded, np.mod(moved + 4.0, 8.0) - 4.0)[turn]
        return following[:, None], -mdp_cost(x, u), np.zeros(len(x), dtype=np.bool_)

    costs = read_statement(parse_problem(mdp.statement))

    def mdp_cost(x: FloatArray, u: FloatArray) -> FloatArray:
        return evaluate(costs.cost, x.shape, [x, u], "cost")

    plan = LookAhead(2, temperature=3.0)
    stated = GridPolicy.from_problem(mdp, best, plan=plan)
    own = GridPolicy.from_problem(mdp, best, plan=plan, step=step, repeat=hold)
    states = np.linspace(-3.9, 3.9, 12)[:, None]
    assert stated.planner.probabilities(states) == pytest.approx(own.planner.probabilities(states), rel=1e-7)


def test_stated_ends_end_the_plan() -> None:
    """Nothing follows a state of the terminal set but what ending there costs."""
    ends = {"cost.terminal_set": "'x > 3.9'", "cost.terminal_cost": "'7.0'", "noise.x": 0.0}
    for hold in (1, 3):
        cells = {"x": 33, "u": 9}
        mdp = load_problem("lqr", cells=cells, set={**ends, "problem.hold": hold})
        best = solve_optimum(mdp)
        policy = GridPolicy.from_problem(mdp, best, plan=LookAhead())
        p = policy.planner.probabilities(mdp.states.points)
        outside = mdp.states.points[:, 0] <= 3.9
        assert p[outside] == pytest.approx(best.policy[outside], rel=1e-8)


def test_a_rollout_by_look_ahead_is_the_loop_written_by_hand() -> None:
    """In any company; and ``hold`` keeps what was looked up."""
    mdp = from_environment("Pendulum-v1", discount=0.95, temperature=1e-2, cells=PENDULUM)
    policy = GridPolicy.from_problem(mdp, solve_optimum(mdp), plan=LookAhead(2))
    done = rollout(policy, "Pendulum-v1", episodes=3, seed=5, hold=2)
    acting = policy.for_environment("Pendulum-v1")
    env = gymnasium.make("Pendulum-v1")
    for episode in range(3):
        observation, total = env.reset(seed=5 + episode)[0], 0.0
        for step in range(200):
            if step % 2 == 0:
                action = acting(observation)
            observation, reward, *_ = env.step(action)
            total += float(reward)
        assert done.returns[episode] == total
    assert done.plan == "actions of 1 step of the model of Pendulum-v1, temperature 0.01"
    plain = rollout(policy, "Pendulum-v1", episodes=3, seed=5, hold=2, plan=LookAhead(2, temperature=0.0))
    assert plain.plan.endswith("plain minimum")
    assert not np.array_equal(plain.returns, done.returns)


def test_what_cannot_be_planned_is_refused_in_a_line() -> None:
    mdp = line_problem()
    best = solve_optimum(mdp)

    def refused(policy: GridPolicy, words: str) -> None:
        with pytest.raises(ProblemError, match=words) as error:
            _ = policy.planner
        assert "\n" not in str(error.value)

    bare = GridPolicy(mdp.states, mdp.actions, best.policy, plan=LookAhead())
    refused(bare, "the policy knows no value")
    refused(GridPolicy.from_problem(mdp, best), "none was asked for")
    refused(
        GridPolicy.from_problem(mdp, best, plan=LookAhead()), "no steps are known; give the policy to an environment"
    )
    refused(GridPolicy.from_problem(mdp, best, plan=LookAhead(model="environment")), "no environment is known")
    refused(GridPolicy.from_problem(mdp, best, plan=LookAhead(model="problem")), "its steps are not known")
    refused(policy_of(LookAhead(11)), "depth 11 over 3 actions has 177,147 sequences, more than 100,000; look less far")
    refused(policy_of(LookAhead(repeat=2)), "repeat = 2, but a decision of the problem takes 1 steps")
    noisy = load_problem("lqr", cells={"x": 9, "u": 5}, set={"problem.discount": 0.5})
    refused(GridPolicy.from_problem(noisy, solve_optimum(noisy), plan=LookAhead()), "the problem has noise.x")
    random = NoisyPoint()
    states = point_states()
    made = from_environment(Point(), discount=0.9, temperature=0.2, states=states, cells={"action_0": 3, "action_1": 3})
    policy = GridPolicy.from_problem(made, solve_optimum(made), plan=LookAhead()).for_environment(random)
    refused(policy, "the same state and action led to different steps")
    for wrong, words in (
        ({"depth": 0}, "depth = 0 must be a whole number"),
        ({"hold": 2.5}, "hold = 2.5 must be a whole number"),
        ({"temperature": -1.0}, "temperature -1.0 must be finite"),
        ({"model": "environmnt"}, "did you mean 'environment'"),
    ):
        with pytest.raises(ValueError, match=words):
            LookAhead(**wrong)


def test_a_called_environment_is_looked_ahead_in_a_copy() -> None:
    """What is played is not disturbed: with one action, looking ahead changes nothing."""
    one = {"action_0": 1, "action_1": 1}
    mdp = from_environment(Point(), discount=0.9, temperature=0.2, states=point_states(), cells=one)
    policy = GridPolicy.from_problem(mdp, solve_optimum(mdp))
    for plan in (None, LookAhead(2)):
        done = rollout(policy, lambda: TimeLimit(Point(), 6), episodes=4, plan=plan)
        assert done.returns.tolist() == rollout(policy, lambda: TimeLimit(Point(), 6), episodes=4).returns.tolist()
    own = TimeLimit(Point(), 6)
    acting = replace(policy, plan=LookAhead(2)).for_environment(own)
    observation = own.reset(seed=1)[0]
    before = own.unwrapped.state.copy()  # type: ignore[attr-defined]
    acting(observation)
    assert np.array_equal(own.unwrapped.state, before)  # type: ignore[attr-defined]
