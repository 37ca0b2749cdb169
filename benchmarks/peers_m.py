"""Problem M: soft optimum and evaluation, against value iteration, QuantEcon, mdpsolver and SciPy.

*Optimum*: ours is the soft one, QuantEcon's and mdpsolver's the hard one (they know no other), each to a Bellman
residual of 1e-9.  QuantEcon stops at span(T v - v) < epsilon (1 - gamma)/gamma; mdpsolver's tolerance bounds the last
change; its final check, which takes a value of zero for a failure, is off.  Python lists for mdpsolver, DiscreteDP's
checks and our transitions are set-up and not timed.

*Evaluation*: along a flow with fixed steps, V of the next policy from V of the last one, to a residual of 1e-9 (and
to rounding), against ``scipy.sparse.linalg.bicgstab`` from zero to the same residual.  Both assemble P^pi.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as sparse_linalg

from benchmarks.problem_m import DISCOUNT, SIZES, TEMPERATURE, Pendulum, pendulum
from benchmarks.soft_value_iteration import soft_value_iteration
from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.bellman.linear_solver import linear_solver_of
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.mdp import GridMDP

RESIDUAL = 1e-9
LARGEST_MDPSOLVER = 101  # nested lists of 201² × 33 rows take minutes and gigabytes
WARM, STEPS, STEP = 5, 5, 0.02
Run = Callable[[], Any]


def optimum_runs(problem: Pendulum, n: int) -> tuple[dict[str, Run], list[str]]:
    """Ways to the optimum by name, and a line on each peer left out."""
    stencils, table = problem.mdp(tabulated=False), problem.mdp(tabulated=True)
    runs: dict[str, Run] = {
        "wpoflow, soft, stencils": lambda: solve_optimum(stencils, residual=RESIDUAL),
        "wpoflow, soft, sparse rows": lambda: solve_optimum(table, residual=RESIDUAL),
        "soft value iteration, numba": lambda: soft_value_iteration(
            problem.cost, problem.columns, problem.weights, DISCOUNT, TEMPERATURE, RESIDUAL
        ),
    }
    missing = []
    n_states, n_actions = problem.cost.shape
    if find_spec("quantecon") is None:
        missing.append("quantecon is not installed")
    else:
        markov: Any = importlib.import_module("quantecon.markov")
        pairs = np.arange(n_states * n_actions)
        ddp = markov.DiscreteDP(
            -problem.cost.reshape(-1), problem.rows, DISCOUNT, pairs // n_actions, pairs % n_actions
        )
        epsilon = RESIDUAL * DISCOUNT / (1.0 - DISCOUNT)
        runs["QuantEcon MPI, hard"] = lambda: ddp.solve(
            method="modified_policy_iteration", epsilon=epsilon, max_iter=10_000
        )
    if find_spec("mdpsolver") is None:
        missing.append("mdpsolver is not installed")
    elif n <= LARGEST_MDPSOLVER:
        solver: Any = importlib.import_module("mdpsolver").model()
        shape = (n_states, n_actions, 4)
        solver.mdp(
            discount=DISCOUNT,
            rewards=(-problem.cost).tolist(),
            tranMatProbs=problem.weights.reshape(shape).tolist(),
            tranMatColumns=problem.columns.reshape(shape).tolist(),
        )
        # it would go on from its last solution
        cold = {"initPolicy": [0] * n_states, "initValueVector": [0.0] * n_states}
        runs["mdpsolver MPI, hard"] = lambda: solver.solve(
            algorithm="mpi", tolerance=RESIDUAL, parallel=False, makeFinalCheck=False, **cold
        )
    return runs, missing


class Evaluations:
    """Consecutive policies of a flow, and what it takes to evaluate the next from the last.

    Parameters
    ----------
    problem : Pendulum
    mdp : GridMDP
        The same problem.
    """

    def __init__(self, problem: Pendulum, mdp: GridMDP) -> None:
        self.mdp, self.solver = mdp, linear_solver_of(mdp)
        self.rows = problem.rows
        step = WassersteinFlow(mdp).step
        p = mdp.initial_policy
        self.policies, self.guesses = [], []
        for n in range(WARM + STEPS):
            found = evaluate(mdp, p, linear_solver=self.solver)
            p = step(p, found.q, STEP, np.empty_like(p))
            if n >= WARM:
                self.policies.append(p)
                self.guesses.append(found.value)

    def ours(self, tolerance: float) -> float:
        """Largest residual of the warm evaluations."""
        found = (
            evaluate(self.mdp, p, v, self.solver, tolerance=tolerance)
            for p, v in zip(self.policies, self.guesses, strict=True)
        )
        return max(e.residual for e in found)

    def scipy(self) -> float:
        """Largest residual of SciPy's BiCGSTAB from zero."""
        return max(self._bicgstab(p) for p in self.policies)

    def _bicgstab(self, p: FloatArray) -> float:
        n_states, n_actions = p.shape
        start = np.arange(0, p.size + 1, n_actions)
        weights = sp.csr_matrix((p.reshape(-1), np.arange(p.size), start), (n_states, p.size))
        matrix = sp.eye(n_states, format="csr") - DISCOUNT * (weights @ self.rows)
        cost = self.mdp.cost + TEMPERATURE * np.log(p * n_actions)
        reward = (p * cost).sum(axis=1)
        value, info = sparse_linalg.bicgstab(matrix, reward, rtol=0.0, atol=RESIDUAL, maxiter=10_000)
        if info != 0:
            raise ArithmeticError(f"bicgstab: info {info}")
        return float(np.abs(reward - matrix @ value).max())


def timed(runs: dict[str, Run], repeat: int) -> dict[str, list[float]]:
    """CPU seconds of every run in interleaved rounds, after one untimed call of each."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(repeat):
        for name, run in runs.items():
            started = time.process_time()
            run()
            seconds[name].append(time.process_time() - started)
    return seconds


def pendulum_problem(repeat: int, scheme: str | None = None, sizes: tuple[int, ...] = SIZES) -> dict[str, Any]:
    """Problem M at all sizes: medians of CPU seconds.  No time scheme is used: ``scheme`` is ignored."""
    record: dict[str, Any] = {"missing": []}
    for n in sizes:
        problem = pendulum(n)
        runs, missing = optimum_runs(problem, n)
        record["missing"] = missing
        found = Evaluations(problem, problem.mdp(tabulated=False))
        evaluations: dict[str, Run] = {
            "wpoflow, warm, 1e-9": lambda e=found: e.ours(RESIDUAL),  # type: ignore[misc]
            "wpoflow, warm, rounding": lambda e=found: e.ours(0.0),  # type: ignore[misc]
            "SciPy bicgstab, cold, 1e-9": lambda e=found: e.scipy(),  # type: ignore[misc]
        }
        entry = {}
        for kind, those, share in (("optimum", runs, 1), ("evaluation", evaluations, STEPS)):
            seconds = timed(those, repeat)
            entry[kind] = {k: {"median": float(np.median(v)) / share, "seconds": v} for k, v in seconds.items()}
            print(f"\nM, {n}² × {problem.cost.shape[1]}, {kind}: CPU seconds")
            for name, value in entry[kind].items():
                print(f"  {name:32s}{value['median']:11.5f}")
        record[str(n)] = entry
    return record
