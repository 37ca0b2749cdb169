r"""The modified log-Sobolev constants themselves, by minimisation.

    alpha(g) = inf over positive x of D(x)/(2 Ent(x)),     alpha <= lambda(g),

a rate, which in the continuum is temperature times log-Sobolev constant: KL(p_t|g) decays at least like exp(-2 alpha
t). The problem is not convex.  What is found by descent from several starts is an *upper* bound for alpha, in
practice alpha itself; a rate computed from it is an estimate, no guarantee (those are the lower bounds).  Small x - 1
gives lambda in the limit, so that the result is min(lambda, smallest ratio found).

Starts, as functions ln x: multiples of the two slowest eigenfunctions, among them the ones at which the two sides of
a metastable split exchange their masses (the minimiser of a two-point space); indicators of their level
sets, which on a path are those of {0..k}; spikes on the least massive cells; powers g^-s of the law, the
mass of which is in its tails.  All of them get a few steps, and the best are followed to the end.

Source: Diaconis & Saloff-Coste, Logarithmic Sobolev inequalities for finite Markov chains, Ann. Appl. Probab. 6
(1996) 695, doi:10.1214/aoap/1034968224; Bobkov & Tetali, Modified logarithmic Sobolev inequalities in discrete
settings, J. Theoret. Probab. 19 (2006) 289, doi:10.1007/s10959-006-0016-3, whose rho_0 is 2 alpha.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.log_sobolev_kernels import descend_all
from wpoflow.validation.constants.spectral_gap import elimination_order, slow_modes, spectral_gap

TILTS = (0.75, 1.0, 1.25, 1.5, 2.0)
MULTIPLES = (0.5, 1.5, 3.0, 6.0, 12.0)
LEVELS = (1e-6, 1e-3, 0.03, 0.2, 0.5, 0.8, 0.97, 1.0 - 1e-3)
INDICATOR = 4.0
SPIKES = 2
SCREENING, STEPS, SURVIVORS = 4, 60, 4
SMALL_BLOCK = 1 << 14


def minimise_log_sobolev(generators: Generators) -> FloatArray:
    """The constants that `log_sobolev_minimiser` finds, (S,)."""
    return log_sobolev_minimiser(generators)[0]


def log_sobolev_minimiser(generators: Generators) -> tuple[FloatArray, FloatArray]:
    """Modified log-Sobolev constant of every state, as small as descent from several starts finds it.

    Parameters
    ----------
    generators : Generators
        Of S states with A action cells; select some of the states where there are many.

    Returns
    -------
    alpha : array (S,)
        Rates, in units of 1/time: upper bounds for alpha, at most the spectral gap; infinite where there is a single
        action cell, zero where actions are labels.
    log_x : array (S, A)
        ln x of the smallest ratio found, zero at the largest g; where alpha equals the spectral gap the infimum
        is the limit of small multiples of its eigenfunction, and this is not a minimiser.

    Raises
    ------
    SpectrumError
        The spectral gap of a state was not found.
    """
    n = generators.actions.size
    found, log_x = np.full(generators.size, np.inf), np.zeros((generators.size, n))
    if generators.severed:
        return np.zeros(generators.size), log_x
    if not generators.axes:
        return found, log_x
    order = elimination_order(generators)
    for rows, block in generators.blocks(SMALL_BLOCK):
        rates = block.rates
        chain = (
            np.ascontiguousarray(rates.log_gibbs[:, order.cells]),
            *(rates.right, rates.left, rates.log_conductance, order.first, order.second, order.band),
        )
        starts = np.ascontiguousarray(_starts(block)[:, :, order.cells])
        values = np.empty(starts.shape[:2])
        descend_all(starts, *chain, SCREENING, values)
        best = np.argsort(values, axis=1, kind="stable")[:, :SURVIVORS]
        followed = np.ascontiguousarray(np.take_along_axis(starts, best[:, :, None], axis=1))
        ends = np.empty(best.shape)
        descend_all(followed, *chain, STEPS, ends)
        smallest = np.argmin(ends, axis=1)[:, None]
        found[rows] = np.take_along_axis(ends, smallest, axis=1)[:, 0]
        log_x[rows][:, order.cells] = np.take_along_axis(followed, smallest[:, :, None], axis=1)[:, 0]
    return np.minimum(found, spectral_gap(generators)), log_x


def _starts(generators: Generators) -> FloatArray:
    """Values of ln x to start from, (S, K, A)."""
    _, modes = slow_modes(generators, 2)
    g = np.exp(generators.log_gibbs)
    out: list[FloatArray] = []
    for mode in (modes[:, 0], modes[:, 1]):
        low = mode.min(axis=1, keepdims=True)
        spread = mode.max(axis=1, keepdims=True) - low
        unit = (mode - low) / np.where(spread > 0.0, spread, 1.0)
        for size in MULTIPLES:
            out += [size * unit, -size * unit]
        mean = np.clip((g * unit).sum(axis=1, keepdims=True), 1e-300, 1.0 - 1e-16)
        exchange = np.log1p(-mean) - np.log(mean)
        out += [exchange * unit, 0.5 * exchange * unit]
        inside = _level_sets(mode, g)
        out += [sign * INDICATOR * level for level in inside for sign in (1.0, -1.0)]
    faint = np.argsort(generators.log_gibbs, axis=1, kind="stable")[:, :SPIKES]
    states = np.arange(generators.size)
    for cell in faint.T:
        for factor in (0.5, 1.0):
            spike = np.zeros_like(g)
            spike[states, cell] = -factor * generators.log_gibbs[states, cell]
            out.append(spike)
    depth = generators.log_gibbs - generators.log_gibbs.max(axis=1, keepdims=True)
    out += [-tilt * depth for tilt in TILTS]
    return np.stack(out, axis=1)


def _level_sets(mode: FloatArray, g: FloatArray) -> list[FloatArray]:
    """Indicators of {mode <= level} with given masses, at least one cell and not all."""
    cells = np.argsort(mode, axis=1, kind="stable")
    mass = np.cumsum(np.take_along_axis(g, cells, axis=1), axis=1)
    rank = np.argsort(cells, axis=1, kind="stable")
    n = mode.shape[1]
    out = []
    for level in LEVELS:
        last = np.clip((mass < level).sum(axis=1), 0, n - 2)
        out.append((rank <= last[:, None]).astype(np.float64))
    return out
