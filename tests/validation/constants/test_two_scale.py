"""The two-scale bound: its lemma, sharp cases, and coupled laws whose one-dimensional constants leave no slack."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from tests.validation.constants.chains import alternating, chains, minimised_alpha, unit_cells
from tests.variants import slow, slow_but
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis, uniform_axis
from wpoflow.validation.constants.bound_two_scale import bound_two_scale
from wpoflow.validation.constants.generators import Faces, Generators
from wpoflow.validation.constants.log_sobolev import minimise_log_sobolev
from wpoflow.validation.constants.log_sobolev_lines import log_sobolev_lines
from wpoflow.validation.constants.two_scale_kernels import add_transport

SEEDS = st.integers(0, 2**32 - 1)


def log_sobolev_ratio(
    u: FloatArray, law: FloatArray, conductance: FloatArray, faces: Faces
) -> tuple[float, FloatArray]:
    """ln of 2 E(f, f)/Ent(f^2) at f = e^u, and its gradient; large where f is constant."""
    f = np.exp(u - u.max())
    f = f / np.sqrt(law @ f**2)
    ratio = np.maximum(f**2, 1e-300)
    flow = conductance * (f[faces.there] - f[faces.here])
    energy = flow @ (f[faces.there] - f[faces.here])
    entropy = law @ (ratio * np.log(ratio) - ratio + 1.0)
    if entropy <= 1e-9:
        return 50.0, np.zeros_like(f)
    slope = 2.0 * f * (np.bincount(faces.there, flow, f.size) - np.bincount(faces.here, flow, f.size))
    return float(np.log(2.0 * energy / entropy)), slope / energy - 2.0 * law * ratio * np.log(ratio) / entropy


def exact_log_sobolev(law: FloatArray, conductance: FloatArray, faces: Faces, gap: float) -> float:
    """beta by minimisation from several starts; at most the gap."""
    least = gap
    rng = np.random.default_rng(0)
    starts = [sign * 3.0 * (np.arange(law.size) >= k) for k in range(1, law.size) for sign in (1.0, -1.0)]
    starts += list(2.0 * rng.normal(size=(4, law.size)))
    for start in starts:
        found = minimize(log_sobolev_ratio, start, args=(law, conductance, faces), jac=True, method="BFGS")
        least = min(least, float(np.exp(found.fun)))
    return least


def exact_lines(log_law: FloatArray, log_conductance: FloatArray) -> FloatArray:
    """Log-Sobolev constants of short chains, as good as minimisation gives them: no slack is left in one dimension."""
    out = []
    cells = log_law.shape[1]
    here = np.arange(log_conductance.shape[1])
    one = np.ones(here.size)
    faces = Faces(here, (here + 1) % cells, one, one, one)
    for law, conductance in zip(np.exp(log_law), np.exp(log_conductance), strict=True):
        form = np.zeros((cells, cells))
        for f in here:
            a, b = f, (f + 1) % cells
            form[[a, b], [a, b]] += conductance[f]
            form[a, b] -= conductance[f]
            form[b, a] -= conductance[f]
        root = np.sqrt(law)
        gap = np.linalg.eigvalsh(form / np.outer(root, root))[1]
        out.append(exact_log_sobolev(law, conductance, faces, float(gap)))
    return np.array(out)


def gaussian(cells: int, correlation: float) -> Generators:
    """Two standard normal variables on a box of 3.5 standard deviations."""
    axis = uniform_axis("a", -3.5, 3.5, cells)
    x, y = np.meshgrid(axis.points, axis.points, indexing="ij")
    exponent = (x * x - 2.0 * correlation * x * y + y * y) / (2.0 * (1.0 - correlation**2))
    return chains((axis, axis), exponent.ravel())


@given(SEEDS)
@settings(max_examples=60)
def test_the_lemma(seed: int) -> None:
    """The difference of the two norms of any f, squared, is at most the price times the energy."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 7))
    periodic = n > 2 and bool(rng.integers(2))
    p, r = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(n))
    conductance = np.exp(rng.normal(size=n if periodic else n - 1))
    price = np.full(conductance.size, -np.inf)
    add_transport(np.log(p), np.log(r), np.log(conductance), 0.0, 1e-12, price)
    weight = np.exp(price) * conductance
    for f in rng.normal(size=(40, n)) * np.exp(rng.normal(size=(40, 1))) + rng.normal(size=(40, 1)):
        left = (math.sqrt(p @ f**2) - math.sqrt(r @ f**2)) ** 2
        steps = (np.roll(f, -1) - f) if periodic else np.diff(f)
        assert left <= weight @ steps**2 * (1.0 + 1e-9)


@pytest.mark.parametrize(
    "axes",
    [
        (unit_cells(5), alternating(6)),
        (unit_cells(6, "periodic"), alternating(4)),
        (unit_cells(3), alternating(4), unit_cells(4, "periodic")),
        (unit_cells(2, "periodic"), unit_cells(3)),
    ],
)
def test_additive_potentials_have_the_least_constant_of_their_axes(axes: tuple[Axis, ...]) -> None:
    rng = np.random.default_rng(3)
    parts = [rng.normal(size=axis.size) for axis in axes]
    total = np.zeros(())
    for part in parts:
        total = total[..., None] + part
    lines = [chains((axis,), part).rates for axis, part in zip(axes, parts, strict=True)]
    factors = [log_sobolev_lines(rates.log_gibbs, rates.log_conductance)[0] for rates in lines]
    bound = bound_two_scale(chains(axes, total.ravel()))[0]
    assert bound <= min(factors) * (1.0 + 1e-12)
    assert bound == pytest.approx(min(factors), rel=1e-4)  # eps^2 is rounding over s: eps is its root


@pytest.mark.parametrize(("correlation", "least"), [(0.1, 0.94), (0.3, 0.85)])
def test_shares_of_coupled_gaussians(correlation: float, least: float) -> None:
    """With exact constants of one axis, here the gaps of nearly Gaussian lines, the shares of the derivation."""

    def gaps(log_law: FloatArray, log_conductance: FloatArray) -> FloatArray:
        out = []
        for law, conductance in zip(np.exp(log_law), np.exp(log_conductance), strict=True):
            form = np.diag(np.append(conductance, 0.0) + np.append(0.0, conductance))
            form -= np.diag(conductance, 1) + np.diag(conductance, -1)
            out.append(np.linalg.eigvalsh(form / np.sqrt(np.outer(law, law)))[1])
        return np.array(out)

    generators = gaussian(12, correlation)
    share = bound_two_scale(generators, gaps)[0] / minimise_log_sobolev(generators)[0]
    assert least < share <= 1.0
    assert 0.3 < bound_two_scale(generators)[0] / minimise_log_sobolev(generators)[0] < share


@pytest.mark.parametrize("size", slow_but([0.2, 0.6, 1.5, 3.0], 3.0))
@pytest.mark.parametrize("axes", [slow(((unit_cells(2), unit_cells(3)),)), (unit_cells(3, "periodic"), unit_cells(2))])
def test_exact_constants_of_one_axis_leave_the_bound_below_alpha(axes: tuple[Axis, ...], size: float) -> None:
    rng = np.random.default_rng(11)
    cells = math.prod(axis.size for axis in axes)
    for _ in range(3):
        generators = chains(axes, size * rng.normal(size=cells))
        alpha = minimised_alpha(generators)
        assert bound_two_scale(generators, exact_lines)[0] <= alpha * (1.0 + 1e-6)


def test_coupling_of_many_temperatures_does_not_collapse() -> None:
    """The product bound is below 1e-12 of alpha where cells far from the diagonal hold next to nothing."""
    generators = gaussian(16, 0.9)
    assert bound_two_scale(generators)[0] > 0.1 * minimise_log_sobolev(generators)[0]


def test_masses_over_hundreds_of_decades() -> None:
    axis = uniform_axis("a", -1.0, 1.0, 12)
    x, y = np.meshgrid(axis.points, axis.points, indexing="ij")
    for scale in (1.0, 30.0, 300.0):
        generators = chains((axis, axis), scale * (x**2 + y**2 + 0.1 * x * y).ravel())
        bound = bound_two_scale(generators)[0]
        assert 0.02 * minimise_log_sobolev(generators)[0] < bound < minimise_log_sobolev(generators)[0]
