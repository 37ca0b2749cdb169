"""Backward Euler on lines of cells with two ends: rates and elimination of `solver.flux.sweep_circle` in one pass.

All that belongs to a cell of many lines side by side lies in one row of a flat workspace, its pieces a constant
distance apart,

    Q | p, then y, then p' | left rate / pivot,

so that one loop does all the work of a cell and vectorises without asking what overlaps what.  Rates come as fractions
U/N, W/N with N = 1 - e^{-|z|}, and both sides of the elimination of `solver.flux.sweep_circle` are multiplied by N:

    pivot = s N + U,   y = p N / pivot,   ratio = W / pivot,   s' = 1 + ratio s,

one division for a cell, still without a subtraction.  A line's solution has the same bits wherever it stands, and where
it is swept alone because there are too few.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.compile import kernel
from wpoflow.solver.arithmetic.lines import LANES
from wpoflow.solver.flux.bernoulli import bernoulli_fractions

PIECES = 3
P, RATIO, ROW = (np.uintp(LANES * m) for m in range(1, PIECES + 1))
SURPLUS = RATIO  # until a cell is eliminated


@kernel()
def _eliminate(
    cells: FloatArray,
    cell: int,
    rises: FloatArray,
    forward_factor: float,
    backward_factor: float,
    inverse_temperature: float,
    lanes: int,
) -> None:
    """One cell forward: the rates on the face behind it, y, and what is passed to the next cell."""
    row = np.uintp(cell) * ROW
    after = row + ROW
    for j in range(np.uintp(lanes)):
        z = (cells[after + j] - cells[row + j]) * inverse_temperature - rises[j]
        forward, backward, denominator = bernoulli_fractions(z)
        right, left = forward_factor * forward, backward_factor * backward
        surplus, held = cells[row + SURPLUS + j], cells[row + P + j]
        inverse = 1.0 / (surplus * denominator + right)
        ratio = left * inverse
        cells[row + P + j], cells[row + RATIO + j] = held * (denominator * inverse), ratio
        cells[after + P + j] += held * (right * inverse)
        cells[after + SURPLUS + j] = 1.0 + ratio * surplus


@kernel()
def _substitute(cells: FloatArray, cell: int, lanes: int) -> None:
    """One cell back: p' = y + ratio p' of the next cell."""
    row = np.uintp(cell) * ROW
    after = row + ROW
    for j in range(np.uintp(lanes)):
        cells[row + P + j] += cells[row + RATIO + j] * cells[after + P + j]


@kernel()
def sweep_path(
    p: FloatArray,
    q: FloatArray,
    log_density: FloatArray,
    widths: FloatArray,
    distances: FloatArray,
    dt: float,
    temperature: float,
    first: int,
    stride: int,
    ratio: FloatArray,
    out: FloatArray,
) -> None:
    """`sweep_paths` for one line where it lies, entry k at ``first + k * stride``: for too few to stand side by side.

    Parameters
    ----------
    p, q, out : flat arrays
        ``out`` may be ``p``.
    log_density : array (A,)
        ln(m/vol).
    ratio : array (n,)
        Workspace.
    """
    n = widths.size
    inverse_temperature = 1.0 / temperature
    surplus, held, cell = 1.0, p[first], first % log_density.size
    for k in range(n - 1):
        here, there = first + k * stride, first + (k + 1) * stride
        rise = log_density[cell + (k + 1) * stride] - log_density[cell + k * stride]
        forward, backward, denominator = bernoulli_fractions((q[there] - q[here]) * inverse_temperature - rise)
        factor = dt * temperature / distances[k]
        right, left = factor / widths[k] * forward, factor / widths[k + 1] * backward
        inverse = 1.0 / (surplus * denominator + right)
        ratio[k] = left * inverse
        passed = held * (right * inverse)
        out[here] = held * (denominator * inverse)
        held = p[there] + passed
        surplus = 1.0 + ratio[k] * surplus
    out[first + (n - 1) * stride] = held / surplus
    for k in range(n - 2, -1, -1):
        here = first + k * stride
        out[here] += ratio[k] * out[here + stride]


@kernel()
def sweep_paths(
    cells: FloatArray,
    rises: FloatArray,
    first: int,
    widths: FloatArray,
    distances: FloatArray,
    dt: float,
    temperature: float,
    lanes: int,
) -> None:
    """Overwrite p by (I - dt L)^{-1} p on lines side by side.

    Parameters
    ----------
    cells : array (n * 3 * LANES,)
        Q in the first piece of every cell, p in the second.
    rises : array (n - 1, ...)
        Of ln(m/vol), from `solver.arithmetic.lines.rises_of_lines`.
    first : int
        Column of ``rises`` that belongs to the first line.
    widths, distances : arrays (n,), (n - 1,)
        Of the axis.
    lanes : int
        Number of lines.
    """
    n = widths.size
    inverse_temperature = 1.0 / temperature
    for j in range(np.uintp(lanes)):
        cells[SURPLUS + j] = 1.0
    for k in range(n - 1):
        factor = dt * temperature / distances[k]
        ends = factor / widths[k], factor / widths[k + 1]
        _eliminate(cells, k, rises[k, first:], ends[0], ends[1], inverse_temperature, lanes)
    last = np.uintp(n - 1) * ROW
    for j in range(np.uintp(lanes)):
        cells[last + P + j] /= cells[last + SURPLUS + j]
    for k in range(n - 2, -1, -1):
        _substitute(cells, k, lanes)
