r"""Log-Sobolev constants of paths and circles to within a few per cent, by dynamic programming.

What `log_sobolev_lines` bounds by closed forms, which keep 0.4 to 0.65, is tested here directly: whether 4 E(sqrt x,
sqrt x) >= 2 beta Ent(x) for every x (`bound_dynamic_programming`, its last but one section).  A circle is cut at its
face of least conductance: E can only fall.  A path of seven cells takes ten milliseconds.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.validation.constants.dynamic_programming_kernels import largest_certified
from wpoflow.validation.constants.log_sobolev_lines import log_sobolev_lines
from wpoflow.validation.constants.path_gap_kernels import path_gaps
from wpoflow.validation.constants.rounding import lowered

RESOLUTION = 2e-2


def log_sobolev_sharp(log_law: FloatArray, log_conductance: FloatArray) -> FloatArray:
    """Lower bound of beta of every chain, not below `log_sobolev_lines`; arguments and result as there."""
    known = log_sobolev_lines(log_law, log_conductance)
    cells, faces = log_law.shape[1], log_conductance.shape[1]
    law, conductance = log_law, log_conductance
    if faces == cells == 2:
        conductance = np.logaddexp(conductance[:, :1], conductance[:, 1:])
    elif faces == cells:
        order = (np.argmin(conductance, axis=1)[:, None] + 1 + np.arange(cells)) % cells
        law, conductance = (np.take_along_axis(values, order, axis=1) for values in (law, conductance))
        conductance = conductance[:, :-1]
    law, conductance = np.ascontiguousarray(law), np.ascontiguousarray(conductance)
    gaps, found = np.empty(len(law)), np.empty(len(law))
    with np.errstate(over="ignore", under="ignore"):
        path_gaps(np.exp(conductance - law[:, :-1]), np.exp(conductance - law[:, 1:]), gaps)
    largest_certified(law, conductance, known, gaps, True, RESOLUTION, found)
    with np.errstate(divide="ignore"):  # ln 0: nothing beyond what was known
        return np.maximum(known, lowered(np.log(found), law, conductance))
