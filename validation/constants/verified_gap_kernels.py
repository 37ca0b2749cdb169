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


@kernel()
def factor_banded(rows: FloatArray, sums: FloatArray) -> int:
    """Overwrite a symmetric band matrix M by its factors L D L^T, without pivoting; the number of negative eigenvalues.

    D is diagonal but for its last two rows, which stay a block: where the least eigenvalue is double, which symmetry
    brings about, each matrix without one row is singular with M, and that without two rows is not.

    Parameters
    ----------
    rows : array (n, band + 1)
        rows[i, o] = M[i, i - o]; overwritten by D (o = 0) and L.
    sums : array (n,)
        Filled with the row sums of |L| |D| |L^T|.

    Returns
    -------
    int
        Of D, from above: a block whose determinant drowns in rounding counts as that of the worse sign; n if a pivot
        is zero or not finite.
    """
    n, band = int(rows.shape[0]), int(rows.shape[1]) - 1
    negative = 0
    factors = np.empty(band + 1)
    for k in range(n):
        sums[k] = 0.0
    for k in range(n - 2):
        pivot = rows[k, 0]
        if not 0.0 < abs(pivot) < math.inf:
            return n
        if pivot < 0.0:
            negative += 1
        reach = min(band, n - 1 - k)
        total = 1.0
        for i in range(1, reach + 1):
            factors[i] = rows[k + i, i] / pivot
            total += abs(factors[i])
        for i in range(1, reach + 1):
            for j in range(i, reach + 1):
                rows[k + j, j - i] -= rows[k + j, j] * factors[i]
        sums[k] += abs(pivot) * total
        for i in range(1, reach + 1):
            rows[k + i, i] = factors[i]
            sums[k + i] += abs(factors[i]) * (abs(pivot) * total)
    a, b, c = rows[n - 2, 0], rows[n - 1, 1], rows[n - 1, 0]
    sums[n - 2] += abs(a) + abs(b)
    sums[n - 1] += abs(c) + abs(b)
    determinant, doubt = a * c - b * b, 2.0**-50 * (abs(a * c) + b * b) + 1e-300
    if not abs(a) + abs(b) + abs(c) < math.inf:
        return n
    if determinant < -doubt:
        return negative + 1
    if determinant > doubt:
        return negative + 2 if a < 0.0 else negative
    return negative + 1 if a > 0.0 or c > 0.0 else negative + 2


@kernel(parallel=True)
def count_graphs(
    right: FloatArray,
    left: FloatArray,
    input_error: FloatArray,
    first: IntArray,
    second: IntArray,
    band: int,
    n: int,
    estimate: FloatArray,
    unit: float,
    out: FloatArray,
) -> None:
    """out[i] = largest shift - delta of those tried with at most one negative eigenvalue of A - shift; 0 if none.

    Parameters
    ----------
    right, left : arrays (S, F)
        Rates.
    input_error : array (S,)
        Bound of the norm of the error that the rates bring into A, -L made symmetric by sqrt(g).
    first, second, band
        The order of elimination of the n cells.
    estimate : array (S,)
        About the gap.
    unit : float
        delta = unit times the largest row sum of |L| |D| |L^T| and the shift, plus input_error.
    out : array (S,)
    """
    for i in numba.prange(right.shape[0]):
        matrix, rows, sums = np.zeros((n, band + 1)), np.empty((n, band + 1)), np.empty(n)
        for f in range(right.shape[1]):
            a, b = first[f], second[f]
            matrix[a, 0] += right[i, f]
            matrix[b, 0] += left[i, f]
            matrix[max(a, b), abs(a - b)] -= math.sqrt(right[i, f]) * math.sqrt(left[i, f])
        scale = 0.0
        for k in range(n):
            scale = max(scale, matrix[k, 0])
        margin = FIRST_MARGIN * estimate[i] + unit * scale + input_error[i]
        out[i] = 0.0
        while margin < estimate[i] - out[i]:
            shift = estimate[i] - margin
            for k in range(n):
                rows[k, 0] = matrix[k, 0] - shift
                for o in range(1, band + 1):
                    rows[k, o] = matrix[k, o]
            if factor_banded(rows, sums) <= 1:
                out[i] = max(out[i], shift - input_error[i] - unit * (largest_size(sums) + shift))
            margin *= MARGIN_GROWTH


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
