"""The generator of the Scharfetter–Gummel flow on one action axis, by our kernels: a fast right-hand side for peers.

(L p)_k = J_{k-1/2} - J_{k+1/2},     J_{k+1/2} = right_k p_k - left_k p_{k+1}
"""

from __future__ import annotations

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.compile import kernel
from wpoflow.solver.arithmetic.lines import block_sizes, load_lines, rises_of_lines, store_lines
from wpoflow.solver.flux.scharfetter_gummel import axis_rates_block


@kernel(parallel=True)
def apply_generator(
    p: FloatArray,
    q: FloatArray,
    log_density: FloatArray,
    widths: FloatArray,
    distances: FloatArray,
    temperature: float,
    out: FloatArray,
) -> None:
    """Set out to L p in every state; p, q, out (S, A) on one no-flux axis; log_density is ln(m/vol), (A,)."""
    n = widths.size
    lanes, blocks, parts = block_sizes(p.shape[0])
    flat_p, flat_q, flat_out = p.reshape(p.size), q.reshape(q.size), out.reshape(out.size)
    rises = rises_of_lines(log_density, n, n - 1, 1, lanes)
    for part in numba.prange(parts):
        space = np.empty((4, n * lanes))
        for block in range(part * blocks // parts, (part + 1) * blocks // parts):
            first = block * lanes
            width = min(lanes, p.shape[0] - first)
            shape, size = (n, width), n * width
            line, line_q = space[0, :size].reshape(shape), space[1, :size].reshape(shape)
            right, left = space[2, :size].reshape(shape), space[3, :size].reshape(shape)
            load_lines(flat_q, 1, first, line_q, 0, width)
            load_lines(flat_p, 1, first, line, 0, width)
            axis_rates_block(line_q, rises, 0, widths, distances, 1.0, temperature, right, left)
            for k in range(n - 1):
                for j in range(width):
                    right[k, j] = right[k, j] * line[k, j] - left[k, j] * line[k + 1, j]
            line[:] = 0.0
            line[1:] += right[: n - 1]
            line[: n - 1] -= right[: n - 1]
            store_lines(line, 0, width, 1, first, flat_out)
