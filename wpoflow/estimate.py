"""How long a step of a run takes, estimated from its sizes."""

from __future__ import annotations

from wpoflow.problems.memory import Estimate
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.schemes.choice import scheme_class

EVALUATION_SECONDS = 7e-9  # for each pair
SWEEP_SECONDS = 7e-9
KRYLOV_SECONDS = 7e-8  # for each entry of the matrix
FACTOR_SECONDS, ENTRY_SECONDS = 2e-10, 1e-7  # SuperLU: for a multiply-add, and for an entry of the factors
FILL = 0.15  # entries of a column of the factors, over those of a row of the matrix times S^(1 - 1/dim)


def seconds_per_step(expected: Estimate, scheme: str) -> float:
    """Seconds a step takes on one or two cores, within a factor of three for the gallery's problems."""
    plan = expected.plan
    chosen = scheme_class(scheme)
    evaluations, sweeps = chosen.work
    entries = plan.n_states * expected.row_entries
    solve = {
        "dense": plan.n_states**3 / 1.2e10 + len(plan.outcomes) * plan.n_states * entries * 1e-9,
        "sparse": entries * expected.row_entries * 1e-9 + entries * 1e-7,
        "krylov": entries * KRYLOV_SECONDS,
    }[expected.linear_solver]
    evaluation = plan.pairs * EVALUATION_SECONDS + solve
    return evaluations * evaluation + sweeps * plan.pairs * SWEEP_SECONDS + chosen.call_seconds


def entries_of_factors(mdp: GridMDP) -> float:
    """Entries of the complete factors of a Bellman system, within a factor of three for the gallery's problems."""
    states = mdp.states.size
    row = mdp.product_work / states
    spread = float(states) ** (1.0 - 1.0 / max(1, sum(axis.size > 1 for axis in mdp.states.axes)))
    return float(states * min(states, max(row, FILL * row * spread)))


def seconds_if_factored(mdp: GridMDP, expected: Estimate, scheme: str) -> float:
    """Seconds a step takes where Krylov's method stagnates on every system of it, which is then factored."""
    entries = entries_of_factors(mdp)
    solve = entries * (entries / mdp.states.size) * FACTOR_SECONDS + entries * ENTRY_SECONDS
    return seconds_per_step(expected, scheme) + scheme_class(scheme).work[0] * solve
