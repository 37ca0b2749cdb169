"""Particles by plain NumPy and SciPy: draws, a step, and counts, from words of `numpy.random.Philox`.

Nothing is shared with `solver.flows.parametric`: slopes are interpolated by SciPy on a grid with copies of a circle
before and behind it, ends reflect by a remainder, and cells are counted by hat functions.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import RegularGridInterpolator
from scipy.stats import norm

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis
from wpoflow.grids.grid import Grid

WORDS = 4
REACH = 8  # periods on either side, of images of a kernel


def words(seed: int, step: int, stream: int, count: int) -> FloatArray:
    """The first ``count`` uniform numbers of a stream: 52 bits of each word of the counters (k, stream, 0, 0)."""
    blocks = -(-count // WORDS)
    before = (np.uint64(2**64 - 1), np.uint64(stream - 1 if stream else 2**64 - 1))  # NumPy counts before it draws
    rest = np.uint64(0 if stream else 2**64 - 1)
    generator = np.random.Philox(
        counter=np.array([*before, rest, rest], dtype=np.uint64), key=np.array([seed, step], dtype=np.uint64)
    )
    found = generator.random_raw(WORDS * blocks)[:count]
    return np.asarray((found >> np.uint64(12)).astype(np.float64) * 2.0**-52)


def normal_numbers(seed: int, step: int, stream: int, count: int) -> FloatArray:
    """The first ``count`` standard normal numbers of a stream, by the method of Box and Muller."""
    uniform = words(seed, step, stream, WORDS * -(-count // WORDS))
    radius, angle = np.sqrt(-2.0 * np.log(1.0 - uniform[::2])), 2.0 * np.pi * uniform[1::2]
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]).ravel()[:count]


def slopes_at(grid: Grid, potential: FloatArray, x: FloatArray, along: int) -> FloatArray:
    """The derivative of cell values (A,) along one axis at places (N, d): differences, interpolated linearly, (N,)."""
    axis = grid.axes[along]
    if axis.size == 1:
        return np.zeros(len(x))
    values = potential.reshape(grid.shape)
    if axis.periodic:
        distance = np.append(np.diff(axis.points), axis.points[0] + axis.length - axis.points[-1])
        rise, middle = np.roll(values, -1, axis=along) - values, axis.points + 0.5 * distance
    else:
        distance, rise = np.diff(axis.points), np.diff(values, axis=along)
        middle = axis.points[:-1] + 0.5 * distance
    slopes = rise / distance.reshape([-1 if j == along else 1 for j in range(grid.dim)])
    places = []
    for j, other in enumerate(grid.axes):
        points, slopes = _continued(other, middle if j == along else other.points, slopes, j)
        places.append(points)
    return np.asarray(RegularGridInterpolator(places, slopes, bounds_error=False, fill_value=None)(x))


def _continued(axis: Axis, points: FloatArray, values: FloatArray, place: int) -> tuple[FloatArray, FloatArray]:
    """Points of an axis and values at them with those of a circle before and behind; two of them at least."""
    if axis.periodic:
        around = np.concatenate([points - axis.length, points, points + axis.length])
        return around, np.concatenate([values] * 3, axis=place)
    if points.size == 1:
        return np.array([points[0], points[0] + 1.0]), np.repeat(values, 2, axis=place)
    return points, values


def moved(
    grid: Grid, potential: FloatArray, x: FloatArray, noise: FloatArray, temperature: float, dt: float
) -> FloatArray:
    """Where particles (N, d) are after a step with these normal numbers (N, d); ``potential`` is Q + tau U, (A,)."""
    slopes = np.column_stack([slopes_at(grid, potential, x, j) for j in range(grid.dim)])
    free = x - dt * slopes + np.sqrt(2.0 * temperature * dt) * noise
    return np.column_stack([_back(axis, free[:, j]) for j, axis in enumerate(grid.axes)])


def _back(axis: Axis, x: FloatArray) -> FloatArray:
    y = x - axis.lower
    if axis.periodic:
        return np.asarray(axis.lower + y % axis.length)
    return np.asarray(axis.lower + np.abs((y + axis.length) % (2.0 * axis.length) - axis.length))


def distance(grid: Grid, x: FloatArray, y: FloatArray) -> float:
    """The largest distance of two sets of particles (N, d) along an axis, around a circle the shorter way."""
    apart = np.abs(x - y)
    lengths = np.array([axis.length if axis.periodic else np.inf for axis in grid.axes])
    return float(np.minimum(apart, np.abs(lengths - apart)).max())


def counted(grid: Grid, x: FloatArray) -> FloatArray:
    """Cell probabilities (A,) of particles (N, d): products of hat functions of the centres."""
    shares = np.ones((len(x), 1))
    for j, axis in enumerate(grid.axes):
        period = axis.length if axis.periodic else None
        hats = np.array([np.interp(x[:, j], axis.points, unit, period=period) for unit in np.eye(axis.size)])
        shares = np.einsum("nk,ln->nkl", shares, hats).reshape(len(x), -1)
    return np.asarray(shares.mean(axis=0))


def smoothed(grid: Grid, p: FloatArray, width: float) -> FloatArray:
    """Cell probabilities (A,) after a Gaussian kernel along every axis, reflected at ends, around circles."""
    out = p.reshape(grid.shape)
    for j, axis in enumerate(grid.axes):
        period = axis.length if axis.periodic else 2.0 * axis.length
        turns = np.arange(-REACH, REACH + 1) * period
        images = [axis.points] if axis.periodic else [axis.points, 2.0 * axis.lower - axis.points]
        places = np.concatenate([image + turn for image in images for turn in turns])
        masses = norm.cdf((axis.edges[1:, None] - places) / width) - norm.cdf((axis.edges[:-1, None] - places) / width)
        onto = masses.reshape(axis.size, -1, axis.size).sum(axis=1)  # (to, from)
        out = np.moveaxis(np.tensordot(onto, out, axes=(1, j)), 0, j)
    return np.asarray(out.ravel() / out.sum())


def drawn(grid: Grid, p: FloatArray, uniform: FloatArray) -> FloatArray:
    """Particles (N, d) of cell probabilities (A,) by uniform numbers (N, d): axis by axis, given the cells before."""
    out = np.empty_like(uniform)
    for place, numbers in zip(out, uniform, strict=True):
        left = p.reshape(grid.shape)
        for j, axis in enumerate(grid.axes):
            masses = left.reshape(axis.size, -1).sum(axis=1)
            law = np.append(0.0, np.cumsum(masses) / masses.sum())
            cell = min(int(np.searchsorted(law, numbers[j], side="right")) - 1, axis.size - 1)
            place[j] = axis.edges[cell] + (numbers[j] - law[cell]) / (law[cell + 1] - law[cell]) * (
                axis.edges[cell + 1] - axis.edges[cell]
            )
            left = left[cell]
    return out
