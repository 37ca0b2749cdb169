"""Every series of a run that depends on one policy, and its optimum's arrays, by their definitions."""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.independent.generator import Frozen, Geometry
from wpoflow.validation.independent.growth import variance
from wpoflow.validation.independent.policy import PolicyValues, relative_entropy


def soft_optimal(mdp: GridMDP, value: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(Q, ln of its Gibbs policy, T V) of a value, by logarithms of sums of exponentials: (S, A), (S, A), (S,)."""
    q = mdp.cost + mdp.discount * mdp.transition.expect(value)
    exponent = np.log(mdp.reference_mass) - q / mdp.temperature
    top = exponent.max(axis=1, keepdims=True)
    total = top + np.log(np.exp(exponent - top).sum(axis=1, keepdims=True))
    return q, exponent - total, -mdp.temperature * total[:, 0]


def recomputed_series(
    mdp: GridMDP,
    geometry: Geometry,
    policy: FloatArray,
    best_log: FloatArray,
    best_occupancy: FloatArray,
    weights: tuple[float, float] = (1.0, 0.0),
) -> tuple[dict[str, float], PolicyValues]:
    """The series of one policy by name, and its values.

    Parameters
    ----------
    mdp : GridMDP
    geometry : Geometry
        Of its action axes.
    policy : array (S, A)
    best_log : array (S, A)
        ln p*.
    best_occupancy : array (S,)
        d*.
    weights : pair of float
        Of transport and of growth in the flow.
    """
    now = PolicyValues(mdp, policy)
    frozen = Frozen.of(geometry, now.q, mdp.reference_mass, mdp.temperature)
    to_best = relative_entropy(policy, best_log)
    left = now.solve(mdp.temperature * to_best)
    horizon = 1.0 / (1.0 - mdp.discount)
    gap = float(mdp.rho @ left)
    transport, growth = weights
    lost = growth * variance(mdp, policy, now.q)
    if transport:  # which may be infinite
        lost = lost + transport * frozen.dissipation(policy)
    met = now.occupancy > 0.0
    dissipation = horizon * float((now.occupancy[met] * lost[met]).sum())
    density = policy / mdp.reference_mass
    counted, reached = mdp.counted, best_occupancy > 0.0
    clamped = mdp.transition.clamped
    moved = 0.0 if clamped is None else float((now.occupancy[:, None] * policy * clamped).sum())
    ratio = best_occupancy[reached] / np.maximum(now.occupancy[reached], np.finfo(np.float64).tiny)
    found = {
        "value_rho": float(mdp.rho @ now.value),
        "gap": gap,
        "gap_sup": float(left[counted].max()),
        "dissipation": dissipation,
        "rate_observed": dissipation / gap if gap > 0.0 else np.nan,
        "kl_sup": float(to_best[counted].max()),
        "occupancy_ratio": float(ratio.max()),
        "bellman_residual": mdp.temperature * float(relative_entropy(policy, frozen.log_g)[counted].max()),
        "entropy": float(now.occupancy @ now.to_reference),
        "mass_error": float(np.abs(policy.sum(axis=1) - 1.0).max()),
        "density_min": float(density.min()),
        "density_max": float(density[counted].max()),
        "end_mass": float(np.where(geometry.at_end, policy, 0.0).sum(axis=1)[counted].max()),
        "clamped_mass": moved,
        "temperature": mdp.temperature,
        "cost_rho": horizon * float(now.occupancy @ (policy * mdp.cost).sum(axis=1)),
    }
    return found | _slopes(mdp, geometry, policy[counted], now.q[counted]), now


def _slopes(mdp: GridMDP, geometry: Geometry, policy: FloatArray, q: FloatArray) -> dict[str, float]:
    """score_max, q_slope_max, q_curvature_max from differences over the faces of each axis."""
    with np.errstate(all="ignore"):
        log_density = np.where(policy > 0.0, np.log(policy) - np.log(mdp.reference_mass), np.nan)
    score = slope = curvature = 0.0
    for j, axis in enumerate(mdp.actions.axes):
        faces = geometry.axis == j
        here, there, distance = geometry.here[faces], geometry.there[faces], geometry.distance[faces]
        if not here.size:
            continue
        scores = np.abs(log_density[:, there] - log_density[:, here]) / distance
        score = max(score, float(np.nanmax(scores, initial=0.0)))
        slopes = (q[:, there] - q[:, here]) / distance
        slope = max(slope, float(np.abs(slopes).max()))
        n = axis.edges.size - 1
        per_line = n if axis.boundary == "periodic" else n - 1
        lines, lengths = slopes.reshape(len(q), -1, per_line), distance.reshape(-1, per_line)
        if axis.boundary == "periodic":
            lines = np.concatenate([lines, lines[..., :1]], axis=-1)
            lengths = np.concatenate([lengths, lengths[:, :1]], axis=-1)
        if lines.shape[-1] > 1:
            bends = 2.0 * np.diff(lines, axis=-1) / (lengths[:, 1:] + lengths[:, :-1])
            curvature = max(curvature, float(np.abs(bends).max()))
    return {"score_max": score, "q_slope_max": slope, "q_curvature_max": curvature}
