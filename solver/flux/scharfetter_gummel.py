"""The Scharfetter–Gummel flux of the policy, its backward Euler step and its dissipation.

With Phi_k = Q_k/tau - ln(m_k/vol_k), so that the Gibbs policy is g_k ~ vol_k exp(-Phi_k), and the
Bernoulli function B(z) = z/(e^z - 1), the flux from cell k to k + 1 along one axis is

    J_{k+1/2} = (tau/Delta) [ B(Phi_{k+1} - Phi_k) p_k/h_k - B(Phi_k - Phi_{k+1}) p_{k+1}/h_{k+1} ],

h the width *along that axis* and Delta the distance of the centres; dp_k/dt = J_{k-1/2} - J_{k+1/2},
summed over the axes.  This is a reversible Markov generator with invariant law g: mass is kept, the
flow is positive and J = 0 at p = g, exactly.  Second order while |Phi_{k+1} - Phi_k| is at most
about one, first-order upwind beyond.  Scharfetter & Gummel 1969, doi:10.1109/T-ED.1969.16566;
Chang & Cooper 1970, doi:10.1016/0021-9991(70)90001-X.

Layout: a policy row holds the action cells in C order.  Along one axis of n cells it splits into
``lines``: entry k of a line sits at ``first + k * stride``.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray, read_only
from wpoflow.core.compile import kernel
from wpoflow.solver.arithmetic.elementary import expm1_nonnegative, log
from wpoflow.solver.arithmetic.lines import LANES, block_sizes, load_lines, rises_of_lines, state_groups, store_lines
from wpoflow.solver.flux.bernoulli import bernoulli_pair
from wpoflow.solver.flux.sweep_circle import solve_circle_block
from wpoflow.solver.flux.sweep_path import PIECES, sweep_path, sweep_paths

FEW = 8  # lines from which standing side by side pays


@kernel()
def axis_rates_block(
    q: FloatArray,
    rises: FloatArray,
    first: int,
    widths: FloatArray,
    distances: FloatArray,
    scale: float,
    temperature: float,
    right: FloatArray,
    left: FloatArray,
) -> None:
    """``scale`` times the rates k -> k+1 (right) and k+1 -> k (left) on all faces of lines side by side.

    Parameters
    ----------
    q : array (n, lanes)
        Block of Q.
    rises : array (faces, ...)
        Of ln(m/vol), from `rises_of_lines`.
    first : int
        Column of ``rises`` that belongs to the block's first line.
    widths, distances : arrays (n,), (n - 1,) or (n,)
        Of the axis; as many distances as faces, n of them on a periodic axis.
    right, left : arrays (>= faces, lanes)
        Filled.
    """
    n, lanes, start = widths.size, np.uintp(q.shape[1]), np.uintp(first)
    inverse_temperature = 1.0 / temperature
    for k in range(distances.size):
        after = k + 1 if k + 1 < n else 0
        factor = scale * temperature / distances[k]
        forward_factor, backward_factor = factor / widths[k], factor / widths[after]
        for j in range(lanes):
            z = (q[after, j] - q[k, j]) * inverse_temperature - rises[k, start + j]
            forward, backward = bernoulli_pair(z)
            right[k, j] = forward_factor * forward
            left[k, j] = backward_factor * backward


def backward_euler_axis(
    p: FloatArray,
    q: FloatArray,
    log_density: FloatArray,
    widths: FloatArray,
    distances: FloatArray,
    stride: int,
    dt: float,
    temperature: float,
    out: FloatArray,
) -> None:
    """out = (I - dt L)^{-1} p for the generator L of one action axis, Q frozen, in every state.

    Parameters
    ----------
    p, q, out : arrays (S, A), C order
        ``out`` may be ``p`` itself.
    log_density : array (A,)
        ln(m/vol).
    widths, distances : arrays
        Of the axis; it is periodic if and only if there are as many distances as widths.
    stride : int
        Number of cells of all later axes together.
    """
    # three kernels, so that only the one that is used is compiled
    if distances.size == widths.size:
        solve = _backward_euler_circles
    elif p.size // widths.size < FEW:  # a block would be all but empty
        solve = _backward_euler_few
    else:
        solve = _backward_euler_paths
    solve(p, q, log_density, read_only(widths), read_only(distances), stride, dt, temperature, out)


@kernel()
def _backward_euler_few(
    p: FloatArray,
    q: FloatArray,
    log_density: FloatArray,
    widths: FloatArray,
    distances: FloatArray,
    stride: int,
    dt: float,
    temperature: float,
    out: FloatArray,
) -> None:
    """`backward_euler_axis` along lines with two ends, one after the other."""
    n = widths.size
    flat_p, flat_q, flat_out = p.reshape(p.size), q.reshape(q.size), out.reshape(out.size)
    ratio = np.empty(n)
    for number in range(p.size // n):
        first = number // stride * n * stride + number % stride
        sweep_path(flat_p, flat_q, log_density, widths, distances, dt, temperature, first, stride, ratio, flat_out)


@kernel(parallel=True, largest=0)
def _backward_euler_paths(
    p: FloatArray,
    q: FloatArray,
    log_density: FloatArray,
    widths: FloatArray,
    distances: FloatArray,
    stride: int,
    dt: float,
    temperature: float,
    out: FloatArray,
) -> None:
    """`backward_euler_axis` along lines with two ends, many side by side."""
    n = widths.size
    lines = p.size // n
    per_state = log_density.size // n
    lanes, blocks, parts = block_sizes(lines)
    flat_p, flat_q, flat_out = p.reshape(p.size), q.reshape(q.size), out.reshape(out.size)
    rises = rises_of_lines(log_density, n, distances.size, stride, lanes)
    for part in numba.prange(parts):
        rows = np.empty((n, PIECES * LANES))
        cells = rows.reshape(rows.size)
        for block in range(part * blocks // parts, (part + 1) * blocks // parts):
            first = block * lanes
            width = min(lanes, lines - first)
            load_lines(flat_q, stride, first, rows, 0, width)
            load_lines(flat_p, stride, first, rows, LANES, width)
            sweep_paths(cells, rises, first % per_state, widths, distances, dt, temperature, width)
            store_lines(rows, LANES, width, stride, first, flat_out)


@kernel(parallel=True, largest=0)
def _backward_euler_circles(
    p: FloatArray,
    q: FloatArray,
    log_density: FloatArray,
    widths: FloatArray,
    distances: FloatArray,
    stride: int,
    dt: float,
    temperature: float,
    out: FloatArray,
) -> None:
    """`backward_euler_axis` along closed lines."""
    n = widths.size
    lines = p.size // n
    per_state = log_density.size // n
    lanes, blocks, parts = block_sizes(lines)
    flat_p, flat_q, flat_out = p.reshape(p.size), q.reshape(q.size), out.reshape(out.size)
    rises = rises_of_lines(log_density, n, distances.size, stride, lanes)
    for part in numba.prange(parts):
        space = np.empty((6, n * lanes))
        for block in range(part * blocks // parts, (part + 1) * blocks // parts):
            first = block * lanes
            width = min(lanes, lines - first)
            shape, size = (n, width), n * width
            line, line_q = space[0, :size].reshape(shape), space[1, :size].reshape(shape)
            right, left = space[2, :size].reshape(shape), space[3, :size].reshape(shape)
            ratio, closing = space[4, :size].reshape(shape), space[5, :size].reshape(shape)
            load_lines(flat_q, stride, first, line_q, 0, width)
            load_lines(flat_p, stride, first, line, 0, width)
            axis_rates_block(line_q, rises, first % per_state, widths, distances, dt, temperature, right, left)
            solve_circle_block(right, left, line, ratio, closing, line_q)
            store_lines(line, 0, width, stride, first, flat_out)


@kernel()
def _dissipation_block(
    right: FloatArray,
    left: FloatArray,
    p: FloatArray,
    q: FloatArray,
    logs: FloatArray,
    rises: FloatArray,
    first: int,
    faces: int,
    temperature: float,
    total: FloatArray,
) -> None:
    """Fill total[j] with the sum of J d over the faces of the line in column j; rises are those of ln m."""
    n, lanes, start = p.shape[0], np.uintp(p.shape[1]), np.uintp(first)
    inverse_temperature = 1.0 / temperature
    for k in range(n):
        for j in range(lanes):
            logs[k, j] = log(p[k, j])
    for j in range(lanes):
        total[j] = 0.0
    for k in range(faces):
        after = k + 1 if k + 1 < n else 0
        for j in range(lanes):
            d = (logs[k, j] - logs[after, j]) + rises[k, start + j] + (q[k, j] - q[after, j]) * inverse_temperature
            here, there = right[k, j] * p[k, j], left[k, j] * p[after, j]
            size = abs(d)
            near = (there if d >= 0.0 else here) * expm1_nonnegative(size) * size
            term = near if size < 1.0 else (here - there) * d
            empty, beyond = p[k, j] == 0.0, p[after, j] == 0.0
            term = math.inf if empty | beyond else term
            total[j] += 0.0 if empty & beyond else term


@kernel(parallel=True)
def add_axis_dissipation(
    p: FloatArray,
    q: FloatArray,
    log_mass: FloatArray,
    log_density: FloatArray,
    widths: FloatArray,
    distances: FloatArray,
    stride: int,
    temperature: float,
    out: FloatArray,
) -> None:
    """out[i] += tau sum over the faces of one axis of J (ln x_k - ln x_{k+1}), x = p/g, in every state.

    With d = ln x_k - ln x_{k+1}, right_k p_k = e^d left_k p_{k+1}: a face adds left_k p_{k+1} (e^d - 1) d for
    0 <= d < 1, right_k p_k (e^|d| - 1) |d| for -1 < d < 0, and J d elsewhere.  No term is negative and nothing cancels
    near equilibrium.  A face between a cell of mass zero and one of positive mass makes the sum infinite, as it is in
    the limit.

    Parameters
    ----------
    p, q : arrays (S, A), C order
    log_mass, log_density : arrays (A,)
        ln m and ln(m/vol).
    widths, distances, stride
        Of the axis, as for `backward_euler_axis`.
    out : array (S,)
    """
    n, faces = widths.size, distances.size
    states = p.shape[0]
    per_state = log_density.size // n
    together, lanes, groups, parts = state_groups(states, per_state)
    flat_p, flat_q = p.reshape(p.size), q.reshape(q.size)
    density_rises = rises_of_lines(log_density, n, faces, stride, lanes)
    mass_rises = rises_of_lines(log_mass, n, faces, stride, lanes)
    for part in numba.prange(parts):
        space = np.empty((5, n * lanes))
        total = np.empty(lanes)
        for group in range(part * groups // parts, (part + 1) * groups // parts):
            end = min((group + 1) * together, states) * per_state
            for first in range(group * together * per_state, end, lanes):
                shape = (n, min(lanes, end - first))
                size, width = shape[0] * shape[1], shape[1]
                line, line_q = space[0, :size].reshape(shape), space[1, :size].reshape(shape)
                right, left = space[2, :size].reshape(shape), space[3, :size].reshape(shape)
                logs = space[4, :size].reshape(shape)
                load_lines(flat_q, stride, first, line_q, 0, width)
                load_lines(flat_p, stride, first, line, 0, width)
                column = first % per_state
                axis_rates_block(line_q, density_rises, column, widths, distances, 1.0, temperature, right, left)
                _dissipation_block(right, left, line, line_q, logs, mass_rises, column, faces, temperature, total)
                for j in range(width):
                    out[(first + j) // per_state] += temperature * total[j]
