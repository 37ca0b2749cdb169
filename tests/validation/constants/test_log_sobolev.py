"""Modified log-Sobolev constants by minimisation: closed forms, an independent minimiser, the published continuum."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests import oracles
from tests.orders import check_order
from tests.validation.constants.chains import alternating, chain, log_ratio, minimised_alpha, rough, unit_cells
from tests.validation.constants.test_spectral_gap import frozen, quadratic
from tests.variants import slow, slow_but
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.log_sobolev import log_sobolev_minimiser, minimise_log_sobolev
from wpoflow.validation.constants.spectral_gap import spectral_gap
from wpoflow.validation.exact_cases.bandits import double_well

SHAPES: dict[str, tuple[Axis, ...]] = {
    "path": (alternating(7),),
    "circle": (unit_cells(7, "periodic"),),
    "box": (unit_cells(3), alternating(3)),
}


def ratio(generators: Generators, state: int, log_x: FloatArray) -> float:
    """D/(2 Ent), plainly."""
    rates = generators.rates
    law, conductance = np.exp(rates.log_gibbs[state]), np.exp(rates.log_conductance[state])
    return math.exp(log_ratio(log_x, law, conductance, generators.faces, 1.0)[0])


@pytest.mark.parametrize("n", [2, 5, 40])
def test_unit_rates_on_a_path_equal_the_gap(n: int) -> None:
    alpha = minimise_log_sobolev(chain((unit_cells(n),), np.zeros(n)))
    assert alpha[0] == pytest.approx(4.0 * math.sin(math.pi / (2 * n)) ** 2, rel=1e-9)


@pytest.mark.parametrize("mass", slow_but([0.3, 0.1, 1e-3, 1e-8], 0.1, 1e-8))
def test_two_cells_by_scanning_the_ratio(mass: float) -> None:
    """With two cells x has one degree of freedom; the infimum over a fine net of it is alpha."""
    generators = chain((unit_cells(2),), np.array([0.0, math.log((1.0 - mass) / mass)]))
    net = np.linspace(-40.0, 40.0, 8001)
    net = net[np.abs(net) > 0.05]
    with np.errstate(all="ignore"):
        scanned = min(ratio(generators, 0, np.array([0.0, f])) for f in net)
    alpha = minimise_log_sobolev(generators)[0]
    assert alpha <= scanned * (1.0 + 1e-12)
    assert alpha == pytest.approx(scanned, rel=1e-5)


def test_two_equal_cells_have_alpha_equal_to_the_gap() -> None:
    generators = chain((unit_cells(2),), np.zeros(2))
    assert minimise_log_sobolev(generators)[0] == pytest.approx(2.0, rel=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [slow(0.5), 2.0])
def test_no_other_minimiser_does_better(shape: str, size: float) -> None:
    generators = rough(SHAPES[shape], 3, size, seed=7)
    alpha, gaps = minimise_log_sobolev(generators), spectral_gap(generators)
    assert np.all(alpha <= gaps)
    for state in range(generators.size):
        other = minimised_alpha(generators.select(slice(state, state + 1)))
        assert alpha[state] <= other * (1.0 + 1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_found_is_attained(shape: str) -> None:
    """The ratio of the function returned, computed plainly, is the constant returned: an upper bound indeed."""
    generators = rough(SHAPES[shape], 6, 3.0, seed=11)
    alpha, log_x = log_sobolev_minimiser(generators)
    gaps = spectral_gap(generators)
    below = np.flatnonzero(alpha < 0.95 * gaps)
    assert below.size >= 3
    for state in below:
        assert ratio(generators, int(state), log_x[state]) == pytest.approx(alpha[state], rel=1e-9)


def test_a_box_has_the_constant_of_its_worst_axis() -> None:
    one, two = chain((unit_cells(5),), np.array([0.0, 2.0, 4.0, 1.0, 0.5])), chain((alternating(4),), np.arange(4.0))
    both = chain((unit_cells(5), alternating(4)), (one.q[0][:, None] + two.q[0][None, :]).ravel())
    least = min(minimise_log_sobolev(one)[0], minimise_log_sobolev(two)[0])
    assert minimise_log_sobolev(both)[0] == pytest.approx(least, rel=1e-6)


@pytest.mark.parametrize("case", ["double_well_tau0.1", "ou_bandit"])
def test_the_continuum_at_second_order(case: str) -> None:
    data = oracles.load(case)
    bandit = double_well(0.1) if case.startswith("double") else quadratic()
    exact = bandit.temperature * data["constants"]["LSI_constant"]
    cells = [32, 64, 128, 256]
    errors = [minimise_log_sobolev(frozen(bandit, n))[0] / exact - 1.0 for n in cells]
    check_order([1.0 / n for n in cells], errors, 2.0, cap=1e-3)


def test_masses_over_hundreds_of_decades() -> None:
    """A naive ratio falls by thirty decades here; a Gaussian on the grid keeps alpha at its gap."""
    a = np.linspace(-1.0, 1.0, 60)
    for temperature in (1e-3, 1e-2, 1e-1, 1.0):
        generators = chain((unit_cells(60),), a**2, temperature)
        alpha, gap = minimise_log_sobolev(generators)[0], spectral_gap(generators)[0]
        assert 0.9 * gap < alpha <= gap


@pytest.mark.parametrize("boundary", ["no-flux", "periodic"])
def test_all_temperatures(boundary: str) -> None:
    a = np.linspace(-2.5, 2.5, 40)
    for temperature in 10.0 ** np.arange(-4.0, 3.0):
        generators = chain((unit_cells(40, boundary),), (a**2 - 1.0) ** 2 / 4.0 + a / 10.0, temperature)
        alpha, gap = minimise_log_sobolev(generators), spectral_gap(generators)
        assert np.all(alpha >= 0.0)
        assert np.all(alpha <= gap)


def test_a_single_cell_is_infinite() -> None:
    assert np.isinf(minimise_log_sobolev(chain((unit_cells(1),), np.zeros(1)))[0])
