"""Plans of the cross-entropy method: exact ones where these are known, and the same bits in any company."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.environments.build import from_environment
from wpoflow.problems.environments.cross_entropy import CrossEntropy, Plans, judged
from wpoflow.problems.environments.models import Steps
from wpoflow.problems.environments.planning import Decisions, GridValue
from wpoflow.problems.environments.policy import GridPolicy
from wpoflow.problems.environments.rollout import rollout
from wpoflow.solver.bellman.optimum import solve_optimum

A, B = np.array([[1.0, 0.2], [0.1, 1.1]]), np.array([[0.0], [0.5]])
Q, R, END, GAMMA = np.diag([1.0, 0.3]), 0.2, np.array([[2.0, 0.5], [0.5, 1.0]]), 0.9
LOW, HIGH = np.array([-9.0]), np.array([9.0])


def linear(states: FloatArray, actions: FloatArray) -> Steps:
    reward = -np.einsum("ni,ij,nj->n", states, Q, states) - R * actions[:, 0] ** 2
    return Steps(states @ A.T + actions @ B.T, reward, np.zeros(len(states), dtype=np.bool_))


LINEAR = Decisions(linear, GAMMA, lambda s: np.einsum("ni,ij,nj->n", s, END, s))


def riccati_plan(state: FloatArray, horizon: int) -> tuple[FloatArray, float]:
    """The optimal actions from a state, and their cost, with END at the end."""
    gains, cost = [], END
    for _ in range(horizon):
        gain = GAMMA * (B.T @ cost @ A) / (R + GAMMA * float((B.T @ cost @ B)[0, 0]))
        cost = Q + R * gain.T @ gain + GAMMA * (A - B @ gain).T @ cost @ (A - B @ gain)
        gains.append(gain)
    actions, s = [], state
    for gain in reversed(gains):
        actions.append(float(-(gain @ s)[0]))
        s = A @ s + B[:, 0] * actions[-1]
    return np.array(actions), float(state @ cost @ state)


def made(settings: CrossEntropy, states: FloatArray, seeds: Any = None, decisions: Decisions = LINEAR) -> FloatArray:
    who = np.arange(len(states))
    plans = Plans(settings, who if seeds is None else seeds, 1)
    idle = np.zeros((len(states), settings.horizon, 1))
    return plans.made(who, states, decisions, LOW, HIGH, idle, idle)


def test_plans_converge_to_that_of_riccati() -> None:
    states = np.array([[1.0, -0.5], [-2.0, 1.0], [0.3, 2.0]])
    exact = [riccati_plan(state, 5) for state in states]
    excess = []
    for iterations in (2, 6, 40):
        settings = CrossEntropy(horizon=5, samples=300, iterations=iterations, spread=0.3)
        found = made(settings, states)
        cost = judged(LINEAR, states, found[:, None])[:, 0]
        excess.append(max(c - e for c, (_, e) in zip(cost, exact, strict=True)))
        assert min(c - e for c, (_, e) in zip(cost, exact, strict=True)) >= -1e-12
    assert excess[0] > 10.0 * excess[1] > 100.0 * excess[2]
    for plan, (actions, _) in zip(found[:, :, 0], exact, strict=True):
        assert plan == pytest.approx(actions, abs=2e-3)


def test_costs_are_sums_and_nothing_follows_an_end() -> None:
    """Against sums one by one, of sequences of which some end."""

    def step(states: FloatArray, actions: FloatArray) -> Steps:
        following = states + actions
        return Steps(following, -(states[:, 0] ** 2) - 1.0, following[:, 0] > 2.0)

    decisions = Decisions(step, 0.8, lambda s: 5.0 + s[:, 0])
    rng = np.random.default_rng(0)
    states, sequences = rng.uniform(-1.0, 1.0, (4, 1)), rng.uniform(-1.0, 1.5, (4, 30, 6, 1))
    found, ends = judged(decisions, states, sequences), 0
    for i in range(4):
        for k in range(30):
            x, total, ended = float(states[i, 0]), 0.0, False
            for j in range(6):
                total += 0.8**j * (x**2 + 1.0)
                x += float(sequences[i, k, j, 0])
                if ended := x > 2.0:
                    break
            ends += ended
            assert found[i, k] == pytest.approx(total + (0.0 if ended else 0.8**6 * (5.0 + x)), rel=1e-12)
    assert 20 < ends < 100


def test_the_value_at_the_end_counts() -> None:
    """-u^2 a step and a value of slope m: the best action is -gamma m/2, without the value it is none."""
    states = Grid((uniform_axis("x", -5.0, 5.0, 6, "clamp"),))

    def step(at: FloatArray, actions: FloatArray) -> Steps:
        return Steps(at + actions, -(actions[:, 0] ** 2), np.zeros(len(at), dtype=np.bool_))

    settings = CrossEntropy(horizon=1, samples=200, iterations=25, spread=0.2)
    for slope in (1.5, 0.0):
        decisions = Decisions(step, GAMMA, GridValue(states, slope * states.points[:, 0]))
        plan = made(settings, np.array([[0.4]]), decisions=decisions)
        assert float(plan[0, 0, 0]) == pytest.approx(-GAMMA * slope / 2.0, abs=1e-5)


def test_no_plan_is_judged_worse_than_what_it_began_with() -> None:
    """Neither than the policy's nor than the one before, however few the samples."""
    rng = np.random.default_rng(3)
    states = rng.normal(size=(6, 2))
    settings = CrossEntropy(horizon=4, samples=2, iterations=1, spread=1.0)
    policy, before = rng.uniform(-1.0, 1.0, (2, 6, 4, 1))
    found = Plans(settings, range(6), 1).made(np.arange(6), states, LINEAR, LOW, HIGH, policy, before)
    cost = judged(LINEAR, states, np.stack([found, policy, before], axis=1))
    assert np.all(cost[:, 0] <= cost[:, 1:].min(axis=1))
    assert np.any(cost[:, 1] < cost[:, 2])
    assert np.any(cost[:, 1] > cost[:, 2])


@pytest.mark.parametrize("colour", [0.0, 1.5])
def test_an_episode_has_its_bits_in_any_company(colour: float) -> None:
    states = np.random.default_rng(5).normal(size=(7, 2))
    settings = CrossEntropy(horizon=6, samples=9, iterations=3, spread=0.1, colour=colour, seed=4)
    together = made(settings, states, seeds=range(10, 17))
    for i in range(7):
        assert np.array_equal(made(settings, states[i : i + 1], seeds=[10 + i])[0], together[i])
    assert not np.array_equal(made(replace(settings, seed=5), states, seeds=range(10, 17)), together)
    same = made(settings, np.tile(states[:1], (2, 1)), seeds=[10, 11])
    assert not np.array_equal(same[0], same[1])


@pytest.mark.parametrize("decisions", [0.0, 0.25, 1.0, 1.5, 9.0])
def test_a_plan_moves_on_with_time(decisions: float) -> None:
    """Each action is the mean of the old ones over the time it is held for, the last going on for ever."""
    plans = Plans(CrossEntropy(horizon=5), [0], 2)
    old = np.random.default_rng(0).normal(size=(1, 5, 2))
    plans.keep(np.array([0]), old)
    fine = 400
    times = decisions + (np.arange(5 * fine) + 0.5) / fine
    expected = old[0, np.minimum(times.astype(int), 4)].reshape(5, fine, 2).mean(axis=1)
    assert plans.moved_on(np.array([0]), decisions)[0] == pytest.approx(expected, abs=1e-12)


def test_noise_has_unit_variance_and_its_colour() -> None:
    for horizon, colour in ((1, 2.0), (7, 0.0), (7, 1.0), (16, 2.0)):
        settings = CrossEntropy(horizon=horizon, samples=10_000, colour=colour)
        noise = Plans(settings, [0], 2).noise(np.random.default_rng(0), 2)
        assert noise.shape == (10_000, horizon, 2)
        assert noise.var(axis=0) == pytest.approx(np.ones((horizon, 2)), abs=0.07)
        assert abs(float((noise[:, :, 0] * noise[:, :, 1]).mean())) < 0.03
        if horizon > 1:
            alike = float((noise[:, 1:] * noise[:, :-1]).mean())
            assert abs(alike) < 0.03 if colour == 0.0 else alike > 0.3


@pytest.fixture(scope="module")
def pendulum() -> GridPolicy:
    cells = {"theta": 21, "speed": 21, "torque": 5}
    mdp = from_environment("Pendulum-v1", discount=0.95, temperature=1e-2, cells=cells)
    return GridPolicy.from_problem(mdp, solve_optimum(mdp))


@pytest.mark.slow
def test_rollouts_by_plans_are_the_same_in_any_company_and_by_hand(pendulum: GridPolicy) -> None:
    plan = CrossEntropy(horizon=3, samples=6, iterations=2, hold=2, seed=1)
    done = rollout(pendulum, "Pendulum-v1", episodes=3, seed=5, hold=3, plan=plan)
    alone = [rollout(pendulum, "Pendulum-v1", episodes=1, seed=5 + i, hold=3, plan=plan).mean for i in range(3)]
    assert done.returns.tolist() == alone
    assert done.plan == "actions of 2 steps of the model of Pendulum-v1"
    env = gymnasium.make("Pendulum-v1")
    episode = replace(pendulum, plan=plan).for_environment(env).episodes([6], hold=3)
    observation, total = env.reset(seed=6)[0], 0.0
    for step in range(200):
        if step % 3 == 0:
            action = episode.act(observation[None])[0]
        observation, reward, *_ = env.step(action)
        total += float(reward)
    assert total == alone[1]
    other = rollout(pendulum, "Pendulum-v1", episodes=1, seed=5, hold=3, plan=replace(plan, seed=2))
    assert other.mean != alone[0]


def test_one_call_plans_anew_and_always_the_same(pendulum: GridPolicy) -> None:
    acting = replace(pendulum, plan=CrossEntropy(horizon=4, samples=20)).for_environment("Pendulum-v1")
    seen = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, -1.0], [-1.0, 0.0, 0.0]])
    many = acting(seen)
    assert many.dtype == np.float32
    assert np.abs(many).max() <= 2.0
    assert np.array_equal(many, acting(seen))
    assert np.array_equal(many, np.stack([acting(row) for row in seen]))


def test_plans_of_a_coarse_value_are_better_than_its_policy(pendulum: GridPolicy) -> None:
    """At 21 x 21 points the policy loses some thirty; a plan of half a second finds most of it."""
    plan = CrossEntropy(horizon=10, samples=40, iterations=3)
    own, planned = (rollout(pendulum, "Pendulum-v1", episodes=10, hold=2, plan=p).mean for p in (None, plan))
    assert planned > own + 10.0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"horizon": 0}, "horizon = 0 must be a whole number"),
        ({"samples": 1}, "samples = 1 must be a whole number from 2 to 1000000"),
        ({"iterations": 1.5}, "iterations = 1.5 must be a whole number"),
        ({"elite": 0.0}, "elite = 0.0 must be above 0 and below 1"),
        ({"spread": -1.0}, "spread = -1.0 must be positive"),
        ({"colour": float("nan")}, "colour = nan must be not negative"),
        ({"seed": -1}, "seed = -1 must be a whole number from 0"),
        ({"horizon": 10**9}, "horizon = 1000000000 must be a whole number from 1 to 10000"),
        ({"horizon": 10**4, "samples": 10**5}, "horizon = 10000 with samples = 100000: an iteration draws"),
        ({"colour": 1e6}, "colour = 1000000.0 must be not negative and below 100"),
        ({"model": "own"}, "model 'own'; choose one of problem, environment"),
    ],
)
def test_settings_out_of_range_are_refused(wrong: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        CrossEntropy(**wrong)
