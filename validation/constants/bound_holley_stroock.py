r"""Holley–Stroock bounds: a reference measure and a bounded perturbation (*grid* bounds).

If g ~ r e^{-f} on the same cells, both with Scharfetter–Gummel rates, then alpha(g) >= alpha(r) e^{-osc f}, one
factor only, in any dimension, periodic or not: Ent_g <= max(g/r) Ent_r, and the face means obey
G >= min(g/r) R since the logarithmic mean is increasing and 1-homogeneous.  What is computed is the sharper
comparison behind it (see `bound_reference`), alpha(r) min(c/b)/max(g/r), never below it.

**Convex reference** (paths).  For a curvature kappa the reference has the potential

    Phi_r = kappa a^2/2 + (convex hull of Phi - kappa a^2/2),

the largest function below Phi with that curvature; alpha(r) is its discrete Bakry–Émery bound
(`bound_bakry_emery`), about tau kappa.  The curvature is the best of a search, and zero is tried too.  The hull
is given by its slopes on the faces, which never decrease, so the reference is convex in rounded arithmetic as well.  If
the cells are not equal, a second reference lives on equal cells, in the number of the cell, with the
potential -ln g: the comparison needs the same faces, not the same widths.

**Flat reference** (any grid): alpha(r) = min over the axes of the bound of the flat density there; the product of
reversible chains has the least of their constants.

**Failure.**  The oscillation is in units of tau: exponentially small for barriers of many tau, though valid.

Source: Holley & Stroock, J. Stat. Phys. 46 (1987) 1159, doi:10.1007/BF01011161.
"""

from __future__ import annotations

import math

import numpy as np

from wpoflow.core.arrays import FloatArray, read_only
from wpoflow.validation.constants.bound_reference import unit_cycle_constant, unit_path_constant
from wpoflow.validation.constants.convex_reference_kernels import convex_reference_paths
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.rounding import rounded_down


def centred(distances: FloatArray) -> FloatArray:
    """Points at the given distances, the middle of the range at zero."""
    points = np.concatenate(([0.0], np.cumsum(distances)))
    return np.asarray(points - 0.5 * points[-1])


def bound_holley_stroock(generators: Generators) -> FloatArray:
    """Bound of alpha of paths by convex references, (S,)."""
    axis = generators.axes[0]
    log_gibbs, log_conductance = generators.log_gibbs, generators.rates.log_conductance
    found = np.empty(generators.size)
    points = centred(axis.distances)
    convex_reference_paths(generators.potential, points, axis.widths, log_gibbs, log_conductance, found)
    if np.ptp(axis.widths) > 1e-9 * axis.widths[0]:
        other, ones = np.empty(generators.size), read_only(np.ones(axis.size))
        convex_reference_paths(-log_gibbs, centred(ones[1:]), ones, log_gibbs, log_conductance, other)
        found = np.maximum(found, other)
    return rounded_down(found, generators)


def bound_holley_stroock_flat(generators: Generators) -> FloatArray:
    """Bound of alpha by the flat density and the oscillation of Phi, (S,); any grid with faces."""
    flat = math.inf
    for axis in generators.axes:
        unit = unit_cycle_constant(axis.size) if axis.periodic else unit_path_constant(axis.size)
        # law and conductances of the flat density are widths and tau/distance, up to one factor
        flat = min(flat, unit * generators.temperature / (np.max(axis.distances) * np.max(axis.widths)))
    # not from Q/tau, whose rounding grows with an additive constant of Q
    log_density = generators.log_gibbs - np.log(generators.actions.volumes)
    return rounded_down(math.log(flat) - np.ptp(log_density, axis=1), generators)
