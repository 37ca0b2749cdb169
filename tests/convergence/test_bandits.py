"""One state: order two in the cells against three exact flows, and what large cell Peclet numbers do to it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.oracles.time_exact import TimeExact
from tests.orders import check_order
from tests.validation.exact.test_box_bandit import bump
from tests.validation.exact.test_box_bandit import double_well as exact_double_well
from tests.validation.exact.test_ornstein_uhlenbeck import bandit as exact_quadratic
from tests.variants import slow
from wpoflow.core.arrays import FloatArray
from wpoflow.studies.refinement.orders import observed_orders
from wpoflow.validation.exact.box_bandit import BoxFlow
from wpoflow.validation.exact.ornstein_uhlenbeck import OrnsteinUhlenbeck
from wpoflow.validation.exact_cases.bandits import Bandit, double_well
from wpoflow.validation.exact_cases.slices import follow, peclet


def on_box(exact: OrnsteinUhlenbeck, half_box: float) -> Bandit:
    """The quadratic bandit, its reference measure conditioned on the box."""
    flat = math.isinf(exact.reference_variance)
    return Bandit(
        cost=lambda a: 0.5 * exact.stiffness * (a - exact.centre) ** 2,
        potential=0.0 if flat else lambda a: a**2 / (2.0 * exact.reference_variance),
        density=lambda a: exact.density(0.0, a),
        lower=-half_box,
        upper=half_box,
        temperature=exact.temperature,
        discount=exact.discount,
    )


def distances(policy: FloatArray, density: FloatArray, width: float) -> float:
    """Total variation between cell probabilities and a density at the centres, by the midpoint rule."""
    return 0.5 * float(np.abs(policy - width * density).sum())


def study(
    problem: Bandit, exact: OrnsteinUhlenbeck | BoxFlow, cells: list[int], times: list[float], shift: float, cap: float
) -> None:
    """Policy in total variation, value and relative gap at every time."""
    found = []
    for n in cells:
        mdp = problem.grid(n)
        assert peclet(mdp, mdp.cost, mdp.initial_policy) < 1.0
        centres, width = mdp.actions.points[:, 0], (problem.upper - problem.lower) / n
        found.append(
            [
                (
                    distances(at.policy[0], exact.density(at.time, centres), width),
                    float(at.value[0]) - exact.value(at.time) - shift,
                    at.gap / exact.gap(at.time) - 1.0,
                )
                for at in follow(mdp, times, accuracy=1e-7)
            ]
        )
    for column in np.array(found).reshape(len(cells), -1).T:
        check_order(1.0 / np.array(cells), column, 2.0, cap=cap)


@pytest.mark.parametrize("start", [slow("gaussian"), "mixture"])
def test_ornstein_uhlenbeck(start: str) -> None:
    exact = exact_quadratic(start)
    inside = math.erf(6.0 / math.sqrt(2.0 * exact.reference_variance))
    shift = exact.temperature / (1.0 - exact.discount) * math.log(inside)
    study(on_box(exact, 6.0), exact, [256, 384, 512, 768], [0.2, 2.0], shift, cap=5e-3)


def test_double_well() -> None:
    """Descent into the well, and the slow transfer between the wells, at temperature 0.1."""
    exact = exact_double_well(0.1).expansion(bump)
    study(double_well(0.1), exact, [160, 240, 320, 480], [0.2, 5.0], 0.0, cap=1e-3)


def test_large_peclet_numbers_cost_an_order_during_transients_only() -> None:
    """Cells too wide for the temperature: upwinding on the way, and the exact steady state at its end.

    With the uniform reference measure the grid's optimum is the exact density at the centres up to the midpoint rule,
    which is exact to rounding here.
    """
    exact = OrnsteinUhlenbeck(1.5, 0.0, math.inf, 0.01, 0.9, (1.0,), (-1.0,), (0.04,))
    problem, cells = on_box(exact, 2.5), [80, 120, 160, 240]
    transient: list[float] = []
    steady: list[float] = []
    numbers = []
    for n in cells:
        mdp, width = problem.grid(n), 5.0 / n
        numbers.append(peclet(mdp, mdp.cost, mdp.initial_policy))
        early, late = follow(mdp, [0.5, 25.0], accuracy=1e-6)
        for errors, at in ((transient, early), (steady, late)):
            errors.append(distances(at.policy[0], exact.density(at.time, mdp.actions.points[:, 0]), width))
    orders = observed_orders(1.0 / np.array(cells), transient)
    assert min(numbers) > 2.0
    assert np.all(orders > 0.7)
    assert np.all(orders < 1.7)
    assert max(steady) < 1e-9 * min(transient)


def test_accuracy_is_kept_over_eighteen_decades_of_the_gap() -> None:
    """At temperature 1 the double well mixes fast: the controlled scheme follows the grid's own exact evolution."""
    mdp = double_well(1.0).grid(64)
    exact = TimeExact(mdp)
    times = list(np.arange(1.0, 28.0))
    slices = follow(mdp, times, accuracy=1e-8)
    start = mdp.initial_policy[0]
    assert slices[-1].gap < 1e-18 * exact.gap(start, 0.0)
    for at in slices:
        assert at.gap == pytest.approx(exact.gap(start, at.time), rel=1e-3), at.time


def test_a_colder_start_needs_more_cells() -> None:
    """The Peclet numbers above are not vacuous: halving the temperature doubles them."""
    warm, cold = double_well(0.1), replace(double_well(0.1), temperature=0.05)
    numbers = [peclet(mdp, mdp.cost, mdp.initial_policy) for mdp in (warm.grid(160), cold.grid(160))]
    assert numbers[1] == pytest.approx(2.0 * numbers[0], rel=1e-12)
