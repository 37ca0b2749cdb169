"""Backward Euler on lines of cells with two ends: rates and elimination of `solver.tridiagonal` in one pass.

All that belongs to a cell of many lines side by side lies in one row of a workspace, its pieces a constant distance
apart,

    Q | p, then y, then p' | left rate / pivot,

so that one loop does all the work of a cell and vectorises without asking what overlaps what.  The operations on a line
are those of `axis_rates` and `solve_path`, in the same order: its solution has the same bits wherever it stands.
"""

from __future__ import annotations

import numpy as np

from grids.arrays import FloatArray
from grids.compile import kernel
from solver.bernoulli import bernoulli_pair
from solver.line_blocks import LANES

PIECES = 3
P, RATIO = (np.uintp(LANES * m) for m in (1, 2))


@kernel()
def _eliminate(
    row: FloatArray,
    after: FloatArray,
    rises: FloatArray,
    forward_factor: float,
    backward_factor: float,
    inverse_temperature: float,
    surplus: FloatArray,
    lanes: int,
) -> None:
    """One cell forward: the rates on the face behind it, y, and what is passed to the next cell."""
    for j in range(np.uintp(lanes)):
        z = (after[j] - row[j]) * inverse_temperature - rises[j]
        forward, backward = bernoulli_pair(z)
        right, left = forward_factor * forward, backward_factor * backward
        inverse = 1.0 / (surplus[j] + right)
        value, ratio = row[P + j] * inverse, left * inverse
        row[P + j], row[RATIO + j] = value, ratio
        after[P + j] += right * value
        surplus[j] = 1.0 + ratio * surplus[j]


@kernel()
def _substitute(row: FloatArray, after: FloatArray, lanes: int) -> None:
    """One cell back: p' = y + ratio p' of the next cell."""
    for j in range(np.uintp(lanes)):
        row[P + j] += row[RATIO + j] * after[P + j]


@kernel()
def sweep_paths(
    cells: FloatArray,
    rises: FloatArray,
    first: int,
    widths: FloatArray,
    distances: FloatArray,
    dt: float,
    temperature: float,
    surplus: FloatArray,
    lanes: int,
) -> None:
    """Overwrite p by (I - dt L)^{-1} p on lines side by side.

    Parameters
    ----------
    cells : array (n, 3 * LANES)
        Q in the first piece, p in the second.
    rises : array (n - 1, ...)
        Of ln(m/vol), from `solver.line_blocks.rises_of_lines`.
    first : int
        Column of ``rises`` that belongs to the first line.
    widths, distances : arrays (n,), (n - 1,)
        Of the axis.
    surplus : array (LANES,)
        Workspace.
    lanes : int
        Number of lines.
    """
    n = widths.size
    inverse_temperature = 1.0 / temperature
    surplus[:] = 1.0
    for k in range(n - 1):
        factor = dt * temperature / distances[k]
        _eliminate(
            cells[k],
            cells[k + 1],
            rises[k, first:],
            factor / widths[k],
            factor / widths[k + 1],
            inverse_temperature,
            surplus,
            lanes,
        )
    last = cells[n - 1]
    for j in range(np.uintp(lanes)):
        last[P + j] /= surplus[j]
    for k in range(n - 2, -1, -1):
        _substitute(cells[k], cells[k + 1], lanes)
