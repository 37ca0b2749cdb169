"""One step of every flow, per pair of state and action: Q and observables apart, on one core, interleaved.

    python -m benchmarks.relatives [--cells 128] [--repeat 15] [--steps 1e-2,1,1e2]

Prints one line of JSON: for each problem and step size the nanoseconds of processor time a pair takes, least and median
of the repeats.  In every repeat each flow takes one step in turn, so that a machine that is busy for a while is so for
all of them.  Flows of logarithms are timed as they are run, in ln p, those of parameters in these: particles are as
many in a state as it has cells, so that a pair is a particle.

The regulator of the gallery, n x n, has one quadratic well in every state; ``wells`` is as many double wells of several
depths side by side, at a temperature at which they are far below rounding.  Policies are those of a flow under way, and
Q is theirs.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.machine import load
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import tabulated_transition
from wpoflow.problems.load import load_problem
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.flows.flow import Flow, as_flow
from wpoflow.solver.flows.mixture import log_of
from wpoflow.solver.flows.parametric.parametric import ParametricFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.registry import FLOWS, FlowEntry

STEPS = (1e-2, 1.0, 1e2)
WARM = 0.05  # of flow time, before anything is timed


def wells(cells: int) -> GridMDP:
    """As many double wells as cells, each a state that leads to itself."""
    actions = uniform_axis("a", -2.5, 2.5, cells, "no-flux")
    depth = np.linspace(0.5, 2.0, cells)[:, None]
    cost = depth * (actions.points**2 - 1.5) ** 2 + 0.3 * actions.points
    alone = np.repeat(np.eye(cells)[:, None, :], cells, axis=1)
    uniform = np.full(cells, 1.0 / cells)
    return GridMDP(
        states=Grid((uniform_axis("s", 0.0, 1.0, cells, "reflect"),)),
        actions=Grid((actions,)),
        discount=0.9,
        temperature=0.05,
        cost=cost,
        transition=tabulated_transition(alone),
        reference_mass=uniform,
        rho=uniform,
        initial_policy=np.tile(uniform, (cells, 1)),
    )


PROBLEMS: dict[str, Callable[[int], GridMDP]] = {
    "regulator": lambda cells: load_problem("lqr", cells={"x": cells, "u": cells}),
    "wells": wells,
}


def _as_many(entry: FlowEntry, mdp: GridMDP) -> dict[str, int]:
    return {"particles": mdp.actions.size} if "particles" in entry.required else {}


def stepper(flow: Flow, p: FloatArray, q: FloatArray, dt: float) -> Callable[[], Any]:
    """One step from p, as the flow is run."""
    out = np.empty_like(p)
    if isinstance(flow, ParametricFlow):
        before = flow.begin(p)
        after = np.empty_like(before)
        return lambda: flow.advance(before, q, dt, after, out, 0)
    if flow.logarithmic:
        log_p, log_out = log_of(p), np.empty_like(p)
        return lambda: flow.log_step(log_p, q, dt, log_out, out)
    return lambda: flow.step(p, q, dt, out)


def timed(mdp: GridMDP, dt: float, repeat: int) -> dict[str, list[float]]:
    """Nanoseconds a pair of every flow, least and median."""
    flows = {name: as_flow(mdp, name, {**entry.required, **_as_many(entry, mdp)}) for name, entry in FLOWS.items()}
    first = evaluate(mdp, mdp.initial_policy)
    p = flows["wasserstein"].step(mdp.initial_policy, first.q, WARM, np.empty_like(mdp.initial_policy))
    q = evaluate(mdp, p).q
    runs = {name: stepper(flow, p, q, dt) for name, flow in flows.items()}
    for run in runs.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeat):
        for name, run in runs.items():
            begun = time.process_time()
            run()
            seconds[name].append(time.process_time() - begun)
    return {
        name: [round(1e9 / p.size * float(pick(found)), 2) for pick in (np.min, np.median)]
        for name, found in seconds.items()
    }


def main() -> None:
    """Time everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cells", type=int, default=128)
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--steps", default=",".join(f"{step:g}" for step in STEPS))
    asked = parser.parse_args()
    numba.set_num_threads(1)
    with threadpool_limits(1):
        found = {
            name: {
                f"step {step}": timed(make(asked.cells), float(step), asked.repeat) for step in asked.steps.split(",")
            }
            for name, make in PROBLEMS.items()
        }
    print(json.dumps({"cells": asked.cells, "repeat": asked.repeat, "load": load(), "ns_per_pair": found}))


if __name__ == "__main__":
    main()
