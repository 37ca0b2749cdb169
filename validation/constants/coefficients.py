r"""Coefficients that enter the rates beside alpha: concentrability, oscillation, and bounds of slopes and curvatures.

The rate of the gap is 2 alpha/kappa with the concentrability kappa = max_i d*_i/d_i of the present occupancy d, at most
|d*/rho|_inf/(1-gamma), as d >= (1-gamma) rho.  Slopes and curvatures of Q(s, .) and of ln density are difference
quotients between neighbouring points: mean values of the derivatives there, so they approach the suprema from below.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.grid import Grid


def density_ratio(occupancy: FloatArray, rho: FloatArray) -> float:
    """max_i occupancy_i/rho_i, arrays (S,); infinite where rho is zero and the occupancy is not, 0/0 left out."""
    if np.any((rho == 0.0) & (occupancy > 0.0)):
        return float("inf")
    charged = rho > 0.0
    with np.errstate(over="ignore"):
        return float(np.max(occupancy[charged] / rho[charged]))


def _along(values: FloatArray, actions: Grid, j: int) -> FloatArray:
    """Values with the cells of action axis j last, (S, lines, n_j), the first repeated behind the last on a circle."""
    lines = np.moveaxis(values.reshape(len(values), *actions.shape), j + 1, -1)
    axis = actions.axes[j]
    lines = lines.reshape(len(values), -1, axis.size)
    return np.concatenate([lines, lines[..., :1]], axis=-1) if axis.periodic and axis.size > 1 else lines


def _differences(lines: FloatArray) -> FloatArray:
    """Differences of neighbours; of two values -inf (density zero) zero, as nothing lies between them."""
    before, after = lines[..., :-1], lines[..., 1:]
    none = np.isneginf(before) & np.isneginf(after)
    return np.where(none, 0.0, np.where(none, 0.0, after) - np.where(none, 0.0, before))


def slopes(values: FloatArray, actions: Grid) -> FloatArray:
    """Largest |difference quotient| along every action axis, (S, d): Lipschitz constants of the samples.

    Parameters
    ----------
    values : array (S, A)
        Q, or a logarithm of densities: -inf where the density is zero, next to which the slope is infinite.
    actions : Grid
        Axes of one cell, and of labels, have slope zero.
    """
    out = np.zeros((len(values), actions.dim))
    for j, axis in enumerate(actions.axes):
        if axis.connected:
            out[:, j] = np.max(np.abs(_differences(_along(values, actions, j))) / axis.distances, axis=(1, 2))
    return out


def curvatures(values: FloatArray, actions: Grid) -> tuple[FloatArray, FloatArray]:
    """Least and largest second difference quotient along every action axis, twice (S, d).

    Parameters
    ----------
    values : array (S, A)
        Finite.
    actions : Grid
        Axes of fewer than three cells, and of labels, have curvature zero.

    Raises
    ------
    ValueError
        A value that is not finite.
    """
    if not np.all(np.isfinite(values)):
        raise ValueError("curvatures need finite values: a density is zero somewhere")
    least, most = np.zeros((2, len(values), actions.dim))
    for j, axis in enumerate(actions.axes):
        if axis.size > 2 and axis.connected:
            # 2 (f_+ - f_0)/(D_+ (D_+ + D_-)) - 2 (f_0 - f_-)/(D_- (D_+ + D_-)), at every cell of a circle
            quotients, distances = np.diff(_along(values, actions, j), axis=-1) / axis.distances, axis.distances
            if axis.periodic:
                quotients = np.concatenate([quotients[..., -1:], quotients], axis=-1)
                distances = np.concatenate([distances[-1:], distances])
            second = 2.0 * np.diff(quotients, axis=-1) / (distances[1:] + distances[:-1])
            least[:, j], most[:, j] = np.min(second, axis=(1, 2)), np.max(second, axis=(1, 2))
    return least, most
