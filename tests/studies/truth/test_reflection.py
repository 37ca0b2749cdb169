"""The truth of half of a problem, at states of the whole."""

from __future__ import annotations

import numpy as np
import pytest

import wpoflow as wpo
from wpoflow.problems.problem_file import read_problem
from wpoflow.studies.truth.truth import Truth

NAMES = ["theta", "speed", "torque"]
CELLS = {"speed": 21, "torque": 7}


@pytest.fixture(scope="module")
def states() -> np.ndarray:
    """Inside the box, on both sides."""
    random = np.random.default_rng(2)
    return np.stack([random.uniform(-3.0, 3.0, 30), random.uniform(-7.5, 7.5, 30)], axis=1)


@pytest.fixture(scope="module")
def half(states: np.ndarray) -> Truth:
    """Of the pendulum of the gallery."""
    stated = read_problem("pendulum", cells={**CELLS, "theta": 25}, set={"problem.reflection": NAMES})
    return wpo.truth(stated, np.concatenate([states, -states]))


def test_mirror_images_have_one_value_and_mirrored_policies(half: Truth) -> None:
    n = len(half.states) // 2
    np.testing.assert_allclose(half.value[:n], half.value[n:], rtol=1e-12)
    np.testing.assert_allclose(half.value_band[:n], half.value_band[n:], rtol=1e-12)
    np.testing.assert_allclose(half.q[:n], half.q[n:, ::-1], rtol=1e-12)
    np.testing.assert_allclose(half.policy[:n], half.policy[n:, ::-1], atol=1e-12)
    np.testing.assert_allclose(half.mean[:n], -half.mean[n:], atol=1e-12)
    np.testing.assert_allclose(half.mode[:n], -half.mode[n:], atol=1e-12)


def test_values_and_policies_are_those_of_the_whole(half: Truth, states: np.ndarray) -> None:
    ahead = np.pi / 24
    whole = wpo.truth(
        "pendulum",
        states,
        cells={**CELLS, "theta": 24},
        set={"state.theta.bounds": [-np.pi - ahead, np.pi - ahead]},
    )
    n = len(states)
    np.testing.assert_allclose(half.value[:n], whole.value, rtol=0.0, atol=1e-4)
    np.testing.assert_allclose(half.q[:n], whole.q, rtol=0.0, atol=1e-4)
    np.testing.assert_allclose(half.mean[:n], whole.mean, rtol=0.0, atol=1e-4)
    away = np.abs(states[:, 0]) > 0.6
    np.testing.assert_allclose(half.markov_value[:n][away], whole.markov_value[away], rtol=1e-11)


def test_agents_are_scored_at_states_of_the_whole(half: Truth) -> None:
    best = wpo.solve_optimum(half.mdp)
    found = wpo.score(half, value=half.value, policy=best.policy)
    assert found.value is not None
    assert found.value.largest == 0.0
    assert found.regret is not None
    assert np.abs(found.regret.soft).max() < 1e-8
    n = len(half.states) // 2
    np.testing.assert_allclose(found.regret.cost[:n], found.regret.cost[n:], atol=1e-9)


def test_sample_is_drawn_from_the_whole_box() -> None:
    stated = read_problem("pendulum", cells={**CELLS, "theta": 25}, set={"problem.reflection": NAMES})
    drawn = wpo.truth(stated, sample=50).states
    assert drawn[:, 0].min() < -2.0
    assert drawn[:, 0].max() > 2.0
