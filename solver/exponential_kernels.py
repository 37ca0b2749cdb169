"""The exponential of the Scharfetter–Gummel generator of one action axis by complex eliminations.

    p' = sum_j 2 Re( c_j (z_j - t L)^{-1} p ),     poles z_j in the upper half-plane (`solver.rational_exponential`)

Each system is eliminated as I - dt L is in `solver.tridiagonal`, with the pole in place of one,

    s_0 = z,   pivot_k = s_k + U_k,   s_{k+1} = z + W_k s_k / pivot_k,

U, W being t times the rates: s -> s/(s + U) maps the upper half-plane to itself, so that Im pivot_k >= Im z > 0 and no
pivot is small.  All that belongs to a cell of up to 32 lines side by side lies in one row of a workspace, its pieces a
constant distance apart: then one loop does all the work of a cell, and vectorises without asking what overlaps what.
"""

from __future__ import annotations

import numba
import numpy as np

from grids.arrays import ComplexArray, FloatArray
from grids.compile import kernel
from solver.line_blocks import load_lines, rises_of_lines, store_lines
from solver.scharfetter_gummel import axis_rates_block

LANES = 32
PARTS = 64
PIECES = 9
# of a cell: rates to the right and left, p of the next cell, the sum, its companion's difference, y and W / pivot
LEFT, NEXT, TOTAL, APART, Y_REAL, Y_IMAG, RATIO_REAL, RATIO_IMAG = (np.uintp(LANES * m) for m in range(1, PIECES))
# of the elimination: s, and what the next cell holds
S_IMAG, CARRY_REAL, CARRY_IMAG = (np.uintp(LANES * m) for m in range(1, 4))


@kernel()
def _eliminate(row: FloatArray, state: FloatArray, z_real: float, z_imag: float, lanes: int) -> None:
    """One cell forward: y = carry / (s + U), then what is passed to the next cell."""
    for j in range(np.uintp(lanes)):
        right, s_real, s_imag = row[j], state[j], state[S_IMAG + j]
        carry_real, carry_imag = state[CARRY_REAL + j], state[CARRY_IMAG + j]
        pivot = s_real + right
        scale = 1.0 / (pivot * pivot + s_imag * s_imag)
        inverse_real, inverse_imag = pivot * scale, -s_imag * scale
        y_real = carry_real * inverse_real - carry_imag * inverse_imag
        y_imag = carry_real * inverse_imag + carry_imag * inverse_real
        ratio_real, ratio_imag = row[LEFT + j] * inverse_real, row[LEFT + j] * inverse_imag
        row[Y_REAL + j], row[Y_IMAG + j] = y_real, y_imag
        row[RATIO_REAL + j], row[RATIO_IMAG + j] = ratio_real, ratio_imag
        state[j] = z_real + ratio_real * s_real - ratio_imag * s_imag
        state[S_IMAG + j] = z_imag + ratio_real * s_imag + ratio_imag * s_real
        state[CARRY_REAL + j] = row[NEXT + j] + right * y_real
        state[CARRY_IMAG + j] = right * y_imag


@kernel()
def _substitute(
    row: FloatArray, after: FloatArray, c_real: float, c_imag: float, d_real: float, d_imag: float, lanes: int
) -> None:
    """One cell back: y += ratio (y of the next cell), and its real parts with both residues into the sums."""
    for j in range(np.uintp(lanes)):
        ratio_real, ratio_imag = row[RATIO_REAL + j], row[RATIO_IMAG + j]
        after_real, after_imag = after[Y_REAL + j], after[Y_IMAG + j]
        y_real = row[Y_REAL + j] + ratio_real * after_real - ratio_imag * after_imag
        y_imag = row[Y_IMAG + j] + ratio_real * after_imag + ratio_imag * after_real
        row[Y_REAL + j], row[Y_IMAG + j] = y_real, y_imag
        row[TOTAL + j] += c_real * y_real - c_imag * y_imag
        row[APART + j] += d_real * y_real - d_imag * y_imag


@kernel()
def add_resolvent(
    cells: FloatArray, first: FloatArray, z: complex, c: complex, other: complex, state: FloatArray
) -> None:
    """Add 2 Re( c (z - t L)^{-1} p ), and the same with ``other`` - c to the difference, for lines side by side.

    Parameters
    ----------
    cells : array (n + 1, 9 * 32)
        One row for each cell, and one of zeros.
    first : array (lanes,)
        p of the first cell.
    state : array (4 * 32,)
        Workspace.
    """
    n, lanes = cells.shape[0] - 1, first.size
    state[:LANES] = z.real
    state[LANES : 2 * LANES] = z.imag
    state[2 * LANES : 2 * LANES + lanes] = first
    state[3 * LANES :] = 0.0
    for k in range(n):
        _eliminate(cells[k], state, z.real, z.imag, lanes)
    d = other - c
    for k in range(n - 1, -1, -1):
        _substitute(cells[k], cells[k + 1], 2.0 * c.real, 2.0 * c.imag, 2.0 * d.real, 2.0 * d.imag, lanes)


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
    blocks = (lines + LANES - 1) // LANES
    parts = min(PARTS, blocks)
    flat_p, flat_q, flat_out = p.reshape(p.size), q.reshape(q.size), out.reshape(out.size)
    flat_difference = difference.reshape(out.size)
    rises = rises_of_lines(log_density, n, distances.size, stride, LANES)
    for part in numba.prange(parts):
        space, state, cells = np.empty((3, n * LANES)), np.empty(4 * LANES), np.zeros((n + 1, PIECES * LANES))
        for block in range(part * blocks // parts, (part + 1) * blocks // parts):
            first = block * LANES
            lanes = min(LANES, lines - first)
            shape, size = (n, lanes), n * lanes
            line, right = space[0, :size].reshape(shape), space[1, :size].reshape(shape)
            left = space[2, :size].reshape(shape)
            load_lines(flat_q, stride, first, line)
            axis_rates_block(line, rises, first % per_state, widths, distances, time, temperature, right, left)
            load_lines(flat_p, stride, first, line)
            cells[:, 3 * LANES : 5 * LANES] = 0.0
            for k in range(n - 1):
                cells[k, :lanes] = right[k]
                cells[k, LANES : LANES + lanes] = left[k]
                cells[k, 2 * LANES : 2 * LANES + lanes] = line[k + 1]
            for j in range(poles.size):
                add_resolvent(cells, line[0], poles[j], residues[j], companion[j], state)
            for k in range(n):
                right[k] = cells[k, 3 * LANES : 3 * LANES + lanes]
                line[k] = cells[k, 4 * LANES : 4 * LANES + lanes]
            store_lines(right, stride, first, flat_out)
            store_lines(line, stride, first, flat_difference)
