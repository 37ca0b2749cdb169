"""Grid problems of environments: both paths agree, termination belongs to the pair, truncation to nobody."""

from __future__ import annotations

import sys
from typing import Any

import gymnasium
import numpy as np
import pytest

from tests.problems.environments.gymnasia import NoisyPoint, Point, Strict, point_states
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.environments.build import from_environment
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.load import load_problem

PENDULUM = {"theta": 12, "speed": 11, "torque": 5}
CAR = {"position": 23, "velocity": 13, "force": 5}


def environment(name: str, **options: Any) -> Any:
    return gymnasium.make(name, **options)


@pytest.mark.parametrize(("name", "cells"), [("Pendulum-v1", PENDULUM), ("MountainCarContinuous-v0", CAR)])
def test_calling_the_environment_at_the_nodes_gives_the_same_problem(name: str, cells: dict[str, int]) -> None:
    model = from_environment(name, discount=0.9, temperature=0.1, cells=cells)
    # a time limit of one step truncates every call, and must end nothing
    limited = environment(name, max_episode_steps=1)
    called = from_environment(limited, discount=0.9, temperature=0.1, cells=cells, vectorised=False)
    value = np.random.default_rng(3).normal(size=model.states.size)
    assert np.abs(model.cost - called.cost).max() <= 1e-12
    assert np.abs(model.transition.expect(value) - called.transition.expect(value)).max() <= 1e-12
    ends, called_ends = model.transition.termination, called.transition.termination
    assert (ends is None) == (called_ends is None) == (name == "Pendulum-v1")
    if ends is not None and called_ends is not None:
        assert np.array_equal(ends, called_ends)


def test_the_gallery_states_the_same_pendulum() -> None:
    cells = {"theta": 31, "speed": 31, "torque": 7}
    mdp = from_environment("Pendulum-v1", discount=0.98, temperature=1.0, cells=cells)
    gallery = load_problem("pendulum", cells=cells)
    value = np.random.default_rng(4).normal(size=mdp.states.size)
    assert np.abs(mdp.cost - gallery.cost).max() <= 1e-12
    assert np.abs(mdp.transition.expect(value) - gallery.transition.expect(value)).max() <= 1e-12


def test_the_gallery_states_the_same_mountain_car() -> None:
    cells = {"position": 41, "velocity": 31, "force": 7}
    mdp = from_environment("MountainCarContinuous-v0", discount=0.99, temperature=1.0, cells=cells)
    gallery = load_problem("mountain_car", cells=cells)
    value = np.random.default_rng(5).normal(size=mdp.states.size)
    # the environment keeps its state in single precision
    assert np.abs(mdp.cost - gallery.cost).max() <= 1e-12
    assert np.abs(mdp.transition.expect(value) - gallery.transition.expect(value)).max() <= 1e-4
    ends, stated = mdp.transition.termination, gallery.transition.termination
    assert ends is not None
    assert stated is not None
    assert np.array_equal(ends, stated)


def test_termination_zeroes_the_pair_and_no_other() -> None:
    mdp = from_environment(Point(), discount=0.9, temperature=0.1, states=point_states(), cells={"action_0": 4})
    x, (push, drift) = mdp.states.points, mdp.actions.points.T
    ends = x + 0.2 * push + 0.1 * drift > 0.9
    assert np.any(ends.any(axis=1) & ~ends.all(axis=1))
    assert np.any(x + 0.2 * push + 0.1 * drift < -0.9)  # where the environment says truncated, which ends nothing
    assert np.array_equal(mdp.transition.expect(np.ones(9)), 1.0 - ends)
    assert mdp.transition.termination is not None
    assert np.array_equal(mdp.transition.termination, ends)
    uniform = np.full((9, mdp.actions.size), 1.0 / mdp.actions.size)
    assert mdp.transition.under(uniform).matvec(np.ones(9)) == pytest.approx(1.0 - ends.mean(axis=1), abs=1e-15)
    with pytest.raises(ValueError, match="put the terminal cost into the cost"):
        mdp.transition.terminal_expectation(lambda x: x)


def test_a_called_environment_keeps_the_shape_of_its_actions() -> None:
    mdp = from_environment(
        Point(), discount=0.9, temperature=0.1, states=point_states(), cells={"action_0": 4, "action_1": 3}
    )
    assert [(axis.name, axis.lower, axis.upper) for axis in mdp.actions.axes] == [
        ("action_0", -1.0, 1.0),
        ("action_1", 0.0, 2.0),
    ]
    assert mdp.cost == pytest.approx(mdp.states.points**2 + mdp.actions.points[:, 0] ** 2, abs=1e-14)
    assert mdp.rho.sum() == pytest.approx(1.0, abs=1e-12)
    assert mdp.rho[np.abs(mdp.states.points[:, 0]) > 0.76].sum() < 1e-4


def test_the_first_states_are_those_of_the_environment() -> None:
    car = from_environment("MountainCarContinuous-v0", discount=0.9, temperature=0.1, cells=CAR)
    # hat weights reproduce affine functions
    assert car.rho @ car.states.points == pytest.approx([-0.5, 0.0], abs=1e-12)
    assert car.rho[np.abs(car.states.points[:, 1]) < 1e-6].sum() == pytest.approx(1.0, abs=1e-12)
    pendulum = from_environment("Pendulum-v1", discount=0.9, temperature=0.1, cells=PENDULUM)
    by_angle = pendulum.rho.reshape(12, 11).sum(axis=1)
    assert by_angle == pytest.approx(np.full(12, 1 / 12), rel=0.01)


def two_axes() -> Grid:
    return Grid((uniform_axis("x", 0.0, 1.0, 3, "clamp"), uniform_axis("y", 0.0, 1.0, 3, "clamp")))


def swapped() -> Grid:
    angle = uniform_axis("theta", -np.pi, np.pi, 5, "periodic")
    return Grid((uniform_axis("speed", -8.0, 8.0, 5, "clamp"), angle))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"environment": "Pendulum-v7"}, "Pendulum-v7"),
        ({"environment": None}, "environment: it is of type NoneType; give a name, as Pendulum-v1"),
        ({"environment": Point}, "environment: it is Point; give a name, as Pendulum-v1, or one that is made"),
        ({"environment": "CartPole-v1"}, "the grid of its states is needed"),
        ({"environment": "Pendulum-v1", "cells": {"angle": 3}}, "cells for angle; choose among theta, speed, torque"),
        ({"environment": "Pendulum-v1", "cells": {"torqe": 3}}, "speed, torque; did you mean 'torque'"),
        ({"environment": Point()}, "the grid of its states is needed"),
        ({"environment": Point(), "states": two_axes()}, "its state has 1 numbers, the grid of states 2 axes"),
        ({"environment": NoisyPoint(), "states": point_states()}, "the same state and action led to different steps"),
        (
            {"environment": "Pendulum-v1", "actions": two_axes()},
            "its actions have 1 axes, the grid's 2",
        ),
        (
            {"environment": "Pendulum-v1", "actions": Grid((uniform_axis("torque", -20.0, 20.0, 5),))},
            "its actions lie in [-2, 2], the grid's axis torque in [-20, 20]",
        ),
        (
            {"environment": "Pendulum-v1", "states": swapped()},
            "its state is theta, speed, in this order; the axes are speed, theta",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_built_is_said_in_a_line(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ProblemError) as error:
        from_environment(discount=0.9, temperature=0.1, **arguments)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


class Lost(Point):
    """A reward that is none where x is positive, or a next state."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what

    def step(self, action: FloatArray) -> tuple[FloatArray, float, bool, bool, Any]:
        there = bool(self.state[0] > 0.0)
        observation, reward, terminated, truncated, info = super().step(action)
        if there and self.what == "next state":
            self.state = np.array([np.nan])
        return observation, np.nan if there and self.what == "reward" else reward, terminated, truncated, info


@pytest.mark.parametrize("what", ["reward", "next state"])
def test_steps_to_nowhere_are_named(what: str) -> None:
    with pytest.raises(ValueError, match=rf"environment Lost: the {what} from state 0.25 by action -0.5.* not finite"):
        from_environment(Lost(what), discount=0.9, temperature=0.1, states=point_states(), cells={"action_0": 2})


def test_more_pairs_than_memory_holds_are_refused_before_they_are_made() -> None:
    cells = {"theta": 100_000, "speed": 100_000}
    with pytest.raises(MemoryError, match=r"environment Pendulum-v1: needs about .* GB.*theta 100000, speed 100000"):
        from_environment("Pendulum-v1", discount=0.9, temperature=0.1, cells=cells)


def test_a_discount_of_decisions_that_is_zero_names_how_many_steps_they_take() -> None:
    with pytest.raises(ValueError, match=r"repeat = 10000: the discount 0.9 of a step to this power"):
        from_environment("Pendulum-v1", discount=0.9, temperature=0.1, repeat=10_000)


class Named(Point):
    """Its state is no number."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[FloatArray, Any]:
        observation, _ = super().reset(seed=seed)
        self.state = "somewhere"
        return observation, {}


def test_an_environment_without_a_state_is_refused() -> None:
    with pytest.raises(ProblemError, match=r"no unwrapped\.state of numbers"):
        from_environment(Named(), discount=0.9, temperature=0.1, states=point_states())


def test_without_gymnasium_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(ImportError, match=r'pip install "wpoflow\[rl\]"'):
        from_environment("Pendulum-v1", discount=0.9, temperature=0.1)


@pytest.mark.parametrize("cells", [9, 41, 4001])
def test_the_law_of_resets_is_no_histogram(cells: int) -> None:
    """Between first states of a thousand resets it is positive, however fine the grid; mean and variance are theirs."""
    env = Point()
    actions = {"action_0": 1, "action_1": 1}
    mdp = from_environment(env, discount=0.9, temperature=0.1, states=point_states(cells), cells=actions)
    starts = np.array([_start(env, seed) for seed in range(1000)])
    x, h = mdp.states.points[:, 0], mdp.states.axes[0].distances[0]
    inside = (x >= starts.min()) & (x <= starts.max())
    assert mdp.rho[inside].min() > 0.0
    assert mdp.rho.sum() == pytest.approx(1.0, abs=1e-14)
    mean = mdp.rho @ x
    assert mean == pytest.approx(starts.mean(), abs=1e-12)
    # interpolation adds the mean of f (1 - f) h^2, at most h^2/4
    assert starts.var() - 1e-12 <= mdp.rho @ (x - mean) ** 2 <= starts.var() + 0.25 * h**2


def _start(env: Point, seed: int) -> float:
    env.reset(seed=seed)
    return float(env.state[0])


class Resting(Point):
    """A second number, at which every episode begins."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[FloatArray, Any]:
        super().reset(seed=seed)
        self.state = np.array([self.state[0], 0.5])
        return self.state.copy(), {}

    def step(self, action: FloatArray) -> tuple[FloatArray, float, bool, bool, Any]:
        self.state = np.array([0.5 * self.state[0], 0.5 * self.state[1]])
        return self.state.copy(), 0.0, False, False, {}


def test_axes_on_which_every_episode_begins_alike_keep_that_point() -> None:
    mdp = from_environment(Resting(), discount=0.9, temperature=0.1, states=two_axes())
    across = mdp.rho.reshape(3, 3).sum(axis=0)
    assert across == pytest.approx([0.0, 1.0, 0.0], abs=1e-14)


def test_another_law_of_the_first_state_may_be_given() -> None:
    uniform = np.full(9, 1.0 / 9.0)
    mdp = from_environment(Point(), discount=0.9, temperature=0.1, states=point_states(), rho=uniform)
    assert np.array_equal(mdp.rho, uniform)
    with pytest.raises(ValueError, match=r"rho has shape \(3,\); it must be \(9,\)"):
        from_environment(Point(), discount=0.9, temperature=0.1, states=point_states(), rho=np.full(3, 1.0 / 3.0))


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_an_environment_that_asks_for_actions_of_its_space_is_given_them(shape: tuple[int, ...]) -> None:
    actions = Grid((uniform_axis("a", -0.1, 0.1, 5),))
    given_: dict[str, Any] = {
        "states": point_states(),
        "actions": actions,
        "discount": 0.9,
        "temperature": 0.1,
        "vectorised": False,
    }
    mdp = from_environment(Strict(shape), **given_)
    pushes = actions.points[:, 0].astype(np.float32).astype(float)
    assert mdp.cost == pytest.approx(point_states().points ** 2 + pushes**2, abs=1e-15)


def test_repeated_steps_are_those_of_the_environment() -> None:
    """Held actions by the model and by calls, against ``env.step`` again and again; what ends pays no more."""
    cells, repeat, discount = {"position": 23, "velocity": 13, "force": 5}, 6, 0.9
    model, called = (
        from_environment(
            "MountainCarContinuous-v0",
            discount=discount,
            temperature=0.1,
            cells=cells,
            repeat=repeat,
            vectorised=vectorised,
        )
        for vectorised in (True, False)
    )
    assert model.discount == called.discount == pytest.approx(discount**repeat, rel=1e-15)
    np.testing.assert_allclose(model.cost, called.cost, rtol=0, atol=1e-12)
    env, ended = gymnasium.make("MountainCarContinuous-v0").unwrapped, np.zeros(model.cost.shape)
    env.reset(seed=0)
    for i, state in enumerate(model.states.points):
        for k, force in enumerate(model.actions.points):
            env.state, total = state.copy(), 0.0  # type: ignore[attr-defined]
            for j in range(repeat):
                _, reward, over, _, _ = env.step(force)
                total += discount**j * float(reward)
                if over:
                    ended[i, k] = 1.0
                    break
            assert model.cost[i, k] == pytest.approx(-total, abs=1e-12)
    assert model.transition.termination is not None
    np.testing.assert_array_equal(model.transition.termination, ended)


def test_repeat_counts_steps_and_needs_certain_ones() -> None:
    with pytest.raises(ValueError, match="repeat = 0 must be a whole number of steps"):
        from_environment("Pendulum-v1", discount=0.9, temperature=0.1, repeat=0)
    with pytest.raises(ProblemError, match="repeat = 2, but its table is of the outcomes of single steps"):
        from_environment("FrozenLake-v1", discount=0.9, temperature=0.1, repeat=2)
    corridor = from_environment("CartPole-v1", discount=0.9, temperature=0.1, states=_few(), repeat=3)
    once = from_environment("CartPole-v1", discount=0.9, temperature=0.1, states=_few())
    assert corridor.cost.min() == pytest.approx(-(1 + 0.9 + 0.81))
    assert once.cost.min() == pytest.approx(-1.0)


def _few() -> Grid:
    names, ends = ("x", "v", "theta", "omega"), (2.0, 1.0, 0.1, 0.5)
    return Grid(tuple(uniform_axis(name, -end, end, 3, "clamp") for name, end in zip(names, ends, strict=True)))
