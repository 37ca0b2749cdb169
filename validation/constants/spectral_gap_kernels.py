r"""Slowest modes of a reversible generator on any graph, by block Krylov iteration of its grounded inverse.

In the coordinates y = sqrt(g) x the generator is symmetric with null vector q = sqrt(g).  On the vectors orthogonal
to q the inverse of -L is  y -> P M^{-1} y,  M the matrix without the grounded cell
(`validation.constants.elimination_kernels`), P the projection off q.  Its largest eigenvalue is 1/lambda.  The ground
is the cell of largest g, for then M^{-1}, whose rounding errors are relative, exceeds 1/lambda at most by 1/g_N <= n:
the gap comes out with a relative error of rounding times n even where it is 1e-100 of the rates.

A block of three generic vectors is iterated with full orthogonalisation (block Lanczos; Golub & Underwood 1977), so
that the two- and threefold eigenvalues of symmetric problems do not slow it down, until the residual of the Ritz pair
is below 1e-10/lambda: the relative error of lambda is at most 1e-10, and about 1e-20 over the relative distance to
the next eigenvalue.  The other modes have an error of about rounding times lambda_k/lambda_1.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.compile import kernel
from wpoflow.validation.constants.elimination_kernels import eliminate, solve_grounded, symmetrise
from wpoflow.validation.constants.vector_kernels import (
    add_multiple,
    copy_vector,
    divide_vector,
    largest_size,
    length,
    remove_components,
)

BLOCK = 3
RESIDUAL = 1e-10
FIRST_CHECK = 12  # dimension of the Krylov space at which the residual is first looked at
LOST = 1e-13  # remainder of a vector after orthogonalisation, relative, that is rounding
HUGE = 1e280  # the inverse never makes a unit vector longer than 1/lambda
POLISH = 3
TRUSTED = 1e-9  # entries of a unit vector, relative to its largest, whose rounding does not matter


@kernel()
def eigenfunction(y: FloatArray, log_gibbs: FloatArray, x: FloatArray) -> None:
    """x = y/sqrt(g) times a constant, at the cells where y exceeds its rounding; zero elsewhere."""
    largest, shift = 0.0, -math.inf
    for k in range(y.size):
        largest = max(largest, abs(y[k]))
    for k in range(y.size):
        if abs(y[k]) > TRUSTED * largest:
            shift = max(shift, math.log(abs(y[k])) - 0.5 * log_gibbs[k])
    for k in range(y.size):
        x[k] = 0.0
        if abs(y[k]) > TRUSTED * largest:
            x[k] = math.copysign(math.exp(math.log(abs(y[k])) - 0.5 * log_gibbs[k] - shift), y[k])


@kernel()
def polish(
    up: FloatArray, down: FloatArray, pivot: FloatArray, ground: int, g: FloatArray, modes: FloatArray, index: int
) -> None:
    """Inverse iteration on functions: entries of modes[index] at cells of negligible g get their own accuracy."""
    x = modes[index]
    for _ in range(POLISH):
        solve_grounded(up, down, pivot, ground, x)
        largest = largest_size(x)
        if not 0.0 < largest < math.inf:
            x[:] = 0.0
            return
        divide_vector(x, largest)
        mean = 0.0
        for k in range(x.size):
            mean += g[k] * x[k]
        for k in range(x.size):
            x[k] -= mean
        for before in range(index):
            product, square = 0.0, 0.0
            for k in range(x.size):
                product += g[k] * x[k] * modes[before, k]
                square += g[k] * modes[before, k] ** 2
            if square > 0.0:
                add_multiple(x, -(product / square), modes[before])
    largest = largest_size(x)
    if largest > 0.0:
        divide_vector(x, largest)


@kernel()
def slowest(
    right: FloatArray,
    left: FloatArray,
    log_gibbs: FloatArray,
    first: IntArray,
    second: IntArray,
    band: int,
    starts: FloatArray,
    most: int,
    modes: FloatArray,
) -> tuple[float, float]:
    """The spectral gap of one generator, and the residual of its Ritz pair relative to 1/gap.

    Parameters
    ----------
    right, left : arrays (F,)
        Rates first -> second and second -> first.
    log_gibbs : array (n,)
        ln g, in the order of elimination.
    first, second : arrays (F,) of int
        Cells of each face in that order, at most ``band`` apart.
    starts : array (BLOCK, n)
        Generic vectors.
    most : int
        Largest dimension of the Krylov space.
    modes : array (K, n)
        Filled with the K slowest eigenfunctions x, with largest modulus one, in the order of elimination.
        K may be zero.
    """
    n = log_gibbs.size
    ground = int(np.argmax(log_gibbs))
    up, down, pivot = np.empty((n, band)), np.empty((n, band)), np.empty(n)
    if not eliminate(right, left, first, second, ground, up, down, pivot):
        modes[:] = 0.0
        return 0.0, 0.0
    up_x, down_x = up.copy(), down.copy()
    symmetrise(up, down, pivot)
    most = min(most, n - 1)
    basis, images = np.empty((most + 1, n)), np.empty((most, n))
    for k in range(n):
        basis[0, k] = math.exp(0.5 * log_gibbs[k])
    divide_vector(basis[0], length(basis[0]))
    projected = np.zeros((most, most))
    kept = 0  # vectors after the null vector
    theta, residual = 0.0, math.inf
    row, g = np.empty(n), np.empty(n)
    for start in range(starts.shape[0]):
        copy_vector(starts[start], row)
        before = length(row)
        remove_components(row, basis, kept + 1)
        size = length(row)
        if kept < most and size > LOST * before:
            kept += 1
            copy_vector(row, basis[kept])
            divide_vector(basis[kept], size)
    done = 0
    ritz = np.zeros((0, 0))
    while done < kept:
        check = max(FIRST_CHECK, done + done // 2)
        while done < kept and done < check:
            copy_vector(basis[done + 1], row)
            solve_grounded(up, down, pivot, ground, row)
            remove_components(row, basis, 1)
            copy_vector(row, images[done])
            before = length(row)
            if not before < HUGE:
                modes[:] = 0.0
                return 0.0, 0.0
            remove_components(row, basis, kept + 1)
            size = length(row)
            if kept < most and size > LOST * before:
                kept += 1
                copy_vector(row, basis[kept])
                divide_vector(basis[kept], size)
            done += 1
            for j in range(done):
                total = 0.0
                for k in range(n):
                    total += basis[j + 1, k] * images[done - 1, k]
                projected[j, done - 1] = total
                projected[done - 1, j] = total
        scaled = np.empty((done, done))
        scale = 0.0
        for j in range(done):
            scale = max(scale, largest_size(projected[j, :done]))
        for j in range(done):
            copy_vector(projected[j], scaled[j])
            divide_vector(scaled[j], scale)
        values, ritz = np.linalg.eigh(scaled)
        theta = values[done - 1] * scale
        row[:] = 0.0
        for j in range(done):
            weight = ritz[j, done - 1]
            for k in range(n):
                row[k] += weight * (images[j, k] / theta - basis[j + 1, k])
        residual = length(row)
        if residual <= RESIDUAL and done >= modes.shape[0]:
            break
    for k in range(n):
        g[k] = math.exp(log_gibbs[k])
    for index in range(modes.shape[0]):
        modes[index] = 0.0
        if index >= done:
            continue
        row[:] = 0.0
        for j in range(done):
            for k in range(n):
                row[k] += ritz[j, done - 1 - index] * basis[j + 1, k]
        eigenfunction(row, log_gibbs, modes[index])
        polish(up_x, down_x, pivot, ground, g, modes, index)
    return 1.0 / theta, residual


@kernel(parallel=True)
def slowest_modes(
    right: FloatArray,
    left: FloatArray,
    log_gibbs: FloatArray,
    first: IntArray,
    second: IntArray,
    band: int,
    starts: FloatArray,
    most: int,
    gaps: FloatArray,
    residuals: FloatArray,
    modes: FloatArray,
) -> None:
    """`slowest` of every state: rates (S, F), log_gibbs (S, n), gaps and residuals (S,), modes (S, K, n)."""
    for i in numba.prange(right.shape[0]):
        gaps[i], residuals[i] = slowest(right[i], left[i], log_gibbs[i], first, second, band, starts, most, modes[i])
