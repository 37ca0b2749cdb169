"""The policy as a function: shapes, types and bounds, interpolation, samples, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.problems.environments.gymnasia import Point, point_states
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import interpolated_transition
from wpoflow.problems.environments.cell_actions import cell_means
from wpoflow.problems.environments.hats import hat_weights
from wpoflow.problems.environments.policy import GridPolicy
from wpoflow.problems.errors import ProblemError

STATES = Grid((uniform_axis("theta", -np.pi, np.pi, 8, "periodic"), uniform_axis("speed", -8.0, 8.0, 7, "clamp")))
ACTIONS = Grid((uniform_axis("torque", -2.0, 2.0, 6),))


def random_policy(mode: str = "median", states: Grid = STATES, actions: Grid = ACTIONS) -> GridPolicy:
    rng = np.random.default_rng(9)
    p = rng.random((states.size, actions.size)) ** 3
    return GridPolicy(states, actions, p / p.sum(axis=1, keepdims=True), mode)


def observations(n: int) -> FloatArray:
    rng = np.random.default_rng(10)
    angle, speed = rng.uniform(-np.pi, np.pi, n), rng.uniform(-8.0, 8.0, n)
    return np.stack([np.cos(angle), np.sin(angle), speed], axis=1).astype(np.float32).astype(np.float64)


@pytest.mark.parametrize("boundary", ["clamp", "periodic", "reflect"])
@pytest.mark.parametrize("cells", [1, 2, 7])
def test_weights_are_those_of_the_transitions(boundary: str, cells: int) -> None:
    axes: tuple[Axis, ...] = (uniform_axis("x", -1.0, 2.0, cells, boundary), uniform_axis("y", 0.0, 1.0, 4, "clamp"))
    grid = Grid(axes)
    rng = np.random.default_rng(11)
    reached = rng.uniform([-5.0, -1.0], [7.0, 2.0], (grid.size, 30, 2))
    reached[0, :8, 0] = [-1.0, 2.0, -0.7, 1.9999999, 5.0, -4.0, 0.5, axes[0].points[0]]
    value = rng.normal(size=grid.size)
    points, weights = hat_weights(grid, reached.reshape(-1, 2))
    found = (weights * value[points]).sum(axis=1)
    assert weights.min() >= 0.0
    expected = interpolated_transition(grid, reached).expect(value)
    assert found == pytest.approx(expected.ravel(), abs=1e-12)


@pytest.mark.parametrize("mode", ["median", "mean", "mode", "sampled"])
def test_actions_have_the_shape_the_type_and_the_bounds_of_the_environment(mode: str) -> None:
    policy = random_policy(mode).for_environment("Pendulum-v1")
    rng = np.random.default_rng(0)
    one, many = policy(observations(1)[0], rng), policy(observations(50), rng)
    assert one.shape == (1,)
    assert many.shape == (50, 1)
    assert one.dtype == many.dtype == np.float32
    assert np.abs(many).max() <= 2.0
    assert np.ptp(many) > 0.5


def test_actions_are_cut_to_bounds_that_are_given() -> None:
    policy = replace(random_policy(), low=[-0.1], high=[0.05])
    found = policy(STATES.points)
    assert (found.min(), found.max()) == (-0.1, 0.05)


@pytest.mark.parametrize("mode", ["median", "mean", "mode"])
def test_a_batch_has_the_bits_of_its_members(mode: str) -> None:
    policy = random_policy(mode).for_environment("Pendulum-v1")
    seen = observations(40)
    assert np.array_equal(policy(seen), np.stack([policy(row) for row in seen]))


def test_at_the_grid_points_the_mean_is_that_of_the_point() -> None:
    policy = random_policy("mean")
    means = (policy.probabilities[:, :, None] * cell_means(ACTIONS, policy.probabilities)).sum(axis=1)
    assert policy(STATES.points) == pytest.approx(means, abs=1e-12)
    theta, speed = STATES.axes
    between = np.array([0.5 * (theta.points[2] + theta.points[3]), speed.points[4]])
    halfway = 0.5 * (means[2 * 7 + 4] + means[3 * 7 + 4])
    assert policy(between) == pytest.approx(halfway, abs=1e-12)
    seam = np.array([[np.pi, 0.0], [-np.pi, 0.0], [3.0 * np.pi, 0.0]])
    assert policy(seam) == pytest.approx(np.tile(0.5 * (means[3] + means[7 * 7 + 3]), (3, 1)), abs=1e-12)


def test_the_pendulum_is_observed_by_its_angle() -> None:
    plain, acting = random_policy(), random_policy().for_environment("Pendulum-v1")
    angle, speed = 2.3, -4.0
    expected = plain(np.array([angle, speed]))
    assert acting(np.array([np.cos(angle), np.sin(angle), speed])) == pytest.approx(expected, abs=1e-6)


def test_samples_follow_the_generator_and_the_probabilities() -> None:
    policy = random_policy("sampled")
    state = np.array([0.3, 1.1])
    many = np.tile(state, (40000, 1))
    first = policy(many, np.random.default_rng(5))
    assert np.array_equal(first, policy(many, np.random.default_rng(5)))
    assert not np.array_equal(first, policy(many, np.random.default_rng(6)))
    points, weights = hat_weights(STATES, state[None])
    p = weights[0] @ policy.probabilities[points[0]]
    counts = np.histogram(first, ACTIONS.axes[0].edges)[0] / 40000
    assert np.abs(counts - p).max() < 5.0 * np.sqrt(0.25 / 40000)
    mean, median = random_policy("mean")(state), random_policy("median")(state)
    assert np.mean(first < median) == pytest.approx(0.5, abs=5.0 * 0.5 / 200.0)
    assert first.mean(axis=0) == pytest.approx(mean, abs=5.0 * float(first.std()) / 200.0)


def test_of_two_wells_median_and_mode_choose_the_heavier_and_the_mean_none() -> None:
    p = np.full((STATES.size, ACTIONS.size), 1e-9)
    p[:, 0], p[:, -1] = 0.49, 0.51 - 4e-9
    found = [GridPolicy(STATES, ACTIONS, p, kind)(np.array([np.pi, 0.0]))[0] for kind in ("median", "mean", "mode")]
    assert found == pytest.approx([1.9, 0.04, 1.9], abs=0.1)


def test_the_median_of_several_axes_is_that_of_each() -> None:
    actions = Grid((uniform_axis("push", -1.0, 1.0, 4), uniform_axis("drift", 0.0, 2.0, 3)))
    rows = [np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.6, 0.3, 0.1])]
    state = Grid((uniform_axis("x", 0.0, 1.0, 1, "clamp"),))
    found = GridPolicy(state, actions, np.outer(*rows).reshape(1, -1))(np.array([0.5]))
    single = [
        GridPolicy(state, Grid((axis,)), row[None])(np.array([0.5]))[0]
        for axis, row in zip(actions.axes, rows, strict=True)
    ]
    assert found == pytest.approx(single, abs=1e-12)
    assert 0.0 < found[0] < 0.5
    assert 0.4 < found[1] < 0.66


def test_the_mode_is_of_the_density_not_of_the_cell() -> None:
    actions = Grid((Axis("u", np.array([0.0, 0.1, 1.0])),))
    p = np.array([[0.4, 0.6]])
    state = Grid((uniform_axis("x", 0.0, 1.0, 1, "clamp"),))
    assert GridPolicy(state, actions, p, "mode")(np.array([0.5]))[0] < 0.1


def test_several_actions_take_the_shape_of_the_environment() -> None:
    actions = Grid((uniform_axis("push", -1.0, 1.0, 4), uniform_axis("drift", 0.0, 2.0, 3)))
    policy = random_policy("mean", point_states(), actions).for_environment(Point())
    assert policy(np.array([0.1])).shape == (2, 1)
    assert policy(np.zeros((5, 1))).shape == (5, 2, 1)
    assert policy.draws == 4


def test_predict_answers_as_stable_baselines_asks() -> None:
    policy = random_policy().for_environment("Pendulum-v1")
    seen = observations(6)
    action, state = policy.predict(seen)
    assert state is None
    assert np.array_equal(action, policy(seen))
    assert not np.array_equal(policy.predict(seen, deterministic=False)[0], action)


@pytest.mark.parametrize(
    ("environment", "policy", "words"),
    [
        ("MountainCarContinuous-v0", random_policy(), "axis torque in [-2, 2]"),
        ("Pendulum-v1", random_policy(states=point_states()), "its state has 2 numbers, the policy 1 state axes (x)"),
        (Point(), random_policy(), "its actions have 2 axes, the policy's 1 (torque)"),
        (
            Point(),
            random_policy(actions=Grid((uniform_axis("a", 0.0, 1.0, 2), uniform_axis("b", 0.0, 1.0, 2)))),
            "its observation has 1 numbers, the policy 2 state axes (theta, speed); say with observe=",
        ),
    ],
    ids=["bounds", "states", "actions", "observation"],
)
def test_an_environment_that_does_not_fit_is_refused(environment: Any, policy: GridPolicy, words: str) -> None:
    with pytest.raises(ProblemError) as error:
        policy.for_environment(environment)
    assert words in str(error.value)


def test_unusable_policies_and_observations_are_refused() -> None:
    p = random_policy().probabilities
    with pytest.raises(ProblemError, match="mode 'greedy'; choose one of median, mean, mode, sampled"):
        GridPolicy(STATES, ACTIONS, p, "greedy")
    with pytest.raises(ValueError, match=r"probabilities have shape \(56, 5\); expected \(56, 6\)"):
        GridPolicy(STATES, ACTIONS, p[:, :5])
    for wrong in (-p, 2.0 * p, np.full_like(p, np.nan), np.zeros_like(p)):
        with pytest.raises(ValueError, match=r"probabilities at .* must be non-negative and sum to one"):
            GridPolicy(STATES, ACTIONS, wrong)
    round_axis = Grid((uniform_axis("turn", -1.0, 1.0, 6, "periodic"),))
    with pytest.raises(ProblemError, match="action axis turn is periodic"):
        GridPolicy(STATES, round_axis, p)
    assert GridPolicy(STATES, round_axis, p, "mode")(np.zeros(2)).shape == (1,)
    with pytest.raises(ValueError, match="not finite"):
        random_policy()(np.array([np.nan, 0.0]))
    with pytest.raises(ValueError, match=r"expected \(1, 2\)"):
        random_policy()(np.zeros(3))
    with pytest.raises(ValueError, match="uniform numbers"):
        random_policy("sampled").batch(np.zeros((1, 2)))
