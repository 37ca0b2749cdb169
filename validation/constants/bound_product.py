r"""Product references on grids of several action axes (*grid* bounds of the modified log-Sobolev constant).

A product of reversible chains with laws r_j has alpha = min_j alpha_j (the entropy is subadditive).  For the law g of
the grid, with Phi ~ sum_j Phi_j and r_j ~ h_j e^{-Phi_j} on the cells of axis j,

    alpha(g) >= min_j [ alpha_j min_{faces f of axis j} c_f/b_f ] / max_k g_k/r_k,     r = prod_j r_j,

b the conductances of the product; each alpha_j is the best bound of one axis.  This is at least
min_j alpha_j e^{-osc(Phi - sum_j Phi_j)} (Holley–Stroock) since c/b lies between the extremes of g/r.

**Choice of Phi_j.**  Any is valid, and in each state the best of four is kept: means over the other axes (the
additive part of the analysis of variance); the section of Phi through its minimum; -ln of the marginals of g; and
the midrange sweeps of Diliberto and Straus from the first, which lower the oscillation of the remainder.

**Failure.**  Exponentially small where Phi is far from additive, in units of tau.

Sources: Diaconis & Saloff-Coste, Ann. Appl. Probab. 6 (1996) 695, lemma 3.2, doi:10.1214/aoap/1034968224 (products);
Diliberto & Straus, Pacific J. Math. 1 (1951) 195, doi:10.2140/pjm.1951.1.195.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.grid import Grid
from wpoflow.validation.constants.bounds_one_axis import CIRCLE_BOUNDS, PATH_BOUNDS
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.rounding import rounded_down

_SWEEPS = 12


def _others(dim: int, j: int) -> tuple[int, ...]:
    """Axes of the array (S, n_1, .., n_d) other than the states and axis j."""
    return tuple(i + 1 for i in range(dim) if i != j)


def _additive_fits(
    potential: FloatArray, log_gibbs: FloatArray, log_widths: list[FloatArray]
) -> Iterator[list[FloatArray]]:
    """Candidates for the Phi_j, (S, n_j) each; arrays (S, n_1, .., n_d) and (n_j,) given."""
    dim = potential.ndim - 1
    means = [potential.mean(axis=_others(dim, j)) for j in range(dim)]
    yield means
    flat = potential.reshape(len(potential), -1)
    lowest = np.unravel_index(np.argmin(flat, axis=1), potential.shape[1:])
    states = np.arange(len(potential))
    yield [
        np.moveaxis(potential, j + 1, 1)[(states, slice(None), *(lowest[i] for i in range(dim) if i != j))]
        for j in range(dim)
    ]
    yield [log_widths[j] - _log_sum(log_gibbs, _others(dim, j)) for j in range(dim)]
    parts = list(means)
    rest = potential
    for j in range(dim):
        rest = rest - np.expand_dims(means[j], _others(dim, j))
    for sweep in range(_SWEEPS * dim):
        axes = _others(dim, sweep % dim)
        middle = 0.5 * (rest.max(axis=axes) + rest.min(axis=axes))
        parts[sweep % dim] = parts[sweep % dim] + middle
        rest = rest - np.expand_dims(middle, axes)
    yield parts


def _log_sum(values: FloatArray, axes: tuple[int, ...]) -> FloatArray:
    top = values.max(axis=axes, keepdims=True)
    return np.asarray(np.log(np.exp(values - top).sum(axis=axes)) + np.squeeze(top, axes))


def bound_product(generators: Generators) -> FloatArray:
    """Bound of alpha by product references, (S,); for several action axes."""
    shape = (generators.size, *(axis.size for axis in generators.axes))
    potential, log_gibbs = generators.potential.reshape(shape), generators.log_gibbs.reshape(shape)
    best = np.full(generators.size, -np.inf)
    log_widths = [np.log(axis.widths) for axis in generators.axes]
    for parts in _additive_fits(potential, log_gibbs, log_widths):
        best = np.maximum(best, _log_bound(generators, parts))
    return rounded_down(best, generators)


def _log_bound(generators: Generators, parts: list[FloatArray]) -> FloatArray:
    """Logarithm of the bound from one choice of the Phi_j, (S,)."""
    temperature, dim = generators.temperature, len(generators.axes)
    laws, constants, conductances = [], [], []
    for axis, part in zip(generators.axes, parts, strict=True):
        log_mass = np.log(axis.widths / axis.length)
        chain = Generators(Grid((axis,)), temperature * part, log_mass, temperature)
        family = CIRCLE_BOUNDS if axis.periodic else PATH_BOUNDS
        with np.errstate(divide="ignore"):
            constants.append(np.log(np.max([bound(chain) for bound in family.values()], axis=0)))
        laws.append(chain.log_gibbs)
        conductances.append(chain.rates.log_conductance)
    product = np.zeros((generators.size, *(axis.size for axis in generators.axes)))
    for j, law in enumerate(laws):
        product = product + np.expand_dims(law, _others(dim, j))
    log_product = product.reshape(generators.size, -1)
    log_bound = np.full(generators.size, np.inf)
    first, stride = 0, generators.actions.size
    for axis, constant, law, conductance in zip(generators.axes, constants, laws, conductances, strict=True):
        stride //= axis.size
        last = first + axis.distances.size * (generators.actions.size // axis.size)
        here = generators.faces.here[first:last]
        place = (here // stride) % axis.size
        reference = conductance[:, place] + log_product[:, here] - law[:, place]
        log_bound = np.minimum(
            log_bound, constant + np.min(generators.rates.log_conductance[:, first:last] - reference, axis=1)
        )
        first = last
    return np.asarray(log_bound - np.max(generators.log_gibbs - log_product, axis=1))
