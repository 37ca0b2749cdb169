"""How long a step of a run takes, estimated from its sizes."""

from __future__ import annotations

from wpoflow.problems.memory import Estimate

WORK_PER_STEP = {"euler": (1, 1), "extrapolated": (15, 20), "multistep": (1.3, 4), "exponential": (1, 20)}
"""Bellman evaluations, and all else in units of a descent step, in a typical time step with rejected ones and rows."""
EVALUATION_SECONDS = 5e-8
SWEEP_SECONDS = 5e-8
LEAST_STEP_SECONDS = {"euler": 4e-4, "extrapolated": 4e-3, "multistep": 8e-3, "exponential": 4e-3}


def seconds_per_step(expected: Estimate, scheme: str) -> float:
    """Seconds a step takes on one or two cores, within a factor of three for the gallery's problems."""
    plan = expected.plan
    evaluations, sweeps = WORK_PER_STEP.get(scheme, WORK_PER_STEP["extrapolated"])
    entries = plan.n_states * expected.row_entries
    solve = {
        "dense": plan.n_states**3 / 1.2e10 + len(plan.outcomes) * plan.n_states * entries * 1e-9,
        "sparse": entries * expected.row_entries * 1e-9 + entries * 1e-7,
        "krylov": 100.0 * entries * 2e-9,
    }[expected.linear_solver]
    evaluation = plan.pairs * EVALUATION_SECONDS + solve
    return evaluations * evaluation + sweeps * plan.pairs * SWEEP_SECONDS + LEAST_STEP_SECONDS.get(scheme, 4e-3)
