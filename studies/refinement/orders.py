r"""Observed orders of convergence, extrapolated values and the grid convergence index.

A number computed with mesh size h has an error C h^p (1 + o(1)).  Against the exact value two meshes give p,

    p = ln(e_1/e_2) / ln(h_1/h_2).

A single observed order says little, since errors of opposite sign cross zero: at least four meshes are wanted, and the
three finest observed orders near the design order.

Without the exact value, values f_1 (finest), f_2, f_3 on h_1 < h_2 < h_3, r = h_2/h_1, q = h_3/h_2, give

    (f_3 - f_2)/(f_2 - f_1) = r^p (q^p - 1)/(r^p - 1),

whose right side increases with p from ln q/ln r at p = 0, so that p is its only root whether or not r = q.  With it
the extrapolated value is f_1 + (f_1 - f_2)/(r^p - 1), and the grid convergence index, an error band of the finest
value meant to hold in 95 of 100 cases, is

    GCI = 5/4 |f_1 - f_2|/(r^p - 1),

absolute here, with p not above the design order where one is given: an accidentally high order would make it too
small.  R = (f_2 - f_1)/(f_3 - f_2) tells how the values behave.

    monotone      r and q alike: 0 < R < 1; in general: a positive order
    oscillatory   -1 < R < 0: no order is claimed and nothing extrapolated; the band is half the spread
    divergent     otherwise: neither value nor band
    unresolved    a difference is below the noise of the values: the finest value with a band of that noise

Sources: Richardson, Phil. Trans. R. Soc. A 210 (1911) 307, doi:10.1098/rsta.1911.0009; Roache, J. Fluids Eng. 116
(1994) 405, doi:10.1115/1.2910291; Celik et al., J. Fluids Eng. 130 (2008) 078001, doi:10.1115/1.2960953 (meshes of
unequal ratio); Stern et al., J. Fluids Eng. 123 (2001) 793, doi:10.1115/1.1412235 (R, and half the spread).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from wpoflow.core.arrays import FloatArray

SAFETY = 1.25
ROUNDING = 16.0 * float(np.finfo(np.float64).eps)
HIGHEST_ORDER = 64.0


@dataclass(frozen=True)
class Extrapolation:
    """What the three finest meshes say; numbers that cannot be had are nan.

    Attributes
    ----------
    behaviour : str
        monotone, oscillatory, divergent or unresolved.
    order : float
        Observed order of the three finest meshes.
    value : float
        Extrapolated to mesh size zero.
    gci : float
        Grid convergence index of the finest value, absolute.
    """

    behaviour: str
    order: float
    value: float
    gci: float


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


def observed_order(sizes: ArrayLike, values: ArrayLike) -> float:
    """Order from values on three meshes, whose sizes need not be in constant ratio.

    Parameters
    ----------
    sizes : array (3,)
        Mesh sizes, decreasing.
    values : array (3,)

    Returns
    -------
    float
        nan where the differences do not have the same sign or the finer one is not the smaller, or a difference is
        zero.

    Raises
    ------
    ValueError
        Other than three meshes, or sizes that do not decrease.
    """
    h, f = _meshes(sizes, values, 3)
    if h.size != 3:
        raise ValueError(f"{h.size} meshes: three are needed")
    coarse, fine = f[0] - f[1], f[1] - f[2]
    if fine == 0.0 or coarse == 0.0 or (coarse > 0.0) != (fine > 0.0):
        return math.nan
    target = math.log(abs(coarse)) - math.log(abs(fine))
    log_r, log_q = math.log(h[1] / h[2]), math.log(h[0] / h[1])
    if not target > math.log(log_q / log_r):
        return math.nan

    def log_ratio(p: float) -> float:
        return p * log_q + math.log(math.expm1(-p * log_q) / math.expm1(-p * log_r))

    low, high = float(np.finfo(np.float64).eps), HIGHEST_ORDER
    target = min(max(target, log_ratio(low)), log_ratio(high))
    return float(brentq(lambda p: log_ratio(p) - target, low, high, xtol=low))


def extrapolate(
    sizes: ArrayLike, values: ArrayLike, *, design: float | None = None, noise: float = 0.0
) -> Extrapolation:
    """Judge the three finest of at least three meshes.

    Parameters
    ----------
    sizes : array (n,)
        Mesh sizes, decreasing.
    values : array (n,)
    design : float, optional
        Order claimed; the grid convergence index uses no higher one.
    noise : float
        Absolute error of the values that has nothing to do with the mesh, besides rounding.

    Raises
    ------
    ValueError
        Fewer than three meshes, sizes that do not decrease, or values that are not finite.
    """
    h, f = _meshes(sizes, values, 3)
    h, f = h[-3:], f[-3:]
    coarse, fine = float(f[0] - f[1]), float(f[1] - f[2])
    floor = max(noise, ROUNDING * float(np.max(np.abs(f))))
    if min(abs(coarse), abs(fine)) <= floor:
        return Extrapolation("unresolved", math.nan, float(f[-1]), max(floor, abs(fine)))
    if (coarse > 0.0) != (fine > 0.0) and abs(fine) < abs(coarse):
        return Extrapolation("oscillatory", math.nan, math.nan, 0.5 * float(np.ptp(f)))
    order = observed_order(h, f)
    if math.isnan(order):
        return Extrapolation("divergent", math.nan, math.nan, math.nan)
    used = order if design is None else min(order, design)
    log_r = math.log(h[1] / h[2])
    value = float(f[-1]) - fine / math.expm1(order * log_r)
    return Extrapolation("monotone", order, value, SAFETY * abs(fine) / math.expm1(used * log_r))


def _meshes(sizes: ArrayLike, values: ArrayLike, least: int) -> tuple[FloatArray, FloatArray]:
    h, f = np.asarray(sizes, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if h.ndim != 1 or h.shape != f.shape or h.size < least:
        raise ValueError(f"{h.size} mesh sizes and {f.size} values: at least {least} of each, one to one")
    if not np.all(np.isfinite(f)) or not np.all(h > 0) or not np.all(np.diff(h) < 0):
        raise ValueError("mesh sizes must be positive and decreasing, and the values finite")
    return h, f
