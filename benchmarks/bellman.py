"""Evaluation of policies and soft optima: what they cost, solver by solver, and beside SciPy and value iteration.

    python -m benchmarks.bellman [CASE ...]

CPU milliseconds, medians of interleaved repeats.  A policy is taken a short way along the flow, and V of a
policy 1e-6 of flow time before it is the guess, as a time scheme would have it.

* parts of an evaluation: reward, P^pi, V from the guess to rounding, V to 1e-9 of itself, Q; all of it, and all of it
  without a guess;
* V by every solver that takes less than a second, and by SciPy's bicgstab from zero to the same residual on the same
  matrix: what ``choose_linear_solver`` is calibrated by;
* the soft optimum to a residual of 1e-9, and soft value iteration (the same kernels, started at the same V) to the
  same residual, extrapolated from 200 sweeps by its rate gamma where it takes longer.
"""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import scipy.sparse as sparse
from scipy.sparse.linalg import bicgstab

from benchmarks.problem_c import as_mdp, coupled_flow
from wpoflow.core.arrays import FloatArray
from wpoflow.problems.load import load_problem
from wpoflow.solver.bellman.evaluation import evaluate, q_of_value
from wpoflow.solver.bellman.ilu import IncompleteLU
from wpoflow.solver.bellman.linear_solver import LINEAR_SOLVERS, linear_solver_of
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.bellman.system import DiscountedSystem
from wpoflow.solver.entropy import regularised_cost, soft_minimum
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.mdp import GridMDP

REPEATS = 11
BUDGET = 2.0  # seconds for the repeats of one group
SWEEPS = 200
RESIDUAL = 1e-9


def pendulum(cells: int, temperature: float = 1.0) -> GridMDP:
    """The gallery's pendulum on cells^2 states and 33 actions."""
    mdp = load_problem("pendulum", cells={"theta": cells, "speed": cells, "torque": 33})
    return replace(mdp, temperature=temperature)


CASES: dict[str, Callable[[], GridMDP]] = {
    "problem C": lambda: as_mdp(coupled_flow()),
    "pendulum 41": lambda: pendulum(41),
    "pendulum 101": lambda: pendulum(101),
    "pendulum 101, tau 0.1": lambda: pendulum(101, 0.1),
    "pendulum 201": lambda: pendulum(201),
    "navigation": lambda: load_problem("navigation"),
    "navigation 64x32": lambda: load_problem("navigation", cells={"x": 64, "y": 64, "vx": 32, "vy": 32}),
    **{name: partial(load_problem, name) for name in ("double_integrator", "mountain_car", "lqr", "inventory")},
}


def medians(calls: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Median CPU milliseconds of every call, taken in turns; none is warmed by its own repeats alone."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    began = time.process_time()
    for repeat in range(REPEATS):
        if repeat >= 3 and time.process_time() - began > BUDGET:
            break
        for name, call in calls.items():
            start = time.process_time()
            call()
            times[name].append(time.process_time() - start)
    return {name: 1e3 * statistics.median(taken) for name, taken in times.items()}


def nearby(mdp: GridMDP) -> tuple[FloatArray, FloatArray]:
    """A policy a short way along the flow, and the values of one close behind it."""
    step, policy = WassersteinFlow(mdp).step, mdp.initial_policy.copy()
    now = evaluate(mdp, policy)
    for dt in (0.05, 0.1, 0.2, 0.4, 1e-6):
        guess, out = now.value, np.empty_like(policy)
        policy = step(policy, now.q, dt, out)
        now = evaluate(mdp, policy, guess)
    return policy, guess


def evaluations(mdp: GridMDP) -> None:
    """Print what the parts of an evaluation cost, and the solvers beside each other."""
    policy, guess = nearby(mdp)
    solver, incomplete, out = linear_solver_of(mdp), IncompleteLU(), np.empty_like(policy)
    operator, reward = mdp.transition.under(policy), np.empty(mdp.states.size)
    regularised_cost(policy, mdp.cost, mdp.log_mass, mdp.temperature, reward)
    loose = 1e-9 * float(np.abs(guess).max())
    found = evaluate(mdp, policy, guess, solver)
    error = float(np.abs(found.value - guess).max() / np.abs(found.value).max())
    print(f"  {solver}, {operator.work / mdp.states.size:.0f} multiply-adds a state, guess off by {error:.0e}")

    def solve(name: str, start: FloatArray | None, tolerance: float = 0.0) -> Callable[[], object]:
        return lambda: DiscountedSystem(operator, mdp.discount, name, incomplete).solve(reward, start, tolerance)

    print_row(
        medians(
            {
                "reward": lambda: regularised_cost(policy, mdp.cost, mdp.log_mass, mdp.temperature, reward),
                "P^pi": lambda: mdp.transition.under(policy),
                "V": solve(solver, guess),
                "V to 1e-9": solve(solver, guess, loose),
                "Q": lambda: q_of_value(mdp, guess, out),
                "all": lambda: evaluate(mdp, policy, guess, solver, out, incomplete).q,
                "all, cold": lambda: evaluate(mdp, policy, None, solver, out, incomplete).q,
            }
        )
    )
    matrix = sparse.csr_array(sparse.eye_array(mdp.states.size) - mdp.discount * operator.sparse())
    reached = max(found.residual, 1e-15 * float(np.abs(found.value).max()))
    others: dict[str, Callable[[], object]] = {
        "scipy, cold": lambda: bicgstab(matrix, reward, rtol=0.0, atol=reached, maxiter=5000)
    }
    for name in LINEAR_SOLVERS:
        if name == "krylov" or mdp.states.size <= 800:
            others[name], others[f"{name}, cold"] = solve(name, guess), solve(name, None)
    times = medians(others)
    times["scipy/krylov"] = times["scipy, cold"] / times["krylov"]
    print_row(times)


def optima(mdp: GridMDP) -> None:
    """Print what the soft optimum costs, by policy and by value iteration."""
    value, improved = np.zeros(mdp.states.size), np.empty(mdp.states.size)
    q = q_of_value(mdp, value)
    soft_minimum(q, mdp.log_mass, mdp.temperature, improved)
    began, sweeps, residual = time.process_time(), 0, math.inf
    while residual > RESIDUAL and sweeps < SWEEPS:
        q_of_value(mdp, value, q)
        soft_minimum(q, mdp.log_mass, mdp.temperature, improved)
        residual = float(np.abs(improved - value).max())
        value[:] = improved
        sweeps += 1
    sweep = 1e3 * (time.process_time() - began) / sweeps
    needed = sweeps + max(0.0, math.log(residual / RESIDUAL) / -math.log(mdp.discount))
    times = medians({"optimum to 1e-9": lambda: solve_optimum(mdp, residual=RESIDUAL)})
    times["value iteration"] = sweep * needed
    times["ratio"] = times["value iteration"] / times["optimum to 1e-9"]
    print_row(times)


def print_row(times: Mapping[str, float]) -> None:
    """One line of names and numbers."""
    print("  " + "   ".join(f"{name} {number:.3g}" for name, number in times.items()), flush=True)


def main(names: list[str]) -> None:
    """Print all tables."""
    for name in names or CASES:
        mdp = CASES[name]()
        print(f"{name}: {mdp.states.size} states, {mdp.actions.size} actions, gamma {mdp.discount}")
        evaluations(mdp)
        optima(mdp)


if __name__ == "__main__":
    main(sys.argv[1:])
