"""Environments on half of their states, and what acts there: actions are those of the whole, mirrored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.halving import folded_masses, images, mirrored_cells, whole_grid
from wpoflow.problems.environments.build import from_environment
from wpoflow.problems.environments.cross_entropy import CrossEntropy
from wpoflow.problems.environments.look_ahead import LookAhead
from wpoflow.problems.environments.policy import MODES, GridPolicy, open_policy
from wpoflow.problems.environments.rollout import rollout
from wpoflow.problems.errors import ProblemError
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Optimum
from wpoflow.solver.storage.optimum_file import save_optimum

NAMES = ["theta", "speed", "torque"]
CELLS, AHEAD = 20, np.pi / 20


def _pendulum(reflection: list[str], vectorised: bool = True, cells: int = CELLS) -> GridMDP:
    """A circle with points at 0 and pi, whole or halved: a half is stated with one cell more."""
    ends = (-np.pi, np.pi) if reflection else (-np.pi - AHEAD, np.pi - AHEAD)
    states = Grid(
        (
            uniform_axis("theta", *ends, cells + bool(reflection), "periodic"),
            uniform_axis("speed", -8.0, 8.0, 11, "clamp"),
        )
    )
    return from_environment(
        "Pendulum-v1",
        discount=0.95,
        temperature=0.5,
        states=states,
        actions=Grid((uniform_axis("torque", -2.0, 2.0, 7, "clamp"),)),
        vectorised=vectorised,
        repeat=2,
        reflection=reflection,
    )


@pytest.fixture(scope="module")
def solved() -> tuple[GridMDP, Optimum, GridMDP, Optimum]:
    """The half and the whole, with their optima."""
    half, whole = _pendulum(NAMES), _pendulum([])
    return half, solve_optimum(half), whole, solve_optimum(whole)


def test_half_of_an_environment_has_the_values_of_the_whole(solved: tuple[GridMDP, Optimum, GridMDP, Optimum]) -> None:
    half, found, whole, expected = solved
    number, mirrored = images(half.states)
    np.testing.assert_allclose(whole_grid(half.states).points, whole.states.points, atol=1e-14)
    np.testing.assert_allclose(found.value[number], expected.value, rtol=1e-12)
    q = found.q[number]
    q[mirrored] = q[mirrored][:, mirrored_cells(half.actions, NAMES)]
    np.testing.assert_allclose(q, expected.q, rtol=1e-12)
    np.testing.assert_allclose(half.rho, folded_masses(half.states, whole.rho), atol=1e-15)


def test_calls_of_an_environment_are_mirrored_as_its_model_is() -> None:
    half, called = _pendulum(NAMES), _pendulum(NAMES, vectorised=False)
    np.testing.assert_allclose(called.cost, half.cost, rtol=1e-12)
    value = np.random.default_rng(0).random(half.states.size)
    np.testing.assert_allclose(called.transition.expect(value), half.transition.expect(value), atol=1e-9)
    assert np.isclose(called.rho.sum(), 1.0)


def _states() -> np.ndarray:
    random = np.random.default_rng(1)
    return np.stack([random.uniform(-4.0, 4.0, 60), random.uniform(-8.0, 8.0, 60)], axis=1)


@pytest.mark.parametrize("mode", MODES)
def test_actions_are_those_of_the_whole(mode: str, solved: tuple[GridMDP, Optimum, GridMDP, Optimum]) -> None:
    half, found, whole, expected = solved
    states = _states()
    acts = GridPolicy.from_problem(half, found, mode), GridPolicy.from_problem(whole, expected, mode)
    here = acts[0].batch(states, np.full((60, 3), 0.3))
    if mode != "sampled":
        np.testing.assert_allclose(here, acts[1].batch(states), atol=1e-9)
    # what is drawn by the same numbers is mirrored, too, and the rest follows by law
    np.testing.assert_allclose(acts[0].batch(-states, np.full((60, 3), 0.3)), -here, atol=1e-12)


def test_plans_are_those_of_the_whole(solved: tuple[GridMDP, Optimum, GridMDP, Optimum]) -> None:
    half, found, whole, expected = solved
    angle, speed = _states().T
    observed = np.stack([np.cos(angle), np.sin(angle), speed], axis=1)
    for plan in (LookAhead(1), CrossEntropy(horizon=3, samples=20, iterations=2)):
        acts = [
            GridPolicy.from_problem(mdp, best, "mean", plan=plan).for_environment("Pendulum-v1")
            for mdp, best in ((half, found), (whole, expected))
        ]
        np.testing.assert_allclose(acts[0].batch(observed), acts[1].batch(observed), atol=1e-5)


def test_a_file_plays_as_the_whole_does(solved: tuple[GridMDP, Optimum, GridMDP, Optimum], tmp_path: Path) -> None:
    half, found, whole, expected = solved
    save_optimum(half, found, tmp_path / "half.h5")
    save_optimum(whole, expected, tmp_path / "whole.h5")
    done = [
        rollout(open_policy(tmp_path / f"{name}.h5"), "Pendulum-v1", episodes=3, seed=5) for name in ("half", "whole")
    ]
    np.testing.assert_allclose(done[0].returns, done[1].returns, rtol=1e-4)


def test_false_symmetry_of_an_environment_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"next state \w+ at .* is not of opposite sign where theta, speed change sign"
    ):
        _pendulum(["theta", "speed"])
    with pytest.raises(ValueError, match="an odd number"):
        _pendulum(NAMES, cells=21)


def test_labels_have_no_sign() -> None:
    states = Grid((uniform_axis("x", -1.0, 1.0, 5, "clamp"),))
    with pytest.raises(ProblemError, match="its actions are labels, which have no sign"):
        from_environment("CartPole-v1", discount=0.9, temperature=0.1, states=states, reflection=["x"])
