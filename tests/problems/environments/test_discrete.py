"""Environments of finitely many actions: tables, steps, labels, and policies that act in them."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

import wpoflow as wpo
from wpoflow.problems.environments.cell_actions import cell_means, cell_quantiles
from wpoflow.problems.environments.discrete import KNOWN_LABELS
from wpoflow.problems.errors import ProblemError

NUMBERS: dict[str, Any] = {"discount": 0.95, "temperature": 1e-3}


class Walk(gymnasium.Env[Any, Any]):
    """Seven places counted from ten; two numbers from 1 say how far and which way; it ends at either end."""

    P: Any
    noise = False

    def __init__(self) -> None:
        self.observation_space = gymnasium.spaces.Discrete(7, start=10)
        self.action_space = gymnasium.spaces.MultiDiscrete([3, 2], start=[1, 1])
        self.s = 13
        self.spec = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, Any]:
        super().reset(seed=seed)
        self.s = 12 + int(self.np_random.integers(3))
        return self.s, {}

    def step(self, action: Any) -> tuple[int, float, bool, bool, Any]:
        far, way = (int(number) for number in action)
        assert 1 <= far <= 3
        assert 1 <= way <= 2
        before, self.s = self.s, min(max(self.s + far * (2 * way - 3), 10), 16)
        if self.noise and self.np_random.random() < 0.5:
            self.s = before
        ended = self.s in (10, 16)
        return self.s, (5.0 if self.s == 16 else 0.0) - far, ended, False, {}


class NoisyWalk(Walk):
    noise = True


class Lost(Walk):
    """It leads to a place that there is not."""

    def step(self, action: Any) -> tuple[int, float, bool, bool, Any]:
        _, reward, _, _, more = super().step(action)
        self.s += 5
        return self.s, reward, False, False, more


class Cart(gymnasium.Env[Any, Any]):
    """x moves by -0.5, 0 or 0.5; having ended once it pays nothing until it is reset, as CartPole."""

    def __init__(self) -> None:
        self.observation_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float64)
        self.action_space = gymnasium.spaces.Discrete(3, start=-1)
        self.state: Any = np.zeros(1)
        self.over = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        super().reset(seed=seed)
        self.state, self.over = self.np_random.uniform(-0.2, 0.2, 1), False
        return self.state.copy(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, Any]:
        assert action in (-1, 0, 1)
        self.state = np.array([self.state[0] + 0.5 * action])
        ended, before = bool(abs(self.state[0]) > 1.0), self.over
        self.over = self.over or ended
        return self.state.copy(), 0.0 if before else 1.0, ended, False, {}


def timed(env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
    return gymnasium.wrappers.TimeLimit(env, 30)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("FrozenLake-v1", {"is_slippery": True}),
        ("FrozenLake-v1", {"is_slippery": False}),
        ("FrozenLake8x8-v1", {}),
        ("Taxi-v4", {}),
        ("CliffWalking-v1", {}),
    ],
)
def test_known_environments_have_named_labels_and_their_table(name: str, options: dict[str, Any]) -> None:
    env: Any = gymnasium.make(name, **options)
    mdp = wpo.from_environment(env, **NUMBERS)
    kind = type(env.unwrapped)
    assert mdp.actions.axes[0].labels == KNOWN_LABELS[f"{kind.__module__}.{kind.__qualname__}"]
    assert (mdp.title, mdp.rewards) == (name, True)
    ends = mdp.transition.termination
    assert ends is not None
    pairs = np.random.default_rng(0).integers(0, [mdp.states.size, mdp.actions.size], (50, 2))
    V = np.random.default_rng(1).standard_normal(mdp.states.size)
    expected = mdp.transition.expect(V)
    for s, a in pairs:
        outcomes = env.unwrapped.P[s][a]
        assert ends[s, a] == pytest.approx(sum(p for p, _, _, ended in outcomes if ended), rel=1e-14)
        assert mdp.cost[s, a] == pytest.approx(-sum(p * r for p, _, r, _ in outcomes), rel=1e-14, abs=1e-15)
        going = sum(p * V[after] for p, after, _, ended in outcomes if not ended)
        assert expected[s, a] == pytest.approx(going, rel=1e-13, abs=1e-15)


def test_the_labels_are_what_the_environments_do() -> None:
    """One step of each label in the deterministic lake and in the taxi leads where its name says."""
    lake = wpo.from_environment(gymnasium.make("FrozenLake-v1", is_slippery=False), **NUMBERS)
    moves = {"left": 0, "right": 2, "up": 1 - 4, "down": 1 + 4}
    for a, label in enumerate(lake.actions.axes[0].labels):
        (after,) = [s for s in range(16) if lake.transition.expect(np.eye(16)[s])[1, a] > 0.0] or [5]
        assert after == {"left": 0, "right": 2, "up": 1, "down": 5}[label], (label, moves)
    taxi: Any = gymnasium.make("Taxi-v4").unwrapped
    start = taxi.encode(2, 2, 0, 1)
    labels = wpo.from_environment("Taxi-v4", **NUMBERS).actions.axes[0].labels
    rows = {label: list(taxi.decode(taxi.P[start][a][0][1]))[:2] for a, label in enumerate(labels)}
    assert rows["south"] == [3, 2]
    assert rows["north"] == [1, 2]
    assert rows["east"] == [2, 3]
    assert rows["west"] == [2, 1]
    assert rows["pick up"] == rows["drop off"] == [2, 2]


@pytest.mark.parametrize(("name", "least"), [("FrozenLake8x8-v1", 0.75), ("CliffWalking-v1", -13.0), ("Taxi-v4", 7.0)])
def test_optimal_policies_win_in_their_environments(name: str, least: float) -> None:
    mdp = wpo.from_environment(name, discount=0.99, temperature=1e-3)
    best = wpo.solve_optimum(mdp)
    policy = wpo.GridPolicy(mdp.states, mdp.actions, best.policy)
    assert policy.mode == "mode"
    played = wpo.rollout(policy, lambda: gymnasium.make(name, max_episode_steps=200), episodes=60)
    assert played.mean >= least
    acting = policy.for_environment(gymnasium.make(name))
    one = acting(3)
    assert one.shape == ()
    assert one.dtype == np.int64
    assert int(one) == int(best.policy[3].argmax())
    assert acting.predict(3)[0] == one
    drawn = [int(acting.predict(0, deterministic=False)[0]) for _ in range(20)]
    assert set(drawn) <= set(range(mdp.actions.size))


def test_a_stochastic_policy_is_drawn_label_by_label() -> None:
    mdp = wpo.from_environment("FrozenLake-v1", **NUMBERS)
    p = np.random.default_rng(3).dirichlet(np.ones(4), 16)
    sampled = wpo.GridPolicy(mdp.states, mdp.actions, p, mode="sampled").for_environment("FrozenLake-v1")
    draws = sampled(np.full((4000, 1), 6.0), np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(draws, minlength=4) / 4000.0, p[6], atol=0.03)


def test_finite_environments_without_a_table_are_stepped() -> None:
    """Counted from other numbers than zero, several numbers an action, a state called s."""
    mdp = wpo.from_environment(timed(Walk()), **NUMBERS)
    assert [axis.labels for axis in mdp.actions.axes] == [("1", "2", "3"), ("1", "2")]
    assert [axis.name for axis in mdp.actions.axes] == ["action_0", "action_1"]
    assert mdp.states.size == 7
    V = np.arange(1.0, 8.0)
    expected = mdp.transition.expect(V)
    assert mdp.transition.termination is not None
    for s in range(7):
        for k, (far, way) in enumerate([(1, -1), (1, 1), (2, -1), (2, 1), (3, -1), (3, 1)]):
            after = min(max(s + far * way, 0), 6)
            ended = after in (0, 6)
            assert mdp.transition.termination[s, k] == ended
            assert expected[s, k] == (0.0 if ended else V[after])
            assert mdp.cost[s, k] == far - 5.0 * (after == 6)
    np.testing.assert_allclose(mdp.rho[2:5], 1.0 / 3.0, atol=0.05)
    assert mdp.rho.sum() == 1.0
    best = wpo.solve_optimum(mdp)
    policy = wpo.GridPolicy(mdp.states, mdp.actions, best.policy)
    acting = policy.for_environment(timed(Walk()))
    assert acting(12).tolist() == [1, 2]  # three steps of one cost less than one of three and one of one
    assert wpo.rollout(policy, lambda: timed(Walk()), episodes=20).returns.min() >= 1.0
    with pytest.raises(ValueError, match="an observation is none of the 7 states"):
        acting(9)


def test_discrete_actions_between_points_of_a_continuous_state() -> None:
    states = wpo.Grid((wpo.uniform_axis("x", -1.0, 1.0, 5, "clamp"),))
    mdp = wpo.from_environment(timed(Cart()), states=states, **NUMBERS)
    assert mdp.actions.axes[0].labels == ("-1", "0", "1")
    np.testing.assert_array_equal(mdp.cost, -1.0)  # a step after an end would have paid nothing
    assert mdp.transition.termination is not None
    np.testing.assert_array_equal(mdp.transition.termination[:, [0, 2]], [[1, 0], [0, 0], [0, 0], [0, 0], [0, 1]])
    policy = wpo.GridPolicy(states, mdp.actions, wpo.solve_optimum(mdp).policy).for_environment(timed(Cart()))
    assert policy(np.array([[0.9], [-0.9]])).tolist() != [1, -1]
    between = policy(np.linspace(-1.0, 1.0, 201)[:, None])
    assert set(between.tolist()) <= {-1, 0, 1}
    assert wpo.rollout(policy, lambda: timed(Cart()), episodes=10).returns.min() == 30.0


def test_what_interpolates_between_labels_is_refused() -> None:
    mdp = wpo.from_environment("FrozenLake-v1", **NUMBERS)
    for mode in ("median", "mean"):
        with pytest.raises(ProblemError, match=f"mode '{mode}': action axis action is labels; choose mode or sampled"):
            wpo.GridPolicy(mdp.states, mdp.actions, mdp.initial_policy, mode=mode)


@pytest.mark.parametrize("points", [2, 3, 4, 7])
def test_a_label_is_chosen_whole_wherever_the_state_lies(points: int) -> None:
    """Weights of the points around a state sum to one but for rounding, and the label is no less for it."""
    states = wpo.Grid((wpo.uniform_axis("x", 0.0, 1.0, points, "clamp"), wpo.uniform_axis("y", 0.0, 1.0, 3, "clamp")))
    actions = wpo.Grid((wpo.label_axis("move", [str(k) for k in range(9)]), wpo.uniform_axis("u", -1.0, 1.0, 3)))
    p = np.random.default_rng(points).dirichlet(np.ones(27), states.size)
    p[:, 23] += 9.0
    policy = wpo.GridPolicy(states, actions, p / 10.0)
    found = policy(np.random.default_rng(0).random((500, 2)))
    np.testing.assert_array_equal(found[:, 0], 7.0)
    assert np.all(np.abs(found[:, 1]) > 1.0 / 3.0)
    drawn = wpo.GridPolicy(states, actions, p / 10.0, mode="sampled")(np.full((500, 2), 0.3), np.random.default_rng(1))
    assert set(drawn[:, 0].tolist()) <= set(np.arange(9.0))
    assert len(set(drawn[:, 1].tolist())) > 300


@pytest.mark.parametrize(
    ("env", "options", "words"),
    [
        (NoisyWalk, {}, "only environments without noise can be put on a grid by calling them"),
        (Lost, {}, r"environment Lost: from state \d, action \d leads to \d+, which is no state"),
        (Walk, {"cells": {"action_0": 3}}, "cells for action_0; all its axes are given as grids"),
        (
            Walk,
            {"states": wpo.Grid((wpo.uniform_axis("s", 0, 1, 3, "clamp"),))},
            "it has 7 states, the grid of states 3",
        ),
        (
            Walk,
            {"actions": wpo.Grid((wpo.uniform_axis("a", 0.0, 1.0, 6),))},
            "the action grid is a of no labels; it must be of 3 labels and 2 labels",
        ),
        (Cart, {}, r"environment Cart: the grid of its states is needed, states=Grid\(\.\.\.\)"),
        ("Blackjack-v1", {}, "environment Blackjack-v1: the grid of its states is needed"),
        (
            "CartPole-v1",
            {"states": wpo.Grid((wpo.uniform_axis("s", 0, 1, 3, "clamp"),))},
            "its state has 4 numbers, the grid of states 1 axes",
        ),
    ],
)
def test_what_cannot_be_put_on_a_grid_is_told(env: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ProblemError, match=words):
        wpo.from_environment(env if isinstance(env, str) else env(), **{**NUMBERS, **options})


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (
            {},
            r"environment Walk: P\[0\]\[0\] of its table is no list of \(probability, next state, reward, terminated\)",
        ),
        ([[[(1.0, 0, 0.0)]] * 6] * 7, r"P\[0\]\[0\] of its table is no list"),
        ([[[(1.0, 1.5, 0.0, False)]] * 6] * 7, r"holds \(probability 1, next state 1.5, reward 0\) of 7"),
        (
            [[[(1.0, 7, 0.0, False)]] * 6] * 7,
            r"P\[0\]\[0\] of its table holds \(probability 1, next state 7, reward 0\) of 7",
        ),
        ([[[(-0.5, 0, 0.0, False), (1.5, 0, 0.0, False)]] * 6] * 7, "probability -0.5"),
        ([[[(1.0, 0, float("nan"), False)]] * 6] * 7, "reward nan"),
        ([[[(0.4, 0, 0.0, False)]] * 6] * 7, "environment Walk: state 0, action 0: probabilities sum to 0.4"),
        ([[[(0.4, 0, 0.0, False), (0.5, 0, 0.0, True)]] * 6] * 7, "the probability of an end is 0.5 .*not to one"),
    ],
)
def test_tables_that_are_none_are_told(table: Any, words: str) -> None:
    env = Walk()
    env.P = table
    with pytest.raises(ProblemError, match=words):
        wpo.from_environment(env, **NUMBERS)


def test_labels_and_boxes_are_not_taken_for_each_other() -> None:
    states = wpo.Grid((wpo.uniform_axis("theta", -1.0, 1.0, 3, "clamp"), wpo.uniform_axis("v", -1.0, 1.0, 3, "clamp")))
    named = wpo.Grid((wpo.label_axis("push", ["left", "right"]),))
    with pytest.raises(ProblemError, match=r"environment Pendulum-v1: its actions are Box.*, the policy's \(push\)"):
        wpo.GridPolicy(states, named, np.full((9, 2), 0.5)).for_environment("Pendulum-v1")
    with pytest.raises(ProblemError, match=r"environment Pendulum-v1: its actions are Box.*, the grid's \(push\)"):
        wpo.from_environment("Pendulum-v1", actions=named, **NUMBERS)
    line = wpo.Grid((wpo.uniform_axis("push", 0.0, 1.0, 2),))
    with pytest.raises(ProblemError, match="the action grid is push of no labels; it must be of 2 labels"):
        wpo.GridPolicy(states, line, np.full((9, 2), 0.5)).for_environment("CartPole-v1")
    lake = wpo.from_environment("FrozenLake-v1", **NUMBERS)
    with pytest.raises(ProblemError, match="it has 64 states, the grid of states 16 points"):
        wpo.GridPolicy(lake.states, lake.actions, lake.initial_policy).for_environment("FrozenLake8x8-v1")


def test_within_the_cell_of_a_label_lies_the_label_alone() -> None:
    actions = wpo.Grid((wpo.label_axis("move", ["a", "b", "c"]), wpo.uniform_axis("u", 0.0, 1.0, 2)))
    p = np.random.default_rng(0).dirichlet(np.ones(6), 4)
    np.testing.assert_array_equal(cell_means(actions, p)[:, :, 0], np.tile([0.0, 0.0, 1.0, 1.0, 2.0, 2.0], (4, 1)))
    cells = np.array([0, 3, 4, 5])
    drawn = cell_quantiles(actions, p, cells, np.random.default_rng(1).random((4, 2)))
    np.testing.assert_array_equal(drawn[:, 0], [0.0, 1.0, 2.0, 2.0])
