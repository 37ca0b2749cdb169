"""Gaussians, and mixtures of such, on action cells: parameters and probabilities.

**Cells.**  A Gaussian of mean m and covariance C has, in cell k = (k_1 ... k_d) with centre a_k, x = a_k - m,

    p_k = exp(u_k) / sum_l exp(u_l),
    u_k = sum_j ln N_j(k_j) - x' (C^{-1} - diag(1/C_jj)) x / 2,

N_j(k_j) being the probability of the cell's interval on axis j under the marginal N(m_j, C_jj)
(`solver.flows.parametric.normal_cells`).  On one axis, and for a diagonal covariance, these are the Gaussian's own cell
probabilities over that of the box; else its correlations are taken at the centres of cells, which is of second order.

**Parameters.**  A Gaussian is a row of d + d (d + 1)/2 numbers: m, then the triangle L of C = L L' row by row, with
ln L_jj in place of L_jj.  Every row of finite numbers is a Gaussian, so that no step, and no combination of steps,
leaves the positive definite matrices.  A mixture of K has K such rows one after another, then the logarithms of K
weights, up to a constant; for K = 1 there are none.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.compile import kernel
from wpoflow.solver.arithmetic.lines import PARTS
from wpoflow.solver.flows.parametric.normal_cells import interval, upper


@kernel()
def block_size(dim: int) -> int:
    """Numbers of one Gaussian."""
    return dim + dim * (dim + 1) // 2


@kernel()
def triangle(row: FloatArray, dim: int, out: FloatArray) -> None:
    """L of a Gaussian's row, (d, d)."""
    place = dim
    for j in range(dim):
        for i in range(dim):
            out[j, i] = 0.0
        for i in range(j + 1):
            out[j, i] = math.exp(row[place]) if i == j else row[place]
            place += 1


@kernel()
def _precision(factor: FloatArray, inverse: FloatArray, out: FloatArray) -> None:
    """C^{-1} of C = L L', by way of L^{-1}."""
    dim = factor.shape[0]
    for i in range(dim):
        for j in range(dim):
            total = 1.0 if i == j else 0.0
            for n in range(j):
                total -= factor[j, n] * inverse[n, i]
            inverse[j, i] = total / factor[j, j]
    for i in range(dim):
        for j in range(dim):
            out[i, j] = 0.0
            for n in range(max(i, j), dim):
                out[i, j] += inverse[n, i] * inverse[n, j]


@kernel()
def deviation_of(factor: FloatArray, j: int) -> float:
    """sqrt(C_jj)."""
    total = 0.0
    for n in range(j + 1):
        total += factor[j, n] * factor[j, n]
    return math.sqrt(total)


@kernel()
def _cells(
    row: FloatArray,
    sizes: IntArray,
    edges: FloatArray,
    centres: FloatArray,
    factor: FloatArray,
    inverse: FloatArray,
    precision: FloatArray,
    margins: FloatArray,
    x: FloatArray,
    out: FloatArray,
) -> None:
    """Fill out with ln p of one Gaussian, margins (3, cells of all axes) with `interval`, and its matrices.

    ``precision`` becomes C^{-1} - diag(1/C_jj), of which x'(.)x is taken.
    """
    dim = sizes.size
    triangle(row, dim, factor)
    _precision(factor, inverse, precision)
    first, edge = 0, 0
    for j in range(dim):
        deviation = deviation_of(factor, j)
        precision[j, j] -= 1.0 / (deviation * deviation)
        if dim == 1:
            precision[j, j] = 0.0
        lower = (edges[edge] - row[j]) / deviation
        for k in range(sizes[j]):
            higher = (edges[edge + k + 1] - row[j]) / deviation
            margins[0, first + k], margins[1, first + k], margins[2, first + k] = interval(lower, higher)
            lower = higher
        first += sizes[j]
        edge += sizes[j] + 1
    largest = -math.inf
    for k in range(out.size):
        rest, total, last = k, 0.0, margins.shape[1]
        for j in range(dim - 1, -1, -1):
            here = rest % sizes[j]
            rest //= sizes[j]
            last -= sizes[j]
            total += margins[0, last + here]
            x[j] = centres[last + here] - row[j]
        if dim > 1:
            for j in range(dim):
                along = 0.0
                for n in range(dim):
                    along += precision[j, n] * x[n]
                total -= 0.5 * x[j] * along
        out[k] = total
        largest = max(largest, total)
    total = 0.0
    for k in range(out.size):
        total += math.exp(out[k] - largest)
    shift = largest + math.log(total)
    for k in range(out.size):
        out[k] -= shift


@kernel()
def _weights(row: FloatArray, dim: int, weights: FloatArray) -> None:
    """Weights of a mixture, which sum to one."""
    members = weights.size
    if members == 1:
        weights[0] = 1.0
        return
    begun = members * block_size(dim)
    largest = row[begun]
    for c in range(1, members):
        largest = max(largest, row[begun + c])
    total = 0.0
    for c in range(members):
        weights[c] = math.exp(row[begun + c] - largest)
        total += weights[c]
    for c in range(members):
        weights[c] /= total


@kernel()
def _mix(logs: FloatArray, weights: FloatArray, log_p: FloatArray, p: FloatArray) -> None:
    """ln p and p of a mixture, of mass one, from ln of its members' cells, (K, A), which become the cells."""
    members = weights.size
    total = 0.0
    for k in range(p.size):
        largest = -math.inf
        for c in range(members):
            if weights[c] > 0.0:
                largest = max(largest, math.log(weights[c]) + logs[c, k])
        found = 0.0
        for c in range(members):
            if weights[c] > 0.0:
                found += math.exp(math.log(weights[c]) + logs[c, k] - largest)
        log_p[k] = largest + math.log(found)
        p[k] = math.exp(log_p[k])
        total += p[k]
    # one ends up with a mass that is one to rounding; what is left of that is no probability
    for k in range(p.size):
        p[k] /= total
    for c in range(members):
        for k in range(p.size):
            logs[c, k] = math.exp(logs[c, k])


@kernel()
def policy_row(
    row: FloatArray,
    members: int,
    sizes: IntArray,
    edges: FloatArray,
    centres: FloatArray,
    matrices: FloatArray,
    margins: FloatArray,
    logs: FloatArray,
    x: FloatArray,
    weights: FloatArray,
    log_p: FloatArray,
    p: FloatArray,
) -> None:
    """p and ln p of one state, its members' cells (K, A) in logs; workspaces as `workspace` makes them."""
    size = block_size(sizes.size)
    for c in range(members):
        own = row[c * size : (c + 1) * size]
        _cells(
            own,
            sizes,
            edges,
            centres,
            matrices[c, 0],
            matrices[c, 1],
            matrices[c, 2],
            margins[c],
            x,
            logs[c],
        )
    _weights(row, sizes.size, weights)
    _mix(logs, weights, log_p, p)


@kernel(parallel=True)
def project_gaussians(
    parameters: FloatArray,
    members: int,
    sizes: IntArray,
    edges: FloatArray,
    centres: FloatArray,
    out: FloatArray,
) -> None:
    """p (S, A) of parameters (S, P); ``edges`` and ``centres`` are those of all axes, one after another."""
    states, cells, dim = out.shape[0], out.shape[1], sizes.size
    parts = min(PARTS, states)
    for part in numba.prange(parts):
        matrices, margins = np.empty((members, 5, dim, dim)), np.empty((members, 3, centres.size))
        logs, x, weights, log_p = np.empty((members, cells)), np.empty(2 * dim), np.empty(members), np.empty(cells)
        for i in range(part * states // parts, (part + 1) * states // parts):
            policy_row(
                parameters[i], members, sizes, edges, centres, matrices, margins, logs, x, weights, log_p, out[i]
            )


@kernel(parallel=True)
def masses_outside(parameters: FloatArray, members: int, sizes: IntArray, edges: FloatArray, out: FloatArray) -> None:
    """What the marginals of a state's Gaussians have outside the box, summed over axes and weighted, (S,)."""
    states, dim = parameters.shape[0], sizes.size
    size = block_size(dim)
    for i in numba.prange(states):
        factor, weights = np.empty((dim, dim)), np.empty(members)
        _weights(parameters[i], dim, weights)
        out[i] = 0.0
        for c in range(members):
            own = parameters[i, c * size : (c + 1) * size]
            triangle(own, dim, factor)
            edge = 0
            for j in range(dim):
                deviation = deviation_of(factor, j)
                above = upper((edges[edge + sizes[j]] - own[j]) / deviation)
                below = upper((own[j] - edges[edge]) / deviation)
                out[i] += weights[c] * (above + below)
                edge += sizes[j] + 1
