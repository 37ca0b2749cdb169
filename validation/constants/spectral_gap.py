r"""Spectral gaps and slowest modes of the frozen flows, state by state.

    lambda(g) = min { E(x,x)/Var_g(x) },     E(x,x) = sum over faces of c_f (x_b - x_a)^2,

the smallest non-zero eigenvalue of -L_g: a rate, which in the continuum is temperature times Poincare constant.  Near
the optimum the flow's gap decays like exp(-2 lambda t), lambda the least over the states that are visited.

One no-flux axis: relative accuracy of rounding times n at any size of the gap
(`validation.constants.path_gap_kernels`), so that the metastable rates exp(-barrier/tau) of small temperatures are
right in all digits.  A periodic axis, and any number of axes: block Krylov iteration of a grounded inverse that is
itself found without subtraction (`validation.constants.spectral_gap_kernels`), at a relative error of at most 1e-10,
checked by the residual.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import reverse_cuthill_mckee

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.path_gap_kernels import path_gaps
from wpoflow.validation.constants.spectral_gap_kernels import BLOCK, RESIDUAL, slowest_modes

MOST_VECTORS = 240


class SpectrumError(ArithmeticError):
    """The slowest mode of a state was not found to the stated accuracy."""


@dataclass(frozen=True, eq=False)
class EliminationOrder:
    """An order of the cells in which neighbours lie close together.

    Attributes
    ----------
    cells : array (A,) of int
        The cells in that order.
    first, second : arrays (F,) of int
        Positions in it of the two cells of each face.
    band : int
        Largest distance of neighbours.
    """

    cells: IntArray
    first: IntArray
    second: IntArray
    band: int


def elimination_order(generators: Generators) -> EliminationOrder:
    """Reverse Cuthill-McKee order of the action cells: band 1 on a path, 2 on a circle, about n on an n x n grid."""
    here, there = generators.faces.here, generators.faces.there
    n = generators.actions.size
    graph = coo_array((np.ones(here.size), (here, there)), shape=(n, n)).tocsr()
    cells = reverse_cuthill_mckee(graph + graph.T, symmetric_mode=True).astype(np.int64)
    position = np.empty(n, dtype=np.int64)
    position[cells] = np.arange(n)
    first, second = position[here], position[there]
    return EliminationOrder(cells, first, second, int(np.abs(first - second).max(initial=0)))


def spectral_gap(generators: Generators) -> FloatArray:
    """Smallest non-zero eigenvalue of -L_g in every state.

    Parameters
    ----------
    generators : Generators
        Of S states.

    Returns
    -------
    array (S,)
        Rates, in units of 1/time; infinite where there is a single action cell, 0 where the gap is below the smallest
        floating-point numbers (1e-300 on a path, 1e-280 otherwise), and where actions are labels.

    Raises
    ------
    SpectrumError
        The iteration did not converge; the line names the state.
    """
    if generators.severed:
        return np.zeros(generators.size)
    if not generators.axes:
        return np.full(generators.size, np.inf)
    if not generators.is_path:
        return slow_modes(generators, 0)[0]
    gaps = np.empty(generators.size)
    for rows, block in generators.blocks():
        rates = block.rates
        path_gaps(rates.right, rates.left, gaps[rows])
    return gaps


def slow_modes(generators: Generators, count: int) -> tuple[FloatArray, FloatArray]:
    """Spectral gaps, and the slowest eigenfunctions.

    Parameters
    ----------
    generators : Generators
        Of S states with A action cells.
    count : int
        Number K of eigenfunctions.

    Returns
    -------
    gaps : array (S,)
        As `spectral_gap`, by the method for any number of axes.
    modes : array (S, K, A)
        Functions x of the action cell with -L x = lambda_k x, of mean zero under g and largest modulus one; zero where
        there are fewer than K modes, or where the gap is.  Mode k has an error of about 1e-15 lambda_k/lambda_1.

    Raises
    ------
    SpectrumError
        As `spectral_gap`.
    """
    n = generators.actions.size
    gaps, modes = np.full(generators.size, np.inf), np.zeros((generators.size, count, n))
    if generators.severed:
        return np.zeros(generators.size), modes
    if not generators.axes:
        return gaps, modes
    order = elimination_order(generators)
    starts = generic_vectors(n)
    residuals = np.zeros(generators.size)
    for rows, block in generators.blocks():
        rates = block.rates
        found = np.empty((block.size, count, n))
        slowest_modes(
            rates.right,
            rates.left,
            np.ascontiguousarray(rates.log_gibbs[:, order.cells]),
            order.first,
            order.second,
            order.band,
            starts,
            MOST_VECTORS,
            gaps[rows],
            residuals[rows],
            found,
        )
        modes[rows][:, :, order.cells] = found
    wrong = ~(residuals <= RESIDUAL)
    if np.any(wrong):
        state = int(np.argmax(wrong))
        raise SpectrumError(
            f"slowest mode at state {state} not found: residual {residuals[state]:.1e} of its rate's inverse "
            f"after {min(MOST_VECTORS, n - 1)} vectors, allowed {RESIDUAL:.0e}"
        )
    return gaps, modes


def generic_vectors(n: int) -> FloatArray:
    """Fixed vectors without any symmetry: fractional parts of multiples of square roots, about zero."""
    multiples = np.outer(np.sqrt([2.0, 3.0, 5.0])[:BLOCK], np.arange(1.0, n + 1.0))
    return np.asarray(multiples % 1.0 - 0.5)
