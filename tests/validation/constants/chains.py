"""Small chains with chosen potentials, their dense spectral gaps, and a plain minimiser for the log-Sobolev constant.

All of it is independent of the code under test: dense matrices, and SciPy's optimiser on ln x with its own gradient.
Only for laws spanning less than about 1e12, where ordinary arithmetic will do.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis, edges_axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.validation.constants.generators import Faces, Generators

RANGE = 60.0


def axis_of(widths: FloatArray, name: str = "a", *, periodic: bool = False) -> Axis:
    edges = np.concatenate(([0.0], np.cumsum(widths)))
    return edges_axis(name, edges - 0.5 * edges[-1], "periodic" if periodic else "no-flux")


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


def chains(axes: tuple[Axis, ...], potential: FloatArray, temperature: float = 1.0) -> Generators:
    """Generators with Gibbs densities exp(-potential), potential (A,) or (S, A)."""
    return chain(axes, temperature * np.atleast_2d(potential), temperature)


def unit_chain(cells: int, *, periodic: bool = False) -> Generators:
    """All rates one."""
    return chain((unit_cells(cells, "periodic" if periodic else "no-flux"),), np.zeros(cells))


def spectrum(generators: Generators) -> tuple[FloatArray, FloatArray]:
    """Eigenvalues of -L of the first state, and eigenfunctions in its columns, constant first."""
    values, vectors = np.linalg.eigh(dense(generators, 0))
    return values, vectors / np.exp(0.5 * generators.rates.log_gibbs[0])[:, None]


def log_ratio(
    f: FloatArray, law: FloatArray, conductance: FloatArray, faces: Faces, gap: float
) -> tuple[float, FloatArray]:
    """ln(D/(2 Ent)) at x = e^f, and its gradient; where f is nearly constant and it rounds, its limit lambda."""
    if np.ptp(f) < 1e-4:
        return float(np.log(gap)), np.zeros_like(f)
    f = f - np.log(np.sum(law * np.exp(f)))
    x = np.exp(f)
    step_f, step_x = f[faces.there] - f[faces.here], x[faces.there] - x[faces.here]
    dissipation = np.sum(conductance * step_x * step_f)
    # x ln x - x + 1, by its series where it would cancel
    entropy = np.sum(law * np.where(np.abs(f) < 1e-3, f * f * (0.5 + f * (1.0 / 3.0 + f / 8.0)), x * f - x + 1.0))
    gradient = -law * x * f / entropy
    forward, backward = (conductance * (x[side] * step_f + step_x) for side in (faces.there, faces.here))
    gradient += np.bincount(faces.there, forward, f.size) / dissipation
    gradient -= np.bincount(faces.here, backward, f.size) / dissipation
    return float(np.log(dissipation / (2.0 * entropy))), gradient


def minimised_alpha(generators: Generators) -> float:
    """An upper bound of alpha of the first state: several starts, and lambda as the limit of small f."""
    values, vectors = spectrum(generators)
    least = float(values[1])
    rates = generators.rates
    law, conductance = np.exp(rates.log_gibbs[0]), np.exp(rates.log_conductance[0])
    slow = vectors[:, 1] / np.sqrt(law @ vectors[:, 1] ** 2)
    starts = [np.asarray(sign * 2.5 * np.clip(slow, -4.0, 4.0)) for sign in (-1.0, 1.0)]
    starts += [np.asarray(4.0 * (np.arange(law.size) == k)) for k in np.argsort(law)[:2]]
    for start in starts:
        arguments, box = (law, conductance, generators.faces, values[1]), [(-RANGE, RANGE)] * law.size
        found = minimize(log_ratio, start, args=arguments, jac=True, method="L-BFGS-B", bounds=box)
        least = min(least, float(np.exp(found.fun)))
    return least
