r"""Observed orders of convergence.

If a number computed with mesh size h has an error C h^p (1 + o(1)), two meshes give p from their errors, and three
meshes in constant ratio r give it without the exact value:

    p = ln(e_1/e_2) / ln(h_1/h_2),      p = ln(|f_1 - f_2| / |f_2 - f_3|) / ln r,

the finer pair also an extrapolated value f_3 + (f_3 - f_2)/(r^p - 1) (Richardson 1911).  A single observed order says
little, since errors of opposite sign cross zero: :func:`check_order` wants at least four meshes and the three finest
observed orders near the design order.

Source: Roache, Perspective: a method for uniform reporting of grid refinement studies, J. Fluids Eng. 116 (1994) 405,
doi:10.1115/1.2910291, who also defines the grid convergence index.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from wpoflow.core.arrays import FloatArray

BELOW, ABOVE = 0.1, 0.2


class OrderError(AssertionError):
    """The observed orders are not those claimed."""


def _meshes(sizes: ArrayLike, numbers: ArrayLike, least: int) -> tuple[FloatArray, FloatArray]:
    h, f = np.asarray(sizes, dtype=np.float64), np.asarray(numbers, dtype=np.float64)
    if h.ndim != 1 or h.shape != f.shape or h.size < least:
        raise ValueError(f"{h.size} mesh sizes and {f.size} numbers: at least {least} of each, one to one")
    if not np.all(np.isfinite(f)) or not np.all(h > 0) or not np.all(np.diff(h) < 0):
        raise ValueError("mesh sizes must be positive and decreasing, and the numbers finite")
    return h, f


def observed_orders(sizes: ArrayLike, errors: ArrayLike) -> FloatArray:
    """Orders between neighbouring meshes, (n - 1,).

    Parameters
    ----------
    sizes : array (n,)
        Mesh sizes, decreasing.
    errors : array (n,)
        Errors against the exact solution; signs are ignored.

    Raises
    ------
    ValueError
        Fewer than two meshes, sizes that do not decrease, or an error that is zero or not finite.
    """
    h, e = _meshes(sizes, errors, 2)
    if np.any(e == 0.0):
        raise ValueError("an error is exactly zero: it has no order")
    return np.asarray(np.diff(np.log(np.abs(e))) / np.diff(np.log(h)))


def orders_without_exact(sizes: ArrayLike, values: ArrayLike) -> FloatArray:
    """Orders from the differences of values on three neighbouring meshes each, (n - 2,).

    Raises
    ------
    ValueError
        As :func:`observed_orders`, or mesh sizes not in constant ratio.
    """
    h, f = _meshes(sizes, values, 3)
    ratios = h[:-1] / h[1:]
    if not np.allclose(ratios, ratios[0], rtol=1e-9):
        raise ValueError("orders without an exact solution need mesh sizes in constant ratio")
    return observed_orders(h[1:], np.diff(f))


def extrapolated(sizes: ArrayLike, values: ArrayLike, order: float) -> float:
    """Value at mesh size zero, from the two finest meshes and the order of the error."""
    h, f = _meshes(sizes, values, 2)
    return float(f[-1] + (f[-1] - f[-2]) / ((h[-2] / h[-1]) ** order - 1.0))


def check_order(
    sizes: ArrayLike,
    errors: ArrayLike,
    expected: float,
    *,
    cap: float,
    below: float = BELOW,
    above: float = ABOVE,
) -> Sequence[float]:
    """Assert that the three finest observed orders lie in [expected - below, expected + above].

    Parameters
    ----------
    sizes, errors : array (n,)
        At least four meshes, as in :func:`observed_orders`.
    expected : float
        The order claimed.
    cap : float
        Largest error allowed on the finest mesh: an order says nothing about the constant.

    Returns
    -------
    list of float
        All observed orders.

    Raises
    ------
    OrderError
        One of the three is outside, or the last error exceeds the cap; the line holds all numbers.
    ValueError
        Unusable input.
    """
    h, e = _meshes(sizes, errors, 4)
    orders = observed_orders(h, e)
    table = ", ".join(f"{error:.3e}" for error in e) + "; orders " + ", ".join(f"{order:.3f}" for order in orders)
    if np.any(orders[-3:] < expected - below) or np.any(orders[-3:] > expected + above):
        raise OrderError(f"orders outside [{expected - below:g}, {expected + above:g}]: errors {table}")
    if abs(e[-1]) > cap:
        raise OrderError(f"error on the finest mesh above {cap:g}: errors {table}")
    return [float(order) for order in orders]
