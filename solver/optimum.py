"""The soft optimum by soft policy iteration: p <- Gibbs policy of Q^p.

Each step is the flow's descent step of infinite length; near the optimum it is Newton's method on
the soft Bellman equation and converges quadratically.  It is iterated until the residual of the
soft Bellman equation stops falling, because the suboptimality of a policy can be followed down to

    tau / (2 (1 - gamma)) (delta Q / tau)^2,    delta Q the error of Q*,

and no further: that number is stated as the gap's rounding floor.
"""

from __future__ import annotations

import numpy as np

from grids.arrays import FloatArray
from solver.bellman import Evaluation, bellman_residual, evaluate, occupancy
from solver.discounted_system import EPS, BellmanError, IncompleteFactors
from solver.entropy import gibbs_policy, relative_entropy_to_gibbs
from solver.mdp import GridMDP
from solver.run import Optimum

ACCEPTED_RESIDUAL = 8.0  # in units of eps max(|V|, |Q|, tau) / (1 - gamma)
MOST_ITERATIONS = 1000


def solve_optimum(
    mdp: GridMDP, start: FloatArray | None = None, solver: str | None = None, residual: float | None = None
) -> Optimum:
    """Soft-optimal value and policy.

    Parameters
    ----------
    start : array (S, A), optional
        First policy; the reference measure by default.
    solver : str, optional
        Linear solver; by default chosen from the sizes.
    residual : float, optional
        Stop at this soft Bellman residual instead of where it stops falling.

    Raises
    ------
    BellmanError
        The residual stopped falling above the one asked for, or above 8 eps max(|V|, |Q|, tau) / (1 - gamma)
        where none is.
    """
    policy = np.tile(mdp.reference_mass, (mdp.states.size, 1)) if start is None else start.copy()
    incomplete = IncompleteFactors()
    evaluation = evaluate(mdp, policy, solver=solver, incomplete=incomplete)
    best = bellman_residual(mdp, evaluation)
    stalls = 0
    iteration = 0
    while iteration < MOST_ITERATIONS:
        iteration += 1
        gibbs_policy(evaluation.q, mdp.log_mass, mdp.temperature, policy)
        evaluation = evaluate(mdp, policy, evaluation.value, solver, out=evaluation.q, incomplete=incomplete)
        current = bellman_residual(mdp, evaluation)
        # V is a difference of terms as large as Q and tau, and no better known than they are
        scale = max(float(np.abs(evaluation.value).max()), float(np.abs(evaluation.q).max()), mdp.temperature)
        rounding = EPS * scale / (1.0 - mdp.discount)
        if residual is not None and current <= residual:
            break
        # far from the optimum the residual may rise for a step; at rounding it no longer falls
        stalls = stalls + 1 if current >= best and current <= ACCEPTED_RESIDUAL * rounding else 0
        best = min(best, current)
        if stalls >= 2 or current == 0.0:
            break
    wanted = ACCEPTED_RESIDUAL * rounding if residual is None else residual
    if not current <= wanted:
        raise BellmanError(
            f"soft optimum: Bellman residual stays at {current:.3g} after {iteration} iterations, above {wanted:.3g}"
        )
    floor = _gap_floor(mdp, policy, evaluation)
    gibbs_policy(evaluation.q, mdp.log_mass, mdp.temperature, policy)
    visited = occupancy(mdp, evaluation.system)
    return Optimum(
        value=evaluation.value,
        q=evaluation.q,
        policy=policy,
        bellman_residual=current,
        gap_floor=floor,
        occupancy=visited,
        iterations=iteration,
    )


def least_gap_floor(mdp: GridMDP) -> float:
    """What the rounding floor of the gap cannot lie below, known before the optimum is.

    Of c = Q - gamma P V and |V*| <= max |Q*|, since V* is a soft minimum of Q*, it follows that
    max |Q*| >= max |c| / (1 + gamma); the floor is at least 2 tau/(1 - gamma) (eps max |Q*| / tau)².
    """
    rounding = EPS * float(np.abs(mdp.cost).max()) / ((1.0 + mdp.discount) * mdp.temperature)
    return 2.0 * mdp.temperature / (1.0 - mdp.discount) * rounding**2


def _gap_floor(mdp: GridMDP, policy: FloatArray, evaluation: Evaluation) -> float:
    """Rounding floor of the gap: what identity (I3) measures at the optimum, or eps of Q if larger."""
    divergence = np.empty(mdp.states.size)
    relative_entropy_to_gibbs(policy, evaluation.q, mdp.log_mass, mdp.temperature, divergence)
    scale = mdp.temperature / (1.0 - mdp.discount)
    rounding = EPS * float(np.abs(evaluation.q).max()) / mdp.temperature
    return 4.0 * scale * max(float(divergence.max()), 0.5 * rounding**2)
