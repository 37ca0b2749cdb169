"""Which time scheme a problem is given, and which are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.problem_f import as_bandit, frozen_wells
from tests.solver.small_problems import small_problem
from tests.solver.test_evolve import flow_for
from wpoflow.grids.axis import Axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import tabulated_transition
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.registry import AUTOMATIC, SCHEMES, default_accuracy, scheme_names
from wpoflow.solver.schemes.choice import chosen_scheme
from wpoflow.solver.schemes.trajectory import flow
from wpoflow.validation.exact_cases.bandits import double_well

LINE = uniform_axis("a", -1.0, 1.0, 6)
CIRCLE = uniform_axis("a", 0.0, 1.0, 6, "periodic")
ONE_CELL = uniform_axis("b", 0.0, 1.0, 1)


def indifferent(*axes: Axis, leak: float = 0.0) -> GridMDP:
    """Two states that change at random whatever the action, but for the last cell where there is a leak."""
    actions, states = Grid(axes), Grid((uniform_axis("s", 0.0, 1.0, 2, "reflect"),))
    tensor = np.full((2, actions.size, 2), 0.5)
    tensor[1, -1] = [0.5 + leak, 0.5 - leak]
    mass = np.full(actions.size, 1.0 / actions.size)
    cost = np.random.default_rng(0).standard_normal((2, actions.size))
    start = np.tile(mass, (2, 1))
    return GridMDP(states, actions, 0.9, 0.5, cost, tabulated_transition(tensor), mass, np.full(2, 0.5), start)


class Own:
    """A descent step that is not the Wasserstein flow's."""

    def __call__(self, p: np.ndarray, q: np.ndarray, dt: float, out: np.ndarray) -> np.ndarray:
        out[:] = p
        return out


def test_transition_ignores_action_where_the_next_state_does_not_depend_on_the_action() -> None:
    assert indifferent(LINE).transition_ignores_action
    assert as_bandit(frozen_wells(3, 8)).transition_ignores_action
    assert not indifferent(LINE, leak=1e-9).transition_ignores_action
    assert not small_problem().transition_ignores_action


def exponential_applies(mdp: GridMDP, accuracy: float | None = None) -> bool:
    """Whether the scheme is not refused."""
    try:
        return chosen_scheme(mdp, "exponential", None, "wasserstein", accuracy) == "exponential"
    except ValueError:
        return False


def test_the_exponential_is_for_one_axis_with_two_ends() -> None:
    assert exponential_applies(indifferent(LINE))
    assert exponential_applies(indifferent(ONE_CELL, LINE))
    assert not exponential_applies(indifferent(CIRCLE))
    assert not exponential_applies(indifferent(LINE, uniform_axis("b", 0.0, 1.0, 2)))
    assert not exponential_applies(indifferent(LINE, leak=1e-9))


def test_the_exponential_refuses_accuracies_it_cannot_reach() -> None:
    with pytest.raises(ValueError, match="reaches an accuracy of 1e-06 at best, not 1e-07; choose multistep"):
        chosen_scheme(double_well(1.0).grid(8), "exponential", None, "wasserstein", 1e-7)


def test_the_automatic_choice() -> None:
    bandit, coupled = double_well(1.0).grid(8), small_problem()
    plane = indifferent(LINE, uniform_axis("b", 0.0, 1.0, 2))
    for mdp, step, flow_name, expected in (
        (bandit, None, "wasserstein", "multistep"),
        (indifferent(ONE_CELL, LINE), None, "wasserstein", "multistep"),
        (bandit, 0.1, "wasserstein", "extrapolated"),
        (coupled, None, "wasserstein", "multistep"),
        (indifferent(CIRCLE), None, "wasserstein", "multistep"),
        (coupled, 0.1, "wasserstein", "extrapolated"),
        (plane, None, "wasserstein", "extrapolated"),
        (coupled, None, "fisher-rao", "adams"),
        (plane, 0.1, "fisher-rao", "adams"),
        (plane, 0.1, "mirror", "euler"),
        (coupled, None, "wasserstein-fisher-rao", "extrapolated"),
    ):
        assert chosen_scheme(mdp, AUTOMATIC, step, flow_name) == expected
    assert chosen_scheme(bandit, AUTOMATIC, None, Own()) == "extrapolated"
    assert chosen_scheme(bandit, AUTOMATIC, None, WassersteinFlow(bandit)) == "multistep"


@pytest.mark.parametrize("scheme", ["euler", "extrapolated"])
def test_schemes_for_everything_are_what_was_asked_for(scheme: str) -> None:
    mdp = indifferent(LINE, uniform_axis("b", 0.0, 1.0, 2))
    assert chosen_scheme(mdp, scheme, 0.1, Own()) == scheme
    assert chosen_scheme(mdp, scheme, None, "wasserstein") == scheme


def test_what_does_not_apply_is_refused_in_one_line_that_says_why() -> None:
    bandit, coupled = double_well(1.0).grid(8), small_problem()
    plane = indifferent(LINE, uniform_axis("b", 0.0, 1.0, 2))
    for mdp, scheme, step, own, reason in (
        (coupled, "multistep", 0.1, "wasserstein", "chooses its own steps; choose extrapolated or euler"),
        (plane, "multistep", None, "wasserstein", "one action axis; choose extrapolated or euler"),
        (coupled, "multistep", None, Own(), "flows with a generator; choose extrapolated or euler"),
        (bandit, "exponential", 0.1, "wasserstein", "chooses its own steps; choose extrapolated or euler"),
        (bandit, "exponential", None, Own(), "the Wasserstein flow"),
        (plane, "exponential", None, "wasserstein", "one action axis"),
        (coupled, "exponential", None, "wasserstein", "two ends; choose multistep, extrapolated"),
        (indifferent(CIRCLE), "exponential", None, "wasserstein", "two ends; choose multistep, extrapolated or euler"),
        (
            coupled,
            "adams",
            None,
            "wasserstein",
            "continuous flows of logarithms; choose multistep, extrapolated or euler",
        ),
        (coupled, "extrapolated", 0.1, "fisher-rao", "their logarithms; choose adams or euler"),
        (coupled, "extrapolated", 0.1, "mirror", "the step belongs to mirror, which has no scheme; give step alone"),
        (bandit, "best", None, "wasserstein", f"choose one of {', '.join(scheme_names())}"),
    ):
        with pytest.raises(ValueError, match=reason) as error:
            chosen_scheme(mdp, scheme, step, own)
        assert "\n" not in str(error.value)
        assert repr(scheme) in str(error.value)


def test_controls_that_contradict_or_mean_nothing_are_refused() -> None:
    mdp = small_problem()
    with pytest.raises(ValueError, match="either a step or an accuracy"):
        next(iter(flow(mdp, step=0.1, accuracy=1e-3)))
    for control in ({"accuracy": 0.0}, {"accuracy": float("nan")}, {"step": -1.0}, {"step": float("inf")}):
        with pytest.raises(ValueError, match="positive and finite"):
            next(iter(flow(mdp, **control)))  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", scheme_names())
def test_each_scheme_has_a_default_accuracy(scheme: str) -> None:
    assert scheme_names() == (AUTOMATIC, *SCHEMES)
    mdp, name = replace(double_well(1.0).grid(8), discount=0.5), flow_for(scheme)
    default, explicit = (
        next(state for state in flow(mdp, scheme=scheme, flow=name, accuracy=accuracy) if state.steps == 3)
        for accuracy in (None, default_accuracy(scheme))
    )
    assert default.time == explicit.time
    np.testing.assert_array_equal(default.policy, explicit.policy)
