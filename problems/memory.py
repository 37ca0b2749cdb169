"""How much memory a problem and its run will need, before anything is allocated, and how much there is.

    bytes = process + transition + 8 pairs x arrays + lines + Bellman matrices

The process is what Python, NumPy, SciPy, numba and the loaded kernels occupy.  Arrays are those of
state-action pairs alive at once: cost, first policy, optimal Q, Q of one policy, and the buffers of the
time scheme; where the temperature falls further optima.  Lines are what threads have at hand of cells along an action
axis, and arrays of cells as such; they count where a few states have very many actions.  Bellman matrices are the
compressed rows of P^pi of two policies and, with the dense solver, of P^pi, its factors, and the factors of the policy
before; where values are smoothed P^pi is multiplied out from one more matrix.  The Krylov solver keeps its basis and,
for rows of few entries, incomplete factors.  Where rows would hold far more numbers than the pairs do, policies are
kept instead of them (grids/transitions/policy_pairs.py), and rows of a few actions that incomplete factors are made of.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np

from wpoflow.core.memory import available_bytes
from wpoflow.core.slabs import Slab
from wpoflow.grids.axis import SHOCK
from wpoflow.grids.interpolation import boundary_map
from wpoflow.grids.smoothing import REACH
from wpoflow.grids.transitions.policy_pairs import ENTRIES_PER_PAIR, MOST_ENTRIES, MOST_QUANTILES, MOST_THINNING
from wpoflow.grids.transitions.policy_rows import MOST_THINNED
from wpoflow.grids.transitions.tensor_stencil import inner_actions
from wpoflow.problems.plan import HERMITE_NODES, Kind, Plan
from wpoflow.problems.statement import Statement, Value
from wpoflow.solver.bellman.gmres_kernels import MOST_VECTORS
from wpoflow.solver.bellman.ilu import LEAST_STATES, MOST_ROW_ENTRIES
from wpoflow.solver.bellman.linear_solver import choose_linear_solver
from wpoflow.solver.flows.flow import flow_class
from wpoflow.solver.records.flow_table import FlowTable
from wpoflow.solver.registry import AUTOMATIC, DESCENT
from wpoflow.solver.schemes.choice import chosen_scheme, scheme_class

PROCESS_BYTES = 222_000_000
ANNEALED_ARRAYS = 3  # of the optimum at temperature zero, and of one that is being solved for
LANES = 32  # lines of cells that are gone along side by side
CELL_ARRAYS = 40  # arrays of action cells: axes, reference masses, weights along them
PARAMETER_ARRAYS = 5  # of what a flow follows besides p: before and after a step, a snapshot, and what is written
PROBLEM_PAIR_ARRAYS = 2  # of a problem before it is run: its cost and its first policy
INCOMPLETE_ENTRY_BYTES, INCOMPLETE_STATE_BYTES = 12, 24  # incomplete factors
KRYLOV_STATE_BYTES = 8 * (MOST_VECTORS + 1)
POLICIES = 2  # kept over the pairs, of the system that is solved and the one before
ROW_ENTRY_BYTES = 20  # column index once, two generations of values
DENSE_MATRICES = 3
SAMPLED_STATES = 24
SAMPLED_ACTIONS = 4096


@dataclass(frozen=True)
class Estimate:
    """Sizes and memory of a run.

    Attributes
    ----------
    plan : Plan
    row_entries : float
        Entries in a row of P^pi, a mean over sampled states.
    linear_solver : str
        Of the Bellman equations.
    needed, available : int
        Bytes.
    kept_numbers : int
        Of every state, besides its policy: `Flow.kept_numbers`.
    """

    plan: Plan
    row_entries: float
    linear_solver: str
    needed: int
    available: int
    kept_numbers: int = 0


def estimate(statement: Statement, asked: FlowTable) -> Estimate:
    """Estimate a run that writes a run file, by the scheme that is asked for or chosen.

    Of a flow that the problem cannot follow, which is told where it is to be followed, as if by its descent steps.
    """
    scheme, kind = asked.scheme, flow_class(asked.kind)
    if kind.obstacle(statement.actions):
        scheme = DESCENT
    elif scheme == AUTOMATIC:
        scheme = chosen_scheme(statement, scheme, asked.step, asked.kind, annealed=asked.anneal is not None)
    plan = statement.plan
    n_states, entries = plan.n_states, row_entries(statement)
    held, work = smoothing_size(statement)
    linear_solver = choose_linear_solver(n_states, int(n_states * entries + work), statement.decision_discount)
    used, controlled = scheme_class(scheme), int(asked.step is None)
    arrays = used.pair_arrays[controlled] + kind.logarithmic * used.log_arrays[controlled]
    arrays += ANNEALED_ARRAYS * (asked.anneal is not None)
    longest = max(plan.actions)
    threads = min(numba.get_num_threads(), math.ceil(plan.pairs / longest / LANES))
    lines = 8 * longest * (CELL_ARRAYS + threads * used.line_numbers)
    thinned = thinned_entries(statement, entries) if linear_solver == "krylov" else None
    if thinned is None:
        matrices = matrix_bytes(n_states, entries, linear_solver, smoothed=held > 0)
    else:
        indices = int(4 * n_states * thinned)  # of rows that are chosen anew for every system
        matrices = matrix_bytes(n_states, thinned, linear_solver, smoothed=False) + indices + POLICIES * 8 * plan.pairs
    transition = transition_bytes(plan, factorised=factorised(statement))
    numbers = kind.kept_numbers(statement.actions, **asked.parameters)
    beside = PARAMETER_ARRAYS * n_states * numbers
    needed = PROCESS_BYTES + transition + held + int(8 * (plan.pairs * arrays + beside)) + lines + matrices
    return Estimate(plan, entries, linear_solver, needed, available_bytes(), numbers)


def refuse_if_too_large(
    label: str, plan: Plan, needed: int | None = None, ranks: int = 1, kept_numbers: int = 0
) -> None:
    """Raise MemoryError, with what to lower, unless memory holds so many bytes; by default the problem's own arrays.

    Of several ranks each is taken to hold its share in memory of its own.
    """
    if needed is None:
        needed = 8 * PROBLEM_PAIR_ARRAYS * plan.pairs + transition_bytes(plan)
    needed, available = needed // ranks, available_bytes()
    if needed > available:
        beside = f" or what its flow keeps of every state (now {kept_numbers:,} numbers)" if kept_numbers else ""
        raise MemoryError(
            f"{label} needs about {needed / 1e9:.3g} GB, {available / 1e9:.3g} GB are available; "
            f"lower the cells (now {plan.n_states} states x {plan.n_actions} actions){beside}"
        )


def transition_bytes(plan: Plan, *, factorised: bool = False) -> int:
    """Bytes the transition holds; an upper bound where rows are integrated over cells."""
    dim = len(plan.states)
    stencil = 0 if factorised else 4 + 8 * (dim + plan.noisy_axes)
    per_pair: dict[Kind, int] = {
        "interpolated": stencil,
        "cell-integrated": 12 * plan.n_states,
        "gauss-hermite": (stencil + 8) * HERMITE_NODES**dim,
    }
    kept = 24 * plan.mixed + 8 * plan.clamped + 8 * (len(plan.outcomes) > 1)
    return plan.pairs * sum(per_pair[kind] + kept for kind in plan.outcomes)


def factorised(statement: Statement) -> bool:
    """Whether the transition holds next to nothing for a pair: two axes with noise, each of action axes of its own.

    As in grids/transitions/tensor_stencil.py, but judged at a sample of states.
    """
    states, plan, branches = statement.states, statement.plan, statement.branches
    if len(branches) > 1 or states.dim != 2:
        return False
    if not all(statement.noisy_steps(axis, branches[0]) for axis in states.axes):
        return False
    chosen = np.unique(np.linspace(0, states.size - 1, SAMPLED_STATES).astype(np.int64))
    action_at = list(statement.actions.points.T)

    def means(start: int, stop: int) -> list[np.ndarray]:
        at = [[*states.points[number], *action_at] for number in chosen[start:stop]]
        dynamics = [branches[0].dynamics[axis.name] for axis in states.axes]
        return [np.stack([_at(value, columns, plan.n_actions) for columns in at]) for value in dynamics]

    return inner_actions(means, plan.n_actions, Slab(chosen.size)) > 0


def matrix_bytes(n_states: int, row_entries: float, linear_solver: str, smoothed: bool) -> int:
    """Bytes of the matrices of the Bellman equations; ``smoothed``: P^pi is a product with a smoothing of values."""
    needed = ROW_ENTRY_BYTES * n_states * row_entries
    if linear_solver == "dense":
        needed += (DENSE_MATRICES + smoothed) * 8 * n_states**2
    if linear_solver == "krylov":
        needed += KRYLOV_STATE_BYTES * n_states
        if n_states >= LEAST_STATES and row_entries <= MOST_ROW_ENTRIES:
            needed += (INCOMPLETE_ENTRY_BYTES * row_entries + INCOMPLETE_STATE_BYTES) * n_states
    return int(needed)


def thinned_entries(statement: Statement, row_entries: float) -> float | None:
    """Entries in a row that incomplete factors are made of where P^pi is kept over the pairs; None where it is not.

    As `InterpolatedTransition.under` decides, of one outcome without noise.
    """
    states, plan, branches = statement.states, statement.plan, statement.branches
    if (
        len(branches) > 1
        or plan.kind != "interpolated"
        or any(axis.table is not None or statement.noisy_steps(axis, branches[0]) for axis in states.axes)
    ):
        return None
    corners = 2 ** sum(axis.size > 1 and axis.boundary != SHOCK for axis in states.axes)
    most = max(min(MOST_ENTRIES, MOST_THINNING), ENTRIES_PER_PAIR * plan.pairs)
    if min(plan.pairs * corners, plan.n_states * row_entries) <= most:
        return None
    return float(min(row_entries, corners * min(MOST_QUANTILES, max(1, MOST_THINNED // corners))))


def row_entries(statement: Statement) -> float:
    """Mean number of entries in a row of P^pi, from a sample of states and actions.

    Each mean next state touches the corners of the cell it lies in, on axes with constant noise the nearest point and
    its two neighbours; an axis with a single point has one corner.  Noise that varies with state or action reaches any
    state, at most.
    """
    states, plan = statement.states, statement.plan
    if states.dim == 0:
        return 1.0
    if plan.kind != "interpolated" and any(kind != "interpolated" for kind in plan.outcomes):
        return float(plan.n_states)
    chosen = np.unique(np.linspace(0, states.size - 1, SAMPLED_STATES).astype(np.int64))
    actions = np.unique(np.linspace(0, plan.n_actions - 1, SAMPLED_ACTIONS).astype(np.int64))
    action_at = [
        axis.points[index]
        for axis, index in zip(statement.actions.axes, np.unravel_index(actions, plan.actions), strict=True)
    ]
    counts = []
    for state in chosen:
        state_at = [
            axis.points[index] for axis, index in zip(states.axes, np.unravel_index(state, states.shape), strict=True)
        ]
        touched: set[int] = set()
        for outcome in statement.decisions:
            nodes = np.zeros((1, actions.size), dtype=np.int64)
            for axis in states.axes:
                mean = _at(outcome.dynamics[axis.name], [*state_at, *action_at], actions.size)
                left = np.searchsorted(axis.points, boundary_map(axis, mean), side="right") - 1
                most = 1 if axis.boundary == SHOCK else axis.size
                corners = np.stack([left, left + 1])[:most] % axis.size
                if statement.noisy_steps(axis, outcome):
                    near = np.searchsorted(axis.points[:-1] + 0.5 * np.diff(axis.points), boundary_map(axis, mean))
                    corners = np.stack([near, near + 1, near + 2])  # from the node before the first point on
                nodes = (nodes[:, None, :] * (axis.size + 2) + corners[None, :, :]).reshape(-1, actions.size)
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
            if axis.table is not None:
                held += 8 * axis.table.size
                work += axis.size * math.prod(sizes)
            elif not callable(sigma) and sigma > 0.0:
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
