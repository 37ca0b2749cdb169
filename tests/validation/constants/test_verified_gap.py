"""Verified gaps lie below the gap, within rounding of it, where the gap is known to sixty digits or in closed form."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest

from tests.validation.constants.chains import alternating, chain, dense, rough, unit_cells
from tests.validation.constants.test_spectral_gap import SHAPES, smallest_exactly
from wpoflow.grids.axis import uniform_axis
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.spectral_gap import spectral_gap
from wpoflow.validation.constants.verified_gap import verified_spectral_gap
from wpoflow.validation.constants.verified_gap_kernels import factor_banded, path_above

WELLS = np.linspace(-2.5, 2.5, 41)


def wells(temperature: float, boundary: str = "no-flux") -> Generators:
    """Two wells with a barrier of many temperatures."""
    cost = 6.0 * (WELLS**2 - 1.0) ** 2 / 4.0 + WELLS / 10.0
    return chain((uniform_axis("a", -2.5, 2.5, 41, boundary),), cost, temperature)


@pytest.mark.parametrize("size", [0.3, 2.0, 6.0, 15.0])
def test_paths_against_exact_arithmetic(size: float) -> None:
    generators = rough((alternating(24),), 4, size, seed=5)
    rates, verified = generators.rates, verified_spectral_gap(generators)
    for state in range(generators.size):
        exact = smallest_exactly(rates.right[state], rates.left[state])
        loss = 1 - Decimal(float(verified[state])) / exact
        assert 0 < loss < Decimal("1e-9")


@pytest.mark.parametrize(("temperature", "share"), [(1.0, 1.0), (0.055, 1e-12), (0.03, 1e-20), (0.003, 1e-200)])
def test_metastable_paths(temperature: float, share: float) -> None:
    """Down to a gap of 1e-200 of the largest rate: there are no absolute errors."""
    generators = wells(temperature)
    rates = generators.rates
    exact = smallest_exactly(rates.right[0], rates.left[0])
    assert exact / Decimal(float(rates.right.max())) < Decimal(share) * 10
    assert 0 < 1 - Decimal(float(verified_spectral_gap(generators)[0])) / exact < Decimal("1e-9")


@pytest.mark.parametrize("temperature", [0.055, 0.003])
def test_metastable_circles_and_boxes_are_not_given_up(temperature: float) -> None:
    """Where inertia drowns in rounding the elimination without subtractions still proves a part."""
    path, circle = wells(temperature), wells(temperature, "periodic")
    box = chain((path.axes[0], unit_cells(3)), np.repeat(path.q[0], 3), temperature)
    for generators in (circle, box):
        gap, verified = spectral_gap(generators)[0], verified_spectral_gap(generators)[0]
        assert gap < 1e-10 * generators.rates.right.max()
        assert 0.4 * gap < verified <= gap


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [0.3, 1.0])
def test_any_number_of_axes_against_dense_eigenvalues(shape: str, size: float) -> None:
    generators = rough(SHAPES[shape], 6, size, seed=len(shape))
    verified = verified_spectral_gap(generators)
    for state in range(generators.size):
        exact = np.linalg.eigvalsh(dense(generators, state))[1]
        assert exact * (1.0 - 1e-9) < verified[state] <= exact * (1.0 + 1e-13)


@pytest.mark.parametrize("n", [2, 3, 64])
def test_closed_forms(n: int) -> None:
    path = verified_spectral_gap(chain((unit_cells(n),), np.zeros(n)))[0]
    circle = verified_spectral_gap(chain((unit_cells(n, "periodic"),), np.zeros(n)))[0]
    exact_path, exact_circle = 4.0 * math.sin(math.pi / (2 * n)) ** 2, 4.0 * math.sin(math.pi / n) ** 2
    assert exact_path * (1.0 - 1e-12) < path < exact_path
    assert exact_circle * (1.0 - 1e-6) < circle < exact_circle  # double, and half the circle has it as well


def test_counts_refuse_a_shift_above_the_gap() -> None:
    pivot, coupling = np.array([2.0, 1.5, 4.0 / 3.0]), np.array([0.5, 2.0 / 3.0, 0.0])  # four cells, unit rates
    exact = 2.0 - math.sqrt(2.0)
    assert path_above(pivot, coupling, exact * (1.0 - 1e-15))
    assert not path_above(pivot, coupling, exact * (1.0 + 1e-15))
    assert not path_above(pivot, coupling, math.nan)


def test_inertia_of_a_band_matrix() -> None:
    """The factors multiply to the matrix, their row sums are those returned, and the count is that of eigenvalues."""
    rng, n, band = np.random.default_rng(2), 12, 3
    rows = rng.normal(size=(n, band + 1))
    full = np.zeros((n, n))
    for i in range(n):
        for o in range(min(i, band) + 1):
            full[i, i - o] = full[i - o, i] = rows[i, o]
    sums = np.empty(n)
    assert factor_banded(rows, sums) == np.sum(np.linalg.eigvalsh(full) < 0.0)
    lower, pivots = np.eye(n), rows[:, 0]
    for i in range(n):
        for o in range(1, min(i, band) + 1):
            lower[i, i - o] = rows[i, o]
    block = np.diag(pivots)
    block[n - 1, n - 2] = block[n - 2, n - 1] = rows[n - 1, 1]
    lower[n - 1, n - 2] = 0.0
    np.testing.assert_allclose(lower @ block @ lower.T, full, atol=1e-11)
    np.testing.assert_allclose(abs(lower) @ abs(block) @ abs(lower).T @ np.ones(n), sums, rtol=1e-12)
    assert factor_banded(np.full((2, 2), math.nan), np.empty(2)) == 2


def test_single_cells_and_hundreds_of_states() -> None:
    assert np.isinf(verified_spectral_gap(chain((unit_cells(1),), np.zeros((3, 1))))).all()
    generators = rough((unit_cells(64),), 300, 2.0, seed=1)
    gap = spectral_gap(generators)
    assert np.all(verified_spectral_gap(generators) < gap)
    assert np.all(verified_spectral_gap(generators) > gap * (1.0 - 1e-11))
