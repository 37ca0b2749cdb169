"""The optimum without regularisation, tau = 0, by policy iteration (Howard 1960; Puterman 1994, section 6.4).

    (I - gamma P^a) V = c_a,      Q = c + gamma P V,      a_i <- argmin_k Q_ik

for deterministic policies a, one action cell in each state.  V is solved to a residual r of rounding's size, and a
state changes its action only for one that is better by more than 2 r and the rounding of Q.  Such a change is an
improvement but for what the residual alone can make of V, r/(1 - gamma) =: e: V falls, or rises by no more
(performance difference).  The iteration ends, as no policy is evaluated twice, whatever rounding does; V is then within
some e of the optimum.  To ask for changes better than e would leave out true ones where gamma is near one: e is mostly
an error of all states alike, which no comparison of actions sees.

**Ties.**  Of the actions that cannot be told from the best one, their Q being within 2 e of it, each state takes the
lowest index, those of exact ties among them, which rounding would otherwise decide; then V and Q are made anew.  Where
that makes V worse than rounding can, they were no ties, and those within 2 r are taken.
"""

from __future__ import annotations

import math

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.solver.bellman.evaluation import NotFiniteError, deferred_occupancy, q_of_value
from wpoflow.solver.bellman.linear_solver import linear_solver_of
from wpoflow.solver.bellman.nested import nested_value
from wpoflow.solver.bellman.system import EPS, DiscountedSystem
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Optimum

COLD = 1e-3  # of the spread of costs: the temperature of problems on coarser grids
ROUNDINGS = 8.0  # of the largest value, that a solve or a sum may be wrong by besides its residual


def solve_hard_optimum(
    mdp: GridMDP, value: FloatArray | None = None, linear_solver: str | None = None, *, nested: bool = True
) -> Optimum:
    """Optimal value, Q and a deterministic policy of the costs alone.

    Parameters
    ----------
    value : array (S,), optional
        V that the first policy is greedy to; by default that of coarser grids where there are, at a temperature of a
        thousandth of the spread of costs, and else zero.
    nested : bool
        Whether coarser grids are asked.
    linear_solver : {"dense", "sparse", "krylov"}, optional
        By default chosen from the sizes.

    Returns
    -------
    Optimum
        Its ``gap_floor`` bounds the error of V, and so the rounding of what is measured against it.

    Raises
    ------
    NotFiniteError
        Values too large for floating-point numbers.
    BellmanError
        A linear system could not be solved to rounding.
    """
    linear_solver = linear_solver_of(mdp) if linear_solver is None else linear_solver
    if value is None and nested:
        value = nested_value(mdp, COLD * (mdp.cost_range[1] - mdp.cost_range[0]))
    q = mdp.cost if value is None else q_of_value(mdp, value)
    slab = mdp.slab
    actions: IntArray = slab.whole(np.argmin(q, axis=1))
    seen: set[bytes] = set()
    iterations = 0
    while actions.tobytes() not in seen:
        seen.add(actions.tobytes())
        iterations += 1
        value, q, told, _ = _evaluated(mdp, actions, value, linear_solver)
        best, rows, present = np.argmin(q, axis=1), np.arange(slab.rows), slab.of(actions)
        better = q[rows, present] - q[rows, best] > 2.0 * told
        actions = slab.whole(np.where(better, best, present))
    assert value is not None
    error = told / (1.0 - mdp.discount)
    for bound in (error, told):
        tied = q <= q.min(axis=1, keepdims=True) + 2.0 * bound
        actions = slab.whole(np.argmax(tied, axis=1))
        settled, found, _, system = _evaluated(mdp, actions, value, linear_solver)
        if (settled - value).max() <= 4.0 * error:
            break
    return Optimum(
        value=settled,
        q=found,
        policy=_as_policy(mdp, actions),
        bellman_residual=float(np.abs(settled - slab.whole(found.min(axis=1))).max()),
        gap_floor=4.0 * error / (1.0 - mdp.discount),
        occupancy=deferred_occupancy(mdp, system),
        iterations=iterations,
        temperature=0.0,
    )


def cost_gap(mdp: GridMDP, policy: FloatArray, visited: FloatArray, hard: Optimum) -> float:
    """Expected discounted cost of a policy (S, A) above the least one, averaged over rho, as a sum of what is lost.

        cost(p) - min cost = 1/(1 - gamma) sum_i d_i sum_k p_ik (Q_ik - min Q_i),     Q of the optimum at tau = 0,

    d = ``visited`` (S,) the occupancy of the policy.  Nothing cancels, so that small gaps keep their digits.
    """
    lost = hard.q - hard.q.min(axis=1, keepdims=True)
    mean = mdp.slab.whole(np.einsum("ik,ik->i", policy, lost))
    return float(np.add.reduce(visited * mean)) / (1.0 - mdp.discount)


def _as_policy(mdp: GridMDP, actions: IntArray) -> FloatArray:
    policy = np.zeros(mdp.cost.shape)
    policy[np.arange(mdp.slab.rows), mdp.slab.of(actions)] = 1.0
    return policy


def _evaluated(
    mdp: GridMDP, actions: IntArray, guess: FloatArray | None, linear_solver: str
) -> tuple[FloatArray, FloatArray, float, DiscountedSystem]:
    """V and Q of a deterministic policy, how far Q is from one backup of V by rounding, and the system of V."""
    system = DiscountedSystem(mdp.transition.under(_as_policy(mdp, actions)), mdp.discount, linear_solver)
    slab = mdp.slab
    costs = slab.whole(mdp.cost[np.arange(slab.rows), slab.of(actions)])
    value, residual = system.solve(costs, guess)
    q = q_of_value(mdp, value)
    (largest,) = slab.largest(float(np.abs(q).max()))
    if not math.isfinite(largest):
        raise NotFiniteError(f"hard optimum: costs of up to {mdp.largest_cost:.3g} are too large for floats")
    rounding = ROUNDINGS * EPS * max(float(np.abs(value).max()), largest)
    return value, q, residual + rounding, system
