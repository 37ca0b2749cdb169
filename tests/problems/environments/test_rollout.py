"""Rollouts: those of a loop written by hand, whatever the blocks; and policies read back from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import TimeLimit

from tests.problems.environments.gymnasia import Point, Strict, point_states
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.environments import rollout as module
from wpoflow.problems.environments.build import from_environment
from wpoflow.problems.environments.policy import GridPolicy, open_policy
from wpoflow.problems.environments.rollout import rollout
from wpoflow.problems.errors import ProblemError
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.runs.evolve import evolve
from wpoflow.solver.storage.optimum_file import save_optimum
from wpoflow.solver.storage.writer import open_run

CAR = {"position": 41, "velocity": 41, "force": 5}
EPISODES = 5


@pytest.fixture(scope="module")
def car() -> GridPolicy:
    mdp = from_environment("MountainCarContinuous-v0", discount=0.99, temperature=1e-2, cells=CAR)
    return GridPolicy(mdp.states, mdp.actions, solve_optimum(mdp).policy)


def by_hand(policy: GridPolicy, name: str, seeds: range) -> tuple[list[float], list[int], list[bool]]:
    """Returns, steps and terminations, one episode after the other."""
    env = gymnasium.make(name)
    acting = policy.for_environment(env)
    returns, steps, ends = [], [], []
    for seed in seeds:
        observation, _ = env.reset(seed=seed)
        rng = np.random.default_rng([seed])
        total, count, terminated, truncated = 0.0, 0, False, False
        while not (terminated or truncated):
            observation, reward, terminated, truncated, _ = env.step(acting(observation, rng))
            total += float(reward)
            count += 1
        returns.append(total)
        steps.append(count)
        ends.append(terminated)
    return returns, steps, ends


@pytest.mark.parametrize("mode", ["median", "mean", "sampled"])
def test_a_rollout_is_the_loop_written_by_hand(car: GridPolicy, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 2)
    policy = GridPolicy(car.states, car.actions, car.probabilities, mode)
    told: list[int] = []
    done = rollout(policy, "MountainCarContinuous-v0", episodes=EPISODES, seed=3, progress=told.append)
    returns, steps, ends = by_hand(policy, "MountainCarContinuous-v0", range(3, 3 + EPISODES))
    assert done.returns.tolist() == returns
    assert done.steps.tolist() == steps
    assert done.terminated.tolist() == ends
    assert told == [2, 4, 5]
    assert (done.worst, done.best) == (min(returns), max(returns))
    assert [done.mean, done.std, done.median] == [f(returns) for f in (np.mean, np.std, np.median)]
    assert done.failed == 0
    assert done.worst > 85.0


def test_an_idle_car_fails_and_a_pendulum_cannot() -> None:
    for name, cells, failed in (
        ("MountainCarContinuous-v0", {"position": 3, "velocity": 3, "force": 1}, 2),
        ("Pendulum-v1", {"theta": 3, "speed": 3, "torque": 1}, None),
    ):
        mdp = from_environment(name, discount=0.9, temperature=1.0, cells=cells)
        done = rollout(GridPolicy(mdp.states, mdp.actions, mdp.initial_policy), name, episodes=2)
        assert done.failed == failed
        assert not np.any(done.terminated)
        assert done.steps.tolist() == [999 if failed else 200] * 2


def test_files_of_runs_and_of_optima_hold_what_a_policy_needs(tmp_path: Path) -> None:
    cells = {"theta": 11, "speed": 11, "torque": 5}
    mdp = from_environment("Pendulum-v1", discount=0.9, temperature=1.0, cells=cells)
    best = solve_optimum(mdp)
    save_optimum(mdp, best, tmp_path / "best.h5")
    run = evolve(mdp, until={"time": 0.1}, accuracy=1e-2, optimum=best, output=tmp_path / "run.h5")
    for name, policy, expected in (
        ("best.h5", None, best.policy),
        ("run.h5", None, run.policy),
        ("run.h5", "flow", run.policy),
        ("run.h5", "optimum", best.policy),
    ):
        opened = open_policy(tmp_path / name, policy)
        assert np.array_equal(opened.probabilities, expected)
        assert np.array_equal(opened.states.points, mdp.states.points)
    assert not np.array_equal(run.policy, best.policy)
    assert open_run(tmp_path / "best.h5").title == "Pendulum-v1"
    with pytest.raises(ProblemError, match="policy 'flow': no flow was run"):
        open_policy(tmp_path / "best.h5", "flow")
    with pytest.raises(ProblemError, match="policy 'last'; choose one of flow, optimum"):
        open_policy(tmp_path / "run.h5", "last")


def test_an_environment_of_ones_own_needs_a_time_limit() -> None:
    mdp = from_environment(Point(), discount=0.9, temperature=0.1, states=point_states())
    policy = GridPolicy(mdp.states, mdp.actions, mdp.initial_policy, "sampled")
    with pytest.raises(ProblemError, match="no time limit"):
        rollout(policy, Point, episodes=1)
    done = rollout(policy, lambda: TimeLimit(Point(), 8), episodes=30)
    assert (done.environment, done.failed) == ("Point", None)
    assert repr(done).startswith(f"Rollout('Point', 30 episodes from seed 0: mean {done.mean:.6g} +- ")
    assert 0 < done.terminated.sum() < 30
    assert set(done.steps[~done.terminated]) <= {*range(1, 9)}
    assert done.steps.max() <= 8
    for wrong, words in (
        ({"episodes": 0}, "episodes = 0 must be a whole number from 1 to"),
        ({"episodes": True}, "episodes = True must be"),
        ({"seed": 1.5}, "seed = 1.5 must be a whole number from 0 to 2147483647"),
        ({"seed": 2**40}, "seed = 1099511627776 must be"),
        ({"hold": 10**5}, "hold = 100000 must be"),
    ):
        with pytest.raises(ValueError, match=words):
            rollout(policy, "Pendulum-v1", **wrong)
    with pytest.raises(TypeError, match="plan is of type int; it must be a LookAhead"):
        rollout(policy, "Pendulum-v1", plan=3)  # type: ignore[arg-type]
    made: Any = TimeLimit(Point(), 8)
    with pytest.raises(ProblemError, match="environment: TimeLimit is one that is made; give its name, or a function"):
        rollout(policy, made)


def test_a_reward_that_is_none_is_named() -> None:
    class Unpaid(Point):
        def step(self, action: FloatArray) -> tuple[FloatArray, float, bool, bool, Any]:
            observation, _, *rest = super().step(action)
            return observation, float("nan"), *rest

    mdp = from_environment(Point(), discount=0.9, temperature=0.1, states=point_states())
    policy = GridPolicy(mdp.states, mdp.actions, mdp.initial_policy)
    with pytest.raises(ProblemError, match="environment Unpaid: step 1 of the episode of seed 7 has the reward nan"):
        rollout(policy, lambda: TimeLimit(Unpaid(), 8), episodes=1, seed=7)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "cells", "discount", "least"),
    [
        ("Pendulum-v1", (101, 101, 21), 0.98, -141.0),
        ("Pendulum-v1", (201, 201, 41), 0.99, -138.0),
        ("MountainCarContinuous-v0", (101, 101, 21), 0.99, 94.0),
    ],
)
def test_returns_of_the_optimum_over_a_thousand_episodes(
    name: str, cells: tuple[int, int, int], discount: float, least: float
) -> None:
    axes = ("theta", "speed", "torque") if name == "Pendulum-v1" else ("position", "velocity", "force")
    sizes = dict(zip(axes, cells, strict=True))
    mdp = from_environment(name, discount=discount, temperature=1e-3, cells=sizes)
    done = rollout(GridPolicy(mdp.states, mdp.actions, solve_optimum(mdp).policy), name)
    assert done.mean >= least
    assert not done.failed


@pytest.mark.parametrize("shape", [(), (1,)])
@pytest.mark.parametrize("mode", ["median", "sampled", "mode"])
def test_actions_are_arrays_of_the_space(shape: tuple[int, ...], mode: str) -> None:
    """Of a space without axes, too: the environment refuses all others."""
    actions = Grid((uniform_axis("a", -0.1, 0.1, 5),))
    policy = GridPolicy(point_states(), actions, np.full((9, 5), 0.2), mode=mode)
    done = rollout(policy, lambda: TimeLimit(Strict(shape), 5), episodes=3)
    assert done.steps.tolist() == [5, 5, 5]


@pytest.mark.parametrize("mode", ["median", "sampled"])
def test_held_actions_are_asked_for_every_so_many_steps(car: GridPolicy, mode: str) -> None:
    """By default at every step; else as in a loop by hand that keeps its action, whatever ends meanwhile."""
    name, hold = "MountainCarContinuous-v0", 5
    policy = GridPolicy(car.states, car.actions, car.probabilities, mode)
    done = rollout(policy, name, episodes=3, seed=2, hold=hold)
    env = gymnasium.make(name)
    acting = policy.for_environment(env)
    for episode in range(3):
        observation, _ = env.reset(seed=2 + episode)
        rng, total, count, over, action = np.random.default_rng([2 + episode]), 0.0, 0, False, np.zeros(1)
        while not over:
            if count % hold == 0:
                action = acting(observation, rng)
            observation, reward, terminated, truncated, _ = env.step(action)
            total, count, over = total + float(reward), count + 1, terminated or truncated
        assert (done.returns[episode], done.steps[episode]) == (pytest.approx(total, rel=1e-12), count)
    assert not np.array_equal(done.returns, rollout(policy, name, episodes=3, seed=2).returns)
    with pytest.raises(ValueError, match="hold = 0 must be a whole number of steps"):
        rollout(policy, name, hold=0)
