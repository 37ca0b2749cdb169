"""Where particles stand on an axis: between which points, on the same circle, and back in the box.

An axis is its points, and one over their distance where that is the same for all, else zero.
"""

from __future__ import annotations

import math

from wpoflow.core.arrays import FloatArray
from wpoflow.core.compile import kernel


@kernel()
def place(x: float, points: FloatArray, inverse: float) -> int:
    """j with points[j] <= x < points[j + 1], one of the first or last two where x lies beyond; two points at least.

    ``inverse`` is one over the distance of points where that is the same for all, else zero.
    """
    last = points.size - 2
    if inverse > 0.0:
        return max(0, min(last, int((x - points[0]) * inverse)))
    low, high = 0, last
    while low < high:
        middle = (low + high + 1) // 2
        if points[middle] <= x:
            low = middle
        else:
            high = middle - 1
    return low


@kernel()
def around(x: float, points: FloatArray, length: float) -> float:
    """The same place on a circle, between the first point and the one a length further."""
    if x < points[0]:
        return x + length
    return x - length if x >= points[0] + length else x


@kernel()
def between(x: float, points: FloatArray, inverse: float, circle: bool, length: float) -> tuple[int, float]:
    """The centre before x, and how far x is on the way to the next one; beyond the outermost, less than 0 or over 1."""
    n = points.size
    if n == 1:
        return 0, 0.0
    if circle:
        y = around(x, points, length)
        if y >= points[n - 1]:
            return n - 1, (y - points[n - 1]) / (length - (points[n - 1] - points[0]))
        k = place(y, points, inverse)
        return k, (y - points[k]) / (points[k + 1] - points[k])
    k = place(x, points, inverse)
    return k, (x - points[k]) / (points[k + 1] - points[k])


@kernel()
def folded(x: float, low: float, length: float, circle: bool) -> float:
    """Where a particle is that went beyond the ends: back from them, or around."""
    y = (x - low) / length
    if 0.0 <= y < 1.0:
        return x
    if circle:
        return low + (y - math.floor(y)) * length
    y -= 2.0 * math.floor(0.5 * y)
    return low + (2.0 - y if y > 1.0 else y) * length
