r"""Proven lower bounds of the spectral gap, within rounding of the gap itself.

`validation.constants.spectral_gap` computes gaps; what is found here is *proved*, every rounding included, and may
be a factor of a guaranteed rate.  With eps = 2^-53, n cells, m faces, exact rates within the factors 1 +- s_f of the
computed ones (`rounding.rate_slack`):

**Path: Sturm counts.**  T = D D^T (`path_gap_kernels`) has the non-zero spectrum of -L, D bidiagonal with the entries
-sqrt(u_k), sqrt(w_k).  The shift sigma is accepted if the recursion s_0 = -sigma, p_k = d_k + s_k,
s_{k+1} = c_k s_k/p_k - sigma, c_k = w_k u_{k+1}/d_k, keeps all p_k > 0.  In floating arithmetic

    p_k = (d_k + s_k)(1+e_1),   s_{k+1} = (c_k (s_k/p_k)(1+e_2)(1+e_3) - sigma)(1+e_4):

dividing the first line by (1+e_1)(1+e_4') and the second by 1+e_4 shows that the computed p_k have the signs of the
exact ones of the chain with d_k/(1+e_4'), c_k (1+e_2)(1+e_3)/(1+e_1): changes of eps and 3 eps.  Likewise the computed
d_k, c_k are within eps and 4 eps of the exact ones of rates u_k changed by 3 eps.  Positive pivots prove that the
least eigenvalue of the changed matrix exceeds sigma.  Multiplying entries of a bidiagonal matrix by factors a_j changes
its singular values by at most the product of the max(a_j, 1/a_j) (it is a multiplication by diagonal matrices from both
sides; Ostrowski), so

    lambda >= sigma exp(-16 m eps - 2 sum_f s_f),

12 m eps of first order and the rest for higher ones: a *relative* error, however small lambda is.  An underflow
changes an entry of D by less than 2^-500 sqrt(1 + the largest rate), which is taken off sqrt(lambda), times sqrt(n).

**Several axes, and circles: inertia of a band matrix.**  A is -L made symmetric by sqrt(g).  If elimination without
pivoting gives A - sigma = L D L^T, D with at most one negative eigenvalue, at most one eigenvalue of L D L^T is
negative (Sylvester; the last two rows of D stay a block), and the computed factors are exact for A - sigma + E with
|E| <= gamma_{b+2} |L| |D| |L^T|, b the band's width (Higham, Accuracy and Stability of Numerical Algorithms, theorem
9.3).  E is known afterwards: its norm is at most the largest row sum, computed with the factors.  The entries of A are
computed with relative errors of at most (2 d + 4) eps, those of A - sigma of one more, and rates err by a matrix of
norm at most max_i sum_{f at i} s_f (u_f + w_f).  In all lambda >= sigma - delta, delta = (b + 2 d + 16) eps times (that
row sum + sigma), plus the last norm.  A shift whose factors grow proves little and smaller ones are tried.  The loss is
absolute, a few eps times the largest rate, or sqrt(eps) where a leading part of the matrix has the eigenvalue lambda
(the flat circle);

**where lambda is smaller than that: one cell grounded.**  With the row and column of cell N left out A_N has a least
eigenvalue of at most lambda (Cauchy's interlacing), and its inverse in function space, K, is non-negative: for
any positive x the least eigenvalue is at least min_k x_k/(K x)_k (Collatz–Wielandt).  K x comes from the elimination
without subtractions.  The stage that removes one cell of j gives the rates of the others a relative error of at most
(band + 4) eps, and a relative error e of the rates one of at most 2 j e of every entry of the inverse, which is a
quotient of sums of products of rates, each at most once in a product (matrix-tree theorem).  In all K x errs relatively
by less than 4 n^2 (band + 4) eps + 2 n max_f s_f; sums lost to underflow are below 1e-308 against pivots above
1e-280 and do not matter for values above 1e-270: below it the result is zero.  A valid bound, of the size of lambda and
as small, not within rounding of it.  On a circle the path without the face of least conductance is a third way:
E(f, f) can only fall.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.validation.constants.generators import Generators, Rates
from wpoflow.validation.constants.proven import ProvenBound
from wpoflow.validation.constants.rounding import rate_slack
from wpoflow.validation.constants.spectral_gap import MOST_VECTORS, elimination_order, generic_vectors
from wpoflow.validation.constants.spectral_gap_kernels import slowest_modes
from wpoflow.validation.constants.verified_gap_kernels import count_graphs, count_paths, ground_all

EPS = 2.0**-53
WIDE = 1e-4  # of lambda given away by the band matrix's inertia from which the other ways are tried


def verified_spectral_gap(generators: Generators) -> FloatArray:
    """Proven lower bound of the smallest non-zero eigenvalue of -L_g in every state.

    Parameters
    ----------
    generators : Generators
        Of S states.

    Returns
    -------
    array (S,)
        Rates, in units of 1/time, at most lambda; infinite where there is a single action cell, zero where nothing
        could be proved.
    """
    if generators.severed:
        return np.zeros(generators.size)
    gaps = np.full(generators.size, np.inf)
    if generators.axes:
        for rows, block in generators.blocks():
            gaps[rows] = verified_gaps(block, block.rates, rate_slack(block))
    return gaps


def proven_gap(generators: Generators) -> ProvenBound:
    """`verified_spectral_gap` as what guaranteed rates are made of."""
    return ProvenBound(verified_spectral_gap(generators), ("spectral_gap",), "validation/constants/verified_gap.py")


def verified_gaps(
    generators: Generators, rates: Rates, slack: FloatArray, estimates: FloatArray | None = None
) -> FloatArray:
    """Proven lower bound of the gap of other reversible rates on the faces of these generators.

    Parameters
    ----------
    generators : Generators
        At least one axis; their faces count and their rates do not.
    rates : Rates
        Over the faces; ``log_gibbs`` the logarithm of their invariant law.
    slack : array (S, F)
        Relative error of the rates.
    estimates : array (S,), optional
        What `estimated_gaps` says, if that is known.

    Returns
    -------
    array (S,)
    """
    if generators.is_path:
        return gaps_by_counts(rates.right, rates.left, slack)
    estimates = estimated_gaps(generators, rates) if estimates is None else estimates
    found = _by_inertia(generators, rates, slack, estimates)
    wide = np.flatnonzero(found < (1.0 - WIDE) * estimates)
    if wide.size:
        some = Rates(*(values[wide] for values in (rates.right, rates.left, rates.log_conductance, rates.log_gibbs)))
        found[wide] = np.maximum(found[wide], _grounded(generators, some, slack[wide]))
        if generators.is_circle and generators.actions.size > 2:
            found[wide] = np.maximum(found[wide], _cut(some, slack[wide]))
    return found


def gaps_by_counts(right: FloatArray, left: FloatArray, slack: FloatArray) -> FloatArray:
    """Proven lower bound of the gaps of paths, (S,); rates and their relative errors (S, n - 1)."""
    out = np.empty(len(right))
    count_paths(right, left, out)
    cells = right.shape[1] + 1
    sure = out * np.exp(-16.0 * EPS * cells - 2.0 * slack.sum(axis=1))
    lost = 2.0**-500 * np.sqrt(cells * (1.0 + np.max(right, axis=1) + np.max(left, axis=1)))
    return np.asarray(np.maximum(np.sqrt(sure) - lost, 0.0) ** 2 * (1.0 - 8.0 * EPS))


def _cut(rates: Rates, slack: FloatArray) -> FloatArray:
    """Sturm counts of circles without their face of least conductance, (S,)."""
    n = rates.right.shape[1]
    kept = (np.argmin(rates.log_conductance, axis=1)[:, None] + np.arange(1, n)) % n
    right, left, error = (np.take_along_axis(values, kept, axis=1) for values in (rates.right, rates.left, slack))
    return gaps_by_counts(right, left, error)


def estimated_gaps(generators: Generators, rates: Rates) -> FloatArray:
    """The gaps, not proved, (S,)."""
    order, size = elimination_order(generators), len(rates.right)
    n = generators.actions.size
    gaps, residuals, none = np.zeros(size), np.zeros(size), np.empty((size, 0, n))
    chain = (rates.right, rates.left, np.ascontiguousarray(rates.log_gibbs[:, order.cells]))
    slowest_modes(
        *chain, order.first, order.second, order.band, generic_vectors(n), MOST_VECTORS, gaps, residuals, none
    )
    return gaps


def _by_inertia(generators: Generators, rates: Rates, slack: FloatArray, estimates: FloatArray) -> FloatArray:
    """Inertia of the band matrices, (S,)."""
    faces, order = generators.faces, elimination_order(generators)
    n, size = generators.actions.size, len(rates.right)
    out, doubtful = np.zeros(size), np.zeros((n, size))
    part = (slack * (rates.right + rates.left)).T
    np.add.at(doubtful, faces.here, part)
    np.add.at(doubtful, faces.there, part)
    unit = 1.01 * EPS * (order.band + 2.0 * len(generators.axes) + 16.0)
    chain = (rates.right, rates.left, 1.01 * doubtful.max(axis=0))
    count_graphs(*chain, order.first, order.second, order.band, n, estimates, unit, out)
    return np.asarray(np.maximum(out, 0.0) * (1.0 - 4.0 * EPS))


def _grounded(generators: Generators, rates: Rates, slack: FloatArray) -> FloatArray:
    """Collatz and Wielandt's bound with the cell of largest g grounded, (S,)."""
    order = elimination_order(generators)
    n = generators.actions.size
    out = np.empty(len(rates.right))
    law = np.ascontiguousarray(rates.log_gibbs[:, order.cells])
    ground_all(rates.right, rates.left, law, order.first, order.second, order.band, out)
    out *= np.exp(-4.0 * n * n * (order.band + 4.0) * EPS - 2.0 * n * slack.max(axis=1))
    return np.asarray(np.where(out > 1e-270, out, 0.0))
