r"""Weighted spectral gap: a log-Sobolev bound from one eigenvalue, on any graph (a *grid* bound).

For a partition of the cells into connected blocks b of mass g_b, with Ent_b(f^2) <= C_b E_b(f, f) for the faces inside
each, and the masses w_k = g_k (2 + ln 1/g_b(k)) let lambda_w be the smallest non-zero eigenvalue of
E(f, f) = lambda_w sum w f^2: the spectral gap of the *same conductances with masses w*.  Then

    alpha >= 2/(max_b C_b + 1/lambda_w).

With single cells as blocks w_k = g_k (2 + ln 1/g_k), C_b = 0 and alpha >= 2 lambda_w.

**Proof.**  Rothaus' lemma: Ent(f^2) <= Ent(F^2) + 2 sum g F^2, F = f - a, for any constant a.  By the chain rule
Ent(F^2) = sum_b g_b Ent of F^2 inside b, at most max C_b E(f, f), plus the entropy of the blocks' means.  With
V = sum g F^2 and q_b = sum_{k in b} g_k F_k^2/V, a law on the blocks, the latter is
V sum_b q_b ln(q_b/g_b) <= V sum_b q_b ln(1/g_b) = sum_k g_k F_k^2 ln(1/g_b(k)).  So Ent(f^2) <= max C_b E + sum w F^2,
and with a the w-mean of f the last sum is at most E/lambda_w.

**Blocks** have C_b <= C_0 for some C_0 lambda from .1 to .8: boxes from recursive bisection, each across the axis that
decides its constant; on a path or circle intervals, each as long as possible, from either end or the face of least
conductance.  C_b is that of the unit paths (`bound_reference`; the log-Sobolev constant of a path is its gap),

    C_b = max_j max_b g/((1 - cos(pi/n_j)) min_{faces of axis j in b} c),

a product for n_1 x .. x n_d cells.  Every choice is valid and the best is kept.

**Diaconis–Saloff-Coste.**  alpha >= 2 lambda (1 - 2 g*)/ln(1/g* - 1), g* = min g: better by a few per cent at most
where one cell of tiny mass decides, exact in the log-Sobolev sense for two cells, and as cheap: it is tried too.

**Never fails** and no oscillation is exponentiated: 0.25–0.6 of alpha.  **Rounding**: lambda_w is a verified lower
bound (`verified_gap`); ln g enters it with an absolute error of 4 eps (1 + max |ln g|), and that of a block's mass of n
eps more, against 2 + ln(1/g_b) >= 2.

Sources: Rothaus, J. Funct. Anal. 64 (1985) 296, doi:10.1016/0022-1236(85)90079-5; Diaconis & Saloff-Coste, Ann. Appl.
Probab. 6 (1996) 695, corollary A.4, doi:10.1214/aoap/1034968224.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.validation.constants.block_weight_kernels import block_masses, interval_masses
from wpoflow.validation.constants.generators import Generators, Rates
from wpoflow.validation.constants.rounding import rate_slack
from wpoflow.validation.constants.verified_gap import estimated_gaps, gaps_by_counts, verified_gaps

SHARES = (0.1, 0.2, 0.4, 0.8)
FEW_SHARES = (0.2, 0.6)  # of grids, where an eigenvalue costs a hundred times as much
_ERROR = 2.0**-50


def bound_weighted_gap(generators: Generators) -> FloatArray:
    """Bound of alpha by a weighted spectral gap, (S,); any grid with faces."""
    rates, slack = generators.rates, rate_slack(generators)
    gaps = verified_gaps(generators, rates, slack)
    return np.maximum(_diaconis_saloff_coste(rates.log_gibbs, gaps), _best_blocks(generators, rates, slack, gaps))


def weighted_gap_of_paths(log_law: FloatArray, log_conductance: FloatArray) -> FloatArray:
    """The same bound of beta for paths with any laws, (P, n), and conductances, (P, n - 1), in logarithms; (P,)."""
    error = 4.0 * _ERROR * (2.0 + np.abs(log_law).max(axis=1) + np.abs(log_conductance).max(axis=1) + log_law.shape[1])
    excess, slack = 1.0 + 8.0 * error, np.broadcast_to(error[:, None], log_conductance.shape)

    def gaps(log_masses: FloatArray) -> FloatArray:
        right, left = np.exp(log_conductance - log_masses[:, :-1]), np.exp(log_conductance - log_masses[:, 1:])
        return gaps_by_counts(right, left, slack)

    plain = gaps(log_law)
    best = np.maximum(
        _diaconis_saloff_coste(log_law, plain), _bound(excess, np.array(-np.inf), gaps(_raised(log_law, log_law)))
    )
    ends = {1: np.zeros(len(log_law), dtype=np.int64), -1: np.full(len(log_law), log_law.shape[1] - 1)}
    for share in SHARES:
        with np.errstate(divide="ignore"):
            log_most = np.log(share) - np.log(plain)
        for step, starts in ends.items():
            masses, constants = np.empty_like(log_law), np.empty(len(log_law))
            interval_masses(log_law, log_conductance, starts, step, log_most, masses, constants)
            best = np.maximum(best, _bound(excess, constants, gaps(_raised(log_law, masses))))
    return best


def _raised(log_law: FloatArray, log_masses: FloatArray) -> FloatArray:
    """ln g (2 - ln of the block's mass)."""
    return np.asarray(log_law + np.log(2.0 - np.minimum(log_masses, 0.0)))


def _best_blocks(generators: Generators, rates: Rates, slack: FloatArray, gaps: FloatArray) -> FloatArray:
    """The best partition: all of them proved on a path, where it costs nothing; elsewhere the one of best estimate."""
    single = np.full(generators.size, -np.inf)
    partitions: list[tuple[FloatArray, FloatArray]] = [(rates.log_gibbs, single), *_partitions(generators, rates, gaps)]
    error = slack + _ERROR * (1.0 + np.abs(rates.log_gibbs).max(axis=1, keepdims=True) + 0.25 * generators.actions.size)
    excess = 1.0 + 8.0 * error.max(axis=1)
    if generators.is_path:
        every = [
            _bound(excess, constants, verified_gaps(generators, _weighted(generators, rates, masses), error))
            for masses, constants in partitions
        ]
        return np.asarray(np.max(every, axis=0))
    estimates = [estimated_gaps(generators, _weighted(generators, rates, masses)) for masses, _ in partitions]
    found = [_bound(excess, constants, gap) for (_, constants), gap in zip(partitions, estimates, strict=True)]
    best, states = np.argmax(found, axis=0), np.arange(generators.size)
    masses = np.stack([values for values, _ in partitions])[best, states]
    constants = np.stack([values for _, values in partitions])[best, states]
    chosen = _weighted(generators, rates, masses)
    return _bound(excess, constants, verified_gaps(generators, chosen, error, np.stack(estimates)[best, states]))


def _partitions(generators: Generators, rates: Rates, gaps: FloatArray) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Logarithms of the mass of every cell's block, (S, A), and of the largest C_b, (S,)."""
    one_axis = len(generators.axes) == 1
    law, conductance = rates.log_gibbs, rates.log_conductance
    cells = law.shape[1]
    seam = np.argmin(conductance, axis=1) if generators.is_circle else np.full(generators.size, cells - 1)
    shape = np.array([axis.size for axis in generators.axes])
    strides = np.append(np.cumprod(shape[:0:-1])[::-1], 1)
    after = _faces_after(generators, shape, strides)
    for share in SHARES if one_axis else FEW_SHARES:
        with np.errstate(divide="ignore"):
            log_most = np.log(share) - np.log(gaps)
        for step in (1, -1) if one_axis else (1,):
            masses, constants = np.empty_like(law), np.empty(generators.size)
            if one_axis:
                starts = (seam + 1) % cells if step > 0 else seam
                interval_masses(law, conductance, starts, step, log_most, masses, constants)
            else:
                block_masses(law, conductance, after, shape, strides, log_most, masses, constants)
            yield masses, constants


def _faces_after(generators: Generators, shape: IntArray, strides: IntArray) -> IntArray:
    """Face between every cell and the next one along each axis, (d, A); what stands at the last cells is not used."""
    here = generators.faces.here
    after = np.zeros((shape.size, generators.actions.size), dtype=np.int64)
    first = 0
    for j, axis in enumerate(generators.axes):
        last = first + axis.distances.size * (generators.actions.size // axis.size)
        after[j, here[first:last]] = np.arange(first, last)
        first = last
    return after


def _weighted(generators: Generators, rates: Rates, log_masses: FloatArray) -> Rates:
    """The rates with masses g (2 - ln of the block's mass)."""
    factor = 2.0 - np.minimum(log_masses, 0.0)
    law = rates.log_gibbs + np.log(factor)
    law -= np.log(np.exp(law).sum(axis=1, keepdims=True))
    here, there = generators.faces.here, generators.faces.there
    return Rates(rates.right / factor[:, here], rates.left / factor[:, there], rates.log_conductance, law)


def _bound(excess: FloatArray, log_constants: FloatArray, gaps: FloatArray) -> FloatArray:
    """2/(C + 1/lambda_w), rounded down."""
    with np.errstate(divide="ignore", over="ignore"):
        return np.asarray(2.0 / (np.exp(log_constants) * excess + 1.0 / gaps) * (1.0 - _ERROR))


def _diaconis_saloff_coste(log_gibbs: FloatArray, gaps: FloatArray) -> FloatArray:
    """2 lambda (1 - 2 g*)/ln(1/g* - 1), lambda if g* = 1/2; it increases with g*, which is rounded down."""
    log_least = log_gibbs.min(axis=1) * (1.0 + _ERROR) - _ERROR
    least = np.exp(log_least)
    distance = np.maximum(0.5 - least, 1e-5)  # below it the quotient is 1 - (4/3) distance^2
    near = 0.5 - least <= 1e-5
    logarithm = np.where(near, 4.0 * distance, np.log1p(-least) - log_least)
    return np.asarray(
        gaps * 4.0 * (distance - _ERROR) / (logarithm + _ERROR) * np.where(near, 1.0 - 2e-10, 1.0 - _ERROR)
    )
