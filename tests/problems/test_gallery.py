"""The gallery: every problem builds, and those taken from Gymnasium step exactly as its sources do."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.gallery import CONNECTED, on_cells
from tests.variants import slow_but
from wpoflow.problems.gallery import gallery_names
from wpoflow.problems.load import load_problem, read_statement
from wpoflow.problems.problem_file import read_problem
from wpoflow.problems.statement import Statement, Value

DEFAULT_GRIDS = {
    "acrobot": [9, 9, 5, 5, 3],
    "bandit": [512],
    "cartpole_swingup": [7, 15, 7, 9, 5],
    "double_integrator": [48, 48, 48],
    "grid_world": [11, 11, 4],
    "inventory": [145, 64],
    "lqr": [128, 128],
    "mixture": [256],
    "mountain_car": [101, 101, 21],
    "navigation": [32, 32, 16, 16],
    "pendulum": [101, 101, 21],
    "torus": [128, 128],
}


def test_the_gallery_is_complete_at_its_promised_sizes() -> None:
    assert gallery_names() == sorted(DEFAULT_GRIDS)
    for name, sizes in DEFAULT_GRIDS.items():
        tables = read_problem(name).tables
        assert [axis.size for axis in (*tables.state.values(), *tables.action.values())] == sizes


@pytest.mark.parametrize("name", slow_but(gallery_names(), *(set(gallery_names()) - {"acrobot", "cartpole_swingup"})))
def test_every_problem_builds_on_a_coarse_grid(name: str) -> None:
    tables = read_problem(name).tables
    cells = 12 if len(tables.state) < 4 else 6
    mdp = load_problem(name, cells=on_cells(name, cells))
    if name in CONNECTED:
        assert mdp.cost.shape == (cells ** len(tables.state), cells ** len(tables.action))
    np.testing.assert_allclose(mdp.initial_policy.sum(axis=1), 1.0, rtol=1e-13)
    np.testing.assert_allclose([mdp.rho.sum(), mdp.reference_mass.sum()], 1.0, rtol=1e-13)
    survival = mdp.transition.expect(np.ones(mdp.states.size))
    termination = mdp.transition.termination
    np.testing.assert_allclose(survival + (0.0 if termination is None else termination), 1.0, rtol=1e-13)


def call(value: Value, *coordinates: float) -> float:
    assert callable(value)
    return float(np.asarray(value(*(np.array([coordinate]) for coordinate in coordinates)))[0])


def pendulum_step(th: float, thdot: float, u: float) -> tuple[float, float, float]:
    """Gymnasium 1.4, PendulumEnv.step, line by line; returns angle, speed, reward."""
    g, m, l, dt = 10.0, 1.0, 1.0, 0.05  # noqa: E741 - the source's names
    u = np.clip(u, -2.0, 2.0)
    angle_normalized = ((th + np.pi) % (2 * np.pi)) - np.pi
    costs = angle_normalized**2 + 0.1 * thdot**2 + 0.001 * (u**2)
    newthdot = thdot + (3 * g / (2 * l) * np.sin(th) + 3.0 / (m * l**2) * u) * dt
    newthdot = np.clip(newthdot, -8, 8)
    newth = th + newthdot * dt
    return float(newth), float(newthdot), float(-costs)


def car_step(position: float, velocity: float, action: float) -> tuple[float, float, float, bool]:
    """Gymnasium 1.4, Continuous_MountainCarEnv.step, line by line; returns position, velocity, reward, terminated."""
    force = min(max(action, -1.0), 1.0)
    velocity += force * 0.0015 - 0.0025 * math.cos(3 * position)
    if velocity > 0.07:
        velocity = 0.07
    if velocity < -0.07:
        velocity = -0.07
    position += velocity
    if position > 0.6:
        position = 0.6
    if position < -1.2:
        position = -1.2
    if position == -1.2 and velocity < 0:
        velocity = 0
    terminated = bool(position >= 0.45 and velocity >= 0)
    reward = 0.0
    if terminated:
        reward = 100.0
    reward -= math.pow(action, 2) * 0.1
    return position, velocity, reward, terminated


@pytest.fixture(scope="module")
def pendulum() -> Statement:
    return read_statement(read_problem("pendulum"))


@pytest.fixture(scope="module")
def mountain_car() -> Statement:
    return read_statement(read_problem("mountain_car"))


def test_pendulum_steps_as_gymnasium_does(pendulum: Statement) -> None:
    rng = np.random.default_rng(1)
    limited = 0
    for theta, speed, torque in rng.uniform([-np.pi, -8, -2], [np.pi, 8, 2], size=(500, 3)):
        angle, velocity, reward = pendulum_step(theta, speed, torque)
        limited += abs(velocity) == 8.0
        assert call(pendulum.dynamics["theta"], theta, speed, torque) == pytest.approx(angle, abs=1e-13)
        assert call(pendulum.dynamics["speed"], theta, speed, torque) == pytest.approx(velocity, abs=1e-13)
        assert call(pendulum.cost, theta, speed, torque) == pytest.approx(-reward, abs=1e-12)
    assert limited > 5
    assert (pendulum.noise, pendulum.terminal_set) == ({}, None)


def test_mountain_car_steps_as_gymnasium_does(mountain_car: Statement) -> None:
    rng = np.random.default_rng(2)
    walls = goals = 0
    assert mountain_car.terminal_set is not None
    assert mountain_car.terminal_cost == pytest.approx(-100 / mountain_car.discount)
    for start in (-1.2, -0.5, 0.42):
        for where, velocity, force in rng.uniform([0, -0.07, -1], [0.05, 0.07, 1], size=(200, 3)):
            position = start + where
            expected = car_step(position, velocity, force)
            following = [
                call(mountain_car.dynamics[name], position, velocity, force) for name in ("position", "velocity")
            ]
            np.testing.assert_allclose(following, expected[:2], atol=1e-15)
            ended = bool(call(mountain_car.terminal_set, *following))
            cost = call(mountain_car.cost, position, velocity, force) - 100.0 * ended
            assert ended == expected[3]
            assert cost == pytest.approx(-expected[2], abs=1e-14)
            walls += following[0] == -1.2
            goals += ended
    assert walls > 20
    assert goals > 20


def test_torus_has_points_at_the_multiples_of_the_spacing() -> None:
    statement = read_statement(read_problem("torus"))
    for grid in (statement.states, statement.actions):
        np.testing.assert_allclose(grid.points[:, 0], 2 * np.pi * np.arange(128) / 128, atol=1e-14)


@pytest.mark.parametrize("name", ["lqr", "double_integrator"])
def test_linear_quadratic_problems_are_what_they_say(name: str) -> None:
    """Second differences of the dynamics vanish, and of the cost are constant."""
    statement = read_statement(read_problem(name))
    rng = np.random.default_rng(3)
    dim = statement.states.dim + statement.actions.dim
    step, other = rng.normal(size=(2, dim))

    def second(value: Value, at: np.ndarray) -> float:
        return call(value, *(at + step)) - 2 * call(value, *at) + call(value, *(at - step))

    for f in statement.dynamics.values():
        assert second(f, other) == pytest.approx(0.0, abs=1e-13)
    assert second(statement.cost, other) == pytest.approx(second(statement.cost, 3 * other), rel=1e-11)


def test_inventory_outcomes_sum_to_one_and_demand_is_not_gaussian() -> None:
    statement = read_statement(read_problem("inventory"))
    chances = [outcome.probability for outcome in statement.outcomes]
    assert chances == [0.8, 0.2]
    demands = np.array([-call(outcome.dynamics["stock"], 0.0, 0.0) for outcome in statement.outcomes])
    mean = float(np.dot([0.8, 0.2], demands))
    skew = float(np.dot([0.8, 0.2], (demands - mean) ** 3))
    assert mean < 6.0
    assert skew > 1.0
