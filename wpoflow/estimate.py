"""How long a step of a run takes, estimated from its sizes."""

from __future__ import annotations

from wpoflow.problems.memory import Estimate
from wpoflow.solver.schemes.choice import scheme_class

EVALUATION_SECONDS = 7e-9  # for each pair
SWEEP_SECONDS = 7e-9
KRYLOV_SECONDS = 7e-8  # for each entry of the matrix


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
