"""Generators on small action grids for the tests of the constants."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis, edges_axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.validation.constants.generators import Generators


def chain(axes: tuple[Axis, ...], q: FloatArray, temperature: float = 1.0) -> Generators:
    """Generators for Q of shape (S, A) and the uniform reference measure."""
    grid = Grid(tuple(replace(axis, name=f"a{k}") for k, axis in enumerate(axes)))
    return Generators(grid, np.atleast_2d(q), np.log(grid.volumes / grid.volumes.sum()), temperature)


def unit_cells(n: int, boundary: str = "no-flux") -> Axis:
    """An axis of n cells of width one."""
    return uniform_axis("a", 0.0, float(n), n, boundary)


def alternating(n: int) -> Axis:
    """Cells of width one and one third in turn."""
    return edges_axis("a", np.concatenate([[0.0], np.cumsum(np.where(np.arange(n) % 2 == 0, 1.0, 1.0 / 3.0))]))


def rough(axes: tuple[Axis, ...], states: int, size: float, seed: int, temperature: float = 1.0) -> Generators:
    """Independent normal Q in every cell."""
    draws = np.random.default_rng(seed).normal(size=(states, math.prod(axis.size for axis in axes)))
    return chain(axes, size * draws, temperature)


def dense(generators: Generators, state: int) -> FloatArray:
    """-L_g made symmetric by sqrt(g), as a matrix (A, A)."""
    rates, faces = generators.rates, generators.faces
    n = generators.actions.size
    out = np.zeros((n, n))
    for f, (a, b) in enumerate(zip(faces.here, faces.there, strict=True)):
        forward, backward = rates.right[state, f], rates.left[state, f]
        out[a, a] += forward
        out[b, b] += backward
        out[a, b] -= np.sqrt(forward * backward)
        out[b, a] -= np.sqrt(forward * backward)
    return out
