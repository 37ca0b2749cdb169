"""Gaussians on cells by other means than the solver's: complex distribution functions, derivatives by complex steps.

    d p/d theta = Im p(theta + i h)/h,     h = 1e-40

is exact to rounding, as nothing is subtracted (Squire & Trapp 1998, doi:10.1137/S003614459631241X), and knows nothing
of how p depends on theta: p is written down once, from `scipy.special.erfc` of complex numbers.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import erfc

from wpoflow.core.arrays import AnyArray, FloatArray
from wpoflow.grids.grid import Grid
from wpoflow.solver.flows.parametric.moments import Members

STEP = 1e-40


def _between(edges: AnyArray) -> AnyArray:
    """Probabilities of the intervals between standardised edges (n + 1,), from the nearer tail."""
    above = edges[:-1].real + edges[1:].real > 0.0
    upper = 0.5 * erfc(edges / np.sqrt(2.0))
    lower = 0.5 * erfc(-edges / np.sqrt(2.0))
    return np.asarray(np.where(above, upper[:-1] - upper[1:], lower[1:] - lower[:-1]))


def gaussian_cells(actions: Grid, mean: AnyArray, covariance: AnyArray) -> AnyArray:
    """p (A,) of one Gaussian, (d,) and (d, d), which may be complex."""
    scale = [np.sqrt(covariance[j, j]) for j in range(actions.dim)]
    margins = [_between((axis.edges - mean[j]) / scale[j]) for j, axis in enumerate(actions.axes)]
    product = margins[0]
    for margin in margins[1:]:
        product = np.multiply.outer(product, margin)
    product = product.ravel()
    if actions.dim > 1:
        x = actions.points - mean
        coupling = np.linalg.inv(covariance) - np.diag(1.0 / np.diag(covariance))
        exponent = -0.5 * np.einsum("ki,ij,kj->k", x, coupling, x)
        product = product * np.exp(exponent - exponent.real.max())
    return np.asarray(product / product.sum())


def member_slopes(
    actions: Grid, members: Members, state: int, member: int
) -> Iterator[tuple[tuple[int, ...], FloatArray]]:
    """Derivatives (A,) of one member's cells in each entry of its mean, (j,), and of its covariance, (i, j), i >= j.

    Of two entries of a covariance that are one number, both are moved.
    """
    mean = members.mean[state, member].astype(complex)
    covariance = members.covariance[state, member].astype(complex)
    for j in range(actions.dim):
        moved = mean.copy()
        moved[j] += 1j * STEP
        yield (j,), gaussian_cells(actions, moved, covariance).imag / STEP
    for i in range(actions.dim):
        for j in range(i + 1):
            other = covariance.copy()
            other[i, j] += 1j * STEP
            if i != j:
                other[j, i] += 1j * STEP
            yield (i, j), gaussian_cells(actions, mean, other).imag / STEP


def mixture_cells(actions: Grid, members: Members, state: int) -> tuple[FloatArray, FloatArray]:
    """Cells (K, A) of all members of a state, and p (A,) of the mixture."""
    each = np.array(
        [
            gaussian_cells(actions, mean, covariance).real
            for mean, covariance in zip(members.mean[state], members.covariance[state], strict=True)
        ]
    )
    return each, members.weight[state] @ each


def mass_outside(actions: Grid, members: Members) -> FloatArray:
    """What the Gaussians of a state have beyond the box, the sum of their marginals', weighted, (S,)."""
    beyond = np.zeros_like(members.weight)
    for j, axis in enumerate(actions.axes):
        mean, scale = members.mean[..., j], np.sqrt(2.0 * members.covariance[..., j, j])
        beyond += 0.5 * (erfc((axis.upper - mean) / scale) + erfc((mean - axis.lower) / scale))
    return np.asarray((members.weight * beyond).sum(axis=1))


def squared_gradient(actions: Grid, members: Members, state: int, delta: FloatArray, beta: float) -> float:
    """|grad|^2 of a state's cost in the metric of its mixture: what the flow loses of it per unit of time.

    ``delta`` (A,) is Q + tau ln(p/m); zero where p is.
    """
    each, p = mixture_cells(actions, members, state)
    total = 0.0
    for member, weight in enumerate(members.weight[state]):
        covariance = members.covariance[state, member]
        gradient = np.zeros_like(covariance)
        square = 0.0
        centred = delta - each[member] @ delta
        for place, slope in member_slopes(actions, members, state, member):
            found = float(slope @ centred)
            if len(place) == 1:
                square += found * found
            else:
                gradient[place] = gradient[place[::-1]] = found if place[0] == place[1] else 0.5 * found
        square += 4.0 * float(np.trace(gradient @ covariance @ gradient))
        growth = beta * float((each[member] - p) @ delta) ** 2 if len(each) > 1 else 0.0
        total += float(weight) * (square + growth)
    return total


def _frozen_velocity(
    actions: Grid, numbers: FloatArray, q: FloatArray, temperature: float, log_mass: FloatArray
) -> FloatArray:
    """dm/dt and the lower entries of dC/dt of one Gaussian by these numbers of its own, with Q (A,) frozen."""
    dim = actions.dim
    rows, columns = np.tril_indices(dim)
    mean, covariance, gradient = numbers[:dim], np.empty((dim, dim)), np.empty((dim, dim))
    covariance[rows, columns] = covariance[columns, rows] = numbers[dim:]
    p = gaussian_cells(actions, mean, covariance).real
    delta = np.where(p > 0.0, q + temperature * (np.log(np.where(p > 0.0, p, 1.0)) - log_mass), 0.0)
    delta = delta - p @ delta
    out = np.empty(dim)
    alone = Members(np.ones((1, 1)), mean[None, None], covariance[None, None])
    for place, slope in member_slopes(actions, alone, 0, 0):
        found = float(slope @ delta)
        if len(place) == 1:
            out[place] = -found
        else:
            gradient[place] = gradient[place[::-1]] = found if place[0] == place[1] else 0.5 * found
    moved = -2.0 * (gradient @ covariance + covariance @ gradient)
    return np.concatenate([out, moved[rows, columns]])


def least_rate(
    actions: Grid, mean: FloatArray, covariance: FloatArray, q: FloatArray, temperature: float, log_mass: FloatArray
) -> float:
    """Least eigenvalue of the flow of one Gaussian, (d,) and (d, d), linearised where it rests, with Q (A,) frozen.

    Its velocity is differentiated by central differences: it is known to rounding.
    """
    rows, columns = np.tril_indices(actions.dim)
    numbers = np.concatenate([mean, covariance[rows, columns]])
    deviation = np.sqrt(np.diag(covariance))
    scales = np.concatenate([deviation, deviation[rows] * deviation[columns]])
    system = np.empty((numbers.size, numbers.size))
    for j, scale in enumerate(scales):
        ends = [numbers + sign * 1e-4 * scale * np.eye(numbers.size)[j] for sign in (1.0, -1.0)]
        ahead, behind = (_frozen_velocity(actions, end, q, temperature, log_mass) for end in ends)
        system[:, j] = (ahead - behind) / (2e-4 * scale)
    return float(-np.linalg.eigvals(system).real.max())
