"""The exponential of the Scharfetter–Gummel generator of one action axis by complex eliminations.

    p' = sum_j 2 Re( c_j (z_j - t L)^{-1} p ),     poles z_j in the upper half-plane (`solver.rational_exponential`)

Each system is eliminated as I - dt L is in `solver.tridiagonal`, with the pole in place of one,

    s_0 = z,   pivot_k = s_k + U_k,   s_{k+1} = z + W_k s_k / pivot_k,

U, W being t times the rates: s -> s/(s + U) maps the upper half-plane to itself, so that Im pivot_k >= Im z > 0 and no
pivot is small.  Complex numbers are held as two real arrays, lines side by side, so that the loops vectorise.
"""

from __future__ import annotations

import numba
import numpy as np

from grids.arrays import ComplexArray, FloatArray
from grids.compile import kernel
from solver.line_blocks import block_sizes, load_lines, rises_of_lines, store_lines
from solver.scharfetter_gummel import axis_rates_block


@kernel()
def _invert_pivots(
    s_real: FloatArray, s_imag: FloatArray, right: FloatArray, inverse_real: FloatArray, inverse_imag: FloatArray
) -> None:
    """1 / (s + U)."""
    for j in range(np.uintp(right.size)):
        a, b = s_real[j] + right[j], s_imag[j]
        scale = 1.0 / (a * a + b * b)
        inverse_real[j] = a * scale
        inverse_imag[j] = -b * scale


@kernel()
def _divide(
    carry_real: FloatArray,
    carry_imag: FloatArray,
    inverse_real: FloatArray,
    inverse_imag: FloatArray,
    y_real: FloatArray,
    y_imag: FloatArray,
) -> None:
    """y = carry / pivot."""
    for j in range(np.uintp(y_real.size)):
        a, b, c, d = carry_real[j], carry_imag[j], inverse_real[j], inverse_imag[j]
        y_real[j] = a * c - b * d
        y_imag[j] = a * d + b * c


@kernel()
def _pass_right(
    p: FloatArray,
    right: FloatArray,
    y_real: FloatArray,
    y_imag: FloatArray,
    carry_real: FloatArray,
    carry_imag: FloatArray,
) -> None:
    """carry = p + U y: what the next cell holds."""
    for j in range(np.uintp(p.size)):
        carry_real[j] = p[j] + right[j] * y_real[j]
        carry_imag[j] = right[j] * y_imag[j]


@kernel()
def _next_surplus(
    left: FloatArray,
    inverse_real: FloatArray,
    inverse_imag: FloatArray,
    z_real: float,
    z_imag: float,
    s_real: FloatArray,
    s_imag: FloatArray,
) -> None:
    """Turn the inverse pivot into the ratio W / pivot, and s into z + ratio s."""
    for j in range(np.uintp(left.size)):
        a, b = left[j] * inverse_real[j], left[j] * inverse_imag[j]
        c, d = s_real[j], s_imag[j]
        inverse_real[j], inverse_imag[j] = a, b
        s_real[j] = z_real + a * c - b * d
        s_imag[j] = z_imag + a * d + b * c


@kernel()
def _pass_left(
    ratio_real: FloatArray,
    ratio_imag: FloatArray,
    next_real: FloatArray,
    next_imag: FloatArray,
    y_real: FloatArray,
    y_imag: FloatArray,
) -> None:
    """y += ratio (y of the next cell)."""
    for j in range(np.uintp(y_real.size)):
        a, b, c, d = ratio_real[j], ratio_imag[j], next_real[j], next_imag[j]
        y_real[j] += a * c - b * d
        y_imag[j] += a * d + b * c


@kernel()
def _add_real_parts(
    c: complex, d: complex, y_real: FloatArray, y_imag: FloatArray, out: FloatArray, difference: FloatArray
) -> None:
    """Add 2 Re(c y) to out and 2 Re(d y) to difference."""
    c_real, c_imag, d_real, d_imag = 2.0 * c.real, 2.0 * c.imag, 2.0 * d.real, 2.0 * d.imag
    for j in range(np.uintp(out.size)):
        a, b = y_real[j], y_imag[j]
        out[j] += c_real * a - c_imag * b
        difference[j] += d_real * a - d_imag * b


@kernel()
def add_resolvent_block(
    right: FloatArray,
    left: FloatArray,
    p: FloatArray,
    z: complex,
    c: complex,
    other: complex,
    work: FloatArray,
    out: FloatArray,
    difference: FloatArray,
) -> None:
    """Add 2 Re( c (z - t L)^{-1} p ), and the same with ``other`` - c to ``difference``, for lines side by side.

    Parameters
    ----------
    right, left : arrays (>= n - 1, lanes)
        t times the rates; not changed.
    p, out, difference : arrays (n, lanes)
    work : array (4 n + 4, lanes)
        Workspace.
    """
    n = p.shape[0]
    y_real, y_imag, ratio_real, ratio_imag = work[:n], work[n : 2 * n], work[2 * n : 3 * n], work[3 * n : 4 * n]
    s_real, s_imag, carry_real, carry_imag = work[4 * n], work[4 * n + 1], work[4 * n + 2], work[4 * n + 3]
    s_real[:] = z.real
    s_imag[:] = z.imag
    carry_real[:] = p[0]
    carry_imag[:] = 0.0
    for k in range(n - 1):
        _invert_pivots(s_real, s_imag, right[k], ratio_real[k], ratio_imag[k])
        _divide(carry_real, carry_imag, ratio_real[k], ratio_imag[k], y_real[k], y_imag[k])
        _pass_right(p[k + 1], right[k], y_real[k], y_imag[k], carry_real, carry_imag)
        _next_surplus(left[k], ratio_real[k], ratio_imag[k], z.real, z.imag, s_real, s_imag)
    last = n - 1
    ratio_real[last] = 0.0
    _invert_pivots(s_real, s_imag, ratio_real[last], ratio_real[last], ratio_imag[last])
    _divide(carry_real, carry_imag, ratio_real[last], ratio_imag[last], y_real[last], y_imag[last])
    d = other - c
    _add_real_parts(c, d, y_real[last], y_imag[last], out[last], difference[last])
    for k in range(n - 2, -1, -1):
        _pass_left(ratio_real[k], ratio_imag[k], y_real[k + 1], y_imag[k + 1], y_real[k], y_imag[k])
        _add_real_parts(c, d, y_real[k], y_imag[k], out[k], difference[k])


@kernel(parallel=True)
def exponential_axis(
    p: FloatArray,
    q: FloatArray,
    log_density: FloatArray,
    widths: FloatArray,
    distances: FloatArray,
    stride: int,
    time: float,
    temperature: float,
    poles: ComplexArray,
    residues: ComplexArray,
    companion: ComplexArray,
    out: FloatArray,
    difference: FloatArray,
) -> None:
    """out = r(time L) p, and what its companion differs by, L the generator of one action axis with two ends.

    Parameters
    ----------
    p, q, out, difference : arrays (S, A), C order
        ``out`` is not ``p``.
    log_density : array (A,)
        ln(m/vol).
    widths, distances : arrays (n,), (n - 1,)
        Of the axis.
    stride : int
        Number of cells of all later axes together.
    poles, residues, companion : arrays (m,) of complex
        Of `solver.rational_exponential`.
    """
    n = widths.size
    lines = p.size // n
    per_state = log_density.size // n
    lanes, blocks, parts = block_sizes(lines)
    flat_p, flat_q, flat_out = p.reshape(p.size), q.reshape(q.size), out.reshape(out.size)
    flat_difference = difference.reshape(out.size)
    rises = rises_of_lines(log_density, n, distances.size, stride, lanes)
    for part in numba.prange(parts):
        space, work = np.empty((5, n * lanes)), np.empty((4 * n + 4) * lanes)
        for block in range(part * blocks // parts, (part + 1) * blocks // parts):
            first = block * lanes
            width = min(lanes, lines - first)
            shape, size = (n, width), n * width
            line, total = space[0, :size].reshape(shape), space[1, :size].reshape(shape)
            right, left = space[2, :size].reshape(shape), space[3, :size].reshape(shape)
            load_lines(flat_q, stride, first, line)
            axis_rates_block(line, rises, first % per_state, widths, distances, time, temperature, right, left)
            load_lines(flat_p, stride, first, line)
            apart = space[4, :size].reshape(shape)
            total[:] = 0.0
            apart[:] = 0.0
            rows = work[: (4 * n + 4) * width].reshape((4 * n + 4, width))
            for j in range(poles.size):
                add_resolvent_block(right, left, line, poles[j], residues[j], companion[j], rows, total, apart)
            store_lines(total, stride, first, flat_out)
            store_lines(apart, stride, first, flat_difference)
