"""Termination where some coordinates of the next state are certain: exact there, cell sums only along noisy axes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from wpoflow.core.arrays import BoolArray, FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import (
    InterpolatedTransition,
    PartlyNoisyTransition,
    Transition,
    interpolated_transition,
    mixture_transition,
)
from wpoflow.grids.transitions.coordinates_used import coordinates_used

KINDS = ["clamp", "reflect", "periodic"]
PLACES = np.linspace(-0.1, 1.1, 40)


def plane(x_cells: int, y_cells: int, x_kind: str = "clamp", y_kind: str = "clamp") -> Grid:
    return Grid((uniform_axis("x", 0.0, 1.0, x_cells, x_kind), uniform_axis("y", 0.0, 1.0, y_cells, y_kind)))


def same_everywhere(states: Grid, x: FloatArray, y: FloatArray) -> FloatArray:
    """Next points of all states, one action for each given place."""
    return np.tile(np.stack([x, y], axis=1), (states.size, 1, 1))


def ended(transition: Transition) -> FloatArray:
    termination = transition.termination
    if termination is None:
        return np.zeros(transition.n_actions)
    assert np.array_equal(termination, np.tile(termination[0], (transition.n_states, 1)))
    return np.asarray(termination[0])


def test_a_set_of_certain_coordinates_is_judged_on_them_alone() -> None:
    """x' = 0.93 surely stays out of x > 0.94 whatever the noise on y, though the grid point 1.0 lies inside."""
    states = plane(11, 11)
    f = same_everywhere(states, np.array([0.93, 0.95]), np.array([0.5, 0.5]))
    transition = interpolated_transition(states, f, [0.0, 0.1], lambda x, y: x > 0.94)
    assert isinstance(transition, InterpolatedTransition)
    assert np.array_equal(ended(transition), [0.0, 1.0])
    surviving = interpolated_transition(states, f, [0.0, 0.1]).expect(states.points[:, 0] ** 2)
    assert np.array_equal(transition.expect(states.points[:, 0] ** 2), surviving * [1.0, 0.0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("certain", KINDS)
def test_a_mixed_set_ends_as_on_the_noisy_axis_alone(kind: str, certain: str) -> None:
    """At fixed z the set {y: (z, y) dead} on the axis of y alone gives the same probability, to rounding."""
    states, line = plane(6, 40, certain, kind), Grid((uniform_axis("y", 0.0, 1.0, 40, kind),))
    rng = np.random.default_rng(3)
    x, y = rng.uniform(0.0, 1.0, 25), rng.uniform(-0.2, 1.2, 25)
    transition = interpolated_transition(
        states, same_everywhere(states, x, y), [0.0, 0.15], lambda x, y: x * x + (y - 0.3) ** 2 < 0.2
    )
    assert isinstance(transition, PartlyNoisyTransition)
    for place, mean, got in zip(x, y, ended(transition), strict=True):
        alone = interpolated_transition(
            line, np.full((40, 1, 1), mean), [0.15], lambda y, z=place: z * z + (y - 0.3) ** 2 < 0.2
        )
        assert got == pytest.approx(ended(alone)[0], abs=1e-14)


def test_a_mixed_set_ends_with_the_exact_probability() -> None:
    """P(x + y + sigma xi > 1.2) = N((x + y - 1.2)/sigma) where y + sigma xi may end at a clamped end but not decide."""
    states = plane(5, 401)
    x, sigma = np.linspace(0.3, 0.9, 13), 0.1
    y = np.full(13, 0.5)
    transition = interpolated_transition(states, same_everywhere(states, x, y), [0.0, sigma], lambda x, y: x + y > 1.2)
    assert ended(transition) == pytest.approx(ndtr((x + y - 1.2) / sigma), abs=2e-5)


@pytest.mark.parametrize("cells", [9, 17, 33, 65])
def test_survivors_next_to_a_mixed_set_are_right_to_first_order(cells: int) -> None:
    sigma, z, mean = 0.1, 0.431, 0.55
    states = plane(cells, 201, "reflect", "reflect")
    value = np.exp(states.points[:, 0]) * (1.0 + states.points[:, 1])
    f = same_everywhere(states, np.array([z]), np.array([mean]))
    transition = interpolated_transition(states, f, [0.0, sigma], lambda x, y: x + y > 1.0)
    y = np.linspace(mean - 9.0 * sigma, mean + 9.0 * sigma, 200_001)
    law = np.exp(-0.5 * ((y - mean) / sigma) ** 2)
    folded = np.where(y < 0.0, -y, np.where(y > 1.0, 2.0 - y, y))
    exact = float((law * np.exp(z) * (1.0 + folded) * (z + folded <= 1.0)).sum() / law.sum())
    assert abs(transition.expect(value)[0, 0] - exact) <= 0.4 / cells * exact


def test_outcomes_of_a_mixture_are_judged_one_by_one() -> None:
    states = plane(11, 401)
    f = [same_everywhere(states, np.array([x]), np.array([0.5])) for x in (0.55, 0.93)]
    inside: Callable[..., BoolArray] = lambda x, y: (x > 0.94) | (x + y > 1.2)  # noqa: E731
    share = np.full((states.size, 1), 0.25)
    mixed = mixture_transition(
        [
            (share, interpolated_transition(states, f[0], [0.0, 0.1], inside)),
            (1.0 - share, interpolated_transition(states, f[1], None, inside)),
        ]
    )
    assert ended(mixed)[0] == pytest.approx(0.25 * ndtr(-1.5) + 0.75, abs=1e-5)
    assert mixed.expect(np.ones(states.size)) + ended(mixed) == pytest.approx(np.ones((states.size, 1)), abs=1e-14)


def test_terminal_costs_see_the_exact_certain_coordinates() -> None:
    states = plane(4, 201)
    x, sigma = np.array([0.2, 0.7, 0.95]), 0.05
    f = same_everywhere(states, x, np.full(3, 0.5))
    only_x = interpolated_transition(states, f, [0.0, sigma], lambda x, y: x > 0.5)
    assert only_x.terminal_expectation(lambda x, y: x**3)[0] == pytest.approx(np.where(x > 0.5, x**3, 0), abs=1e-15)
    assert only_x.terminal_expectation(lambda x, y: x + y**2)[0] == pytest.approx(
        np.where(x > 0.5, x + 0.25 + sigma**2, 0.0), abs=2e-5
    )
    both = interpolated_transition(states, f, [0.0, sigma], lambda x, y: x + y > 1.2)
    assert both.terminal_expectation(lambda x, y: np.exp(5 * x))[0] == pytest.approx(
        ended(both) * np.exp(5 * x), rel=1e-13
    )
    with pytest.raises(ValueError, match=r"terminal function is inf at x = 0\.7"):
        both.terminal_expectation(lambda x, y: np.where(x == 0.7, np.inf, 1.0))


@given(st.integers(0, 2**31), st.sampled_from(KINDS), st.sampled_from(KINDS), st.booleans())
def test_rows_are_substochastic_for_any_set(seed: int, first: str, second: str, noisy_first: bool) -> None:
    rng = np.random.default_rng(seed)
    states = plane(int(rng.integers(1, 7)), int(rng.integers(1, 7)), first, second)
    a, b, c, d = rng.normal(size=4)
    noise = np.array([0.2, 0.0] if noisy_first else [0.0, 0.2]) * rng.uniform(0.1, 5.0)
    f = rng.uniform(-0.3, 1.3, (states.size, 3, 2))
    transition = interpolated_transition(
        states,
        f,
        noise,
        lambda x, y: np.sin(9 * (a * x + b * y) + c) > d,  # many stripes across both axes
    )
    termination = transition.termination
    lost = np.zeros((states.size, 3)) if termination is None else termination
    assert lost.min() >= 0.0
    assert np.abs(transition.expect(np.ones(states.size)) + lost - 1.0).max() <= 4e-15
    assert transition.under(np.full((states.size, 3), 1.0 / 3)).dense().min() >= 0.0


def test_coordinates_used_are_those_a_function_touches() -> None:
    states = plane(3, 4)
    assert coordinates_used(lambda x, y: x > 0.5, states) == (True, False)
    assert coordinates_used(lambda x, *_: np.asarray(x) > 0.5, states) == (True, False)
    assert coordinates_used(lambda x, y: np.asarray(y) == 0.5, states) == (False, True)
    assert coordinates_used(lambda x, y: y == 0.5, states) == (False, True)
    assert coordinates_used(lambda x, y: np.hypot(x, y) > 1.0, states) == (True, True)
    assert coordinates_used(lambda x, y: np.full(np.shape(x), True), states) == (False, False)
    assert coordinates_used(lambda x, y: [v > 0.5 for v in y], states) == (False, True)
