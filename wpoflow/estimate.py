"""What a problem will take, known from its statement before any of its arrays exists."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from wpoflow.exits import CommandError, Exit
from wpoflow.grids.interpolation import boundary_map
from wpoflow.grids.smoothing import REACH
from wpoflow.problems.plan import Plan
from wpoflow.problems.statement import Statement, Value
from wpoflow.solver.bellman.linear_solver import choose_linear_solver
from wpoflow.solver.runs.memory import available_bytes, estimate_bytes
from wpoflow.views.terminal import bytes_text

SAMPLED_STATES = 24
SAMPLED_ACTIONS = 4096

WORK_PER_STEP = {"euler": (1, 1), "extrapolated": (15, 20), "multistep": (1.3, 4), "exponential": (1, 20)}
"""Bellman evaluations, and all else in units of a descent step, in a typical time step with rejected ones and rows."""
EVALUATION_SECONDS = 5e-8
SWEEP_SECONDS = 5e-8
LEAST_STEP_SECONDS = {"euler": 4e-4, "extrapolated": 4e-3, "multistep": 8e-3, "exponential": 4e-3}


@dataclass(frozen=True)
class Estimate:
    """Sizes and memory of a run.

    Attributes
    ----------
    plan : Plan
    row_entries : float
        Entries in a row of P^pi, a mean over sampled states.
    solver : str
        Linear solver of the Bellman equations.
    needed, available : int
        Bytes.
    """

    plan: Plan
    row_entries: float
    solver: str
    needed: int
    available: int

    def refuse_if_too_large(self, label: str) -> None:
        """Raise CommandError, with what to lower, if the run cannot fit."""
        if self.needed > self.available:
            raise CommandError(
                Exit.ENVIRONMENT,
                f"{label}: needs about {bytes_text(self.needed)} of memory, {bytes_text(self.available)} available; "
                f"lower --cells (now {self.plan.n_states} states x {self.plan.n_actions} actions)",
            )


def estimate(statement: Statement, scheme: str, controlled: bool) -> Estimate:
    """Estimate a run of a stated problem that writes a run file."""
    scheme = likely_scheme(statement, scheme, controlled)
    plan = statement.plan
    entries = row_entries(statement)
    held, work = smoothing_size(statement)
    solver = choose_linear_solver(plan.n_states, int(plan.n_states * entries + work), statement.discount)
    needed = estimate_bytes(
        plan.n_states,
        plan.n_actions,
        transition_bytes=plan.transition_bytes + held,
        row_entries=entries,
        solver=solver,
        smoothed=held > 0,
        scheme=scheme,
        controlled=controlled,
    )
    return Estimate(plan, entries, solver, needed, available_bytes())


def likely_scheme(statement: Statement, scheme: str, controlled: bool) -> str:
    """The scheme that `solver.schemes.choice.chosen_scheme` will choose."""
    if scheme != "automatic":
        return scheme
    several = sum(axis.size > 1 for axis in statement.actions.axes) > 1
    return "extrapolated" if several or not controlled else "multistep"


def seconds_per_step(expected: Estimate, scheme: str, solver: str) -> float:
    """Seconds a step takes on one or two cores, within a factor of three for the gallery's problems."""
    plan = expected.plan
    evaluations, sweeps = WORK_PER_STEP.get(scheme, WORK_PER_STEP["extrapolated"])
    entries = plan.n_states * expected.row_entries
    solve = {
        "dense": plan.n_states**3 / 1.2e10 + len(plan.outcomes) * plan.n_states * entries * 1e-9,
        "sparse": entries * expected.row_entries * 1e-9 + entries * 1e-7,
        "krylov": 100.0 * entries * 2e-9,
    }[solver]
    evaluation = plan.pairs * EVALUATION_SECONDS + solve
    return evaluations * evaluation + sweeps * plan.pairs * SWEEP_SECONDS + LEAST_STEP_SECONDS.get(scheme, 4e-3)


def row_entries(statement: Statement) -> float:
    """Mean number of entries in a row of P^pi, from a sample of states and actions.

    Each mean next state touches the corners of the cell it lies in; an axis with a single point has
    one corner.  Noise that varies with state or action reaches any state, at most.
    """
    states, plan = statement.states, statement.plan
    if states.dim == 0:
        return 1.0
    if plan.kind != "interpolated" and any(kind != "interpolated" for kind in plan.outcomes):
        return float(plan.n_states)
    chosen = np.unique(np.linspace(0, plan.n_states - 1, SAMPLED_STATES).astype(np.int64))
    actions = np.unique(np.linspace(0, plan.n_actions - 1, SAMPLED_ACTIONS).astype(np.int64))
    action_at = [
        axis.points[index]
        for axis, index in zip(statement.actions.axes, np.unravel_index(actions, plan.actions), strict=True)
    ]
    counts = []
    for state in chosen:
        state_at = [
            axis.points[index] for axis, index in zip(states.axes, np.unravel_index(state, plan.states), strict=True)
        ]
        touched: set[int] = set()
        for outcome in statement.branches:
            nodes = np.zeros((1, actions.size), dtype=np.int64)
            for axis in states.axes:
                mean = _at(outcome.dynamics[axis.name], [*state_at, *action_at], actions.size)
                left = np.searchsorted(axis.points, boundary_map(axis, mean), side="right") - 1
                corners = np.stack([left, left + 1])[: axis.size] % axis.size
                nodes = (nodes[:, None, :] * axis.size + corners[None, :, :]).reshape(-1, actions.size)
            touched.update(np.unique(nodes).tolist())
        counts.append(len(touched))
    return float(np.mean(counts))


def smoothing_size(statement: Statement) -> tuple[int, int]:
    """Bytes of the smoothing matrices of all outcomes of constant noise, and multiply-adds of applying them once.

    The row of a point holds the cells within 9 standard deviations of it, on axes that fold or wrap at most all.
    """
    held = work = 0
    sizes = statement.plan.states
    for outcome in statement.branches:
        for axis in statement.states.axes:
            sigma = outcome.noise.get(axis.name, 0.0)
            if not callable(sigma) and sigma > 0.0:
                low, high = axis.points - REACH * sigma, axis.points + REACH * sigma
                if axis.boundary == "clamp":
                    cells = np.searchsorted(axis.edges, high) - np.searchsorted(axis.edges, low) + 1
                else:
                    cells = np.ceil((high - low) / axis.length * axis.size)
                entries = int(np.minimum(cells, axis.size).sum())
                held += 8 * entries
                work += entries * (math.prod(sizes) // axis.size)
    return held, work


def _at(value: Value, coordinates: list[np.ndarray], size: int) -> np.ndarray:
    columns = [np.broadcast_to(np.asarray(column, dtype=np.float64), size) for column in coordinates]
    with np.errstate(all="ignore"):
        found = np.asarray(value(*columns) if callable(value) else value, dtype=np.float64)
    return np.where(np.isfinite(found), found, 0.0) * np.ones(size)
