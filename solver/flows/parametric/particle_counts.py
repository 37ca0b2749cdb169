"""Particles counted on cells.

A particle gives its share to the two nearest centres, along each axis, in proportion to its nearness, so that the mean
of the cell probabilities is that of the particles; between the outermost centre and the end of a box all of it goes to
that centre.  Axes are described by arrays one axis after another, as `solver.flows.parametric.particles` makes them.
"""

from __future__ import annotations

import numba
import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray, IntArray
from wpoflow.core.compile import kernel
from wpoflow.solver.arithmetic.sums import plus
from wpoflow.solver.flows.parametric.particle_places import between


@kernel(parallel=True, largest=0)
def count_particles(
    particles: FloatArray,
    sizes: IntArray,
    strides: IntArray,
    centres: FloatArray,
    inverses: FloatArray,
    circles: BoolArray,
    lengths: FloatArray,
    out: FloatArray,
) -> None:
    """Cell probabilities (S, A) of particles (S, N d); the axes as `move_particles` takes them."""
    states, numbers, dim = particles.shape[0], particles.shape[1], sizes.size
    each = dim / numbers
    for i in numba.prange(states):
        row, p = particles[i], out[i]
        for k in range(p.size):
            p[k] = 0.0
        if dim == 1:
            _count_on_line(row, centres, inverses[0, 0], circles[0], lengths[0], p)
        else:
            _count_in_box(row, sizes, strides, centres, inverses, circles, lengths, p)
        for k in range(p.size):
            p[k] *= each


@kernel()
def _count_on_line(
    row: FloatArray, centres: FloatArray, inverse: float, circle: bool, length: float, p: FloatArray
) -> None:
    """Add the particles of one state on one axis."""
    n = centres.size
    for j in range(np.uintp(row.size)):
        k, share = between(row[j], centres, inverse, circle, length)
        share = max(0.0, min(1.0, share))
        p[k] += 1.0 - share
        p[(k + 1) % n] += share


@kernel()
def _count_in_box(
    row: FloatArray,
    sizes: IntArray,
    strides: IntArray,
    centres: FloatArray,
    inverses: FloatArray,
    circles: BoolArray,
    lengths: FloatArray,
    p: FloatArray,
) -> None:
    """Add the particles of one state on several axes."""
    dim = sizes.size
    shares, places = np.empty(dim), np.empty(dim, dtype=np.int64)
    for first in range(0, row.size, dim):
        at = 0
        for axis in range(dim):
            n = sizes[axis]
            spot, share = between(
                row[first + axis], centres[at : at + n], inverses[axis, 0], circles[axis], lengths[axis]
            )
            places[axis], shares[axis] = spot, max(0.0, min(1.0, share))
            at += n
        for corner in range(1 << dim):
            weight, index = 1.0, 0
            for axis in range(dim):
                upper = (corner >> axis) & 1
                weight *= shares[axis] if upper else 1.0 - shares[axis]
                index += (places[axis] + upper) % sizes[axis] * strides[axis]
            p[index] += weight


@kernel(parallel=True, largest=0)
def spread_cells(p: FloatArray, rows: FloatArray, n: int, stride: int) -> None:
    """Multiply cell probabilities (S, A) by a stochastic matrix (n, n) along one axis, in place."""
    for i in numba.prange(p.shape[0]):
        line = np.empty(n)
        for outer in range(p.shape[1] // (n * stride)):
            for inner in range(stride):
                first = outer * n * stride + inner
                for k in range(n):
                    line[k] = p[i, first + k * stride]
                    p[i, first + k * stride] = 0.0
                for k in range(n):
                    if line[k] != 0.0:
                        for other in range(n):
                            p[i, first + other * stride] += line[k] * rows[k, other]


@kernel(parallel=True, largest=0)
def particle_moments(particles: FloatArray, mean: FloatArray, covariance: FloatArray) -> None:
    """Fill means (S, d) and covariances (S, d d), sums over N divided by N, of particles (S, N d)."""
    dim = mean.shape[1]
    count = particles.shape[1] // dim
    for i in numba.prange(particles.shape[0]):
        row = particles[i]
        for a in range(dim):
            total = 0.0
            for j in range(count):
                total = plus(total, row[j * dim + a])
            mean[i, a] = total / count
        for a in range(dim):
            for b in range(dim):
                total = 0.0
                for j in range(count):
                    total = plus(total, (row[j * dim + a] - mean[i, a]) * (row[j * dim + b] - mean[i, b]))
                covariance[i, a * dim + b] = total / count
