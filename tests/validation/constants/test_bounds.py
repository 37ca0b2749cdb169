"""Guaranteed bounds lie below the minimised constant and the spectral gap, and reach them where they are exact."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.validation.constants.chains import axis_of, chains, minimised_alpha, spectrum, unit_chain
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.validation.constants.bound_holley_stroock import bound_holley_stroock
from wpoflow.validation.constants.bound_reference import unit_cycle_constant, unit_path_constant
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.log_sobolev import minimise_log_sobolev
from wpoflow.validation.constants.lower_bounds import SINGLE_CELL, lower_bounds
from wpoflow.validation.constants.spectral_gap import spectral_gap

KINDS = ("equal", "alternating", "random")


def random_widths(rng: np.random.Generator, cells: int, kind: str) -> FloatArray:
    if kind == "equal":
        return np.ones(cells)
    if kind == "alternating":
        return np.where(np.arange(cells) % 2, 0.5, 1.5)
    return np.exp(rng.uniform(-1.0, 1.0, cells))


@st.composite
def measures(draw: st.DrawFn, most_axes: int) -> Generators:
    """Chains on one or two axes with rough, convex or double-welled potentials."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    axes = tuple(
        axis_of(
            random_widths(rng, draw(st.integers(2, 12 if most_axes == 1 else 5)), draw(st.sampled_from(KINDS))),
            f"a{j}",
            periodic=draw(st.booleans()),
        )
        for j in range(draw(st.integers(1, most_axes)))
    )
    shape = tuple(axis.size for axis in axes)
    size = draw(st.sampled_from([0.0, 0.3, 2.0, 10.0]))
    rough = rng.normal(size=shape) * draw(st.sampled_from([0.0, 0.1, 1.0]))
    for j, axis in enumerate(axes):
        x = 4.0 * axis.points / axis.length
        profile = draw(st.sampled_from([x * x, (x * x / 2.0 - 1.0) ** 2, np.sin(x)]))
        rough = rough + np.expand_dims(profile, tuple(i for i in range(len(axes)) if i != j))
    potential = np.clip(size * rough, 0.0, 25.0)
    return chains(axes, potential.ravel(), float(10.0 ** rng.uniform(-3, 1)))


def check_order_of_constants(generators: Generators) -> None:
    bounds, gap = lower_bounds(generators), spectrum(generators)[0][1]
    alpha = float(minimise_log_sobolev(generators)[0])  # attained by a function, and no other minimiser does better
    assert alpha <= gap * (1.0 + 1e-9)
    for name in bounds.names:
        assert 0.0 <= bounds.values[name][0] <= alpha * (1.0 + 1e-9), name
    assert bounds.best[0] > 0.0
    assert bounds.values[bounds.best_name[0]][0] == bounds.best[0]


@given(measures(most_axes=1))
@settings(max_examples=40)
def test_bounds_lie_below_alpha_on_paths_and_circles(generators: Generators) -> None:
    check_order_of_constants(generators)


@given(measures(most_axes=2))
@settings(max_examples=25)
def test_bounds_lie_below_alpha_on_products(generators: Generators) -> None:
    check_order_of_constants(generators)


@pytest.mark.parametrize("cells", [2, 3, 4, 7, 16, 128])
def test_unit_path_is_exact(cells: int) -> None:
    exact = 2.0 * (1.0 - np.cos(np.pi / cells))
    assert unit_path_constant(cells) == pytest.approx(exact, rel=1e-10)
    bound = lower_bounds(unit_chain(cells)).values["reference"][0]
    assert exact * (1.0 - 1e-11) <= bound < exact
    assert spectrum(unit_chain(cells))[0][1] == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("cells", [2, 4, 6, 16, 64])
def test_even_cycle_is_exact(cells: int) -> None:
    exact = 2.0 * (1.0 - np.cos(2.0 * np.pi / cells))
    bounds = lower_bounds(unit_chain(cells, periodic=True))
    assert exact * (1.0 - 1e-11) <= bounds.best[0] < exact


@pytest.mark.parametrize("cells", [5, 7, 21])
def test_odd_cycles_are_exact_where_that_is_proved(cells: int) -> None:
    exact = 2.0 * (1.0 - np.cos(2.0 * np.pi / cells))
    assert exact * (1.0 - 1e-11) <= lower_bounds(unit_chain(cells, periodic=True)).best[0] < exact


def test_three_cells_have_the_log_sobolev_constant() -> None:
    """2/ln 2, below alpha = 2.94, below lambda = 3."""
    assert unit_cycle_constant(3) == pytest.approx(2.0 / np.log(2.0), rel=1e-15)
    assert minimised_alpha(unit_chain(3, periodic=True)) == pytest.approx(2.9424737, rel=1e-6)


@pytest.mark.parametrize("cells", [23, 101])
def test_long_odd_cycles_are_bounded_by_the_even_ones_after_them(cells: int) -> None:
    assert unit_cycle_constant(cells) == unit_cycle_constant(cells + 1)
    assert unit_path_constant(cells) < unit_cycle_constant(cells) < 2.0 * (1.0 - np.cos(2.0 * np.pi / cells))


def test_two_cells_are_exact_if_symmetric() -> None:
    for periodic in (False, True):
        chain = unit_chain(2, periodic=periodic)
        assert lower_bounds(chain).best[0] == pytest.approx(spectrum(chain)[0][1], rel=1e-11)


@pytest.mark.parametrize(
    ("cells", "alpha", "bakry_emery"),
    [(4, 0.222, 0.222), (8, 0.690, 0.635), (16, 0.911, 0.793), (48, 0.990, 0.954)],
)
def test_gaussian_on_coarse_cells(cells: int, alpha: float, bakry_emery: float) -> None:
    """The table of the derivation: three digits, of alpha (here at most the gap) and of the bound."""
    axis = uniform_axis("a", -6.0, 6.0, cells)
    chain = chains((axis,), axis.points**2 / 2.0)
    assert lower_bounds(chain).values["bakry_emery"][0] == pytest.approx(bakry_emery, abs=6e-4)
    assert spectral_gap(chain)[0] == pytest.approx(alpha, abs=6e-4)


@pytest.mark.parametrize("cells", [64, 128])
@pytest.mark.parametrize("temperature", [1e-2, 1.0, 10.0])
def test_gaussian_is_bounded_tightly(cells: int, temperature: float) -> None:
    """Box of six standard deviations either side, whatever the temperature; alpha is at most the gap."""
    axis = uniform_axis("a", -6.0 * np.sqrt(temperature), 6.0 * np.sqrt(temperature), cells)
    chain = chains((axis,), axis.points**2 / (2.0 * temperature), temperature)
    gap = spectral_gap(chain)[0]
    bounds = lower_bounds(chain)
    assert 0.95 * gap < bounds.values["bakry_emery"][0] <= bounds.best[0] < gap


def double_well(cells: int, temperature: float) -> Generators:
    axis = uniform_axis("a", -2.5, 2.5, cells)
    return chains((axis,), ((axis.points**2 - 1.0) ** 2 / 4.0 + axis.points / 10.0) / temperature, temperature)


def test_double_well_keeps_a_third_of_alpha() -> None:
    """alpha of the continuum is 0.0359173 (reference table); bounds of the grid converge and stay below."""
    for cells in (64, 128, 256):
        bounds = lower_bounds(double_well(cells, 0.1))
        assert bounds.best_name[0] == "barthe_roberto"
        assert 0.36 * 0.0359173 < bounds.best[0] < 0.76 * 0.0359173
        assert bounds.values["barthe_roberto_plain"][0] < 0.42 * 0.0359173
        assert 0.13 * 0.0359173 < bounds.values["holley_stroock"][0] < bounds.best[0]
        assert bounds.values["bakry_emery"][0] == 0.0


@pytest.mark.parametrize("temperature", [1e-4, 1e-3, 1e-2])
def test_metastable_bounds_follow_the_gap_over_hundreds_of_orders(temperature: float) -> None:
    """alpha/lambda is about one over the logarithm of the lighter well's mass, here 0.2/temperature."""
    bounds = lower_bounds(double_well(200, temperature))
    gap = spectral_gap(double_well(200, temperature))[0]
    assert all(np.isfinite(bounds.values[name][0]) for name in bounds.names)
    if temperature > 5e-4:
        assert gap < 1e-6
        assert 0.4 * temperature / 0.2 * gap < bounds.best[0] < gap


def test_bounds_scale_with_the_temperature_and_ignore_constants_and_mirrors() -> None:
    rng = np.random.default_rng(1)
    widths = np.exp(rng.uniform(-0.5, 0.5, 20))
    potential = rng.normal(size=20)
    for periodic in (False, True):
        plain = lower_bounds(chains((axis_of(widths, periodic=periodic),), potential))
        mirrored = lower_bounds(chains((axis_of(widths[::-1], periodic=periodic),), potential[::-1]))
        warmer = lower_bounds(chains((axis_of(widths, periodic=periodic),), potential + 7.0, 3.0))
        for name in plain.names:
            assert mirrored.values[name][0] == pytest.approx(plain.values[name][0], rel=1e-9)
            assert warmer.values[name][0] == pytest.approx(3.0 * plain.values[name][0], rel=1e-9)


def test_a_large_constant_in_q_costs_no_digits() -> None:
    """Entries of Q are multiples of 1/64, exact beside 2^40 too."""
    levels = np.random.default_rng(3).integers(0, 9, 12) / 64.0
    for periodic in (False, True):
        axis = axis_of(np.ones(12), periodic=periodic)
        plain = lower_bounds(chains((axis,), levels))
        raised = lower_bounds(chains((axis,), levels + 2.0**40))
        assert raised.values["holley_stroock_flat"][0] == plain.values["holley_stroock_flat"][0]
        assert raised.values["reference"][0] == plain.values["reference"][0]


def test_states_do_not_meet() -> None:
    """Bounds of many states at once, threads included, are those of each alone, bit for bit."""
    axis = uniform_axis("a", -2.0, 2.0, 40)
    potential = np.random.default_rng(2).normal(size=(3500, 40)) + axis.points**2
    chain = chains((axis,), potential)
    assert chain.q.size >= 1 << 17
    together = lower_bounds(chain)
    for state in (0, 1700, 3499):
        alone = lower_bounds(chains((axis,), potential[state]))
        for name in together.names:
            assert together.values[name][state] == alone.values[name][0]


def test_convex_reference_on_unequal_cells() -> None:
    """Alternating widths break Bakry–Émery itself, but not the reference in the number of the cell."""
    axis = axis_of(np.where(np.arange(40) % 2, 0.2, 0.3))
    chain = chains((axis,), axis.points**2 / 2.0)
    assert lower_bounds(chain).values["bakry_emery"][0] == 0.0
    assert 0.2 < bound_holley_stroock(chain)[0] < spectral_gap(chain)[0]


def test_products_of_chains_are_exact_to_their_factors() -> None:
    """An additive potential: the bound is the least of the axes' own best bounds."""
    first, second = uniform_axis("a", -4.0, 4.0, 24), uniform_axis("b", 0.0, 2.0, 10, "periodic")
    one, two = first.points**2, 0.3 * np.cos(np.pi * second.points)
    product = lower_bounds(chains((first, second), (one[:, None] + two).ravel())).values["product"][0]
    factors = [lower_bounds(chains((first,), one)).best[0], lower_bounds(chains((second,), two)).best[0]]
    assert product == pytest.approx(min(factors), rel=1e-9)


def test_one_cell_has_nothing_to_relax() -> None:
    bounds = lower_bounds(chains((axis_of(np.ones(1)),), np.zeros((3, 1))))
    assert bounds.names == (SINGLE_CELL,)
    assert np.all(np.isposinf(bounds.best))
