r"""Two functions that vanish to second order at zero, without cancellation.

    log_deficit(x)     = x - ln(1+x)             = x^2 int_0^1 s / (1 + s x) ds
    entropy_excess(u)  = (1+u) ln(1+u) - u       = u^2 int_0^1 (1-s) / (1 + s u) ds

The first makes the divergence between Gaussians, the second KL(p|g) = sum g entropy_excess(p/g - 1).  Near zero
the closed forms lose all their digits; there the integrals are evaluated by a Gauss-Legendre rule, whose 16 nodes
are exact to rounding for arguments in [-1/2, 1/2].
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy

from wpoflow.core.arrays import FloatArray

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_NODES, _WEIGHTS = 0.5 * (1.0 + _NODES), 0.5 * _WEIGHTS


def _second_order(x: FloatArray, numerator: FloatArray, direct: Callable[[FloatArray], FloatArray]) -> FloatArray:
    out = np.empty_like(x)
    small = np.abs(x) <= 0.5
    near = x[small]
    out[small] = near**2 * ((numerator * _WEIGHTS) / (1.0 + _NODES * near[:, None])).sum(axis=1)
    out[~small] = direct(x[~small])
    return out


def log_deficit(x: ArrayLike) -> FloatArray:
    """x - ln(1 + x) for x > -1, to full relative precision."""
    values = np.atleast_1d(np.asarray(x, dtype=np.float64))
    return _second_order(values, _NODES, lambda far: far - np.log1p(far))


def entropy_excess(u: ArrayLike) -> FloatArray:
    """(1 + u) ln(1 + u) - u for u >= -1 (one at -1), to full relative precision."""
    values = np.atleast_1d(np.asarray(u, dtype=np.float64))
    return _second_order(values, 1.0 - _NODES, lambda far: xlogy(1.0 + far, 1.0 + far) - far)
