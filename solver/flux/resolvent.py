"""The exponential of the Scharfetter–Gummel generator of one action axis by complex eliminations.

    p' = sum_j 2 Re( c_j (z_j - t L)^{-1} p ),     poles z_j in the upper half-plane (`solver.schemes.exponential`)

Each system is eliminated as I - dt L is in `solver.flux.sweep_circle`, with the pole in place of one,

    s_0 = z,   pivot_k = s_k + U_k,   s_{k+1} = z + W_k s_k / pivot_k,

U, W being t times the rates: s -> s/(s + U) maps the upper half-plane to itself, so that Im pivot_k >= Im z > 0 and no
pivot is small.  All that belongs to a cell of up to 32 lines side by side lies in one row of a flat workspace, its
pieces a constant distance apart: then one loop does all the work of a cell, and vectorises without asking what overlaps
what.
"""

from __future__ import annotations

import numba
import numpy as np

from wpoflow.core.arrays import ComplexArray, FloatArray
from wpoflow.core.compile import kernel
from wpoflow.solver.arithmetic.lines import load_lines, rises_of_lines, store_lines
from wpoflow.solver.flux.bernoulli import bernoulli_pair

LANES = 32
PARTS = 64
PIECES = 9
# of a cell: rates to the right and left, p, the sum (Q at first), its companion's difference, y and W / pivot; before a
# cell is eliminated its last four pieces hold s and what the cell before passed on
LEFT, MASS, TOTAL, APART, Y_REAL, Y_IMAG, RATIO_REAL, RATIO_IMAG, ROW = (
    np.uintp(LANES * m) for m in range(1, PIECES + 1)
)
MASS_COLUMN, SUM_COLUMN, APART_COLUMN = 2 * LANES, 3 * LANES, 4 * LANES
S_REAL, S_IMAG, CARRY_REAL, CARRY_IMAG = Y_REAL, Y_IMAG, RATIO_REAL, RATIO_IMAG


@kernel()
def _fill_rates(
    cells: FloatArray,
    cell: int,
    rises: FloatArray,
    forward_factor: float,
    backward_factor: float,
    inverse_temperature: float,
    lanes: int,
) -> None:
    """Rates on the face behind a cell; its sums are set to zero."""
    row = np.uintp(cell) * ROW
    after = row + ROW
    for j in range(np.uintp(lanes)):
        z = (cells[after + TOTAL + j] - cells[row + TOTAL + j]) * inverse_temperature - rises[j]
        forward, backward = bernoulli_pair(z)
        cells[row + j], cells[row + LEFT + j] = forward_factor * forward, backward_factor * backward
        cells[row + TOTAL + j], cells[row + APART + j] = 0.0, 0.0


@kernel()
def _eliminate(cells: FloatArray, cell: int, z_real: float, z_imag: float, lanes: int) -> None:
    """One cell forward: y = carry / (s + U), then what is passed to the next cell."""
    row = np.uintp(cell) * ROW
    after = row + ROW
    for j in range(np.uintp(lanes)):
        right, left = cells[row + j], cells[row + LEFT + j]
        s_real, s_imag = cells[row + S_REAL + j], cells[row + S_IMAG + j]
        carry_real, carry_imag = cells[row + CARRY_REAL + j], cells[row + CARRY_IMAG + j]
        pivot = s_real + right
        scale = 1.0 / (pivot * pivot + s_imag * s_imag)
        inverse_real, inverse_imag = pivot * scale, -s_imag * scale
        y_real = carry_real * inverse_real - carry_imag * inverse_imag
        y_imag = carry_real * inverse_imag + carry_imag * inverse_real
        ratio_real, ratio_imag = left * inverse_real, left * inverse_imag
        cells[row + Y_REAL + j], cells[row + Y_IMAG + j] = y_real, y_imag
        cells[row + RATIO_REAL + j], cells[row + RATIO_IMAG + j] = ratio_real, ratio_imag
        cells[after + S_REAL + j] = z_real + ratio_real * s_real - ratio_imag * s_imag
        cells[after + S_IMAG + j] = z_imag + ratio_real * s_imag + ratio_imag * s_real
        cells[after + CARRY_REAL + j] = cells[after + MASS + j] + right * y_real
        cells[after + CARRY_IMAG + j] = right * y_imag


@kernel()
def _substitute(
    cells: FloatArray, cell: int, c_real: float, c_imag: float, d_real: float, d_imag: float, lanes: int
) -> None:
    """One cell back: y += ratio (y of the next cell), and its real parts with both residues into the sums."""
    row = np.uintp(cell) * ROW
    after = row + ROW
    for j in range(np.uintp(lanes)):
        ratio_real, ratio_imag = cells[row + RATIO_REAL + j], cells[row + RATIO_IMAG + j]
        after_real, after_imag = cells[after + Y_REAL + j], cells[after + Y_IMAG + j]
        y_real = cells[row + Y_REAL + j] + ratio_real * after_real - ratio_imag * after_imag
        y_imag = cells[row + Y_IMAG + j] + ratio_real * after_imag + ratio_imag * after_real
        cells[row + Y_REAL + j], cells[row + Y_IMAG + j] = y_real, y_imag
        cells[row + TOTAL + j] += c_real * y_real - c_imag * y_imag
        cells[row + APART + j] += d_real * y_real - d_imag * y_imag


@kernel()
def add_resolvent(cells: FloatArray, n: int, z: complex, c: complex, other: complex, lanes: int) -> None:
    """Add 2 Re( c (z - t L)^{-1} p ), and the same with ``other`` - c to the difference, for lines side by side.

    Parameters
    ----------
    cells : array ((n + 1) * 9 * LANES,)
        One row for each cell, and one whose entries for p are zero.
    lanes : int
        Number of lines.
    """
    for j in range(np.uintp(lanes)):
        cells[S_REAL + j], cells[S_IMAG + j] = z.real, z.imag
        cells[CARRY_REAL + j], cells[CARRY_IMAG + j] = cells[MASS + j], 0.0
    for k in range(n):
        _eliminate(cells, k, z.real, z.imag, lanes)
    end = np.uintp(n) * ROW
    for j in range(np.uintp(lanes)):
        cells[end + Y_REAL + j], cells[end + Y_IMAG + j] = 0.0, 0.0
    d = other - c
    for k in range(n - 1, -1, -1):
        _substitute(cells, k, 2.0 * c.real, 2.0 * c.imag, 2.0 * d.real, 2.0 * d.imag, lanes)


@kernel(parallel=True, largest=0)
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
        Of `solver.flux.rational_exponential`.
    """
    n = widths.size
    lines = p.size // n
    per_state = log_density.size // n
    blocks = (lines + LANES - 1) // LANES
    parts = min(PARTS, blocks)
    flat_p, flat_q, flat_out = p.reshape(p.size), q.reshape(q.size), out.reshape(out.size)
    flat_difference = difference.reshape(out.size)
    rises = rises_of_lines(log_density, n, distances.size, stride, LANES)
    inverse_temperature = 1.0 / temperature
    for part in numba.prange(parts):
        rows = np.empty((n + 1, PIECES * LANES))
        rows[n] = 0.0
        cells = rows.reshape(rows.size)
        for block in range(part * blocks // parts, (part + 1) * blocks // parts):
            first = block * LANES
            lanes = min(LANES, lines - first)
            load_lines(flat_q, stride, first, rows[:n], SUM_COLUMN, lanes)
            load_lines(flat_p, stride, first, rows[:n], MASS_COLUMN, lanes)
            for k in range(n - 1):
                factor = time * temperature / distances[k]
                ends = factor / widths[k], factor / widths[k + 1]
                _fill_rates(cells, k, rises[k, first % per_state :], ends[0], ends[1], inverse_temperature, lanes)
            rows[n - 1, : 2 * LANES] = 0.0
            rows[n - 1, SUM_COLUMN : SUM_COLUMN + 2 * LANES] = 0.0
            for j in range(poles.size):
                add_resolvent(cells, n, poles[j], residues[j], companion[j], lanes)
            store_lines(rows[:n], SUM_COLUMN, lanes, stride, first, flat_out)
            store_lines(rows[:n], APART_COLUMN, lanes, stride, first, flat_difference)
