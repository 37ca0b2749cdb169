"""The soft optimum by inexact soft policy iteration: p <- Gibbs policy of Q^p, in the form of Newton's method.

With p the Gibbs policy of Q = c + gamma P V, a policy's soft evaluation started at V is a linear system for what is
missing, whose right-hand side is the residual of the soft Bellman equation:

    (I - gamma P^p) delta = T V - V,      V <- V + delta,      (T V)_i = -tau ln sum_k m_k e^{-Q_ik/tau}

Each step is the flow's descent step of infinite length and near the optimum converges quadratically, so that solving
for delta to a hundredth of the residual costs no step (Dembo, Eisenstat & Steihaug 1982, doi:10.1137/0719025); the
next residual tells how well it was solved.  Large problems begin from the value of coarser grids
(`solver.bellman.nested`).  Their steps are solved as far as they converge (Eisenstat & Walker 1996,
doi:10.1137/0917003), or as far as T is linear: by Hoeffding's lemma T (V + delta) - T V - gamma P^p delta lies between
-(max - min of gamma P delta)^2 / (8 tau) and 0.  The small number is computed as such: its rounding is relative to
delta, not to V.

Steps are made until the residual no longer halves at rounding, because the suboptimality of a policy can be followed to

    tau / (2 (1 - gamma)) (delta Q / tau)^2,    delta Q the error of Q*,

and no further: that number is stated as the gap's floor.  Where a residual is asked for, delta Q <= gamma/(1 - gamma)
times the residual reached, and the floor is that of this bound.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arguments import check_not_negative
from wpoflow.core.arrays import FloatArray, real_array, underflow_to_zero
from wpoflow.core.renamed import renamed
from wpoflow.solver.bellman.evaluation import NotFiniteError, deferred_occupancy, divergence_of, evaluate
from wpoflow.solver.bellman.hard_optimum import solve_hard_optimum
from wpoflow.solver.bellman.ilu import IncompleteLU
from wpoflow.solver.bellman.improvement import improve
from wpoflow.solver.bellman.linear_solver import linear_solver_of
from wpoflow.solver.bellman.nested import nested_value
from wpoflow.solver.bellman.system import EPS, BellmanError, DiscountedSystem
from wpoflow.solver.mdp import GridMDP, check_problem, check_temperature
from wpoflow.solver.records.run import Optimum

ACCEPTED_RESIDUAL = 8.0  # in units of eps max(|V|, |Q|, tau) / (1 - gamma)
MOST_ITERATIONS = 1000
INEXACT = 1e-2  # of the soft Bellman residual: to what a step is solved
LOOSE = 1e-1  # of it, from the value of coarser grids, while steps still converge slowly
LEAST_SHARE = 1e-6  # of it, after steps that converge quadratically: what they leave is no larger
NEAR = 0.1  # of the residual before: policies are near enough for the same incomplete factors
TARGET_SHARE = 0.5  # of a residual asked for: what a step may leave


@renamed(solver="linear_solver")
@underflow_to_zero
def solve_optimum(
    mdp: GridMDP,
    start: FloatArray | None = None,
    linear_solver: str | None = None,
    residual: float | None = None,
    value: FloatArray | None = None,
    temperature: float | None = None,
    nested: bool = True,
) -> Optimum:
    """Soft-optimal value and policy, or those of the costs alone at temperature zero.

    Parameters
    ----------
    start : array (S, A), optional
        First policy.  By default that of a value from coarser grids, or else the reference measure.
    linear_solver : {"dense", "sparse", "krylov"}, optional
        By default chosen from the sizes.
    residual : float, optional
        Stop at this soft Bellman residual instead of where it no longer halves at rounding.
    value : array (S,), optional
        V to begin from, instead of a policy.
    temperature : float, optional
        Instead of the problem's.  At zero there is no regularisation: the policy is deterministic, by policy iteration
        to the end (`solver.bellman.hard_optimum`), and neither ``start`` nor ``residual`` is of use.
    nested : bool
        Whether to begin on coarser grids where neither start nor value is given, there are 4000 states or more, and
        the transition can be made coarser.  Runs do not, nor does ``wpoflow optimum``: rows that several processes
        share are not made coarser, and one process is to find the same bits.

    Raises
    ------
    ValueError
        A temperature or residual that is negative or not finite, a start that is no policy, a value of another shape, a
        masked array, or what cannot be given together.
    TooColdError
        A temperature other than zero and below 1e-150.
    NotFiniteError
        Costs so large for the temperature that the rounding floor of the gap is not finite.
    BellmanError
        The residual stopped falling above the one asked for, or above ``8 eps max(|V|, |Q|, tau) / (1 - gamma)``
        where none is.
    """
    check_problem(mdp)
    check_not_negative("temperature", temperature)
    if start is not None and value is not None:
        raise ValueError("give either a policy to start from or a value, not both")
    if start is not None:
        start = np.array(real_array(start, "start"))
        mdp.check_policy(start, "start")
    if value is not None:
        value = np.array(real_array(value, "value"))
        if value.shape != mdp.rho.shape:
            raise ValueError(f"value has shape {value.shape}; it must be {mdp.rho.shape}")
        if not np.all(np.isfinite(value)):
            raise ValueError(f"value is not finite at {mdp.states.describe(int(np.argmin(np.isfinite(value))))}")
    if temperature == 0.0:
        if start is not None or residual is not None:
            raise ValueError("start and residual are of the soft optimum; at temperature 0 give a value, or neither")
        return solve_hard_optimum(mdp, value, linear_solver, nested=nested)
    mdp = mdp if temperature is None else mdp.at_temperature(temperature)
    check_temperature(mdp.temperature)
    check_not_negative("residual", residual)
    linear_solver = linear_solver_of(mdp) if linear_solver is None else linear_solver
    incomplete = IncompleteLU()
    least, most = mdp.cost_range
    if most - least == np.inf:
        raise NotFiniteError(f"soft optimum: costs from {least:.3g} to {most:.3g} lie too far apart for floats")
    begun = nested_value(mdp, mdp.temperature) if nested and value is None and start is None else None
    policy = np.empty((mdp.slab.rows, mdp.actions.size)) if start is None else start
    q, improved = np.empty_like(policy), np.empty(mdp.states.size)
    if begun is not None:
        _improve(mdp, begun, q, policy, improved)
        value = improved.copy()
    elif value is None:
        if start is None:
            policy[:] = mdp.reference_mass
        value = evaluate(mdp, policy, None, linear_solver, None, incomplete, INEXACT * (most - least)).value
    previous = np.empty_like(policy) if residual is None else policy
    _improve(mdp, value, q, policy, improved)
    current = best = float(np.abs(improved - value).max())
    before, stalls = current, 0
    iteration = 0
    system: DiscountedSystem | None = None
    while iteration < MOST_ITERATIONS:
        iteration += 1
        system = None  # its rows leave their memory to the next, which costs as much to get anew as they to be made
        operator = mdp.transition.under(policy)
        if iteration > 1 and current <= NEAR * before:
            incomplete.stand_in_for(operator)
        system = DiscountedSystem(operator, mdp.discount, linear_solver, incomplete)
        enough = 0.0 if residual is None else TARGET_SHARE * residual
        if current > 0.0:
            share = INEXACT if begun is None else min(LOOSE, (current / before) ** 2, current / (8.0 * mdp.temperature))
            value = value + system.approximate(improved - value, max(share, enough / current, LEAST_SHARE))
        policy, previous = previous, policy
        _improve(mdp, value, q, policy, improved)
        before, current = current, float(np.abs(improved - value).max())
        if residual is not None and current <= residual:
            break
        # far from the optimum the residual may rise for a step; at rounding it no longer halves
        stalls = stalls + 1 if 2.0 * current > best and current <= ACCEPTED_RESIDUAL * _rounding(mdp, value, q) else 0
        best = min(best, current)
        if stalls >= 2 or current == 0.0 or not np.isfinite(current):
            break
    wanted = ACCEPTED_RESIDUAL * _rounding(mdp, value, q) if residual is None else residual
    if not current <= wanted:
        raise BellmanError(
            f"soft optimum: Bellman residual stays at {current:.3g} after {iteration} iterations, above {wanted:.3g}"
        )
    assert system is not None
    floor = _gap_floor(mdp, q, previous, None if residual is None else current)
    if not np.isfinite(floor):
        largest = _largest(mdp, q)
        raise NotFiniteError(
            f"soft optimum: costs are too large for the temperature {mdp.temperature:g}: with Q of {largest:.3g} "
            "the rounding floor of the gap is not finite"
        )
    return Optimum(
        value=value,
        q=q,
        policy=policy,
        bellman_residual=current,
        gap_floor=floor,
        occupancy=deferred_occupancy(mdp, system),
        iterations=iteration,
        temperature=mdp.temperature,
    )


def refuse_other_optimum(mdp: GridMDP, optimum: Optimum) -> None:
    """Raise ValueError unless a given optimum is this problem's, as far as it says that it is known.

    V must solve the soft Bellman equation to the residual stated, Q and policy be those of V: gaps measured against the
    optimum of another temperature, cost or grid are no gaps.
    """
    shapes = {"value": (mdp.states.size,), "q": mdp.cost.shape, "policy": mdp.cost.shape, "occupancy": mdp.rho.shape}
    for name, shape in shapes.items():
        found = np.shape(getattr(optimum, name))
        if found != shape:
            raise ValueError(f"optimum: its {name} has shape {found}, not {shape}: it is of another problem")
    q, policy, improved = np.empty_like(mdp.cost), np.empty_like(mdp.cost), np.empty(mdp.states.size)
    _improve(mdp, optimum.value, q, policy, improved)
    scale = max(float(np.abs(improved).max()), _largest(mdp, q), mdp.temperature)
    allowed = optimum.bellman_residual + ACCEPTED_RESIDUAL * EPS * scale / (1.0 - mdp.discount)
    left = {
        "value": float(np.abs(improved - optimum.value).max()),
        "q": _largest(mdp, q - optimum.q),
        "policy": mdp.temperature * _largest(mdp, policy - optimum.policy),
    }
    for name, size in left.items():
        if not size <= allowed:
            raise ValueError(
                f"optimum: its {name} misses the soft Bellman equation of this problem by {size:.3g}, where it may by "
                f"{allowed:.2g}: it is of another problem"
            )


def least_gap_floor(mdp: GridMDP) -> float:
    """What the rounding floor of the gap cannot lie below, known before the optimum is.

    Of c = Q - gamma P V and |V*| <= max |Q*|, since V* is a soft minimum of Q*, it follows that
    max |Q*| >= max |c| / (1 + gamma); the floor is at least 2 tau/(1 - gamma) (eps max |Q*| / tau)².
    """
    rounding = EPS * mdp.largest_cost / ((1.0 + mdp.discount) * mdp.temperature)
    return 2.0 * mdp.temperature / (1.0 - mdp.discount) * rounding * rounding


def _improve(mdp: GridMDP, value: FloatArray, q: FloatArray, policy: FloatArray, out: FloatArray) -> None:
    """Fill Q of V, its Gibbs policy, and T V."""
    mdp.transition.expect(mdp.discount * value, q)
    part = mdp.slab.part(out)
    improve(mdp.cost, mdp.log_mass, mdp.temperature, q, policy, part)
    mdp.slab.gather((out, part))


def _rounding(mdp: GridMDP, value: FloatArray, q: FloatArray) -> float:
    """Of V: a difference of terms as large as Q and tau, and no better known than they are; over the horizon."""
    scale = max(float(np.abs(value).max()), _largest(mdp, q), mdp.temperature)
    return EPS * scale / (1.0 - mdp.discount)


def _largest(mdp: GridMDP, x: FloatArray) -> float:
    """Maximum of |x| over all pairs."""
    return mdp.slab.largest(max(float(x.max()), -float(x.min())))[0]


def _gap_floor(mdp: GridMDP, q: FloatArray, policy: FloatArray, residual: float | None) -> float:
    """Rounding floor of the gap: that of a divergence at the optimum, or of eps of Q if larger.

    The divergence is what identity (I3) measures, the largest KL of the policy from the Gibbs policy of Q; with a
    residual it is a bound by that.
    """
    rounding = EPS * _largest(mdp, q) / mdp.temperature
    if residual is None:
        divergence = float(divergence_of(mdp, policy, q).max())
    else:
        divergence = 0.5 * (mdp.discount * residual / ((1.0 - mdp.discount) * mdp.temperature)) ** 2
    return 4.0 * mdp.temperature / (1.0 - mdp.discount) * max(divergence, 0.5 * rounding * rounding)
