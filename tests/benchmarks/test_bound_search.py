"""The search for laws above whose constant a bound would lie: it finds none, and finds one where a bound is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import bound_search
from benchmarks.bound_search import ROUNDING, climb, grid_of, search
from wpoflow.core.arrays import FloatArray
from wpoflow.validation.constants import lower_bounds as module
from wpoflow.validation.constants.generators import Generators


def test_no_bound_is_above_alpha_where_the_search_leads() -> None:
    lines: list[str] = []
    shapes = ("3", "2o", "2x2", "3ox2")
    largest = search(200, lines.append, shapes)
    assert 0.9 < largest <= 1.0 + ROUNDING
    assert {line.split()[0] for line in lines} == set(shapes)


@pytest.mark.slow
def test_no_bound_is_above_alpha_in_a_hundred_thousand_laws() -> None:
    assert search(100_000, lambda _: None) <= 1.0 + ROUNDING


def test_a_bound_a_tenth_too_large_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two-scale and weighted bounds are attained nearly enough, somewhere, for the search to see a factor of 1.1."""
    for name in ("two_scale", "weighted_gap"):
        sound = module.PRODUCT_BOUNDS[name]

        def inflated(generators: Generators, sound=sound) -> FloatArray:  # type: ignore[no-untyped-def]
            return np.asarray(1.1 * sound(generators))

        monkeypatch.setitem(module.PRODUCT_BOUNDS, name, inflated)
    found = {name: share for name, share, _ in climb(grid_of("2x2"), 200, seed=1)}
    assert found["two_scale"] > 1.0 + ROUNDING
    assert bound_search.ROUNDING < 1e-6
