"""Smoothing matrices against fine quadrature, and the banded tensor maps against dense ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis, sinh_axis, uniform_axis
from wpoflow.grids.interpolation import boundary_map
from wpoflow.grids.smoothing import (
    Banded,
    SeparableMap,
    Smoothing,
    axis_nodes,
    clamping_probability,
    gaussian_matrix,
)

KINDS = ["clamp", "reflect", "periodic"]
RANDOM = np.random.default_rng(7)


def graded(boundary: str, cells: int = 12) -> Axis:
    return sinh_axis("x", -1.0, 2.0, cells, boundary, focus=0.2, ratio=4.0)


def counted(axis: Axis, y: float, sigma: float, samples: int = 400_000) -> FloatArray:
    """Cell probabilities by counting equally likely noises (quantiles of the normal law)."""
    xi = ndtri((np.arange(samples) + 0.5) / samples)
    place = boundary_map(axis, y + sigma * xi)
    return np.asarray(np.histogram(place, axis.edges)[0] / samples)


@pytest.mark.parametrize("boundary", KINDS)
@pytest.mark.parametrize("sigma", [0.02, 0.4, 2.5, 40.0])
def test_entries_are_probabilities_of_cells(boundary: str, sigma: float) -> None:
    axis = graded(boundary)
    nodes = axis_nodes(axis, sigma, (-3.0, 4.0))
    matrix = gaussian_matrix(axis, nodes, sigma)
    for e in (0, nodes.size // 3, nodes.size - 1):
        assert matrix[e] == pytest.approx(counted(axis, nodes[e], sigma), abs=1e-4)


@given(st.sampled_from(KINDS), st.floats(1e-3, 100.0), st.integers(2, 50))
def test_rows_are_stochastic(boundary: str, sigma: float, cells: int) -> None:
    axis = graded(boundary, cells)
    matrix = gaussian_matrix(axis, axis_nodes(axis, sigma, (-2.0, 2.5)), sigma)
    assert matrix.min() >= 0.0
    assert np.abs(matrix.sum(axis=1) - 1.0).max() <= 1e-15 * (cells + 4)


@pytest.mark.parametrize("sigma", [0.1, 1.0])
def test_splitting_separates_the_mass_at_clamped_ends(sigma: float) -> None:
    axis = graded("clamp")
    nodes = axis_nodes(axis, sigma, (-3.0, 4.0))
    apart = gaussian_matrix(axis, nodes, sigma, split=True)
    split = Banded.copying([0, *range(axis.size), axis.size - 1], axis.size).sparse()
    assert apart @ split == pytest.approx(gaussian_matrix(axis, nodes, sigma), abs=1e-15)
    assert apart[nodes.argmin(), 0] > 0.5


def test_nodes_reach_nine_sigma_and_no_farther_than_needed() -> None:
    """And one node more at either end, since next states are placed among three."""
    axis = graded("clamp")
    far = axis_nodes(axis, 0.1, (-100.0, 100.0))
    assert far[1] <= axis.lower - 0.9
    assert far[-2] >= axis.upper + 0.9
    assert far[1] > axis.lower - 0.9 - axis.distances[0]
    assert np.array_equal(axis_nodes(axis, 0.1, (-0.5, 0.5))[1:-1], axis.points)
    assert np.diff(far)[:3] == pytest.approx(np.full(3, axis.distances[0]))


@pytest.mark.parametrize("boundary", ["reflect", "periodic"])
def test_smoothing_commutes_with_the_boundary_map(boundary: str) -> None:
    axis, sigma = uniform_axis("x", -1.0, 2.0, 15, boundary), 0.7
    y = np.linspace(-8.0, 9.0, 23)
    direct = gaussian_matrix(axis, boundary_map(axis, y), sigma)
    for row, place in zip(direct, y, strict=True):
        assert row == pytest.approx(counted(axis, float(place), sigma), abs=2e-5)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(0, 2**31))
def test_tensor_maps_agree_with_dense_products(shape: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    dense: list[FloatArray | None] = []
    for n in shape:
        matrix: FloatArray = rng.random((int(rng.integers(1, 6)), n))
        matrix[np.triu(np.ones(matrix.shape), 2) > 0] = 0.0
        dense.append(None if rng.random() < 0.3 else matrix)
    tensor = SeparableMap(tuple(None if m is None else Banded.from_dense(m) for m in dense), tuple(shape))
    whole: FloatArray = np.ones((1, 1))
    for n, factor in zip(shape, dense, strict=True):
        whole = np.asarray(np.kron(whole, np.eye(n) if factor is None else factor), dtype=np.float64)
    x, y = rng.normal(size=whole.shape[1]), rng.normal(size=(3, whole.shape[0]))
    assert tensor.shape_out == tuple(n if m is None else m.shape[0] for n, m in zip(shape, dense, strict=True))
    assert tensor.apply(np.asarray(x)) == pytest.approx(whole @ x, rel=1e-12, abs=1e-13)
    assert tensor.apply_transposed(y) == pytest.approx(y @ whole, rel=1e-12, abs=1e-13)
    assert tensor.sparse().toarray() == pytest.approx(whole, abs=1e-15)


def test_many_columns_cross_the_blocks_of_the_kernel() -> None:
    matrix = RANDOM.random((5, 4))
    tensor = SeparableMap((Banded.from_dense(matrix), None), (4, 700))
    x, y = RANDOM.normal(size=(4, 700)), RANDOM.normal(size=(5, 700))
    assert tensor.apply(x.ravel()) == pytest.approx((matrix @ x).ravel(), rel=1e-12)
    assert tensor.apply_transposed(y.ravel()) == pytest.approx((matrix.T @ y).ravel(), rel=1e-12, abs=1e-13)


def test_bands_keep_what_matters_and_count_work() -> None:
    axis = uniform_axis("x", 0.0, 1.0, 200, "clamp")
    dense = gaussian_matrix(axis, axis.points, 0.01)
    banded = Banded.from_dense(dense)
    assert banded.data.size < dense.size / 5
    assert np.abs(banded.sparse().toarray() - dense).max() < 1e-17
    assert SeparableMap((banded, None), (200, 3)).work == 3 * banded.data.size


def test_smoothing_with_dead_cells_is_its_own_transpose_and_matrix() -> None:
    axis, other = uniform_axis("x", 0.0, 1.0, 6, "clamp"), uniform_axis("y", 0.0, 1.0, 5, "periodic")
    nodes = axis_nodes(axis, 0.2, (-1.0, 2.0))
    law = Banded.from_dense(gaussian_matrix(axis, nodes, 0.2, split=True))
    spread = SeparableMap((law, Banded.copying([0, 1, 2, 3, 4, 0], 5)), (8, 5))
    split = SeparableMap((Banded.copying([0, 0, 1, 2, 3, 4, 5, 5], 6), None), (6, 5))
    smoothing = Smoothing(spread, split, RANDOM.random(40))
    matrix = smoothing.sparse().toarray()
    x, y = RANDOM.normal(size=30), RANDOM.normal(size=nodes.size * (other.size + 1))
    assert smoothing.size == y.size
    assert smoothing.apply(x) == pytest.approx(matrix @ x, rel=1e-12, abs=1e-13)
    assert smoothing.apply_transposed(y) == pytest.approx(y @ matrix, rel=1e-12, abs=1e-13)


def test_clamping_probability_counts_both_tails() -> None:
    axis = uniform_axis("x", -1.0, 1.0, 5, "clamp")
    mean, sigma = np.array([[0.0, 0.9, 1.0, 3.0]]), np.array([[1.0, 0.05, 0.0, 0.0]])
    got = clamping_probability(axis, mean, sigma)
    assert got is not None
    tail = 0.5 * math.erfc(1.0 / math.sqrt(2.0))
    assert got[0] == pytest.approx([2 * tail, 0.5 * math.erfc(2.0 / math.sqrt(2.0)), 0.0, 1.0], rel=1e-12)
    assert clamping_probability(axis, 0.0 * mean, 0.05) is None
    assert clamping_probability(uniform_axis("x", -1, 1, 5, "reflect"), mean, sigma) is None
