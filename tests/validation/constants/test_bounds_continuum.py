"""Bounds of the continuum constants against the reference table and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from tests.oracles import load
from wpoflow.grids.axis import Axis, uniform_axis
from wpoflow.validation.constants.bounds_continuum import ContinuumBounds, bounds_continuum

WELL, GAUSSIAN = load("double_well_tau0.1"), load("ou_bandit")
TAU = WELL["problem"]["tau"]


def double_well(cells: int) -> ContinuumBounds:
    axis = uniform_axis("a", -2.5, 2.5, cells)
    a = axis.points
    return bounds_continuum(axis, ((a * a - 1.0) ** 2 / 4.0 + a / 10.0)[None] / TAU, TAU)


@pytest.mark.parametrize(
    ("name", "group", "entry", "cap"),
    [
        ("bakry_emery", None, "bakry_emery_min_cpp_over_tau_vacuous_if_negative", 1e-4),
        ("holley_stroock_flat", "holley_stroock", "uniform_base_pi2_over_25", 1e-3),
        ("muckenhoupt", "muckenhoupt", "poincare_lower", 1e-4),
        ("muckenhoupt_upper", "muckenhoupt", "poincare_upper", 1e-4),
        ("barthe_roberto", "muckenhoupt", "LSI_lower_barthe_roberto", 1e-4),
        ("barthe_roberto_upper", "muckenhoupt", "LSI_upper_barthe_roberto", 1e-4),
        ("bobkov_goetze", "muckenhoupt", "LSI_lower_bobkov_goetze_468", 1e-4),
        ("bobkov_goetze_upper", "muckenhoupt", "LSI_upper_bobkov_goetze_150", 1e-4),
    ],
)
def test_double_well_of_the_table(name: str, group: str | None, entry: str, cap: float) -> None:
    """Errors fall like h^2 apart from where in a cell the suprema sit: the cap is for 1024 cells."""
    bounds = WELL["constants"]["bounds"]
    exact = bounds[entry] if group is None else bounds[group][entry]
    errors = [abs(getattr(double_well(cells), name)[0] / TAU / exact - 1.0) for cells in (64, 1024)]
    assert errors[1] < cap
    assert errors[1] < 0.1 * errors[0]


def test_convex_plus_bounded_is_maximised() -> None:
    """The table's value is that of the curvature 0.2 of the cost; the best curvature is better, and near it."""
    constants = WELL["constants"]
    stated = constants["bounds"]["holley_stroock"]
    at_stated = stated["kappa"] / TAU * np.exp(-stated["oscillation"] / TAU)
    assert stated["convex_plus_bounded"] == pytest.approx(at_stated, rel=1e-10)
    found = double_well(512).holley_stroock[0] / TAU
    assert at_stated < found < 1.05 * at_stated


def test_order_of_the_constants() -> None:
    constants, bounds = WELL["constants"], double_well(256)
    alpha, gap = TAU * constants["LSI_constant"], TAU * constants["poincare_constant"]
    for lower in ("bakry_emery", "holley_stroock", "holley_stroock_flat", "barthe_roberto", "bobkov_goetze"):
        assert getattr(bounds, lower)[0] < alpha
    assert alpha < min(bounds.barthe_roberto_upper[0], bounds.bobkov_goetze_upper[0])
    assert bounds.muckenhoupt[0] < gap < bounds.muckenhoupt_upper[0]


def test_gaussian() -> None:
    """Cost and reference are both quadratic: Bakry–Émery and the convex reference are exact, kappa + tau/S."""
    problem, rate = GAUSSIAN["problem"], GAUSSIAN["constants"]["policy_rate"]
    tau = problem["tau"]
    axis = uniform_axis("a", -3.0, 4.0, 128)
    potential = (problem["kappa"] / tau * (axis.points - problem["a_star"]) ** 2 + axis.points**2 / problem["S_mu"]) / 2
    bounds = bounds_continuum(axis, potential[None], tau)
    assert bounds.bakry_emery[0] == pytest.approx(rate, rel=1e-9)
    assert bounds.holley_stroock[0] == pytest.approx(rate, rel=1e-9)


@pytest.mark.parametrize("boundary", ["no-flux", "periodic"])
def test_flat_density(boundary: str) -> None:
    axis: Axis = uniform_axis("a", 0.0, 3.0, 50, boundary)
    bounds = bounds_continuum(axis, np.full((2, 50), 4.0), 0.5)
    first = 2.0 * np.pi / 3.0 if boundary == "periodic" else np.pi / 3.0
    assert bounds.holley_stroock_flat == pytest.approx(np.full(2, 0.5 * first**2), rel=1e-12)
    assert np.all(bounds.bakry_emery == 0.0)
    assert np.all(bounds.barthe_roberto < 0.5 * first**2)


def test_additive_constants_do_not_matter() -> None:
    axis = uniform_axis("a", -2.0, 2.0, 60)
    potential = np.cos(3.0 * axis.points)[None]
    plain, raised = bounds_continuum(axis, potential, 1.0), bounds_continuum(axis, potential + 300.0, 1.0)
    for name, value in vars(plain).items():
        assert getattr(raised, name)[0] == pytest.approx(value[0], rel=1e-8), name


def test_small_temperatures_do_not_overflow() -> None:
    axis = uniform_axis("a", -2.5, 2.5, 300)
    potential = ((axis.points**2 - 1.0) ** 2 / 4.0)[None]
    bounds = bounds_continuum(axis, potential / 1e-3, 1e-3)
    assert 0.0 < bounds.muckenhoupt[0] < 1e-90
    assert 0.0 < bounds.barthe_roberto[0] < bounds.muckenhoupt[0]


def test_unusable_potentials_are_refused() -> None:
    axis = uniform_axis("a", 0.0, 1.0, 4)
    with pytest.raises(ValueError, match="axis a: potential of shape"):
        bounds_continuum(axis, np.zeros((1, 5)), 1.0)
    with pytest.raises(ValueError, match="at least 3"):
        bounds_continuum(uniform_axis("a", 0.0, 1.0, 2), np.zeros((1, 2)), 1.0)
