"""Dynamic programming certifies nearly alpha and never more: exact cases, minimised alphas, and a search against it.

Two errors make such a programme certify what is false, and both let some of the cases pass at 1.02 alpha: a minimum
over X looked for near the last one only (there are several), and nodes that end before the spikes.  A third, the
square near X = 1 taken for every y, is above the minimum far away; most laws do not notice, as it is below it on the
other side of 1, and the pieces beside meet it in a knot, which bounds w too.  Spikes beyond a stiff pair of cells do.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

from tests.validation.constants.chains import axis_of, chain, chains, unit_chain
from tests.validation.constants.search_bounds import search
from tests.variants import slow, slow_but
from wpoflow.grids.axis import uniform_axis
from wpoflow.validation.constants.bound_dynamic_programming import bound_dynamic_programming, certifies
from wpoflow.validation.constants.dynamic_programming_kernels import (
    HIGH,
    LOW,
    WHOLE,
    certify_paths,
    inner_minimum,
)
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.log_sobolev import minimise_log_sobolev
from wpoflow.validation.constants.lower_bounds import lower_bounds
from wpoflow.validation.constants.node_kernels import INNER
from wpoflow.validation.constants.spectral_gap import spectral_gap

SLACK = 1e-9  # of the minimisation


def double_well(cells: int, temperature: float) -> Generators:
    axis = uniform_axis("a", -2.5, 2.5, cells)
    return chains((axis,), ((axis.points**2 - 1.0) ** 2 / 4.0 + axis.points / 10.0) / temperature, temperature)


def gaussian(cells: int, half_width: float) -> Generators:
    axis = uniform_axis("a", -half_width, half_width, cells)
    return chains((axis,), axis.points**2 / 2.0)


def corner(cells: int, depth: float, power: float) -> Generators:
    """The mass in the first cell, the last one lighter by e^-depth: alpha is that of spikes far out."""
    x = np.linspace(0.0, 1.0, cells)
    return chains((axis_of(np.ones(cells)),), depth * x**power)


def random_walk(cells: int, seed: int) -> Generators:
    rng = np.random.default_rng(seed)
    return chains((axis_of(np.exp(rng.uniform(-1.0, 1.0, cells))),), 1.5 * np.cumsum(rng.normal(size=cells)))


def weak_link(depth: float) -> Generators:
    """Three narrow cells, as one, beside a wide light one: the minimiser is constant, then jumps."""
    return chains((axis_of(np.array([1e-3, 1e-3, 1e-3, 1.0])),), np.array([0.0, 0.0, 0.0, depth]))


DEAR = {"weak link", "double well, 64", "corner, quadratic"}
CASES = {
    "weak link": weak_link(10.0),
    "weaker link": weak_link(16.0),
    "double well, 32": double_well(32, 0.1),
    "double well, 64": double_well(64, 0.1),
    "Gaussian, 32": gaussian(32, 6.0),
    "Gaussian over two cells": gaussian(11, 25.0),
    "corner, quadratic": corner(39, 100.0, 2.0),
    "corner, linear": corner(26, 60.0, 1.0),
    "corner, steep": corner(12, 120.0, 0.7),
    **{f"random walk {seed}": random_walk(24, seed) for seed in range(6)},
}


@pytest.mark.parametrize("square", [1e-2, 1.0, 1e3])
@pytest.mark.parametrize("kappa", [1e-3, 1.0, 1e3])
def test_the_inner_piece_is_below_the_minimum_over_its_interval_however_far_y_is(square: float, kappa: float) -> None:
    """The square that is right for y near 1 would exceed kappa psi, which grows like y ln y, from some y on."""
    kept = np.zeros(6)
    kept[[WHOLE, LOW, HIGH]] = square, -INNER, INNER
    inside = INNER * np.linspace(-1.0, 1.0, 2001)
    for excess in [*np.geomspace(1.01 * INNER, 1e6, 60), *-np.geomspace(1.01 * INNER, 1.0 - 1e-9, 60)]:
        log_y = np.log1p(excess)
        exact = float((square * inside**2 + kappa * (excess - inside) * (log_y - np.log1p(inside))).min())
        value = inner_minimum(kept, kappa, excess, log_y, 1.0 + excess, False)[0]
        assert value <= exact * (1.0 + 1e-9)
        if abs(excess) > 1e3 * INNER:  # there all of it is the jump from the nearest X
            assert value >= exact - 1.1 * square * INNER**2


@pytest.mark.parametrize("case", slow_but(CASES, *sorted(set(CASES) - DEAR)))
def test_nearly_alpha_is_certified_and_no_more(case: str) -> None:
    for generators in (CASES[case], mirrored(CASES[case])):
        alpha = minimise_log_sobolev(generators)
        assert certifies(generators, 0.97 * alpha)[0]
        assert not certifies(generators, alpha * (1.0 + SLACK))[0]
        assert not certifies(generators, 1.02 * alpha)[0]
        assert 0.97 * alpha[0] < bound_dynamic_programming(generators)[0] <= alpha[0] * (1.0 + SLACK)


@pytest.mark.parametrize("link", [1.0, 0.3])
def test_a_spike_beyond_a_stiff_pair_is_not_bounded_by_the_square_near_one(link: float) -> None:
    """Two cells as one, a cell of no mass, and a light one: with the square for every y 1.1 alpha passes."""
    light = np.array([1e-6, 1e-3])
    law = np.array([1.0 - light.sum(), *light])

    def ratio(z: np.ndarray) -> float:
        """D/(2 Ent) at x = (1, e^z_0, e^z_1), the first value in both cells of the pair."""
        x = np.exp([0.0, *z])
        mean = law @ x
        entropy = law @ (x * np.log(x / mean) - x + mean)
        return float((np.expm1(z[0]) * z[0] + link * (x[2] - x[1]) * (z[1] - z[0])) / (2.0 * entropy))

    alpha = min(minimize(ratio, start, method="Nelder-Mead").fun for start in ([6.0, 8.0], [3.0, 6.0], [5.0, 9.0]))
    masses = np.log([[0.5, 0.5 - light.sum(), *light]])
    for stiff in (1e6, 1e13):
        conductances, out = np.log([[stiff, 1.0, link]]), np.zeros(1, dtype=np.bool_)
        for share, passes in ((0.97, True), (1.001, False), (1.02, False), (1.1, False)):
            certify_paths(masses, conductances, np.array([share * alpha]), False, out)
            assert out[0] == passes


def mirrored(generators: Generators) -> Generators:
    """The cells in the opposite order."""
    (axis,) = generators.axes
    return Generators(
        type(generators.actions)((axis_of(axis.widths[::-1], axis.name),)),
        np.ascontiguousarray(generators.q[:, ::-1]),
        np.ascontiguousarray(generators.log_mass[::-1]),
        generators.temperature,
    )


@pytest.mark.parametrize("depth", [0.0, 0.5, 3.0, 20.0, 120.0])
def test_two_cells_are_known_from_one_number(depth: float) -> None:
    """x is (1, e^z) up to a factor: alpha is the least of D/(2 Ent) over z."""
    generators = chain((axis_of(np.ones(2)),), np.array([0.0, depth]))
    (light, heavy), conductance = np.exp(generators.log_gibbs[0][::-1]), np.exp(generators.rates.log_conductance[0, 0])

    def ratio(z: float) -> float:
        excess = np.expm1(z)  # x is 1 in the heavy cell
        log_mean = np.log1p(light * excess)
        entropy = light * np.exp(z) * (z - log_mean) - heavy * log_mean
        return float(conductance * excess * z / (2.0 * entropy))

    points = np.concatenate([-np.geomspace(1e-2, 400.0, 500), np.geomspace(1e-2, 400.0, 3000)])
    start = points[int(np.argmin([ratio(z) for z in points]))]
    alpha = min(minimize_scalar(ratio, bracket=(0.99 * start, start)).fun, spectral_gap(generators)[0])
    assert certifies(generators, 0.995 * alpha)[0]
    assert not certifies(generators, alpha * (1.0 + 1e-7))[0]


@pytest.mark.parametrize("cells", [2, 3, 16, 64])
def test_equal_cells_of_a_flat_law_are_exact(cells: int) -> None:
    exact = 2.0 * (1.0 - np.cos(np.pi / cells))
    assert not certifies(unit_chain(cells), exact * (1.0 + 1e-9))[0]
    assert 0.99 * exact < bound_dynamic_programming(unit_chain(cells))[0] < exact


def test_three_cells_against_every_measure_of_a_net() -> None:
    """x over a net of logarithms: no rate above the least ratio found is certified, and 0.97 of it is."""
    rng = np.random.default_rng(5)
    net = np.concatenate([-np.geomspace(0.05, 40.0, 160)[::-1], np.geomspace(0.05, 40.0, 160)])
    first, last = net[:, None], net[None, :]
    for _ in range(4):
        generators = chains((axis_of(np.exp(rng.uniform(-1.0, 1.0, 3))),), rng.uniform(0.0, 12.0, 3))
        g, c = np.exp(generators.log_gibbs[0]), np.exp(generators.rates.log_conductance[0])
        x, z = np.exp(first), np.exp(last)
        mean = g[0] * x + g[1] + g[2] * z
        entropy = g[0] * x * first + g[2] * z * last - mean * np.log(mean)
        dissipation = c[0] * (x - 1.0) * first + c[1] * (z - 1.0) * last
        alpha = min(float((dissipation / (2.0 * entropy)).min()), spectral_gap(generators)[0])
        assert not certifies(generators, alpha * (1.0 + 1e-6))[0]
        assert certifies(generators, 0.97 * alpha)[0]


def test_no_search_finds_a_measure_whose_alpha_is_exceeded() -> None:
    """`python -m tests.validation.constants.search_bounds` does the same for as long as one likes."""
    found = search(evaluations=320, seed=0)
    assert 0.99 < found.largest <= 1.0 + SLACK


@pytest.mark.parametrize(("kind", "least"), [("path", 0.98), ("circle", 0.9), slow(("box", 0.9))])
def test_no_search_finds_a_measure_whose_alpha_a_quick_bound_exceeds(kind: str, least: float) -> None:
    found = search(evaluations=640, seed=0, kind=kind)
    assert least < found.largest <= 1.0 + SLACK


def test_rates_scale_with_the_temperature_and_states_do_not_meet() -> None:
    axis = axis_of(np.ones(9))
    potentials = np.random.default_rng(7).normal(size=(5, 9)) * np.arange(1, 6)[:, None]
    together = bound_dynamic_programming(chains((axis,), potentials, 3.0))
    for state, potential in enumerate(potentials):
        assert together[state] == bound_dynamic_programming(chains((axis,), potential, 3.0))[0]
        assert together[state] == pytest.approx(
            3.0 * bound_dynamic_programming(chains((axis,), potential))[0], rel=1e-9
        )


def test_a_rate_that_suffices_is_not_looked_beyond() -> None:
    alpha = minimise_log_sobolev(CASES["double well, 32"])[0]
    found = bound_dynamic_programming(CASES["double well, 32"], at_most=0.9 * alpha)[0]
    assert found == pytest.approx(0.9 * alpha, rel=1e-9)
    assert found < 0.9 * alpha


def test_masses_beyond_double_precision_are_left_to_other_bounds() -> None:
    generators = chains((axis_of(np.ones(5)),), np.array([0.0, 10.0, 700.0, 10.0, 0.0]))
    assert bound_dynamic_programming(generators)[0] == 0.0
    assert lower_bounds(generators, "full").best[0] > 0.0


@pytest.mark.parametrize("rate", [0.0, -1.0, np.nan, np.inf])
def test_a_rate_must_be_positive(rate: float) -> None:
    with pytest.raises(ValueError, match="alpha: rates must be positive and finite"):
        certifies(unit_chain(4), rate)


def test_only_paths_are_taken() -> None:
    with pytest.raises(ValueError, match=r"one no-flux action axis .* got a0 \(periodic\)"):
        bound_dynamic_programming(unit_chain(4, periodic=True))
    with pytest.raises(ValueError, match="got one cell"):
        certifies(chains((axis_of(np.ones(1)),), np.zeros((3, 1))), 1.0)


def several_states() -> Generators:
    """Sixty wells of different depths, on nine cells; alpha falls with the depth, not the quick bound's share."""
    x = np.linspace(-1.5, 1.5, 9)
    depths = np.random.default_rng(11).permutation(np.linspace(1.0, 6.0, 60))[:, None]
    return chains((axis_of(np.ones(9)),), depths * (x**2 - 1.0) ** 2 + 0.3 * x)


@pytest.mark.slow
def test_full_bounds_raise_the_minimum_as_far_as_all_states_would() -> None:
    generators = several_states()
    quick, full = lower_bounds(generators), lower_bounds(generators, "full")
    every = np.maximum(quick.best, bound_dynamic_programming(generators))
    assert full.best.min() == pytest.approx(every.min(), rel=1e-12)
    assert full.best.min() > 1.2 * quick.best.min()
    assert np.all(full.best >= quick.best)
    assert np.all(full.best <= minimise_log_sobolev(generators) * (1.0 + SLACK))
    refined = full.values["dynamic_programming"] > 0.0
    assert 0 < refined.sum() < generators.size
    assert np.all(quick.best[~refined] >= full.best.min())
    for name in quick.names:
        np.testing.assert_array_equal(quick.values[name], full.values[name])


def test_only_the_states_that_count_are_refined() -> None:
    generators = several_states()
    quick = lower_bounds(generators).best
    counted = np.asarray(quick > np.median(quick))
    full = lower_bounds(generators, "full", counted)
    assert np.all(full.values["dynamic_programming"][~counted] == 0.0)
    assert full.best[counted].min() > 1.2 * quick[counted].min()
    nobody = lower_bounds(generators, "full", np.zeros(60, dtype=np.bool_))
    np.testing.assert_array_equal(nobody.best, quick)


def test_full_bounds_of_circles_and_products_are_the_quick_ones() -> None:
    for generators in (unit_chain(6, periodic=True), chain((axis_of(np.ones(3)), axis_of(np.ones(4))), np.zeros(12))):
        np.testing.assert_array_equal(lower_bounds(generators, "full").best, lower_bounds(generators).best)


def test_levels_and_flags_are_checked() -> None:
    with pytest.raises(ValueError, match="level of bounds 'slow'; choose quick or full"):
        lower_bounds(unit_chain(4), "slow")
    with pytest.raises(ValueError, match=r"counted: bool of shape \(2,\); it must be bool"):
        lower_bounds(unit_chain(4), "full", np.ones(2, dtype=np.bool_))
    with pytest.raises(ValueError, match="counted: float64"):
        lower_bounds(unit_chain(4), "full", np.ones(1))  # type: ignore[arg-type]
