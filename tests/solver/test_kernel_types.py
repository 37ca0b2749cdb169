"""Kernels are compiled for types alone: no constant that one passes to another makes a second copy of it."""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.compile import KERNELS, kernel


@kernel()
def scaled(x: FloatArray, factor: int, squared: bool) -> float:
    """Sum of factor x, or of factor x^2."""
    total = 0.0
    for k in range(x.size):
        total += factor * (x[k] ** 2 if squared else x[k])
    return total


@kernel()
def combined(x: FloatArray, n: int) -> float:
    """The same callee with two constants of each kind, and with variables."""
    return scaled(x, 2, True) + scaled(x, 3, False) + scaled(x, n, n > 1)


def test_constants_make_no_second_copy() -> None:
    assert combined(np.array([1.0, 2.0]), 5) == 2.0 * 5.0 + 3.0 * 3.0 + 5.0 * 5.0
    assert len(KERNELS[f"{__name__}.scaled"].signatures) <= 1  # none where the caller was loaded from the cache
    assert scaled(np.array([1.0]), 4, False) == 4.0
    assert len(KERNELS[f"{__name__}.scaled"].signatures) == 1
