"""The weighted gap against the eigenvalue problem it solves, its blocks, and the two cells where it is exact."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import eigh

from tests.validation.constants.chains import chain, rough, unit_cells
from tests.validation.constants.test_spectral_gap import SHAPES
from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.validation.constants.block_weight_kernels import block_masses, interval_masses
from wpoflow.validation.constants.bound_weighted_gap import bound_weighted_gap, weighted_gap_of_paths
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.spectral_gap import spectral_gap

SEEDS = st.integers(0, 2**32 - 1)


def energy_form(generators: Generators, state: int) -> FloatArray:
    """E(f, f) as a matrix."""
    n, faces = generators.actions.size, generators.faces
    out = np.zeros((n, n))
    for f, (a, b) in enumerate(zip(faces.here, faces.there, strict=True)):
        c = math.exp(generators.rates.log_conductance[state, f])
        out[[a, b], [a, b]] += c
        out[a, b] -= c
        out[b, a] -= c
    return out


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [0.3, 2.0])
def test_at_least_twice_the_weighted_eigenvalue(shape: str, size: float) -> None:
    """Single cells as blocks are one of the partitions tried; the eigenvalue is SciPy's."""
    generators = rough(SHAPES[shape], 4, size, seed=2)
    bound = bound_weighted_gap(generators)
    for state in range(generators.size):
        log_law = generators.log_gibbs[state]
        weights = np.exp(log_law) * (2.0 - log_law)
        twice = 2.0 * eigh(energy_form(generators, state), np.diag(weights), eigvals_only=True)[1]
        assert bound[state] >= twice * (1.0 - 1e-6)
        assert bound[state] <= spectral_gap(generators)[state]


@pytest.mark.parametrize("mass", [0.5, 0.5 - 1e-8, 0.3, 0.01, 1e-12])
def test_two_cells(mass: float) -> None:
    """The log-Sobolev constant of two cells is 2 lambda (1 - 2 g)/ln(1/g - 1) exactly."""
    generators = chain((unit_cells(2),), np.array([0.0, math.log1p(-mass) - math.log(mass)]))
    exact = spectral_gap(generators)[0]
    if mass < 0.49:
        exact *= 2.0 * (1.0 - 2.0 * mass) / math.log(1.0 / mass - 1.0)
    assert exact * (1.0 - 1e-9) < bound_weighted_gap(generators)[0] <= exact


def test_paths_by_their_logarithms() -> None:
    """The form for any law and conductances is that of the generators."""
    generators = rough((unit_cells(9),), 5, 2.0, seed=4)
    rates = generators.rates
    np.testing.assert_allclose(
        weighted_gap_of_paths(rates.log_gibbs, rates.log_conductance), bound_weighted_gap(generators), rtol=1e-9
    )


def inside(generators: Generators, cells: IntArray) -> IntArray:
    """Faces between two of the cells."""
    faces = generators.faces
    return np.asarray(np.flatnonzero(np.isin(faces.here, cells) & np.isin(faces.there, cells)))


def check_block(generators: Generators, cells: IntArray, constant: float, rng: np.random.Generator) -> None:
    """Ent_b(f^2) <= C E_b(f, f) for many f."""
    law, conductance = np.exp(generators.log_gibbs[0]), np.exp(generators.rates.log_conductance[0])
    faces, chosen = generators.faces, inside(generators, cells)
    for f in np.exp(rng.normal(size=(30, law.size)) * rng.choice([0.1, 1.0, 3.0], size=(30, 1))):
        square, mass = law[cells] @ f[cells] ** 2, law[cells].sum()
        entropy = law[cells] @ (f[cells] ** 2 * np.log(f[cells] ** 2 * mass / square))
        energy = conductance[chosen] @ (f[faces.there[chosen]] - f[faces.here[chosen]]) ** 2
        assert entropy <= constant * energy * (1.0 + 1e-9)


@given(SEEDS)
@settings(max_examples=25)
def test_intervals_are_blocks_with_the_constant_claimed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    generators = rough((unit_cells(int(rng.integers(3, 14)), str(rng.choice(["no-flux", "periodic"]))),), 1, 1.0, seed)
    rates, n = generators.rates, generators.actions.size
    masses, constants = np.empty((1, n)), np.empty(1)
    start = int(rng.integers(n)) if generators.is_circle else 0
    most = np.array([rng.normal() * 2.0])
    interval_masses(rates.log_gibbs, rates.log_conductance, np.array([start]), 1, most, masses, constants)
    assert constants[0] <= most[0]
    order = (start + np.arange(n)) % n
    bounds = [0, *(np.flatnonzero(np.diff(masses[0, order])) + 1), n]
    for first, last in itertools.pairwise(bounds):
        cells = order[first:last]
        assert math.exp(masses[0, cells[0]]) == pytest.approx(np.exp(rates.log_gibbs[0, cells]).sum(), rel=1e-12)
        if cells.size > 1:
            check_block(generators, cells, math.exp(constants[0]), rng)


@given(SEEDS)
@settings(max_examples=25)
def test_boxes_are_blocks_with_the_constant_claimed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    generators = rough((unit_cells(4), unit_cells(5)), 1, 1.0, seed)
    rates = generators.rates
    after = np.zeros((2, 20), dtype=np.int64)
    after[0, generators.faces.here[:15]] = np.arange(15)
    after[1, generators.faces.here[15:]] = np.arange(15, 31)
    masses, constants = np.empty((1, 20)), np.empty(1)
    most = np.array([rng.normal() * 2.0])
    block_masses(
        *(rates.log_gibbs, rates.log_conductance, after, np.array([4, 5]), np.array([5, 1]), most, masses, constants)
    )
    assert constants[0] <= most[0]
    for mass in np.unique(masses[0]):
        cells = np.flatnonzero(masses[0] == mass)
        assert math.exp(mass) == pytest.approx(np.exp(rates.log_gibbs[0, cells]).sum(), rel=1e-12)
        if cells.size > 1:
            check_block(generators, cells, math.exp(constants[0]), rng)
