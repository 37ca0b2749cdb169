"""Spectral gaps: closed forms, exact arithmetic for metastable chains, dense eigenvalues, the published continuum."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest

from tests import oracles
from tests.orders import check_order
from tests.validation.constants.chains import alternating, chain, dense, rough, unit_cells
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis, uniform_axis
from wpoflow.validation.constants import spectral_gap as module
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.spectral_gap import SpectrumError, slow_modes, spectral_gap
from wpoflow.validation.exact_cases.bandits import Bandit, double_well

SHAPES: dict[str, tuple[Axis, ...]] = {
    "path": (alternating(12),),
    "circle": (unit_cells(11, "periodic"),),
    "two cells": (unit_cells(2, "periodic"),),
    "box": (unit_cells(5), alternating(4)),
    "cylinder": (unit_cells(5, "periodic"), unit_cells(4)),
    "three": (unit_cells(3), unit_cells(1), unit_cells(4, "periodic"), unit_cells(3)),
}


def quadratic() -> Bandit:
    """The quadratic bandit of the tables on a box of seven standard deviations."""
    data = oracles.load("ou_bandit")["problem"]
    return Bandit(
        cost=lambda a: 0.5 * data["kappa"] * (a - data["a_star"]) ** 2,
        potential=lambda a: a**2 / (2.0 * data["S_mu"]),
        density=lambda a: np.asarray(np.exp(-(a**2))),
        lower=-2.7,
        upper=3.4,
        temperature=data["tau"],
    )


def frozen(bandit: Bandit, cells: int) -> Generators:
    """The generator of a bandit: Q is its cost."""
    mdp = bandit.grid(cells)
    return Generators.of(mdp, mdp.cost)


def smallest_exactly(right: FloatArray, left: FloatArray) -> Decimal:
    """Smallest non-zero eigenvalue of a birth-death chain with these rates, to 60 digits, by bisection."""
    with localcontext() as context:
        context.prec = 400
        u, w = [Decimal(float(x)) for x in right], [Decimal(float(x)) for x in left]
        diagonal = [a + b for a, b in zip(u, w, strict=True)]
        squares = [a * b for a, b in zip(w[:-1], u[1:], strict=True)]

        def below(shift: Decimal) -> bool:
            pivot = diagonal[0] - shift
            for k, square in enumerate(squares):
                if pivot <= 0:
                    return True
                pivot = diagonal[k + 1] - shift - square / pivot
            return pivot <= 0

        low, high = Decimal("1e-330"), max(diagonal)
        while high / low > Decimal("1.01"):
            middle = (low * high).sqrt()
            low, high = (low, middle) if below(middle) else (middle, high)
        while high - low > low * Decimal("1e-25"):
            middle = (low + high) / 2
            low, high = (low, middle) if below(middle) else (middle, high)
        return low


@pytest.mark.parametrize("n", [2, 3, 10, 101])
def test_unit_rates_on_a_path(n: int) -> None:
    gap = spectral_gap(chain((unit_cells(n),), np.zeros(n)))
    assert gap[0] == pytest.approx(4.0 * math.sin(math.pi / (2 * n)) ** 2, rel=1e-13)


@pytest.mark.parametrize("n", [2, 3, 10, 33])
def test_unit_rates_on_a_circle(n: int) -> None:
    gap = spectral_gap(chain((unit_cells(n, "periodic"),), np.zeros(n)))
    assert gap[0] == pytest.approx(4.0 * math.sin(math.pi / n) ** 2, rel=1e-12)


def test_a_box_relaxes_like_its_slowest_axis() -> None:
    flat, tilted = chain((unit_cells(7),), np.arange(7.0)), chain((alternating(5),), np.sin(np.arange(5.0)))
    both = chain((unit_cells(7), alternating(5)), (flat.q[0][:, None] + tilted.q[0][None, :]).ravel())
    least = min(spectral_gap(flat)[0], spectral_gap(tilted)[0])
    assert spectral_gap(both)[0] == pytest.approx(least, rel=1e-12)


@pytest.mark.parametrize(("temperature", "decades"), [(1.0, 0), (0.03, -20), (0.0075, -80), (0.003, -200)])
def test_metastable_gaps_have_all_their_digits(temperature: float, decades: int) -> None:
    a = np.linspace(-2.5, 2.5, 41)
    generators = chain((uniform_axis("a", -2.5, 2.5, 41),), 6.0 * (a**2 - 1.0) ** 2 / 4.0 + a / 10.0, temperature)
    rates = generators.rates
    exact = smallest_exactly(rates.right[0], rates.left[0])
    assert decades - 20 < exact.log10() <= max(decades + 20, 2)
    for gap in (spectral_gap(generators)[0], slow_modes(generators, 0)[0][0]):
        assert abs(Decimal(float(gap)) / exact - 1) < Decimal("2e-13")


def test_metastable_circles_cross_the_lower_barrier() -> None:
    """Two wells on a circle, one barrier so high that only the other is crossed: the gap is that of the cut path."""
    n = 24
    q = np.cos(4.0 * np.pi * np.arange(n) / n) + 0.05 * np.arange(n)
    q[-1] = 12.0
    circle = chain((unit_cells(n, "periodic"),), q, 0.02)
    path = chain((unit_cells(n),), q, 0.02)
    assert 1e-60 < spectral_gap(path)[0] < 1e-30
    assert spectral_gap(circle)[0] == pytest.approx(spectral_gap(path)[0], rel=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [0.3, 2.0])
def test_dense_eigenvalues(shape: str, size: float) -> None:
    generators = rough(SHAPES[shape], 6, size, seed=len(shape))
    gaps = spectral_gap(generators)
    for state in range(generators.size):
        expected = np.linalg.eigvalsh(dense(generators, state))[1]
        assert gaps[state] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_modes_are_eigenfunctions(shape: str) -> None:
    generators = rough(SHAPES[shape], 4, 1.0, seed=3)
    gaps, modes = slow_modes(generators, 2)
    g = np.exp(generators.log_gibbs)
    np.testing.assert_allclose(np.einsum("sa,ska->sk", g, modes), 0.0, atol=1e-12)
    for state in range(generators.size):
        root = np.sqrt(g[state])
        matrix = dense(generators, state)
        values = np.linalg.eigvalsh(matrix)
        for k in range(min(2, len(values) - 1)):
            y = root * modes[state, k]
            assert float(y @ matrix @ y) == pytest.approx(float(values[k + 1] * (y @ y)), rel=1e-8)
        y = root * modes[state, 0]
        assert np.linalg.norm(matrix @ y - gaps[state] * y) < 1e-8 * np.linalg.norm(matrix) * np.linalg.norm(y)


def test_the_metastable_mode_is_flat_in_each_well() -> None:
    a = np.linspace(-2.5, 2.5, 41)
    generators = chain((uniform_axis("a", -2.5, 2.5, 41),), 1.5 * (a**2 - 1.0) ** 2 + a / 10.0, 0.01)
    mode = slow_modes(generators, 1)[1][0, 0]
    np.testing.assert_allclose(mode[a > 0.5], mode[-1], rtol=1e-12)
    np.testing.assert_allclose(mode[a < -0.5], mode[0], rtol=1e-12)
    assert mode[0] * mode[-1] < 0.0


@pytest.mark.parametrize("case", ["double_well_tau0.1", "ou_bandit"])
def test_the_continuum_at_second_order(case: str) -> None:
    data = oracles.load(case)
    bandit = double_well(0.1) if case.startswith("double") else quadratic()
    exact = bandit.temperature * data["constants"]["poincare_constant"]
    cells = [32, 64, 128, 256]
    errors = [spectral_gap(frozen(bandit, n))[0] / exact - 1.0 for n in cells]
    check_order([1.0 / n for n in cells], errors, 2.0, cap=1e-3)


def test_rate_scales_with_temperature_at_fixed_potential() -> None:
    q = np.sin(np.arange(9.0))
    for axis in (alternating(9), unit_cells(9, "periodic")):
        one, hot = spectral_gap(chain((axis,), q, 1.0)), spectral_gap(chain((axis,), 64.0 * q, 64.0))
        np.testing.assert_allclose(hot, 64.0 * one, rtol=1e-12)


@pytest.mark.parametrize("boundary", ["no-flux", "periodic"])
def test_all_temperatures(boundary: str) -> None:
    a = np.linspace(-2.5, 2.5, 40)
    for temperature in 10.0 ** np.arange(-4.0, 3.0):
        generators = chain((unit_cells(40, boundary),), (a**2 - 1.0) ** 2 / 4.0 + a / 10.0, temperature)
        gaps, modes = slow_modes(generators, 2)
        assert np.all(np.isfinite(modes))
        assert 0.0 <= gaps[0] < math.inf
        assert spectral_gap(generators)[0] == pytest.approx(gaps[0], rel=1e-12)


def test_a_single_cell_has_nothing_to_relax() -> None:
    generators = chain((unit_cells(1),), np.zeros((3, 1)))
    np.testing.assert_array_equal(spectral_gap(generators), np.inf)


def test_many_states_with_and_without_threads_agree_to_the_bit() -> None:
    generators = rough((unit_cells(64, "periodic"),), 2100, 1.0, seed=5)
    parts = [spectral_gap(generators.select(slice(i, i + 700))) for i in range(0, 2100, 700)]
    np.testing.assert_array_equal(spectral_gap(generators), np.concatenate(parts))


def test_a_state_without_convergence_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_VECTORS", 4)
    with pytest.raises(SpectrumError, match="state 0 not found"):
        spectral_gap(rough((unit_cells(30, "periodic"),), 2, 1.0, seed=1))
