"""What plans need to know of a problem, taken from a run or optimum file, or from a problem and its optimum."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from wpoflow.core.text import did_you_mean
from wpoflow.grids.transitions import TabulatedTransition
from wpoflow.problems.environments.models import Step
from wpoflow.problems.environments.planning import Prospect, Table
from wpoflow.problems.errors import ProblemError
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Optimum, Run

SOURCES = ("flow", "optimum")


def chosen_source(run: Run, policy: str | None) -> str:
    """Which policy of a run is meant: "flow" or "optimum"; raises ProblemError where there is none of the flow."""
    kept = run.snapshots is not None and len(run.snapshots.time) > 0
    chosen = policy or ("flow" if kept else "optimum")
    if chosen not in SOURCES:
        near = did_you_mean(chosen, SOURCES)
        raise ProblemError(f"policy {chosen!r}; choose one of {', '.join(SOURCES)}{near}")
    if chosen == "flow" and not kept:
        raise ProblemError("policy 'flow': no flow was run; choose optimum")
    return chosen


def prospect_of_run(run: Run, source: str) -> Prospect:
    """What a run holds, with the value of the policy meant: that of the flow, or the optimal one.

    Raises
    ------
    ProblemError
        It holds no discount or temperature, as files of early versions.
    """
    best, number = run.optimum, run.attributes
    if not {"discount", "temperature"} <= set(number):
        raise ProblemError("plan: the run file holds no discount and temperature; solve the problem anew")
    discount, temperature = float(number["discount"]), float(number["temperature"])
    value = run.value if source == "flow" else None
    if best is not None:
        stated = best.stated(temperature)
        value = best.value if value is None else value
        temperature = temperature if source == "flow" else stated.temperature
    assert value is not None
    return Prospect(
        value=value,
        discount=discount,
        temperature=temperature,
        log_mass=np.log(run.reference_mass),
        optimum=None if best is None else (best.value, best.q, best.bellman_residual),
        problem=run.problem,
        table=_table(run),
    )


def prospect_of_problem(mdp: GridMDP, best: Optimum, step: Step | None = None, repeat: int | None = None) -> Prospect:
    """The same of a problem and its optimum, with steps of its states and actions that a user gives."""
    transition = mdp.transition
    return Prospect(
        value=best.value,
        discount=mdp.discount,
        temperature=best.stated(mdp.temperature).temperature,
        log_mass=mdp.log_mass,
        optimum=(best.value, best.q, best.bellman_residual),
        problem=mdp.statement,
        table=Table(mdp.cost, transition) if isinstance(transition, TabulatedTransition) else None,
        step=step,
        repeat=repeat,
    )


def _table(run: Run) -> Table | None:
    """The rows of a problem stated in Python, where it has rows."""
    arrays, actions = run.problem_arrays, run.actions.size
    if "transition_data" not in arrays:
        return None
    data, indices, starts = (arrays[f"transition_{name}"] for name in ("data", "indices", "indptr"))
    rows = sp.csr_array((data, indices, starts), shape=(run.states.size * actions, run.states.size))
    ends = np.asarray(arrays["termination"], dtype=np.float64) if "termination" in arrays else None
    return Table(np.asarray(arrays["cost"], dtype=np.float64), TabulatedTransition(rows, actions, termination=ends))
