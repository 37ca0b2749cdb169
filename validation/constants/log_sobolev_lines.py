r"""Log-Sobolev constants of paths and circles from below, for any law and conductances.

The largest beta known with Ent(f^2) <= (2/beta) E(f, f), which is more than the modified inequality asks for:
bounds that rest on the curvature of the flow (Bakry–Émery, convex references) have no place here.  The best of the
sharpened Barthe–Roberto bound (`bound_barthe_roberto`), the weighted gap with blocks (`bound_weighted_gap`) and
the unit chain (`bound_reference`).  A circle is cut at its face of least conductance for the first two: E can only
fall.
"""

from __future__ import annotations

import math

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.validation.constants.barthe_roberto_kernels import barthe_roberto_paths
from wpoflow.validation.constants.bound_reference import unit_cycle_constant, unit_path_constant
from wpoflow.validation.constants.bound_weighted_gap import weighted_gap_of_paths
from wpoflow.validation.constants.rounding import lowered


def log_sobolev_lines(log_law: FloatArray, log_conductance: FloatArray) -> FloatArray:
    """Lower bound of beta of every chain.

    Parameters
    ----------
    log_law : array (P, n)
        Logarithms of laws on n > 1 cells.
    log_conductance : array (P, m)
        Of the faces between neighbours: m = n - 1 on paths; m = n on circles, the last one between the ends.

    Returns
    -------
    array (P,)
    """
    cells, faces = log_law.shape[1], log_conductance.shape[1]
    if faces < cells:
        return _paths(log_law, log_conductance, unit_path_constant(cells))
    if cells == 2:
        return _paths(log_law, np.logaddexp(log_conductance[:, :1], log_conductance[:, 1:]), unit_path_constant(2))
    order = (np.argmin(log_conductance, axis=1)[:, None] + 1 + np.arange(cells)) % cells
    law, conductance = (np.take_along_axis(values, order, axis=1) for values in (log_law, log_conductance))
    best = _paths(law, np.ascontiguousarray(conductance[:, :-1]), unit_path_constant(cells))
    return np.maximum(best, _unit(log_law, log_conductance, unit_cycle_constant(cells)))


def _unit(log_law: FloatArray, log_conductance: FloatArray, constant: float) -> FloatArray:
    """Comparison with a chain of unit rates, (P,)."""
    bound = math.log(constant) + np.min(log_conductance, axis=1) - np.max(log_law, axis=1)
    return lowered(bound, log_law, log_conductance)


def _paths(log_law: FloatArray, log_conductance: FloatArray, unit: float) -> FloatArray:
    """The best of paths, (P,)."""
    out = np.empty(len(log_law))
    barthe_roberto_paths(log_law, log_conductance, True, out)
    best = np.maximum(lowered(out, log_law, log_conductance), weighted_gap_of_paths(log_law, log_conductance))
    return np.maximum(best, _unit(log_law, log_conductance, unit))
