"""Flux limiting: positive, mass kept, little moved, and nothing changed away from the negative entries."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.solver.flux.limiter import limit_fluxes


@st.composite
def shapes(draw: st.DrawFn) -> tuple[int, ...]:
    return tuple(draw(st.lists(st.integers(1, 7), min_size=1, max_size=3)))


def _axes(shape: tuple[int, ...], periodic: bool) -> tuple[IntArray, IntArray, IntArray]:
    strides = [int(np.prod(shape[j + 1 :])) for j in range(len(shape))]
    return np.array(shape), np.array(strides), np.full(len(shape), int(periodic))


def limited_and_counts(high: FloatArray, shape: tuple[int, ...], periodic: bool) -> tuple[FloatArray, IntArray]:
    limited, counts = high.copy(), np.zeros(high.shape[0], dtype=np.int64)
    limit_fluxes(limited, *_axes(shape, periodic), counts)
    return limited, counts


@given(shapes(), st.booleans(), st.integers(0, 2**32 - 1), st.floats(0.0, 2.0))
def test_limited_steps_are_positive_and_keep_mass(
    shape: tuple[int, ...], periodic: bool, seed: int, size: float
) -> None:
    generator = np.random.default_rng(seed)
    cells = int(np.prod(shape))
    low = np.exp(3.0 * generator.standard_normal((3, cells)))
    low /= low.sum(axis=1, keepdims=True)
    change = low * generator.standard_normal((3, cells)) * size
    change -= low * change.sum(axis=1, keepdims=True)
    high = low + change
    limited, counts = limited_and_counts(high, shape, periodic)
    assert limited.min() >= 0.0
    np.testing.assert_array_less(np.abs(limited.sum(axis=1) - high.sum(axis=1)), 1e-14)
    for row in range(3):
        assert counts[row] <= (high[row] < 0.0).sum()
        if np.all(high[row] >= 0.0):
            np.testing.assert_array_equal(limited[row], high[row])


@given(st.integers(2, 40), st.booleans(), st.integers(0, 2**32 - 1), st.floats(-30.0, -3.0))
def test_few_times_the_negative_mass_is_moved(cells: int, periodic: bool, seed: int, size: float) -> None:
    """On one axis: a bulk of ordinary mass, and tails of both signs."""
    generator = np.random.default_rng(seed)
    high = 10.0**size * generator.standard_normal((1, cells))
    high[0, generator.integers(cells)] += 1.0
    limited, _ = limited_and_counts(high, (cells,), periodic)
    assert limited.min() >= 0.0
    assert np.abs(limited - high).sum() <= 6.0 * -high[high < 0.0].sum() + 1e-15


def test_only_the_neighbourhood_of_a_negative_tail_entry_changes() -> None:
    high = np.array([[-1e-25, 1e-20 + 1e-25, 1e-10, 0.5, 0.5 - 1e-10]])
    limited, counts = limited_and_counts(high, (5,), False)
    assert counts[0] == 1
    assert limited[0, 0] >= 0.99e-26
    np.testing.assert_array_equal(limited[0, 2:], high[0, 2:])
    np.testing.assert_allclose(limited[0, :2].sum(), high[0, :2].sum(), rtol=1e-15)
