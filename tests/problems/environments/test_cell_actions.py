"""Actions within cells: the log-linear density, its means and its quantiles."""

from __future__ import annotations

import numpy as np
import pytest

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis, sinh_axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.masses import density_masses
from wpoflow.problems.environments.cell_actions import cell_means, cell_quantiles

AXES = [
    uniform_axis("u", -2.0, 2.0, 6),
    sinh_axis("u", -1.0, 3.0, 7, focus=0.5, ratio=8.0),
    uniform_axis("u", -np.pi, np.pi, 5, "periodic"),
    uniform_axis("u", 0.0, 1.0, 1),
]


def by_quadrature(axis: Axis, p: FloatArray, cell: int, n: int = 20001) -> float:
    """Mean within a cell of exp of the log density interpolated linearly, by midpoint sums."""
    log = np.log(p / axis.widths)
    nodes, values = axis.points, log
    if axis.periodic:
        nodes = np.concatenate([nodes[-1:] - axis.length, nodes, nodes[:1] + axis.length])
        values = np.concatenate([log[-1:], log, log[:1]])
    low, high = axis.edges[cell : cell + 2]
    u = low + (high - low) * (np.arange(n) + 0.5) / n
    line = np.interp(u, nodes, values)
    if not axis.periodic and axis.size > 1:
        for k, end in ((0, u < nodes[0]), (-1, u > nodes[-1])):
            inner = 1 if k == 0 else -2
            slope = (values[k] - values[inner]) / (nodes[k] - nodes[inner])
            line = np.where(end, values[k] + slope * (u - nodes[k]), line)
    weight = np.exp(line - line.max())
    return float((weight * u).sum() / weight.sum())


@pytest.mark.parametrize("axis", AXES, ids=["uniform", "graded", "periodic", "one cell"])
@pytest.mark.parametrize("spread", [1e-4, 1.0, 30.0])
def test_means_are_those_of_the_log_linear_density(axis: Axis, spread: float) -> None:
    rng = np.random.default_rng(6)
    p = np.exp(spread * rng.normal(size=(3, axis.size)))
    p /= p.sum(axis=1, keepdims=True)
    means = cell_means(Grid((axis,)), p)[:, :, 0]
    for row in range(3):
        for cell in range(axis.size):
            assert means[row, cell] == pytest.approx(by_quadrature(axis, p[row], cell), abs=2e-6)


def test_a_smooth_density_has_a_mean_of_second_order_better_than_its_cells() -> None:
    exact = 1.0 / np.tanh(1.5) - 1.0 / 1.5  # of e^{1.5 u} on [-1, 1]
    for n in (4, 9):
        actions = Grid((uniform_axis("u", -1.0, 1.0, n),))
        p = density_masses(actions, lambda u: np.exp(1.5 * u))[None]
        assert float((p * cell_means(actions, p)[..., 0]).sum()) == pytest.approx(exact, abs=1e-9)
        assert abs(float(p[0] @ actions.points[:, 0]) - exact) > 5e-3


def test_all_mass_in_an_end_cell_means_the_end() -> None:
    actions = Grid((uniform_axis("u", -2.0, 2.0, 21),))
    p = np.zeros((2, 21))
    p[0, 0] = p[1, -1] = 1.0
    ends = (p[:, :, None] * cell_means(actions, p)).sum(axis=1)[:, 0]
    assert ends == pytest.approx([-2.0, 2.0], abs=1e-3)
    inner = np.zeros((1, 21))
    inner[0, 7] = 1.0
    assert cell_means(actions, inner)[0, 7, 0] == pytest.approx(actions.points[7, 0], abs=1e-12)


def test_several_axes_go_one_by_one_and_mirrors_are_mirrored() -> None:
    first, second = uniform_axis("u", -1.0, 1.0, 4), sinh_axis("w", 0.0, 2.0, 5, focus=0.0, ratio=4.0)
    rng = np.random.default_rng(7)
    rows = [rng.random(4), rng.random(5)]
    product = np.outer(*rows).reshape(1, -1)
    found = cell_means(Grid((first, second)), product).reshape(4, 5, 2)
    for j, (axis, row) in enumerate(zip((first, second), rows, strict=True)):
        single = cell_means(Grid((axis,)), row[None])[0, :, 0]
        expected = np.broadcast_to(single[:, None] if j == 0 else single, (4, 5))
        assert found[..., j] == pytest.approx(expected, abs=1e-14)
    line, row = Grid((first,)), rows[0][None]
    assert cell_means(line, row[:, ::-1])[0, ::-1] == pytest.approx(-cell_means(line, row)[0], abs=1e-14)


@pytest.mark.parametrize("axis", AXES, ids=["uniform", "graded", "periodic", "one cell"])
@pytest.mark.parametrize("spread", [0.0, 1e-4, 1.0, 500.0])
def test_quantiles_rise_through_the_cell_and_average_to_its_mean(axis: Axis, spread: float) -> None:
    actions, n = Grid((axis,)), 4000
    rng = np.random.default_rng(8)
    log = spread * rng.normal(size=axis.size)
    row = np.exp(log - log.max())
    levels = (np.arange(n) + 0.5)[:, None] / n
    for cell in range(axis.size):
        u = cell_quantiles(actions, np.tile(row, (n, 1)), np.full(n, cell), levels)[:, 0]
        width = axis.widths[cell]
        assert np.all(np.diff(u) > -1e-12)
        assert u[0] >= axis.edges[cell] - 1e-12
        assert u[-1] <= axis.edges[cell + 1] + 1e-12
        assert u.mean() == pytest.approx(cell_means(actions, row[None])[0, cell, 0], abs=1e-3 * width)
    ends = cell_quantiles(actions, np.tile(row, (2, 1)), np.zeros(2, dtype=int), np.array([[0.0], [1.0 - 2.0**-53]]))
    assert np.all(np.isfinite(ends))
