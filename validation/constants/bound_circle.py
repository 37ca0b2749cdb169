r"""Bounds on a circle of cells: one face is dropped (*grid* bounds of the modified log-Sobolev constant).

Without the face e the circle is a path with the same law g and D can only fall, its terms being >= 0, so
alpha(circle) >= alpha(path without e) for every e, and all bounds of paths serve: here the sharpened Barthe–Roberto
bound and the convex reference.  Faces tried are the one of least conductance and others spread evenly,
sixteen at most; the plain bound selects two of them, from which the sharpened bound is followed uphill over
the cuts.  The result is valid whichever are tried.

Two cells share two faces: their chain is the path of two cells with the rates of both added, nothing is dropped and
the bound is that of `bakry_emery_kernels`, exact if g is symmetric.

**Failure.**  Never; but at most about a quarter of alpha where g is nearly flat, and `bound_reference` is better then.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.validation.constants.bakry_emery_kernels import bakry_emery_paths
from wpoflow.validation.constants.circle_kernels import cut_circles
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.rounding import rounded_down


def bound_circle(generators: Generators) -> FloatArray:
    """Bound of alpha of circles by the best path in them, (S,)."""
    rates, out = generators.rates, np.empty(generators.size)
    if generators.actions.size == 2:
        right = rates.right[:, :1] + rates.left[:, 1:]
        left = rates.left[:, :1] + rates.right[:, 1:]
        # no differences are taken with one face: the allowance of `rounded_down` covers the rates
        bakry_emery_paths(right, left, np.zeros_like(right), out)
        return rounded_down(np.log(out), generators)
    axis = generators.axes[0]
    cut_circles(generators.potential, axis.distances, axis.widths, rates.log_gibbs, rates.log_conductance, out)
    return rounded_down(out, generators)
