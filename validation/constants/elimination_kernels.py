r"""Subtraction-free elimination of a grounded generator on any graph of cells.

Cells jump along faces at given rates; cell N is grounded (absorbing).  For a function h with sum_k g_k h_k = 0 the
solution of -L x = h with x_N = 0 is found from the generator without its row and column N,

    d_k = s_k + sum_{j>k} a_kj,     a_ij += (a_ik/d_k) a_kj,     s_i += (a_ik/d_k) s_k        for i, j > k, i /= j,

a_ij the rates between remaining cells, s_i the rate from i into the ground.  Every quantity is a sum of products of
positive numbers: nothing cancels, so all entries of the factors, and with them every entry of the inverse, have small
*relative* errors, however slowly the chain leaves some region.  With cells ordered so that neighbours are at most
``band`` apart, the cost is n band^2.  Fails, and says so, only where a pivot underflows.

Sources: Grassmann, Taksar & Heyman, Regenerative analysis and steady state distributions for Markov chains,
Oper. Res. 33 (1985) 1107, doi:10.1287/opre.33.5.1107; O'Cinneide, Entrywise perturbation theory and error analysis
for Markov chains, Numer. Math. 65 (1993) 109, doi:10.1007/BF01385743.
"""

from __future__ import annotations

import math

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.compile import kernel

LEAST_PIVOT = 1e-280


@kernel()
def eliminate(
    right: FloatArray,
    left: FloatArray,
    first: IntArray,
    second: IntArray,
    ground: int,
    up: FloatArray,
    down: FloatArray,
    pivot: FloatArray,
) -> bool:
    """Factor the generator grounded at one cell; False if a pivot is below 1e-280.

    Parameters
    ----------
    right, left : arrays (F,)
        Rates first -> second and second -> first.
    first, second : arrays (F,) of int
        Positions of the cells of each face in the order of elimination.
    ground : int
        Position of the grounded cell.
    up : array (n, band)
        Filled: rates k -> k + 1 + j when k is eliminated.
    down : array (n, band)
        Filled: rates k + 1 + j -> k over the pivot.
    pivot : array (n,)
        Filled; 1 at the ground.
    """
    n, band = up.shape
    up[:] = 0.0
    down[:] = 0.0
    surplus = np.zeros(n)
    for f in range(right.size):
        a, b = first[f], second[f]
        if b == ground:
            surplus[a] += right[f]
        elif a == ground:
            surplus[b] += left[f]
        elif a < b:
            up[a, b - a - 1] += right[f]
            down[a, b - a - 1] += left[f]
        else:
            up[b, a - b - 1] += left[f]
            down[b, a - b - 1] += right[f]
    for k in range(n):
        if k == ground:
            pivot[k] = 1.0
            continue
        reach = min(band, n - 1 - k)
        total = surplus[k]
        for j in range(reach):
            total += up[k, j]
        if not total > LEAST_PIVOT:
            return False
        pivot[k] = total
        for i in range(reach):
            if down[k, i] == 0.0:
                continue
            factor = down[k, i] / total
            down[k, i] = factor
            row = k + 1 + i
            surplus[row] += factor * surplus[k]
            for j in range(i):
                down[k + 1 + j, i - j - 1] += factor * up[k, j]
            for j in range(i + 1, reach):
                up[row, j - i - 1] += factor * up[k, j]
    return True


@kernel()
def symmetrise(up: FloatArray, down: FloatArray, pivot: FloatArray) -> None:
    """Overwrite up and down by those of the matrix similar by sqrt(g): both times and over the pivot alike."""
    n, band = up.shape
    for k in range(n):
        for j in range(band):
            factor = math.sqrt(up[k, j] / pivot[k]) * math.sqrt(down[k, j])
            up[k, j] = factor * pivot[k]
            down[k, j] = factor


@kernel()
def solve_grounded(up: FloatArray, down: FloatArray, pivot: FloatArray, ground: int, x: FloatArray) -> None:
    """Overwrite the right-hand side x, (n,), by the solution that vanishes at the ground."""
    n, band = up.shape
    x[ground] = 0.0
    for k in range(n):
        for i in range(min(band, n - 1 - k)):
            x[k + 1 + i] += down[k, i] * x[k]
    for k in range(n - 1, -1, -1):
        total = x[k]
        for j in range(min(band, n - 1 - k)):
            total += up[k, j] * x[k + 1 + j]
        x[k] = total / pivot[k]
    x[ground] = 0.0
