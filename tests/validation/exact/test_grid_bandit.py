"""The grid's own time-exact flow: a matrix exponential, the continuum under refinement, and precision at late times."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

from tests.orders import check_order
from tests.validation.exact.test_box_bandit import bump, double_well
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis, sinh_axis, uniform_axis
from wpoflow.validation.exact.grid_bandit import GridBandit


def discretised(axis: Axis, temperature: float) -> tuple[GridBandit, FloatArray]:
    """The double well with uniform reference measure on some cells, and the bump start at their centres."""
    cost = (axis.points**2 - 1.0) ** 2 / 4.0 + axis.points / 10.0
    start = bump(axis.points) * axis.widths
    return GridBandit(axis, axis.widths / axis.length, cost, temperature, 0.9), start / start.sum()


@pytest.mark.parametrize(
    "axis",
    [uniform_axis("a", -2.5, 2.5, 20), sinh_axis("a", -2.5, 2.5, 24, focus=0.5, ratio=5.0)],
    ids=["uniform", "graded"],
)
def test_policy_is_the_matrix_exponential(axis: Axis) -> None:
    """exp(tL) p, with L written out from the flux of the semi-discrete flow."""
    grid, start = discretised(axis, 0.5)
    n = axis.size
    phi = grid.cost / 0.5 - np.log(grid.reference_mass / axis.widths)
    generator = np.zeros((n, n))
    for k in range(n - 1):
        z, scale = phi[k + 1] - phi[k], 0.5 / axis.distances[k]
        right = scale * z / np.expm1(z) / axis.widths[k]
        left = scale * -z / np.expm1(-z) / axis.widths[k + 1]
        generator[[k, k + 1], k] += [-right, right]
        generator[[k, k + 1], k + 1] += [left, -left]
    for t in (0.0, 0.02, 0.5, 3.0):
        np.testing.assert_allclose(grid.policy(start, t), expm(t * generator) @ start, rtol=0, atol=1e-13)
    np.testing.assert_allclose(generator @ grid.optimal_policy, 0.0, atol=1e-13)


def test_gap_is_the_value_minus_the_optimum() -> None:
    grid, start = discretised(uniform_axis("a", -2.5, 2.5, 50), 0.5)
    p = grid.policy(start, 0.1)
    value = np.sum(p * (grid.cost + 0.5 * np.log(p / grid.reference_mass))) / 0.1
    assert grid.gap(start, 0.1) == pytest.approx(value - grid.optimal_value, rel=1e-11)


def test_second_order_to_the_continuum() -> None:
    """Gap at two times and slowest rate, 64 to 512 cells at temperature 0.1."""
    exact = double_well(0.1)
    flow = exact.expansion(bump)
    cells = np.array([64, 128, 256, 512])
    gaps, rates = [], []
    for n in cells:
        grid, start = discretised(uniform_axis("a", -2.5, 2.5, int(n)), 0.1)
        gaps.append([grid.gap(start, t) / flow.gap(t) - 1.0 for t in (0.5, 20.0)])
        rates.append(grid.rates[0] / exact.rates[0] - 1.0)
    for errors in (*np.transpose(gaps), np.array(rates)):
        check_order(5.0 / cells, errors, 2.0, cap=1e-3)


def test_slow_rates_keep_their_relative_precision() -> None:
    """Two flat wells joined by a barrier of height 30 tau: the slow rate is 1e-14 of the fastest.

    Between wells in equilibrium mass flows with the conductance of the barrier, cells in series, so the slow rate is
    C/(w (1-w)), w the weight of the left well, up to a relative error of the order of the barrier's own mass.
    """
    axis = uniform_axis("a", -1.0, 1.0, 101)
    on_barrier = np.abs(axis.points) < 0.3
    grid = GridBandit(axis, axis.widths / 2.0, np.where(on_barrier, 30.0, 0.0), 1.0, 0.9)
    assert grid.rates[0] < 1e-14 * grid.rates[-1]
    density = grid.optimal_policy / axis.widths
    low, high = np.minimum(density[1:], density[:-1]), np.maximum(density[1:], density[:-1])
    mean = np.where(high > low, (high - low) / np.where(high > low, np.log(high / low), 1.0), low)
    left = grid.optimal_policy[axis.points < -0.3].sum()
    conductance = 1.0 / np.sum(axis.distances / mean)
    assert grid.rates[0] == pytest.approx(conductance / (left * (1.0 - left)), rel=1e-9)


def test_periodic_axes_are_refused() -> None:
    with pytest.raises(ValueError, match="periodic"):
        discretised(uniform_axis("a", 0.0, 1.0, 8, "periodic"), 1.0)
