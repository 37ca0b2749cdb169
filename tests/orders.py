"""The orders of convergence that tests claim."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from wpoflow.studies.refinement.orders import observed_orders


def check_order(
    sizes: ArrayLike, errors: ArrayLike, expected: float, *, cap: float, below: float = 0.1, above: float = 0.2
) -> list[float]:
    """Assert that of at least four meshes the three finest observed orders lie in [expected - below, expected + above].

    The last error must not exceed ``cap``: an order says nothing about the constant.
    """
    orders, e = observed_orders(sizes, errors), np.asarray(errors)
    assert orders.size >= 3, f"{e.size} errors: at least 4 are needed"
    table = ", ".join(f"{error:.3e}" for error in e) + "; orders " + ", ".join(f"{order:.3f}" for order in orders)
    inside = (orders[-3:] >= expected - below) & (orders[-3:] <= expected + above)
    assert inside.all(), f"orders outside [{expected - below:g}, {expected + above:g}]: errors {table}"
    assert abs(e[-1]) <= cap, f"error on the finest mesh above {cap:g}: errors {table}"
    return [float(order) for order in orders]
