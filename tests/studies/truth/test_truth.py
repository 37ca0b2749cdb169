"""The truth at states: consistent, near exact values, inside its band, and stored whole; bad input is one line."""

from __future__ import annotations

import csv
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import wpoflow as wpo
from tests.solver.exact_values import regulator, riccati, soft_constant
from wpoflow.core.arrays import FloatArray
from wpoflow.problems.environments.policy import GridPolicy
from wpoflow.problems.problem_file import read_problem
from wpoflow.solver.bellman.system import BellmanError
from wpoflow.solver.corrected import band
from wpoflow.solver.mdp import GridMDP
from wpoflow.studies.truth import coarse
from wpoflow.studies.truth.places import read_states
from wpoflow.studies.truth.truth import Truth

MASSES = "docs/problems/lqr_2_1.toml"
A = np.array(
    [
        [0.99559794, 0.00451798, 0.03, 0.0],
        [0.00440206, 0.99096404, 0.0, 0.03],
        [-0.14673546, 0.15059933, 1.0, 0.0],
        [0.14673546, -0.30119867, 0.0, 1.0],
    ]
)
B = np.array([0.00021486, -0.00021486, 0.00716197, -0.00716197])
COST, EFFORT = np.diag([0.5, 0.5, 0.0, 0.0]), 0.05
REGION = np.array([0.8, 0.8, 2.0, 2.0])


@pytest.fixture(scope="module")
def plane() -> tuple[Truth, FloatArray]:
    """The regulator of two states at drawn inner states, and its exact value there."""
    mdp, quadratic, curvature = regulator(2, 31)
    states = np.random.default_rng(0).uniform(-0.4, 0.4, (200, 2))
    coarse = regulator(2, 21)[0]
    return wpo.truth(mdp, states, coarse=coarse), quadratic(states) + soft_constant(mdp, curvature)


def test_value_q_and_policy_belong_together_at_every_state(plane: tuple[Truth, FloatArray]) -> None:
    found, exact = plane
    mdp = found.mdp
    weights = mdp.reference_mass * np.exp(-(found.q - found.q.min(axis=1, keepdims=True)) / mdp.temperature)
    np.testing.assert_allclose(found.policy, weights / weights.sum(axis=1, keepdims=True), atol=1e-12)
    soft = found.q.min(axis=1) - mdp.temperature * np.log(weights.sum(axis=1))
    np.testing.assert_allclose(found.value, soft, atol=1e-12)
    np.testing.assert_allclose((found.density * mdp.actions.volumes).sum(axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(found.mean[:, 0], found.policy @ mdp.actions.points[:, 0], atol=1e-13)
    assert np.abs(found.value - exact).max() < 2e-3 * exact.max()
    assert np.all(np.abs(found.value - exact) <= found.value_band)
    assert np.mean(np.abs(found.markov_value - exact) <= found.markov_band) > 0.95


def test_four_axes_the_value_is_known_where_the_grid_alone_is_far_off() -> None:
    """dm_control's lqr_2_1 against the discounted Riccati value with its entropy, on |q| <= 0.8, |v| <= 2."""
    problem = wpo.load_problem(MASSES, cells={**dict.fromkeys(("q1", "q2", "v1", "v2"), 11), "u": 7})
    states = np.random.default_rng(1).uniform(-1.0, 1.0, (500, 4)) * REGION
    _check_masses(problem, states, mean_error=0.12, markov=1.5)


@pytest.mark.slow
def test_on_the_files_own_grid_the_value_is_within_three_percent_at_every_state() -> None:
    """And the band covers every one: drawn states, of faces too, all corners, and the neighbourhood of the origin."""
    random = np.random.default_rng(7)
    faces = random.uniform(-1.0, 1.0, (8000, 4))
    faces[np.arange(8000), np.arange(8000) % 4] = random.choice([-1.0, 1.0], 8000)
    near = random.uniform(-0.1, 0.1, (2000, 4))
    corners = np.array([*product((-1.0, 0.0, 1.0), repeat=4)])
    inside = np.vstack((random.uniform(-1.0, 1.0, (20_000, 4)), faces, near, corners)) * REGION
    found = _check_masses(wpo.load_problem(MASSES), inside, mean_error=0.005, markov=0.8, worst=0.03)
    start = inside[:500]
    acting = GridPolicy(found.mdp.states, found.mdp.actions, found.solution.policy, "mean")
    p, _ = riccati(A, B, COST, EFFORT, found.mdp.discount)
    best = np.einsum("ni,ij,nj->n", start, p, start)
    paid, x = np.zeros(len(start)), start
    for step in range(700):
        u = acting(x)[:, 0]
        paid += found.mdp.discount**step * (np.einsum("ni,ij,nj->n", x, COST, x) + EFFORT * u**2)
        x = x @ A.T + u[:, None] * B
    assert paid.sum() < 1.003 * best.sum()


def _check_masses(
    mdp: GridMDP, states: FloatArray, *, mean_error: float, markov: float, worst: float = np.inf
) -> Truth:
    """Relative errors are of the whole value with its entropy, which is 0.14 at the origin and positive everywhere."""
    p, curvature = riccati(A, B, COST, EFFORT, mdp.discount)
    exact = np.einsum("ni,ij,nj->n", states, p, states) + soft_constant(mdp, curvature)
    found = wpo.truth(mdp, states)
    off = np.abs(found.value - exact)
    assert off.mean() < mean_error * exact.mean()
    assert (off / exact).max() < worst
    assert np.abs(found.markov_value - exact).mean() > markov * exact.mean()
    assert np.all(off <= found.value_band)
    assert found.band_axes == ("q1", "q2", "v1", "v2", "u")
    gain = mdp.discount * (B @ p @ A) / curvature
    assert (np.abs(found.mean[:, 0] + states @ gain) <= found.mean_band[:, 0]).mean() > 0.98
    return found


def test_of_a_file_a_circle_and_every_second_point_the_band_comes_by_itself() -> None:
    states = [[0.1, 0.2], [3.5, -1.0], [-2.0, 2.0]]
    cells = {"theta": 31, "speed": 31, "torque": 7}
    found = wpo.truth("pendulum", states, cells=cells)
    assert found.band_axes == ("theta", "speed", "torque")
    again = wpo.truth("pendulum", [[0.1, 0.2], [3.5 - 2.0 * np.pi, -1.0], [-2.0, 2.0]], cells=cells)
    np.testing.assert_allclose(found.value, again.value, rtol=1e-12)  # a circle is wrapped
    stated = wpo.load_problem("pendulum", cells=cells)
    by_points = wpo.truth(wpo.GridMDP(**{name: getattr(stated, name) for name in ARRAYS}), states)
    assert by_points.band_axes == ("theta", "speed")
    np.testing.assert_allclose(by_points.value, found.value, rtol=1e-9)


ARRAYS = (
    *("states", "actions", "discount", "temperature", "cost", "transition", "reference_mass", "rho"),
    "initial_policy",
)


def test_samples_are_drawn_by_their_seed_from_the_whole_box() -> None:
    cells = {"x": 16, "u": 8}
    first, again, other = (wpo.truth("lqr", sample=40, seed=seed, cells=cells) for seed in (3, 3, 4))
    assert np.array_equal(first.states, again.states)
    assert not np.array_equal(first.states, other.states)
    assert np.ptp(first.states) > 0.8 * first.mdp.states.axes[0].length


def test_tables_hold_all_digits_and_data_sets_the_axes(plane: tuple[Truth, FloatArray], tmp_path: Path) -> None:
    found, _ = plane
    path = found.save(tmp_path / "truth.csv")
    with path.open() as stream:
        rows = list(csv.DictReader(stream))
    assert np.array_equal([float(row["value"]) for row in rows], found.value)
    assert np.array_equal([float(row["mean_u"]) for row in rows], found.mean[:, 0])
    cell = found.mdp.actions.describe(3)
    assert np.array_equal([float(row[f"q[{cell}]"]) for row in rows], found.q[:, 3])
    xarray = pytest.importorskip("xarray")
    stored = found.save(tmp_path / "truth.nc")
    with xarray.open_dataset(stored, engine="h5netcdf") as data:
        assert data["q"].dims == ("state", "u")
        assert np.array_equal(data["q"], found.q)
        assert np.array_equal(data["x"], found.states[:, 0])
        assert data.attrs["residual"] == found.solution.residual
        assert "coarser grid" in data.attrs["band"]
    with pytest.raises(FileExistsError, match="exists"):
        found.save(path)
    found.save(path, force=True)  # what it wrote itself is replaced
    (tmp_path / "mine.csv").write_text("a,b\n1,2\n")
    with pytest.raises(FileExistsError, match="never replaced"):
        found.save(tmp_path / "mine.csv", force=True)


def test_states_that_cannot_be_are_named(tmp_path: Path) -> None:
    table = tmp_path / "points.csv"
    grid = wpo.load_problem("mountain_car", cells={"position": 41, "velocity": 41, "force": 3})
    for text, words in {
        "position\n0\n": "no column 'velocity'",
        "position,velocity,mass\n0,0,1\n": "column 'mass' is no state axis",
        "position,velocity\n0,0\n0,fast\n": "line 3, column velocity: 'fast' is not a number",
        "position,velocity\n0\n": "line 2: 1 entries in a table of 2 columns",
        "position,velocity\n": "a table without states",
        "": "no column 'position'",
    }.items():
        table.write_text(text)
        with pytest.raises(ValueError, match=words):
            read_states(table, grid.states)
    table.write_text("velocity, position\n0.01,-0.5\n")
    assert read_states(table, grid.states).tolist() == [[-0.5, 0.01]]
    for states, words in {
        ((-0.5, 0.2),): "row 0: velocity = 0.2 does not lie in the box",
        ((-0.5, 0.0), (np.nan, 0.0)): "row 1: position = nan",
        ((0.59, 0.06),): "lies in the terminal set",
        ((0.1, 0.0, 0.0),): r"expected \(n, 2\)",
    }.items():
        with pytest.raises(ValueError, match=words):
            wpo.truth(grid, states)
    table.write_text("velocity, position\n0.01,-0.5\n0.2,-0.5\n")
    with pytest.raises(ValueError, match=r"points.csv, line 3: velocity = 0.2 does not lie in the box"):
        wpo.truth(grid, table)
    with pytest.raises(ValueError, match="either states or sample"):
        wpo.truth(grid)
    with pytest.raises(ValueError, match="fewer points"):
        wpo.truth(grid, sample=2, coarse=grid)


def test_an_agent_that_is_optimal_has_no_error_and_others_have_theirs(plane: tuple[Truth, FloatArray]) -> None:
    found, _ = plane
    perfect = wpo.score(found, value=found.value, q=found.q, policy=found.solution.policy)
    assert perfect.value is not None
    assert perfect.q is not None
    assert perfect.regret is not None
    assert perfect.value.largest == perfect.q.largest == 0.0
    assert np.abs(perfect.regret.cost).max() < 1e-6 * found.value.max()
    assert 0.0 <= perfect.regret.soft.min() <= perfect.regret.soft.max() < 0.05 * found.value.max()
    shifted = wpo.score(found, value=lambda states: found.value + 1.0).value
    assert shifted is not None
    np.testing.assert_allclose([shifted.mean, shifted.mean_size, shifted.root_mean_square, shifted.largest], 1.0)
    assert shifted.beyond_band == (found.value_band < 1.0).mean()
    np.testing.assert_allclose(shifted.certain, np.maximum(1.0 - found.value_band, 0.0).mean())


def test_regret_of_a_linear_controller_is_that_of_riccatis_equation(plane: tuple[Truth, FloatArray]) -> None:
    """u = -k x has the discounted cost x'Sx, S a sum of powers of the closed loop; actions lie between grid points."""
    found, _ = plane
    a, b, gain, discount = np.array([[0.97, 0.1], [-0.1, 0.9]]), np.array([0.0, 0.1]), np.array([0.4, 0.9]), 0.95
    p, _ = riccati(a, b, np.eye(2), 0.5, discount)
    closed, cost = a - np.outer(b, gain), np.eye(2) + 0.5 * np.outer(gain, gain)
    s = sum(discount**k * (m := np.linalg.matrix_power(closed, k)).T @ cost @ m for k in range(400))
    exact = np.einsum("ni,ij,nj->n", found.states, s - p, found.states)
    regret = wpo.score(found, policy=lambda x: -x @ gain).regret
    assert regret is not None
    entropy = 0.5 * found.mdp.temperature / (1.0 - discount)  # what the optimal policy pays in costs for its width
    np.testing.assert_allclose(regret.cost + entropy, exact, atol=0.05 * exact.max() + 0.01)
    assert regret.soft.min() > 0.0


def test_rewards_are_scored_as_the_sum_maximised() -> None:
    cells = {"x": 16, "u": 8}
    costs = wpo.load_problem("lqr", cells=cells)
    given = {name: getattr(costs, name) for name in ARRAYS if name != "cost"}
    rewards = wpo.GridMDP(**given, reward=-costs.cost)  # type: ignore[call-arg]
    coarse = wpo.load_problem("lqr", cells={"x": 11, "u": 8})
    found = wpo.truth(rewards, [[0.3], [1.0]], coarse=coarse)
    scored = wpo.score(found, value=-found.value).value
    assert scored is not None
    assert scored.largest == 0.0


def test_agents_that_are_none_are_refused(plane: tuple[Truth, FloatArray]) -> None:
    found, _ = plane
    n = len(found.states)
    for given, words in (
        ({}, "nothing to score"),
        ({"value": np.zeros(n - 1)}, "value has shape"),
        ({"value": np.full(n, np.nan)}, "not finite at state 0"),
        ({"policy": lambda states: np.full(len(states), 7.0)}, r"u = 7; it must be in \[-2, 2\]"),
        ({"policy": np.zeros((3, 3))}, "for probabilities or"),
    ):
        with pytest.raises(ValueError, match=words):
            wpo.score(found, **given)


def test_the_mean_action_is_that_of_the_grid_policy(plane: tuple[Truth, FloatArray]) -> None:
    found, _ = plane
    acting = GridPolicy(found.mdp.states, found.mdp.actions, found.solution.policy, "mean")
    assert np.abs(acting(found.states)[:, 0] - found.mean[:, 0]).max() < 0.02


def test_where_two_thirds_of_the_points_have_no_corrected_value_a_half_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And where neither has one, both are named."""
    cells = {"theta": 22, "speed": 20, "torque": 8}
    refused, taken = [(15, 14)], band.coarse_of

    def of_some(given: GridMDP, fine: GridMDP) -> band.Coarse:
        if given.states.shape in refused:
            raise BellmanError("corrected value: its residual stays at 1")
        return taken(given, fine)

    plain = coarse.judged(wpo.load_problem("pendulum", cells=cells), read_problem("pendulum", cells=cells))
    monkeypatch.setattr(coarse, "coarse_of", of_some)
    found = coarse.judged(wpo.load_problem("pendulum", cells=cells), read_problem("pendulum", cells=cells))
    assert [axis.points.size for axis in plain.coarse.axes] == [15, 14]
    assert [axis.points.size for axis in found.coarse.axes] == [11, 11]
    np.testing.assert_array_equal(found.found.value, plain.found.value)
    refused.append((11, 11))
    with pytest.raises(BellmanError, match=r"no coarser grid .* theta 15, speed 14, torque 5: .*; theta 11, speed 11"):
        coarse.judged(wpo.load_problem("pendulum", cells=cells), read_problem("pendulum", cells=cells))
