"""Particles moved by Langevin's equation, in the way of Euler and Maruyama.

    dA = -grad(Q + tau U)(A) dt + sqrt(2 tau) dB,     U = -ln(dmu/da),     in a box that reflects, or on a circle.

Along its axis the gradient of Phi = Q + tau U is known where two neighbouring cells have their middle between them: the
difference of their values over the distance of their centres, exact for a quadratic Phi.  In between it is interpolated
linearly, along the other axes between centres; towards the ends of a box it goes on linearly.

Axes are described by arrays one axis after another, as `solver.flows.parametric.particles` makes them.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray, IntArray
from wpoflow.core.compile import kernel
from wpoflow.solver.arithmetic.lines import PARTS
from wpoflow.solver.arithmetic.philox import WORDS, normals
from wpoflow.solver.flows.parametric.particle_places import around, between, folded, place

MOST_AXES = 8


@kernel()
def _slopes(
    q: FloatArray,
    potential: FloatArray,
    sizes: IntArray,
    strides: IntArray,
    centres: FloatArray,
    nodes: FloatArray,
    circles: BoolArray,
    lengths: FloatArray,
    out: FloatArray,
) -> None:
    """The derivatives of Q + tau U of one state along each axis at its nodes, (d, most nodes in all)."""
    cells, at, node = q.size, 0, 0
    for axis in range(sizes.size):
        n, stride = sizes[axis], strides[axis]
        c, x, slope = centres[at : at + n], nodes[node : node + n + 1], out[axis]
        for outer in range(cells // (n * stride)):
            for inner in range(stride):
                first, target = outer * n * stride + inner, outer * (n + 1) * stride + inner
                for k in range(1, n):
                    one, other = first + (k - 1) * stride, first + k * stride
                    rise = (q[other] - q[one]) + (potential[other] - potential[one])
                    slope[target + k * stride] = rise / (c[k] - c[k - 1])
                left, right = target, target + n * stride
                if n == 1:
                    slope[left], slope[right] = 0.0, 0.0
                elif circles[axis]:
                    last = first + (n - 1) * stride
                    rise = (q[first] - q[last]) + (potential[first] - potential[last])
                    slope[left] = rise / (lengths[axis] - (c[n - 1] - c[0]))
                    slope[right] = slope[left]
                elif n == 2:
                    slope[left], slope[right] = slope[left + stride], slope[left + stride]
                else:
                    near, next_ = slope[left + stride], slope[left + 2 * stride]
                    slope[left] = near + (near - next_) * ((x[1] - x[0]) / (x[2] - x[1]))
                    near, next_ = slope[right - stride], slope[right - 2 * stride]
                    slope[right] = near + (near - next_) * ((x[n] - x[n - 1]) / (x[n - 1] - x[n - 2]))
        at, node = at + n, node + n + 1


@kernel(parallel=True, largest=0)
def move_particles(
    particles: FloatArray,
    q: FloatArray,
    potential: FloatArray,
    temperature: float,
    dt: float,
    sizes: IntArray,
    strides: IntArray,
    centres: FloatArray,
    nodes: FloatArray,
    inverses: FloatArray,
    circles: BoolArray,
    lows: FloatArray,
    lengths: FloatArray,
    seed: int,
    number: int,
    first_stream: int,
    shared: bool,
    out: FloatArray,
) -> None:
    """One step of Euler and Maruyama.

    Parameters
    ----------
    particles, out : arrays (S, N d)
        Before and after; may be the same.
    q : array (S, A)
    potential : array (A,)
        tau U.
    temperature, dt : float
    sizes, strides, centres, nodes, inverses, circles, lows, lengths
        Of the axes; ``inverses`` (d, 2) of centres and nodes, as `place` takes them.
    seed, number, first_stream : int
        The random numbers of the first state are stream ``first_stream`` of step ``number``, those of others follow.
    shared : bool
        Whether all states have stream zero.
    """
    states, numbers, dim = particles.shape[0], particles.shape[1], sizes.size
    scale = math.sqrt(2.0 * temperature * dt)
    most = 0
    for axis in range(dim):
        most = max(most, q.shape[1] // sizes[axis] * (sizes[axis] + 1))
    parts = min(PARTS, states)
    for part in numba.prange(parts):
        slopes, noise = np.empty((dim, most)), np.empty(numbers)
        blocks = np.empty((WORDS, (numbers + WORDS - 1) // WORDS))
        work = np.empty((3, MOST_AXES))
        places = np.empty((2, MOST_AXES), dtype=np.int64)
        if shared:
            normals(seed, number, 0, blocks, noise)
        for i in range(part * states // parts, (part + 1) * states // parts):
            _slopes(q[i], potential, sizes, strides, centres, nodes, circles, lengths, slopes)
            if not shared:
                normals(seed, number, first_stream + i, blocks, noise)
            if dim == 1:
                _move_on_line(
                    particles[i],
                    noise,
                    slopes[0],
                    nodes,
                    inverses[0, 1],
                    circles[0],
                    lows[0],
                    lengths[0],
                    dt,
                    scale,
                    out[i],
                )
            else:
                _move_in_box(
                    particles[i],
                    noise,
                    slopes,
                    sizes,
                    strides,
                    centres,
                    nodes,
                    inverses,
                    circles,
                    lows,
                    lengths,
                    dt,
                    scale,
                    work,
                    places,
                    out[i],
                )


@kernel()
def _move_on_line(
    row: FloatArray,
    noise: FloatArray,
    slopes: FloatArray,
    nodes: FloatArray,
    inverse: float,
    circle: bool,
    low: float,
    length: float,
    dt: float,
    scale: float,
    out: FloatArray,
) -> None:
    """Move the particles of one state on one axis."""
    for j in range(np.uintp(row.size)):
        x = row[j]
        at = around(x, nodes, length) if circle else x
        k = place(at, nodes, inverse)
        share = (at - nodes[k]) / (nodes[k + 1] - nodes[k])
        slope = slopes[k] + share * (slopes[k + 1] - slopes[k])
        out[j] = folded(x - dt * slope + scale * noise[j], low, length, circle)


@kernel()
def _move_in_box(
    row: FloatArray,
    noise: FloatArray,
    slopes: FloatArray,
    sizes: IntArray,
    strides: IntArray,
    centres: FloatArray,
    nodes: FloatArray,
    inverses: FloatArray,
    circles: BoolArray,
    lows: FloatArray,
    lengths: FloatArray,
    dt: float,
    scale: float,
    work: FloatArray,
    places: IntArray,
    out: FloatArray,
) -> None:
    """Move the particles of one state on several axes."""
    dim = sizes.size
    near, along, moved = work[0], work[1], work[2]
    for first in range(0, row.size, dim):
        at, node = 0, 0
        for axis in range(dim):
            n, x = sizes[axis], row[first + axis]
            c, edge = centres[at : at + n], nodes[node : node + n + 1]
            y = around(x, edge, lengths[axis]) if circles[axis] else x
            places[1, axis] = place(y, edge, inverses[axis, 1])
            along[axis] = (y - edge[places[1, axis]]) / (edge[places[1, axis] + 1] - edge[places[1, axis]])
            places[0, axis], near[axis] = between(x, c, inverses[axis, 0], circles[axis], lengths[axis])
            at, node = at + n, node + n + 1
        for axis in range(dim):
            slope = 0.0
            for corner in range(1 << dim):
                weight, index = 1.0, 0
                for other in range(dim):
                    upper = (corner >> other) & 1
                    if other == axis:
                        share, spot, stride = along[other], places[1, other] + upper, strides[other]
                    else:
                        share, spot, stride = near[other], (places[0, other] + upper) % sizes[other], strides[other]
                        if other < axis:
                            stride = strides[other] // sizes[axis] * (sizes[axis] + 1)
                    weight *= share if upper else 1.0 - share
                    index += spot * stride
                slope += weight * slopes[axis, index]
            moved[axis] = row[first + axis] - dt * slope + scale * noise[first + axis]
        for axis in range(dim):
            out[first + axis] = folded(moved[axis], lows[axis], lengths[axis], circles[axis])
