"""What a flow makes of Gaussians, and of mixtures of such: time derivatives of their numbers.

The formula of p in `solver.flows.parametric.gaussian_cells` is differentiated itself: p_k (s_k - sum_l p_l s_l),

    s_m = sum_j e_j d ln N_j/dm_j + (C^{-1} - diag(1/C_jj)) x
    s_C = sum_j e_j e_j' d ln N_j/dC_jj + (C^{-1} x x' C^{-1} - diag(x_j^2/C_jj^2)) / 2.

With delta = Q + tau ln(p/m), p the whole mixture's, N^c a member's cells and w_c its weight,

    dm_c/dt = -sum_k delta_k dN^c_k/dm_c,     dC_c/dt = -2 (G C_c + C_c G),   G = sum_k delta_k dN^c_k/dC_c,
    dw_c/dt = -beta w_c (sum_k delta_k N^c_k - sum_k delta_k p_k),

steepest descent in the Bures–Wasserstein metric, weighted by w_c, and in that of Fisher and Rao for the weights
(Lambert, Chewi, Bach, Bonnabel & Rigollet, arXiv:2205.15902).  So the loss in a state, with Q frozen, is exactly

    sum_c w_c (|dm_c/dt|^2 + 4 tr(G C_c G)) + beta sum_c w_c (sum_k delta_k (N^c_k - p_k))^2.
"""

from __future__ import annotations

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.compile import kernel
from wpoflow.solver.arithmetic.lines import PARTS
from wpoflow.solver.flows.parametric.gaussian_cells import block_size, deviation_of, policy_row

ROUNDING = 1e-13  # of F, below which it cannot tell whether it falls
AT_REST = 1e-30  # of F: what it would still fall by
MOST_REFUSED = 100  # halvings in succession
MOST_STEPS = 100_000  # within one


@kernel()
def _slopes(
    row: FloatArray,
    sizes: IntArray,
    centres: FloatArray,
    factor: FloatArray,
    inverse: FloatArray,
    precision: FloatArray,
    margins: FloatArray,
    cells: FloatArray,
    delta: FloatArray,
    x: FloatArray,
    gradient: FloatArray,
    work: FloatArray,
    out: FloatArray,
) -> float:
    """Time derivative of one Gaussian's numbers, and |dm/dt|^2 + 4 tr(G C G).

    ``gradient`` and ``work`` are (d, d); ``delta`` has mean zero under its ``cells``.
    """
    dim = sizes.size
    out[:] = 0.0
    mean = out[:dim]
    gradient[:] = 0.0
    # of what is summed over cells, marginal slopes stand on the diagonal and correlations everywhere
    for k in range(cells.size):
        weighted = cells[k] * delta[k]
        rest, last = k, margins.shape[1]
        for j in range(dim - 1, -1, -1):
            here = last - sizes[j] + rest % sizes[j]
            rest //= sizes[j]
            last -= sizes[j]
            x[j] = centres[here] - row[j]
            deviation = work[j, 0]
            mean[j] += weighted * margins[1, here] / deviation
            gradient[j, j] -= 0.5 * weighted * margins[2, here] / (deviation * deviation)
        if dim > 1:
            for j in range(dim):
                along, whole = 0.0, 0.0
                for n in range(dim):
                    along += precision[j, n] * x[n]
                whole = along + x[j] / (work[j, 0] * work[j, 0])
                mean[j] -= weighted * along
                x[j + dim] = whole
            for j in range(dim):
                square = x[j] / (work[j, 0] * work[j, 0])
                gradient[j, j] += 0.5 * weighted * (x[j + dim] * x[j + dim] - square * square)
                for n in range(j):
                    term = 0.5 * weighted * x[j + dim] * x[n + dim]
                    gradient[j, n] += term
                    gradient[n, j] += term
    lost = 0.0
    for j in range(dim):
        lost += mean[j] * mean[j]
    # K = L^{-1} G L, and dL/dt = L (the lower half of -2 (K + K'), its diagonal halved)
    for i in range(dim):
        for j in range(dim):
            work[i, j] = 0.0
            for n in range(j, dim):
                work[i, j] += gradient[i, n] * factor[n, j]
            lost += 4.0 * work[i, j] * work[i, j]
    for i in range(dim - 1, -1, -1):
        for j in range(dim):
            total = 0.0
            for n in range(i + 1):
                total += inverse[i, n] * work[n, j]
            gradient[i, j] = total
    place = dim
    for j in range(dim):
        for i in range(j + 1):
            if i == j:
                out[place] = -2.0 * gradient[j, j]
            else:
                total = factor[j, i] * -2.0 * gradient[i, i]
                for n in range(i + 1, j + 1):
                    total += factor[j, n] * -2.0 * (gradient[n, i] + gradient[i, n])
                out[place] = total
            place += 1
    return lost


@kernel()
def velocity_row(
    row: FloatArray,
    q: FloatArray,
    log_mass: FloatArray,
    temperature: float,
    driving: float,
    beta: float,
    sizes: IntArray,
    edges: FloatArray,
    centres: FloatArray,
    p: FloatArray,
    out: FloatArray,
    matrices: FloatArray,
    margins: FloatArray,
    cells: FloatArray,
    x: FloatArray,
    weights: FloatArray,
    log_p: FloatArray,
    delta: FloatArray,
) -> tuple[float, float]:
    """p and the time derivative of one state's numbers; sum_k p (Q + tau ln(p/m)), and the rate at which that falls.

    ``driving`` is the temperature of the force, which is tau, or zero where entropy is left out of it.
    """
    dim, members = sizes.size, weights.size
    policy_row(row, members, sizes, edges, centres, matrices, margins, cells, x, weights, log_p, p)
    size = block_size(dim)
    cost, mean = 0.0, 0.0
    for k in range(p.size):
        relative = log_p[k] - log_mass[k]
        if p[k] > 0.0:
            cost += p[k] * (q[k] + temperature * relative)
        delta[k] = q[k] + driving * relative
        if p[k] > 0.0:
            mean += p[k] * delta[k]
    for k in range(p.size):
        delta[k] -= mean
    lost = 0.0
    for c in range(members):
        own = row[c * size : (c + 1) * size]
        advantage = 0.0
        for k in range(p.size):
            if cells[c, k] > 0.0:
                advantage += cells[c, k] * delta[k]
        factor, inverse, precision = matrices[c, 0], matrices[c, 1], matrices[c, 2]
        for k in range(p.size):
            delta[k] -= advantage
        work = matrices[c, 4]
        for j in range(dim):
            work[j, 0] = deviation_of(factor, j)
        fallen = _slopes(
            own,
            sizes,
            centres,
            factor,
            inverse,
            precision,
            margins[c],
            cells[c],
            delta,
            x,
            matrices[c, 3],
            work,
            out[c * size : (c + 1) * size],
        )
        for k in range(p.size):
            delta[k] += advantage
        lost += weights[c] * (fallen + (beta * advantage * advantage if members > 1 else 0.0))
        if members > 1:
            out[members * size + c] = -beta * advantage
    return cost, lost


@kernel(parallel=True)
def gaussian_velocities(
    parameters: FloatArray,
    q: FloatArray,
    log_mass: FloatArray,
    temperature: float,
    driving: float,
    beta: float,
    members: int,
    sizes: IntArray,
    edges: FloatArray,
    centres: FloatArray,
    out: FloatArray,
    lost: FloatArray,
) -> None:
    """Time derivatives (S, P) of parameters, and what a state loses of its cost by them, (S,), at Q (S, A)."""
    states, cells, dim = q.shape[0], q.shape[1], sizes.size
    parts = min(PARTS, states)
    for part in numba.prange(parts):
        matrices, margins = np.empty((members, 5, dim, dim)), np.empty((members, 3, centres.size))
        logs, x, weights = np.empty((members, cells)), np.empty(2 * dim), np.empty(members)
        log_p, p, delta = np.empty(cells), np.empty(cells), np.empty(cells)
        work = matrices, margins, logs, x, weights, log_p, delta
        for i in range(part * states // parts, (part + 1) * states // parts):
            _, lost[i] = velocity_row(
                parameters[i], q[i], log_mass, temperature, driving, beta, sizes, edges, centres, p, out[i], *work
            )


@kernel(parallel=True)
def descend_gaussians(
    parameters: FloatArray,
    q: FloatArray,
    log_mass: FloatArray,
    temperature: float,
    beta: float,
    members: int,
    sizes: IntArray,
    edges: FloatArray,
    centres: FloatArray,
    dt: float,
    parameters_out: FloatArray,
    out: FloatArray,
) -> None:
    """A descent step of length dt with Q frozen: parameters (S, P) and p (S, A) after it.

    Every state takes explicit steps of its own, of what is left of dt or of half of it, a quarter ..., such that
    F = sum_k p_k (Q_k + tau ln(p_k/m_k)) falls by at least half of what its slope promises (Armijo), until dt is used
    up.  Where that is no more than the rounding of F, the slope itself must fall (Hager & Zhang 2005,
    doi:10.1137/030601880); where nothing falls any more, or after a hundred thousand steps, what is left of dt is spent
    where it is.
    """
    states, cells, dim = q.shape[0], q.shape[1], sizes.size
    parts = min(PARTS, states)
    for part in numba.prange(parts):
        matrices, margins = np.empty((members, 5, dim, dim)), np.empty((members, 3, centres.size))
        logs, x, weights = np.empty((members, cells)), np.empty(2 * dim), np.empty(members)
        log_p, delta = np.empty(cells), np.empty(cells)
        work = matrices, margins, logs, x, weights, log_p, delta
        now, tried = np.empty(parameters.shape[1]), np.empty(parameters.shape[1])
        slope, ahead = np.empty(parameters.shape[1]), np.empty(parameters.shape[1])
        for i in range(part * states // parts, (part + 1) * states // parts):
            tried[:] = parameters[i]
            cost, lost, begun = 0.0, 0.0, False
            left, size, refused, steps = dt, dt, 0, 0
            while True:  # one call, as what is called is inlined; the first is where it begins
                found, then = velocity_row(
                    tried, q[i], log_mass, temperature, temperature, beta, sizes, edges, centres, out[i], ahead, *work
                )
                told = size * lost > ROUNDING * (abs(cost) + temperature)
                falls = found <= cost - 0.5 * size * lost if told else then <= lost
                if falls or not begun:
                    if begun:
                        refused, steps = 0, steps + 1
                        left = 0.0 if size == left else left - size
                        size *= 2.0
                    begun = True
                    now[:] = tried
                    slope[:] = ahead
                    cost, lost = found, then
                else:
                    refused += 1
                    size *= 0.5
                if not (left > 0.0 and lost > 0.0 and refused < MOST_REFUSED and steps < MOST_STEPS):
                    break
                size = min(size, left)
                if lost * size <= AT_REST * (abs(cost) + temperature):
                    break
                for j in range(now.size):
                    tried[j] = now[j] + size * slope[j]
            parameters_out[i] = now
            policy_row(now, members, sizes, edges, centres, matrices, margins, logs, x, weights, log_p, out[i])
