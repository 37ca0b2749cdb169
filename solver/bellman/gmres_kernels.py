"""Kernels of GMRES: one step of Arnoldi's process with its Givens rotations, and the combination at the end.

Where P^pi = M T is at hand in arrays the whole of it is one kernel: on small systems calls cost more than products.

One thread does all of it, so that sums are the same for any number of them.
"""

from __future__ import annotations

import math

import numpy as np

from wpoflow.core.arrays import FloatArray, IndexArray, IntArray
from wpoflow.core.compile import kernel
from wpoflow.grids.transitions.sparse_kernels import product_of_factors, scalar_product
from wpoflow.solver.arithmetic.extremes import largest_entry

MOST_VECTORS = 24
LEAST_REDUCTION = 1e-13  # the least that is asked of one correction
MARGIN = 0.3  # norms of a correction are Euclidean, those wanted are of the largest entry


@kernel()
def wanted(reduction: float) -> float:
    """The reduction of the Euclidean norm that is asked of GMRES for one of the largest entry."""
    return max(LEAST_REDUCTION, MARGIN * reduction)


@kernel()
def euclidean(x: FloatArray) -> float:
    """Euclidean norm of x (n,), whose squares may underflow."""
    largest = largest_entry(x)
    if not largest > 0.0:
        return largest
    total, scale = 0.0, 1.0 / largest
    for i in range(x.size):
        total += (x[i] * scale) * (x[i] * scale)
    return math.sqrt(total) * largest


@kernel()
def begin(rhs: FloatArray, basis: FloatArray, rotated: FloatArray) -> float:
    """Put rhs, scaled to norm one, into basis[0], its Euclidean norm into rotated[0]; its largest entry."""
    rotated[:] = 0.0
    largest = largest_entry(rhs)
    if not largest > 0.0:
        return largest
    first = basis[0]
    for i in range(rhs.size):  # squares of the entries themselves might underflow
        first[i] = rhs[i] / largest
    norm = math.sqrt(scalar_product(first, first))
    for i in range(rhs.size):
        first[i] /= norm
    rotated[0] = norm * largest
    return largest


@kernel()
def extend(
    image: FloatArray, k: int, basis: FloatArray, triangle: FloatArray, rotations: FloatArray, rotated: FloatArray
) -> float:
    """Take the image of basis[k] in: basis[k + 1], column k of the triangle, and the norm of the residual.

    Arrays: image (n,), overwritten; basis (m + 1, n); triangle (m, m), column k in row k; rotations (m, 2), cosine and
    sine; rotated (m + 1,), the rotated right-hand side.
    """
    column = triangle[k]
    for j in range(k + 1):
        vector = basis[j]
        along = scalar_product(vector, image)
        column[j] = along
        for i in range(image.size):
            image[i] -= along * vector[i]
    length = math.sqrt(scalar_product(image, image))
    if length > 0.0:
        scale = 1.0 / length
        for i in range(image.size):
            basis[k + 1, i] = image[i] * scale
    for j in range(k):
        upper = rotations[j, 0] * column[j] + rotations[j, 1] * column[j + 1]
        column[j + 1] = rotations[j, 0] * column[j + 1] - rotations[j, 1] * column[j]
        column[j] = upper
    size = math.sqrt(column[k] * column[k] + length * length)
    if size == 0.0:
        rotations[k, 0], rotations[k, 1] = 1.0, 0.0
        return 0.0
    rotations[k, 0], rotations[k, 1] = column[k] / size, length / size
    column[k] = size
    rotated[k + 1] = -rotations[k, 1] * rotated[k]
    rotated[k] *= rotations[k, 0]
    return float(abs(rotated[k + 1]))


@kernel()
def combine(k: int, basis: FloatArray, triangle: FloatArray, rotated: FloatArray, out: FloatArray) -> None:
    """Set out (n,) to the combination of the first k vectors with the least residual."""
    y = np.empty(k)
    for j in range(k - 1, -1, -1):
        total = rotated[j]
        for later in range(j + 1, k):
            total -= triangle[later, j] * y[later]
        y[j] = total / triangle[j, j] if triangle[j, j] != 0.0 else 0.0
    out[:] = 0.0
    for j in range(k):
        weight, vector = y[j], basis[j]
        for i in range(out.size):
            out[i] += weight * vector[i]


@kernel()
def apply_factors(
    indptr: IntArray,
    indices: IndexArray,
    runs: bool,
    data: FloatArray,
    laws: FloatArray,
    discount: float,
    x: FloatArray,
    nodes: FloatArray,
    out: FloatArray,
) -> None:
    """Set out = x - discount M T x; arrays as for `product_of_factors`."""
    product_of_factors(indptr, indices, runs, data, laws, x, nodes, out)
    for i in range(out.size):
        out[i] = x[i] - discount * out[i]


@kernel()
def residual_of_factors(
    indptr: IntArray,
    indices: IndexArray,
    runs: bool,
    data: FloatArray,
    laws: FloatArray,
    discount: float,
    rhs: FloatArray,
    x: FloatArray,
    out: FloatArray,
) -> tuple[float, float]:
    """Set out = rhs - (I - discount M T) x; the largest entry of it, and that of x."""
    apply_factors(indptr, indices, runs, data, laws, discount, x, np.empty(laws.shape[0]), out)
    for i in range(out.size):
        out[i] = rhs[i] - out[i]
    return largest_entry(out), largest_entry(x)


@kernel()
def gmres_of_factors(
    indptr: IntArray,
    indices: IndexArray,
    runs: bool,
    data: FloatArray,
    laws: FloatArray,
    discount: float,
    rhs: FloatArray,
    reduction: float,
    out: FloatArray,
) -> tuple[int, float]:
    """`solver.bellman.gmres.gmres` for A = I - discount M T without a preconditioner.

    Fills out (S,) with the solution and returns the number of products and the reduction reached.
    """
    most = min(MOST_VECTORS, rhs.size)
    basis = np.empty((most + 1, rhs.size))
    triangle, rotations, rotated = np.zeros((most, most)), np.empty((most, 2)), np.empty(most + 1)
    nodes, image = np.empty(laws.shape[0]), np.empty(rhs.size)
    largest = begin(rhs, basis, rotated)
    out[:] = 0.0
    if not largest > 0.0:
        return 0, largest
    first, used, norm = rotated[0], 0, rotated[0]
    for k in range(most):
        apply_factors(indptr, indices, runs, data, laws, discount, basis[k], nodes, image)
        left = extend(image, k, basis, triangle, rotations, rotated)
        if not np.isfinite(left):
            break
        used, norm = k + 1, left
        if norm <= reduction * first:
            break
    combine(used, basis, triangle, rotated, out)
    return used, norm / first


@kernel()
def started_of_factors(
    indptr: IntArray,
    indices: IndexArray,
    runs: bool,
    data: FloatArray,
    laws: FloatArray,
    discount: float,
    rhs: FloatArray,
    guess: FloatArray,
    relative: float,
    tolerance: float,
    x: FloatArray,
) -> tuple[float, float, float]:
    """Set x to a guess (S,), with what GMRES finds for its residual where that is more than is sought.

    Sought is a residual of this part of the solution or of rhs, or the tolerance.  A correction that leaves more than
    there was is not taken.  Returns the largest entries of the residual, of x and of rhs.
    """
    left, correction, scale = np.empty(x.size), np.empty(x.size), largest_entry(rhs)
    norm, size = residual_of_factors(indptr, indices, runs, data, laws, discount, rhs, guess, left)
    x[:] = guess
    sought = max(relative * max(size, scale), tolerance)
    if norm <= sought:
        return norm, size, scale
    gmres_of_factors(indptr, indices, runs, data, laws, discount, left, wanted(sought / norm), correction)
    for i in range(x.size):
        correction[i] += guess[i]
    new_norm, new_size = residual_of_factors(indptr, indices, runs, data, laws, discount, rhs, correction, left)
    if not new_norm < norm:
        return norm, size, scale
    x[:] = correction
    return new_norm, new_size, scale
