"""Means and covariances of policies, and the numbers by which a flow of Gaussians follows them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.slabs import Slab
from wpoflow.grids.grid import Grid
from wpoflow.solver.mdp import GridMDP


def moments_of(mdp: GridMDP, policy: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Means (S, d) and covariances (S, d, d) of cell probabilities (S, A), taken at the centres of cells.

    Raises
    ------
    ValueError
        All mass of a state is in one cell of an axis of more than one; names both.
    """
    points = mdp.actions.points
    mean = policy @ points
    covariance = np.empty((policy.shape[0], mdp.actions.dim, mdp.actions.dim))
    for i in range(mdp.actions.dim):
        for j in range(i + 1):
            product = np.einsum(
                "ik,ik->i", policy, (points[:, i] - mean[:, i, None]) * (points[:, j] - mean[:, j, None])
            )
            covariance[:, i, j] = covariance[:, j, i] = product
    for j, axis in enumerate(mdp.actions.axes):
        if axis.size == 1:  # within which nothing can be told apart, and a Gaussian be anything
            covariance[:, j, j] = axis.length**2 / 12.0
    return mean, covariance


def gaussians(states: Grid, slab: Slab, mean: FloatArray, covariance: FloatArray) -> FloatArray:
    """Numbers (S, P) of Gaussians, as `solver.flows.parametric.gaussian_cells` has them.

    Raises
    ------
    ValueError
        A covariance is not positive definite; names the state.
    """
    dim = mean.shape[1]
    factor = np.zeros_like(covariance)
    for j in range(dim):  # Cholesky, of all states at once
        for i in range(j, dim):
            rest = covariance[:, i, j] - np.einsum("sk,sk->s", factor[:, i, :j], factor[:, j, :j])
            if i == j:
                _refuse_degenerate(states, slab, rest, covariance)
                factor[:, j, j] = np.sqrt(rest)
            else:
                factor[:, i, j] = rest / factor[:, j, j]
    return numbers_of(mean, factor)


def _refuse_degenerate(states: Grid, slab: Slab, rest: FloatArray, covariance: FloatArray) -> None:
    """Raise ValueError, naming the state, where a pivot (S,) of a covariance is not positive, to rounding."""
    scale = np.einsum("sjj->s", np.abs(covariance))
    wrong = ~((rest > 8.0 * np.finfo(np.float64).eps * scale) & np.isfinite(rest))
    if np.any(wrong):
        row = int(np.argmax(wrong))
        state = slab.start + row
        entries = ", ".join(f"{number:.6g}" for number in covariance[row].ravel())
        place = f"state {state} ({states.describe(state)})" if states.dim else "the one state"
        raise ValueError(f"policy_covariance at {place} is not positive definite: {entries}")


def action_cells(actions: Grid) -> tuple[IntArray, FloatArray, FloatArray]:
    """Sizes, edges and centres of all action axes, one axis after another, as kernels take them."""
    axes = actions.axes
    sizes = np.array([axis.size for axis in axes], dtype=np.int64)
    centres = [0.5 * (axis.edges[1:] + axis.edges[:-1]) for axis in axes]
    return sizes, np.concatenate([axis.edges for axis in axes]), np.concatenate(centres)


def numbers_of(mean: FloatArray, factor: FloatArray) -> FloatArray:
    """Numbers (S, P) of means (S, d) and of triangles L (S, d, d), C = L L'."""
    dim = mean.shape[1]
    rows, columns = np.tril_indices(dim)
    packed = factor[:, rows, columns]
    diagonal = rows == columns
    packed[:, diagonal] = np.log(packed[:, diagonal])
    return np.concatenate([mean, packed], axis=1)


def triangles(numbers: FloatArray, dim: int) -> FloatArray:
    """L (S, d, d) of Gaussians by their numbers (S, P)."""
    rows, columns = np.tril_indices(dim)
    factor = np.zeros((numbers.shape[0], dim, dim))
    packed = np.array(numbers[:, dim : dim + rows.size])
    diagonal = rows == columns
    packed[:, diagonal] = np.exp(packed[:, diagonal])
    factor[:, rows, columns] = packed
    return factor


def parameter_count(members: int, dim: int) -> int:
    """P: how many numbers a state has."""
    return members * (dim + dim * (dim + 1) // 2) + (members if members > 1 else 0)


class Members(NamedTuple):
    """Gaussians of mixtures: weights (S, K), means (S, K, d), covariances (S, K, d, d)."""

    weight: FloatArray
    mean: FloatArray
    covariance: FloatArray

    def moments(self) -> tuple[FloatArray, FloatArray]:
        """Means (S, d) and covariances (S, d, d) of the mixtures."""
        mean = np.einsum("sc,scj->sj", self.weight, self.mean)
        apart = self.mean - mean[:, None]
        total = np.einsum("sc,scij->sij", self.weight, self.covariance + apart[..., :, None] * apart[..., None, :])
        return mean, total


def members_of(numbers: FloatArray, members: int, dim: int) -> Members:
    """The Gaussians of mixtures by their numbers (S, P)."""
    size = dim + dim * (dim + 1) // 2
    states = numbers.shape[0]
    blocks = numbers[:, : members * size].reshape(states * members, size)
    factor = triangles(blocks, dim)
    weight = np.ones((states, 1))
    if members > 1:
        logs = numbers[:, members * size :]
        weight = np.exp(logs - logs.max(axis=1, keepdims=True))
        weight /= weight.sum(axis=1, keepdims=True)
    product = factor @ factor.transpose(0, 2, 1)
    covariance = (0.5 * (product + product.transpose(0, 2, 1))).reshape(states, members, dim, dim)
    return Members(weight, blocks[:, :dim].reshape(states, members, dim), covariance)


def spread_out(mean: FloatArray, covariance: FloatArray, members: int) -> Members:
    """K Gaussians of equal weights whose mixture has a mean and a covariance, apart from each other.

    Their means stand along the longest principal axis, at the normal quantiles (c + 1/2)/K; all have the covariance
    that is left, which is positive definite as the variance of these quantiles is less than one.
    """
    states, dim = mean.shape
    lengths, directions = np.linalg.eigh(covariance)
    along = directions[:, :, -1]
    largest = np.abs(along).argmax(axis=1)
    along = along * np.sign(along[np.arange(states), largest])[:, None]  # the same side in all states
    places = ndtri((np.arange(members) + 0.5) / members)
    means = mean[:, None] + places[:, None] * (np.sqrt(lengths[:, -1, None]) * along)[:, None]
    taken = np.mean(places**2) * lengths[:, -1, None, None] * along[:, :, None] * along[:, None, :]
    each = np.broadcast_to((covariance - taken)[:, None], (states, members, dim, dim))
    return Members(np.full((states, members), 1.0 / members), means, each)
