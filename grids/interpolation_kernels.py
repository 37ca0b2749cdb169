"""Kernel that finds where next states fall between the nodes of an axis."""

import math

import numba

from wpoflow.core.arrays import FloatArray, IndexArray
from wpoflow.core.compile import kernel

CLAMP, REFLECT, PERIODIC = 0, 1, 2


@kernel(parallel=True)
def locate(
    f: FloatArray,
    nodes: FloatArray,
    lower: float,
    upper: float,
    rule: int,
    stride: int,
    axis: int,
    base: IndexArray,
    fraction: FloatArray,
) -> None:
    """Add stride × (left node) to base[i, k]; set fraction[i, k, axis] in [0, 1].

    f (rows, A) is first brought into the box [lower, upper] by reflection (rule 1) or onto one
    period from the first node (rule 2), then onto the range of the nodes.
    """
    rows, actions = f.shape
    last = nodes.size - 1
    length = upper - lower
    for i in numba.prange(rows):
        for k in range(actions):
            y = f[i, k]
            if rule == 1 and (y < lower or y > upper):
                t = y - lower
                t -= 2.0 * length * math.floor(t / (2.0 * length))
                y = lower + (t if t <= length else 2.0 * length - t)
            elif rule == 2 and (y < nodes[0] or y > nodes[last]):
                y -= length * math.floor((y - nodes[0]) / length)
            y = min(max(y, nodes[0]), nodes[last])
            left, right = 0, last
            while right - left > 1:
                middle = (left + right) // 2
                if nodes[middle] <= y:
                    left = middle
                else:
                    right = middle
            base[i, k] += stride * left
            fraction[i, k, axis] = (y - nodes[left]) / (nodes[right] - nodes[left])
