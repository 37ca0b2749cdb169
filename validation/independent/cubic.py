"""Limited cubic interpolation once more, a place at a time, by loops over corners and divided differences as they are.

Shares nothing with `wpoflow.grids.cubic` but the definition in its text.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis

RATIO = 3.0


def limited_cubic(axes: Sequence[Axis], values: FloatArray, place: Sequence[float]) -> float:
    """The value at a place in the box, of values (n_1, ..., n_d) at the points of axes without noise or shocks."""
    spots = [_spot(axis, x) for axis, x in zip(axes, place, strict=True)]
    total = 0.0
    for corner in itertools.product((0, 1), repeat=len(axes)):
        index = tuple(spot.after if up else spot.before for spot, up in zip(spots, corner, strict=True))
        weights = [spot.w if up else 1.0 - spot.w for spot, up in zip(spots, corner, strict=True)]
        total += float(np.prod(weights)) * float(values[index])
        for j, (axis, spot) in enumerate(zip(axes, spots, strict=True)):
            if corner[j] == 0 and axis.size > 2:
                others = float(np.prod([w for i, w in enumerate(weights) if i != j]))
                line = np.moveaxis(values, j, -1)[(*index[:j], *index[j + 1 :])]
                total -= others * spot.w * (1.0 - spot.w) * spot.width**2 * _bend(axis, line, spot)
    return total


class _Spot:
    """Where a coordinate lies: before and after which points, at which share w of the width between."""

    def __init__(self, before: int, after: int, w: float, width: float) -> None:
        self.before, self.after, self.w, self.width = before, after, w, width


def _spot(axis: Axis, x: float) -> _Spot:
    points = axis.points
    if axis.size == 1:
        return _Spot(0, 0, 0.0, 0.0)
    if axis.periodic:
        x = points[0] + (x - points[0]) % axis.length
        k = int(np.searchsorted(points, x, side="right")) - 1
        after = (k + 1) % axis.size
        width = points[after] - points[k] + (axis.length if after == 0 else 0.0)
        return _Spot(k, after, (x - points[k]) / width, width)
    x = min(max(x, points[0]), points[-1])
    k = min(int(np.searchsorted(points, x, side="right")) - 1, axis.size - 2)
    width = points[k + 1] - points[k]
    return _Spot(k, k + 1, (x - points[k]) / width, width)


def _bend(axis: Axis, line: FloatArray, spot: _Spot) -> float:
    """The second divided differences at both ends of an interval, limited, and weighed as the cubic has them."""
    second = [_second(axis, line, k) for k in (spot.before, spot.after)]
    limited = []
    for own, other in (second, second[::-1]):
        share = 0.0 if own * other <= 0.0 else min(1.0, RATIO * other / own)
        limited.append(share * own)
    n = axis.size
    if axis.boundary == "clamp" and n > 3:
        for end, inside, further in ((0, 1, 2), (n - 1, n - 2, n - 3)):
            if end in (spot.before, spot.after) and _second(axis, line, inside) * _second(axis, line, further) <= 0.0:
                return 0.0
    left, right = _gaps(axis, spot.before)[0], _gaps(axis, spot.after)[1]
    first = ((1.0 - spot.w) * spot.width + right) / (left + spot.width + right)
    return first * limited[0] + (1.0 - first) * limited[1]


def _gaps(axis: Axis, k: int) -> tuple[float, float]:
    """Distances to the points before and after point k, images included; at the ends of a line that inside again."""
    points, n = axis.points, axis.size
    left = points[k] - points[k - 1] if k else None
    right = points[k + 1] - points[k] if k < n - 1 else None
    if axis.periodic:
        seam = points[0] + axis.length - points[-1]
        return float(seam if left is None else left), float(seam if right is None else right)
    if axis.boundary == "reflect":
        ends = 2.0 * (points[0] - axis.lower), 2.0 * (axis.upper - points[-1])
        return float(ends[0] if left is None else left), float(ends[1] if right is None else right)
    found = [float(gap) for gap in (left, right) if gap is not None]
    return found[0], found[-1]


def _second(axis: Axis, line: FloatArray, k: int) -> float:
    """The second divided difference at point k; at the ends of a line continued linearly from the next two."""
    n = axis.size
    if axis.boundary == "clamp" and k in (0, n - 1):
        step = 1 if k == 0 else -1
        inside = _second(axis, line, k + step)
        if n < 4:
            return inside
        x = axis.points
        ratio = float((abs(x[k + 2 * step] - x[k]) + abs(x[k + step] - x[k])) / abs(x[k + 3 * step] - x[k]))
        return inside + ratio * (inside - _second(axis, line, k + 2 * step))
    before, after = (k - 1) % n, (k + 1) % n
    if axis.boundary == "reflect":
        before, after = max(k - 1, 0), min(k + 1, n - 1)
    left, right = _gaps(axis, k)
    return float(((line[after] - line[k]) / right - (line[k] - line[before]) / left) / (left + right))
