"""Filling the kernel cache: small problems of every kind, so that no later command has to compile.

The gallery on coarse grids, run by every scheme and judged by every claim, and transitions that no gallery problem has:
tables, noise that depends on the state, four axes.  All of it twice, for kernels are compiled with and without
threads.  What is left for its first use are products over the pairs of a policy, which only problems of several state
axes and millions of pairs have, and half a dozen kernels that no problem as small as these comes to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numba
import numpy as np
import scipy.sparse as sp

from wpoflow.core import compile as door
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import (
    Transition,
    cell_integrated_transition,
    gauss_hermite_transition,
    interpolated_transition,
    tabulated_transition,
)
from wpoflow.problems.environments.control_kernels import take_steps
from wpoflow.problems.gallery import gallery_names
from wpoflow.problems.load import build_problem
from wpoflow.problems.problem_file import ProblemFile, read_problem
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.bellman.linear_solver import LINEAR_SOLVERS
from wpoflow.solver.flows.flow import as_flow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.registry import AUTOMATIC, FLOWS, SCHEMES
from wpoflow.solver.runs.evolve import evolve_to_the_end
from wpoflow.solver.schemes.choice import chosen_scheme
from wpoflow.studies.refinement.problem_grids import coarsened, refined_axes, with_cells
from wpoflow.validation.suite import Level, validate_problem

PAIRS, STEPS, TIME = 600.0, 8, 0.05
MANY_STATES = 1200  # so many that incomplete factors precondition the Bellman equation
LEVEL = Level("compile", math.inf, STEPS, 1, True, "full")
WAYS = {"without threads": door.LEAST_THREADED, "with threads": 1}


def fill(tell: Callable[[str], None]) -> None:
    """Compile all kernels that are not in the cache; ``tell`` is given a line for every problem."""
    for way, least in WAYS.items():
        with _threads_from(least):
            for name in gallery_names():
                tell(f"{way}: {name}")
                _all_of(_small(read_problem(name, until={"time": 2.0 * TIME})))
            for what, mdp in further_problems():
                tell(f"{way}: {what}")
                _all_schemes(mdp)
                for solver in LINEAR_SOLVERS:
                    evaluate(mdp, mdp.initial_policy, linear_solver=solver)
    tell("steps of dm_control's models")
    take_steps()


@contextmanager
def _threads_from(entries: int) -> Iterator[None]:
    """Kernels use threads from arrays of so many entries on; one of them, as more would wait for each other."""
    before, door.LEAST_THREADED = door.LEAST_THREADED, entries
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        yield
    finally:
        door.LEAST_THREADED = before
        numba.set_num_threads(threads)


def _small(problem: ProblemFile) -> ProblemFile:
    return with_cells(problem, coarsened(refined_axes(problem), PAIRS))


def _all_of(problem: ProblemFile) -> None:
    validate_problem(problem, LEVEL)
    _all_schemes(build_problem(problem))


def _all_schemes(mdp: GridMDP) -> None:
    """A few steps of every flow by every scheme that applies, of fixed size and controlled."""
    for flow in FLOWS:
        for name, step in _ways(flow):
            try:
                chosen_scheme(mdp, name, step, flow)
            except ValueError:  # it does not apply
                continue
            tried = as_flow(mdp, flow, FLOWS[flow].required)
            evolve_to_the_end(mdp, until={"time": TIME, "steps": STEPS}, flow=tried, scheme=name, step=step)


def _ways(flow: str) -> Iterator[tuple[str, float | None]]:
    """Schemes and steps a flow may be followed by."""
    if FLOWS[flow].own_step:
        yield AUTOMATIC, FLOWS[flow].step or TIME / STEPS
        return
    for name, entry in SCHEMES.items():
        for step in (TIME / STEPS, None) if entry.fixed_steps else (None,):
            yield name, step


def further_problems() -> Iterator[tuple[str, GridMDP]]:
    """Problems with the transitions that the gallery does not have, and what they are."""
    actions = Grid((uniform_axis("a", -1.0, 1.0, 8, "no-flux"),))
    line = Grid((uniform_axis("s", -1.0, 1.0, 16, "clamp"),))
    s, a = line.points, actions.points[:, 0]
    mean, sigma = 0.8 * s + 0.2 * a, 0.1 + 0.05 * (s + a) ** 2
    rows = np.exp(-((line.points[:, 0] - mean[..., None]) ** 2))
    rows /= rows.sum(axis=2, keepdims=True)
    yield "a full table", _problem(line, actions, tabulated_transition(rows))
    yield "a sparse table", _problem(line, actions, tabulated_transition(_neighbours(16, 8)))
    shared = np.repeat(rows[:, :1], 8, axis=1)
    yield "a table of few rows", _problem(line, actions, tabulated_transition(shared))
    few = sp.csr_array(np.repeat(_neighbours(16, 1).toarray(), 8, axis=0))
    yield "a sparse table of few rows", _problem(line, actions, tabulated_transition(few))
    yield "noise of varying size", _problem(line, actions, cell_integrated_transition(line.axes[0], mean, sigma))
    plane = Grid((uniform_axis("x", -1.0, 1.0, 5, "clamp"), uniform_axis("y", -1.0, 1.0, 5, "periodic")))
    towards = 0.9 * plane.points[:, None, :] + 0.1 * a[:, None]
    spread = np.full_like(towards, 0.1) * (1.0 + a[:, None] ** 2)
    yield (
        "noise of varying size on two axes",
        _problem(plane, actions, gauss_hermite_transition(plane, towards, spread)),
    )
    kinds = ("clamp", "reflect", "periodic", "clamp")
    for count in (1, 2, 3, 4):
        space = Grid(tuple(uniform_axis(f"x{j}", -1.0, 1.0, 4, kinds[j]) for j in range(count)))
        towards = 0.9 * space.points[:, None, :] + 0.1 * a[:, None]
        for noise in (None, [0.3] * count):
            yield (
                f"{count} state axes{' with noise' if noise else ''}",
                _problem(space, actions, interpolated_transition(space, towards, noise)),
            )
    long = Grid((uniform_axis("s", -1.0, 1.0, MANY_STATES, "clamp"),))
    yield "many states", _problem(long, actions, tabulated_transition(_neighbours(MANY_STATES, 8)))
    yield (
        "many states between points",
        _problem(long, actions, interpolated_transition(long, (0.8 * long.points + 0.2 * a)[..., None])),
    )


def _neighbours(states: int, actions: int) -> sp.csr_array:
    """Rows that go one point up or stay, with odds that depend on the pair."""
    here = np.arange(states * actions)
    up = 0.1 + 0.8 * (here % actions + 1) / (actions + 1)
    state = here // actions
    table = sp.coo_array(
        (np.concatenate((up, 1.0 - up)), (np.tile(here, 2), np.concatenate(((state + 1) % states, state)))),
        shape=(states * actions, states),
    )
    return sp.csr_array(table)


def _problem(states: Grid, actions: Grid, transition: Transition) -> GridMDP:
    """A quadratic cost with some transition."""
    size, cells = states.size, actions.size
    cost = (states.points**2).sum(axis=1)[:, None] + 0.5 * (actions.points**2).sum(axis=1)
    mass, rho = np.full(cells, 1.0 / cells), np.full(size, 1.0 / size)
    return GridMDP(states, actions, 0.9, 0.2, cost, transition, mass, rho, np.tile(mass, (size, 1)))
