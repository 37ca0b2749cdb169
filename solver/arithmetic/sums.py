"""Sums and extremes of rows: interleaved chains in a fixed order, or the order left to the compiler (`plus`)."""

from __future__ import annotations

from wpoflow.core.arrays import FloatArray
from wpoflow.core.compile import kernel


@kernel(any_order=True)
def plus(total: float, term: float) -> float:
    """total + term, for loops whose sums the compiler may cut into as many partial ones as the processor likes."""
    return total + term


@kernel()
def row_sum(x: FloatArray) -> float:
    """Sum of an array (n,): eight interleaved partial sums, added in a fixed order."""
    a, b, c, d, e, f, g, h = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    whole = x.size - x.size % 8
    for k in range(0, whole, 8):
        a += x[k]
        b += x[k + 1]
        c += x[k + 2]
        d += x[k + 3]
        e += x[k + 4]
        f += x[k + 5]
        g += x[k + 6]
        h += x[k + 7]
    for k in range(whole, x.size):
        a += x[k]
    return ((a + b) + (c + d)) + ((e + f) + (g + h))


@kernel()
def row_least(x: FloatArray) -> float:
    """Least entry of an array (n,), n >= 1; entries that are NaN are passed over unless they come first."""
    a, b, c, d = x[0], x[0], x[0], x[0]
    whole = x.size - x.size % 4
    for k in range(0, whole, 4):
        a = x[k] if x[k] < a else a
        b = x[k + 1] if x[k + 1] < b else b
        c = x[k + 2] if x[k + 2] < c else c
        d = x[k + 3] if x[k + 3] < d else d
    for k in range(whole, x.size):
        a = x[k] if x[k] < a else a
    a = b if b < a else a
    c = d if d < c else c
    return float(c if c < a else a)


@kernel()
def row_largest(x: FloatArray) -> float:
    """Largest entry of an array (n,), n >= 1; entries that are NaN are passed over unless they come first."""
    a, b, c, d = x[0], x[0], x[0], x[0]
    whole = x.size - x.size % 4
    for k in range(0, whole, 4):
        a = x[k] if x[k] > a else a
        b = x[k + 1] if x[k + 1] > b else b
        c = x[k + 2] if x[k + 2] > c else c
        d = x[k + 3] if x[k + 3] > d else d
    for k in range(whole, x.size):
        a = x[k] if x[k] > a else a
    a = b if b > a else a
    c = d if d > c else c
    return float(c if c > a else a)
