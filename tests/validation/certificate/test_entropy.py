"""Entropy against dissipation by the spectral gap: on random chains, with spikes, near the law and with tails apart."""

from __future__ import annotations

import math
from decimal import Decimal, getcontext

import numpy as np
import pytest

from tests.validation.constants.chains import axis_of, chains, spectrum
from wpoflow.core.arrays import FloatArray
from wpoflow.validation.certificate.entropy import (
    entropy_factor,
    inverse_entropy,
    later_tails,
    present_share,
    relative_entropy_density,
)
from wpoflow.validation.constants.generators import Generators

getcontext().prec = 60


def exact_factor(log_most: float) -> float:
    r = Decimal(log_most)
    f = (r / 2).exp()
    return float((f * f * r - f * f + 1) / (f - 1) ** 2)


def phi(x: FloatArray) -> FloatArray:
    return np.asarray(x * np.log(x) - x + 1.0)


@pytest.mark.parametrize("log_most", [1e-9, 1e-4, 0.1, 0.4999, 0.5001, 1.0, 5.0, 40.0, 600.0])
def test_the_factor_is_exact_and_increases_from_two(log_most: float) -> None:
    assert float(entropy_factor(np.array([log_most]))[0]) == pytest.approx(exact_factor(log_most), rel=1e-13)
    both = entropy_factor(np.array([0.0, log_most, 1.1 * log_most]))
    assert both[0] == 2.0
    assert both[1] <= both[2]
    assert float(entropy_factor(np.array([1e5]))[0]) == pytest.approx(1e5 - 1.0)


@pytest.mark.parametrize("threshold", [1e-24, 1e-9, 0.3, 8.0, 1e4, 1e120])
def test_the_inverse_is_rounded_upwards(threshold: float) -> None:
    r = float(inverse_entropy(np.array([threshold]))[0])
    value = float((Decimal(r) - 1) * Decimal(r).exp() + 1)
    assert threshold <= value <= threshold * (1.0 + 1e-5)


def cases(count: int) -> list[tuple[Generators, FloatArray, FloatArray]]:
    """Chains with their law g and a policy p: smooth, spiked in one cell, or of a few cells only."""
    generator = np.random.default_rng(7)
    found = []
    for index in range(count):
        n, periodic = int(generator.integers(2, 9)), bool(generator.random() < 0.3)
        axis = axis_of(np.exp(generator.uniform(-1.0, 1.0, n)), periodic=periodic)
        generators = chains((axis,), generator.normal(size=n) * generator.choice([0.3, 2.0, 5.0]))
        g = np.exp(generators.log_gibbs[0])
        x = np.exp(generator.normal(size=n) * generator.choice([1e-3, 0.3, 2.0]))
        if index % 3 == 0:
            x[int(generator.integers(n))] *= 10.0 ** generator.uniform(0.0, 5.0)
        found.append((generators, g, x * g / np.sum(x * g)))
    return found


def dissipation(generators: Generators, x: FloatArray) -> float:
    faces, c = generators.faces, np.exp(generators.rates.log_conductance[0])
    a, b = x[faces.here], x[faces.there]
    return float(np.sum(c * (b - a) * np.log(b / a)))


def bounds(generators: Generators, g: FloatArray, p: FloatArray, most: float) -> tuple[float, float]:
    """Dissipation, and the bound with what is above ``most`` set apart."""
    x, gap = p / g, float(spectrum(generators)[0][1])
    density = relative_entropy_density(np.log(x), p, g)
    m = float(np.sum(np.sqrt(p * g)))
    bulk = float(density[x <= most].sum())
    factor = float(entropy_factor(np.array([math.log(most)]))[0])
    return dissipation(generators, x), 2.0 * gap * (1.0 + m) / factor * bulk


def test_dissipation_is_above_its_bound_for_every_threshold() -> None:
    largest = 0.0
    for generators, g, p in cases(600):
        top = float((p / g).max())
        for most in (top, 1.0 + 0.5 * (top - 1.0), 1.0 + 0.05 * (top - 1.0), 2.0 * top):
            actual, bound = bounds(generators, g, p, most)
            assert bound <= actual * (1.0 + 1e-9)
            largest = max(largest, bound / actual)
    assert largest > 0.999  # on two cells, near the law: nothing is given away


def test_each_factor_is_needed() -> None:
    """With K(1) = 2 for K(M), or a tenth more, the bound is above the dissipation somewhere."""
    found = [(*bounds(generators, g, p, float((p / g).max())), g, p) for generators, g, p in cases(600)]
    without_k = [
        bound * float(entropy_factor(np.array([np.log((p / g).max())]))[0]) / 2.0 / actual
        for actual, bound, g, p in found
    ]
    assert max(without_k) > 1.05
    assert max(1.1 * bound / actual for actual, bound, _, _ in found) > 1.05


def best_share(g: FloatArray, p: FloatArray) -> float:
    """(1 + m)/K(M) (1 - T/Ent), M one of the x: between two of them K only grows."""
    x = p / g
    density, m = g * phi(x), float(np.sum(np.sqrt(p * g)))
    most = [float(value) for value in x if value > 1.0 + 1e-9]
    shares = [
        (1.0 + m) / exact_factor(math.log(value)) * float(density[x <= value].sum() / density.sum()) for value in most
    ]
    return max([*shares, (1.0 + m) / 2.0 * float(density[x <= 1.0].sum() / density.sum())])


def test_the_present_share_is_the_best_threshold_and_a_bound() -> None:
    nearest = []
    for generators, g, p in cases(300):
        share = float(present_share(p[None], g[None], np.log(p / g)[None], np.zeros(1))[0])
        entropy = float(relative_entropy_density(np.log(p / g), p, g).sum())
        gap = float(spectrum(generators)[0][1])
        actual, plain = bounds(generators, g, p, float((p / g).max()))
        assert plain * (1.0 - 1e-8) <= 2.0 * gap * share * entropy <= actual * (1.0 + 1e-8)
        if entropy > 1e-8:
            nearest.append(share / best_share(g, p))
    assert 0.9 < np.median(nearest) <= max(nearest) <= 1.0 + 1e-7


def test_tails_later_on_are_below_their_bound() -> None:
    """Markov steps with a law that moves: g' >= g e^-delta, the deltas adding up to the drift."""
    generator = np.random.default_rng(3)
    tight = 0.0
    for generators, g, p in cases(200):
        drift = float(generator.choice([1e-3, 0.1, 1.0]))
        allowed = np.array([10.0 ** generator.uniform(-8.0, 0.0)])
        log_most, tails = later_tails(p[None], g[None], np.log(p / g)[None], np.array([drift]), allowed)
        assert tails[0] <= allowed[0]
        law, policy, left = g.copy(), p.copy(), drift
        for _ in range(4):
            smaller = float(generator.uniform(0.0, left))
            left -= smaller
            raised = law * np.exp(-smaller + generator.exponential(size=law.size) * (generator.random(law.size) < 0.3))
            moved = raised / raised.sum()
            if np.any(moved < law * np.exp(-smaller) * (1.0 - 1e-12)):
                moved = law  # no law in between: it rests
            law = moved
            x = policy / law
            above = x > math.exp(float(log_most[0]))
            entropy = float(np.sum(law[above] * phi(x[above])))
            assert entropy <= tails[0] * (1.0 + 1e-9) + 1e-15
            tight = max(tight, entropy / max(float(tails[0]), 1e-300))
            weight = float(generator.uniform())
            policy = weight * policy + (1.0 - weight) * law  # a Markov kernel that leaves the law invariant
        del generators
    assert tight > 0.5
