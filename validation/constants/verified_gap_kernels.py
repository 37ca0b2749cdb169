r"""Proofs in floating arithmetic that no non-zero eigenvalue of a reversible generator lies below a number.

See `validation.constants.verified_gap` for the statements and for the rounding each of them allows for.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.compile import kernel
from wpoflow.validation.constants.elimination_kernels import eliminate, solve_grounded
from wpoflow.validation.constants.path_gap_kernels import path_gap, path_pivots
from wpoflow.validation.constants.vector_kernels import largest_size

FIRST_MARGIN = 2.0**-46  # relative distance below the estimate of the first eigenvalue tried
MARGIN_GROWTH = 8.0
CHOLESKY_TRIALS = 8
MOST_ITERATIONS = 200
CLOSE_ENOUGH = 1e-3  # relative distance of Collatz and Wielandt's two bounds at which their iteration ends


@kernel()
def path_above(pivot: FloatArray, coupling: FloatArray, shift: float) -> bool:
    """Whether all pivots of T - shift are positive: the Sturm count of eigenvalues below it is zero."""
    s = -shift
    for k in range(pivot.size):
        p = pivot[k] + s
        if not p > 0.0:
            return False
        if k < pivot.size - 1:
            s = coupling[k] * (s / p) - shift
    return True


@kernel(parallel=True)
def count_paths(right: FloatArray, left: FloatArray, out: FloatArray) -> None:
    """out[i] = a number below which the Sturm count is zero, just below the gap.  Rates (S, n - 1); out (S,)."""
    for i in numba.prange(right.shape[0]):
        m = right.shape[1]
        pivot, coupling = np.empty(m), np.empty(m)
        gap, margin = path_gap(right[i], left[i]), FIRST_MARGIN
        found = 0.0
        if path_pivots(right[i], left[i], pivot, coupling):
            while found == 0.0 and margin < 1.0:
                if path_above(pivot, coupling, gap * (1.0 - margin)):
                    found = gap * (1.0 - margin)
                margin *= MARGIN_GROWTH
        out[i] = found


@kernel(any_order=True)
def _product(a: FloatArray, b: FloatArray, count: int) -> float:
    """Scalar product of the first entries; in whatever order, the bound of its error is the same."""
    total = 0.0
    for k in range(np.uintp(count)):
        total += a[k] * b[k]
    return total


@kernel()
def cholesky_completes(matrix: FloatArray) -> bool:
    """Overwrite the lower triangle (n, n) by its Cholesky factor; False where a pivot is not positive."""
    n = matrix.shape[0]
    for i in range(n):
        for j in range(i):
            matrix[i, j] = (matrix[i, j] - _product(matrix[i], matrix[j], j)) / matrix[j, j]
        pivot = matrix[i, i] - _product(matrix[i], matrix[i], i)
        if not 0.0 < pivot < math.inf:
            return False
        matrix[i, i] = math.sqrt(pivot)
    return True


@kernel()
def fill_shifted(
    right: FloatArray,
    left: FloatArray,
    here: IntArray,
    there: IntArray,
    null: FloatArray,
    lift: float,
    shift: float,
    matrix: FloatArray,
) -> float:
    """Lower triangle of A + lift null null^T - shift, A = -L made symmetric by sqrt(g); returns trace of A + lift."""
    n = null.size
    for i in range(n):
        for j in range(i + 1):
            matrix[i, j] = 0.0
    for f in range(right.size):
        a, b = here[f], there[f]
        matrix[a, a] += right[f]
        matrix[b, b] += left[f]
        matrix[max(a, b), min(a, b)] -= math.sqrt(right[f]) * math.sqrt(left[f])
    trace = 0.0
    for i in range(n):
        for j in range(i + 1):
            matrix[i, j] += lift * (null[i] * null[j])
        trace += matrix[i, i]
        matrix[i, i] -= shift
    return trace


@kernel(parallel=True)
def factor_all(
    right: FloatArray,
    left: FloatArray,
    input_error: FloatArray,
    here: IntArray,
    there: IntArray,
    log_law: FloatArray,
    estimate: FloatArray,
    share: float,
    out: FloatArray,
) -> None:
    """out[i] = shift - delta of the largest shift tried whose Cholesky factorisation completed; 0 if none.

    Parameters
    ----------
    right, left : arrays (S, F)
        Rates.
    input_error : array (S,)
        Bound of the norm of the error that the rates bring into A.
    here, there : arrays (F,) of int
    log_law : array (S, n)
        ln g; need not be accurate.
    estimate : array (S,)
        About the gap.
    share : float
        delta = share times the trace, plus input_error.
    out : array (S,)
    """
    n = log_law.shape[1]
    for i in numba.prange(right.shape[0]):
        matrix, null = np.empty((n, n)), np.empty(n)
        for k in range(n):
            null[k] = math.exp(0.5 * log_law[i, k])
        lift = 4.0 * estimate[i]
        trace = fill_shifted(right[i], left[i], here, there, null, lift, 0.0, matrix)
        delta = share * trace + input_error[i]
        margin, found = 4.0 * FIRST_MARGIN * estimate[i] + delta, 0.0
        for _ in range(CHOLESKY_TRIALS):
            shift = estimate[i] - margin
            if not shift > delta:
                break
            fill_shifted(right[i], left[i], here, there, null, lift, shift, matrix)
            if cholesky_completes(matrix):
                found = shift - delta
                break
            margin *= MARGIN_GROWTH
        out[i] = found


@kernel(parallel=True)
def ground_all(
    right: FloatArray,
    left: FloatArray,
    log_law: FloatArray,
    first: IntArray,
    second: IntArray,
    band: int,
    out: FloatArray,
) -> None:
    """out[i] = min_k x_k/(K x)_k after some iterations x <- K x, K the inverse grounded at the largest g.

    Arrays as in `validation.constants.spectral_gap_kernels.slowest_modes`; zero where a pivot underflows.
    """
    n = log_law.shape[1]
    for i in numba.prange(right.shape[0]):
        ground = int(np.argmax(log_law[i]))
        up, down, pivot = np.empty((n, band)), np.empty((n, band)), np.empty(n)
        out[i] = 0.0
        if not eliminate(right[i], left[i], first, second, ground, up, down, pivot):
            continue
        x, image = np.ones(n), np.empty(n)
        best = 0.0
        for _ in range(MOST_ITERATIONS):
            for k in range(n):
                image[k] = x[k]
            solve_grounded(up, down, pivot, ground, image)
            least, most = math.inf, 0.0
            for k in range(n):
                if k != ground:
                    least, most = min(least, x[k] / image[k]), max(most, x[k] / image[k])
            if not 0.0 < least < math.inf:
                break
            best = max(best, least)
            if most - least <= CLOSE_ENOUGH * least:
                break
            size = largest_size(image)
            for k in range(n):
                x[k] = max(image[k] / size, 1e-200)  # any positive function will do
        out[i] = best
