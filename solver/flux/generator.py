"""The generator of the Scharfetter–Gummel flow applied to an array, one action axis at a time.

    (L p)_k = J_{k-1/2} - J_{k+1/2},     J_{k+1/2} = right_k p_k - left_k p_{k+1}

with the rates of `solver.flux.scharfetter_gummel`.  Fluxes are differenced: L p has mass zero up to rounding of the
fluxes, whatever the sign of p.
"""

from __future__ import annotations

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.compile import kernel
from wpoflow.solver.arithmetic.lines import block_sizes, load_lines, rises_of_lines, store_lines
from wpoflow.solver.flux.scharfetter_gummel import axis_rates_block


@kernel()
def apply_generator_block(right: FloatArray, left: FloatArray, p: FloatArray, faces: int) -> None:
    """Overwrite p (n, lanes) by L p, rates given by `axis_rates_block`; right is overwritten by the fluxes."""
    n, lanes = p.shape[0], np.uintp(p.shape[1])
    for k in range(faces):
        after = k + 1 if k + 1 < n else 0
        for j in range(lanes):
            right[k, j] = right[k, j] * p[k, j] - left[k, j] * p[after, j]
    for k in range(n):
        for j in range(lanes):
            p[k, j] = 0.0
        if k > 0 or faces == n:
            before = k - 1 if k > 0 else n - 1
            for j in range(lanes):
                p[k, j] += right[before, j]
        if k < faces:
            for j in range(lanes):
                p[k, j] -= right[k, j]


@kernel(parallel=True)
def apply_axis(
    p: FloatArray,
    q: FloatArray,
    log_density: FloatArray,
    widths: FloatArray,
    distances: FloatArray,
    stride: int,
    scale: float,
    temperature: float,
    add: bool,
    out: FloatArray,
) -> None:
    """out = scale L p, or out += scale L p, for the generator L of one action axis in every state.

    Parameters
    ----------
    p, q, out : arrays (S, A), C order
        p of any sign; ``out`` may be ``p`` where nothing is added.
    log_density : array (A,)
        ln(m/vol).
    widths, distances : arrays
        Of the axis; it is periodic if and only if there are as many distances as widths.
    stride : int
        Number of cells of all later axes together.
    scale : float
        Factor of L, of any sign.
    add : bool
        Whether ``out`` is added to.
    """
    n, faces = widths.size, distances.size
    lines = p.size // n
    per_state = log_density.size // n
    lanes, blocks, parts = block_sizes(lines)
    flat_p, flat_q, flat_out = p.reshape(p.size), q.reshape(q.size), out.reshape(out.size)
    rises = rises_of_lines(log_density, n, faces, stride, lanes)
    for part in numba.prange(parts):
        space = np.empty((4, n * lanes))
        for block in range(part * blocks // parts, (part + 1) * blocks // parts):
            first = block * lanes
            width = min(lanes, lines - first)
            shape, size = (n, width), n * width
            line, line_q = space[0, :size].reshape(shape), space[1, :size].reshape(shape)
            right, left = space[2, :size].reshape(shape), space[3, :size].reshape(shape)
            load_lines(flat_q, stride, first, line_q, 0, width)
            load_lines(flat_p, stride, first, line, 0, width)
            axis_rates_block(line_q, rises, first % per_state, widths, distances, scale, temperature, right, left)
            apply_generator_block(right, left, line, faces)
            if add:
                load_lines(flat_out, stride, first, line_q, 0, width)
                line += line_q
            store_lines(line, 0, width, stride, first, flat_out)
