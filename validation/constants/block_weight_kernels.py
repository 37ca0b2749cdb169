"""Blocks of cells with small log-Sobolev constants: see `validation.constants.bound_weighted_gap`."""

from __future__ import annotations

import math

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.compile import kernel


@kernel()
def _next_cell(position: IntArray, low: IntArray, high: IntArray) -> bool:
    """Move on to the next cell of a box, the last axis fastest; False after the last one."""
    j = position.size - 1
    while j >= 0:
        position[j] += 1
        if position[j] < high[j]:
            return True
        position[j] = low[j]
        j -= 1
    return False


@kernel()
def log_unit_constant(cells: int) -> float:
    """ln 2/beta of the path with masses and conductances one."""
    return math.log(0.5) - 2.0 * math.log(math.sin(0.5 * math.pi / cells))


@kernel()
def block_constant(
    log_law: FloatArray,
    log_conductance: FloatArray,
    face_after: IntArray,
    strides: IntArray,
    low: IntArray,
    high: IntArray,
) -> tuple[float, int, float]:
    """ln C of a box by the unit paths of its axes, the axis that decides it, and ln of the mass of the box.

    Parameters
    ----------
    log_law : array (n,)
    log_conductance : array (F,)
    face_after : array (d, n) of int
        Face between a cell and the next one along each axis.
    strides, low, high : arrays (d,) of int
        The box has the cells low <= position < high.
    """
    dim = low.size
    position = low.copy()
    least = np.full(dim, math.inf)
    top, mass = -math.inf, 0.0
    while True:
        cell = 0
        for j in range(dim):
            cell += position[j] * strides[j]
        value = log_law[cell]
        if value > top:
            mass = mass * math.exp(top - value) + 1.0
            top = value
        else:
            mass += math.exp(value - top)
        for j in range(dim):
            if position[j] + 1 < high[j]:
                least[j] = min(least[j], log_conductance[face_after[j, cell]])
        if not _next_cell(position, low, high):
            break
    worst, axis = -math.inf, 0
    for j in range(dim):
        if high[j] - low[j] > 1:
            constant = log_unit_constant(high[j] - low[j]) + top - least[j]
            if constant > worst:
                worst, axis = constant, j
    return worst, axis, top + math.log(mass)


@kernel(parallel=True)
def interval_masses(
    log_law: FloatArray,
    log_conductance: FloatArray,
    starts: IntArray,
    step: int,
    log_most: FloatArray,
    log_masses: FloatArray,
    log_constants: FloatArray,
) -> None:
    """`block_masses` of paths and circles: intervals, each as long as ln C <= log_most allows, one after the other.

    Parameters
    ----------
    log_law, log_conductance : arrays (S, n), (S, F)
    starts : array (S,) of int
        First cell.
    step : int
        1 or -1: the direction.
    log_most, log_masses, log_constants
        As there.
    """
    n = log_law.shape[1]
    for i in numba.prange(log_law.shape[0]):
        log_constants[i] = -math.inf
        done = 0
        while done < n:
            top, least, constant, length = log_law[i, (starts[i] + step * done) % n], math.inf, -math.inf, 1
            while done + length < n:
                cell = (starts[i] + step * (done + length)) % n
                face = (cell - 1) % n if step > 0 else cell
                top_with = max(top, log_law[i, cell])
                least_with = min(least, log_conductance[i, face])
                constant_with = log_unit_constant(length + 1) + top_with - least_with
                if constant_with > log_most[i]:
                    break
                top, least, constant, length = top_with, least_with, constant_with, length + 1
            log_constants[i] = max(log_constants[i], constant)
            mass = 0.0
            for k in range(done, done + length):
                mass += math.exp(log_law[i, (starts[i] + step * k) % n] - top)
            for k in range(done, done + length):
                log_masses[i, (starts[i] + step * k) % n] = top + math.log(mass)
            done += length


@kernel(parallel=True)
def block_masses(
    log_law: FloatArray,
    log_conductance: FloatArray,
    face_after: IntArray,
    shape: IntArray,
    strides: IntArray,
    log_most: FloatArray,
    log_masses: FloatArray,
    log_constants: FloatArray,
) -> None:
    """Bisect boxes until ln C <= log_most; fill the logarithms of each cell's block's mass and of the largest C.

    Parameters
    ----------
    log_law, log_conductance : arrays (S, n), (S, F)
    face_after, shape, strides : arrays (d, n), (d,), (d,) of int
    log_most : array (S,)
    log_masses, log_constants : arrays (S, n), (S,)
        Filled; the constant is -inf if all blocks are single cells.
    """
    n, dim = log_law.shape[1], shape.size
    for i in numba.prange(log_law.shape[0]):
        lows, highs = np.zeros((n, dim), dtype=np.int64), np.zeros((n, dim), dtype=np.int64)
        for j in range(dim):
            highs[0, j] = shape[j]
        waiting = 1
        log_constants[i] = -math.inf
        while waiting > 0:
            waiting -= 1
            low, high = lows[waiting].copy(), highs[waiting].copy()
            constant, axis, mass = block_constant(log_law[i], log_conductance[i], face_after, strides, low, high)
            if constant > log_most[i]:
                middle = (low[axis] + high[axis]) // 2
                for j in range(dim):
                    lows[waiting, j], highs[waiting, j] = low[j], high[j]
                    lows[waiting + 1, j], highs[waiting + 1, j] = low[j], high[j]
                highs[waiting, axis] = middle
                lows[waiting + 1, axis] = middle
                waiting += 2
                continue
            log_constants[i] = max(log_constants[i], constant)
            position = low.copy()
            while True:
                cell = 0
                for j in range(dim):
                    cell += position[j] * strides[j]
                log_masses[i, cell] = mass
                if not _next_cell(position, low, high):
                    break
