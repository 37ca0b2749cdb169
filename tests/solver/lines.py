"""One line of cells by the definitions: rates of its faces, and elimination in exact rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.flux.bernoulli import bernoulli_pair


def rates_of_line(
    q: FloatArray,
    log_density: FloatArray,
    widths: FloatArray,
    distances: FloatArray,
    scale: float,
    temperature: float,
) -> tuple[FloatArray, FloatArray]:
    """``scale`` times the rates k -> k+1 and k+1 -> k of the Scharfetter–Gummel flux on all faces."""
    n = widths.size
    right, left = np.empty(distances.size), np.empty(distances.size)
    for k in range(distances.size):
        after = (k + 1) % n
        z = (q[after] - q[k]) / temperature - (log_density[after] - log_density[k])
        forward, backward = bernoulli_pair(z)
        right[k] = scale * temperature / distances[k] / widths[k] * forward
        left[k] = scale * temperature / distances[k] / widths[after] * backward
    return right, left


def exact_solution(right: FloatArray, left: FloatArray, p: FloatArray, circle: bool) -> list[Fraction]:
    """(I - dt L)^{-1} p by Gauss-Jordan elimination of fractions."""
    n = p.size
    matrix = [[Fraction(int(i == j)) for j in range(n)] + [Fraction(float(p[i]))] for i in range(n)]
    for k in range(n if circle else n - 1):
        after = (k + 1) % n
        u, w = Fraction(float(right[k])), Fraction(float(left[k]))
        matrix[k][k] += u
        matrix[after][k] -= u
        matrix[after][after] += w
        matrix[k][after] -= w
    for j in range(n):
        pivot = matrix[j][j]
        matrix[j] = [entry / pivot for entry in matrix[j]]
        for i in range(n):
            if i != j:
                factor = matrix[i][j]
                matrix[i] = [a - factor * b for a, b in zip(matrix[i], matrix[j], strict=True)]
    return [row[n] for row in matrix]


def largest_relative_error(found: FloatArray, exact: list[Fraction]) -> float:
    """Of all entries."""
    return max(abs(float((Fraction(float(a)) - b) / b)) for a, b in zip(found, exact, strict=True))
