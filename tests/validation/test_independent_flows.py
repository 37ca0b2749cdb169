"""Independent code of the flows beside the Wasserstein flow, against closed forms and against the solver's."""

from __future__ import annotations

import numpy as np
import pytest

from tests.validation.cases import small_problem
from wpoflow.core.arrays import FloatArray, read_only
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.flows.proximal import ProximalFlow
from wpoflow.solver.flux.transport import squared_distances
from wpoflow.validation.independent.growth import divergence, growth, mixture, variance
from wpoflow.validation.independent.transport import relaxation_times, slopes_of_distance, squared_distance


def graded(seed: int, n: int = 12) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Edges of unequal cells and two laws on them."""
    generator = np.random.default_rng(seed)
    edges = np.concatenate(([0.0], np.cumsum(np.exp(generator.uniform(-2.0, 2.0, n)))))
    laws = np.exp(2.0 * generator.standard_normal((2, n)))
    first, second = laws / laws.sum(axis=1, keepdims=True)
    return edges, first, second


@pytest.mark.parametrize("seed", range(8))
def test_w2_agrees_with_the_solver(seed: int) -> None:
    edges, first, second = graded(seed)
    out = np.empty(1)
    squared_distances(first[None], second[None], read_only(np.diff(edges)), out)
    assert squared_distance(first, second, edges) == pytest.approx(out[0], rel=1e-11)
    assert squared_distance(first, first, edges) <= 1e-28 * edges[-1] ** 2


@pytest.mark.parametrize(("here", "there"), [(0, 39), (39, 0), (3, 30), (17, 18)])
def test_w2_between_two_far_cells_of_a_graded_line(here: int, there: int) -> None:
    """Of uniform laws on two cells: the square of the distance of their middles, and (h - h')^2/12."""
    widths = np.exp(np.linspace(-9.0, 9.0, 40))
    edges = np.concatenate(([0.0], np.cumsum(widths)))
    laws = np.zeros((2, 40))
    laws[0, here] = laws[1, there] = 1.0
    middle = 0.5 * (edges[1:] + edges[:-1])
    exact = (middle[here] - middle[there]) ** 2 + (widths[here] - widths[there]) ** 2 / 12.0
    out = np.empty(1)
    squared_distances(laws[:1], laws[1:], read_only(widths), out)
    assert out[0] == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_slopes_of_w2_are_its_difference_quotients(seed: int) -> None:
    edges, first, second = graded(seed)
    slopes = slopes_of_distance(first, second, edges)
    for k in range(len(first) - 1):
        size = 1e-5 * min(first[k], first[k + 1])
        moved = np.zeros_like(first)
        moved[k], moved[k + 1] = size, -size
        up, down = (0.5 * squared_distance(first + s * moved, second, edges) for s in (1.0, -1.0))
        assert -(up - down) / (2.0 * size) == pytest.approx(slopes[k], rel=1e-4, abs=1e-5 * edges[-1] ** 2)


def test_late_proximal_steps_divide_modes_by_one_plus_lambda_eta() -> None:
    """The slowest mode at the optimum, moved a little: one step of the solver."""
    mdp, eta = small_problem("bandit"), 0.7
    flow, q = ProximalFlow(mdp), evaluate(mdp, mdp.initial_policy).q
    exponent = mdp.log_mass - q / mdp.temperature
    law = np.exp(exponent - exponent.max())
    law /= law.sum()
    values, vectors = np.linalg.eigh(relaxation_times(law[0], np.log(law[0]), mdp.actions.axes[0].edges))
    for number in (-1, -2, -3):
        rate = mdp.temperature / values[number]
        x = vectors[:, number] / np.sqrt(law[0])
        moved = law * (1.0 + 1e-4 * x / np.abs(x).max())
        after = flow.step(moved, q, eta, np.empty_like(moved))
        ratio = float(((after - law) * x).sum() / ((moved - law) * x).sum())
        assert ratio == pytest.approx(1.0 / (1.0 + rate * eta), rel=2e-4)


def test_growth_keeps_mass_and_loses_the_variance() -> None:
    mdp = small_problem("lqr")
    p, q = mdp.initial_policy, evaluate(mdp, mdp.initial_policy).q
    moved = growth(mdp, p, q)
    delta = q + mdp.temperature * (np.log(p) - mdp.log_mass)
    size = np.abs(p * delta).max()
    assert np.abs(moved.sum(axis=1)).max() <= 1e-12 * size
    np.testing.assert_allclose(-(moved * delta).sum(axis=1), variance(mdp, p, q), rtol=1e-9)
    mean = (p * delta).sum(axis=1)
    np.testing.assert_allclose(variance(mdp, p, q), (p * delta**2).sum(axis=1) - mean**2, rtol=1e-8)


def test_mixtures_between_two_laws() -> None:
    with np.errstate(divide="ignore"):
        first, second = np.log(np.array([[0.5, 0.5, 0.0]])), np.log(np.array([[0.2, 0.3, 0.5]]))
    half = np.exp(mixture(first, second, 0.5, 0.5))
    exact = np.sqrt(np.array([0.1, 0.15, 0.0]))
    np.testing.assert_allclose(half[0], exact / exact.sum(), rtol=1e-14)
    assert divergence(first, second)[0] == pytest.approx(0.5 * np.log(0.5 / 0.2) + 0.5 * np.log(0.5 / 0.3), rel=1e-12)
    assert divergence(second, first)[0] == np.inf
