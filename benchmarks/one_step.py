"""One flow step of a large problem, part by part, and what it needs of memory.

    python -m benchmarks.one_step {navigation,cart_pole} [N CELLS] [--threads 1] [--repeat 5] [--tolerance 0]
                                  [--scheme NAME]

Prints one line of JSON.  Parts, each timed alone on the arrays of a flow under way, least of the repeats:

    descent      Scharfetter–Gummel rates and elimination on all action axes
    q            c + gamma P V
    reward       sum_k p (c + tau ln(p/m)): the entropy of every state
    monitor      the two relative entropies by which a run watches descent
    dissipation  of identity (I4), in rows of the series only
    combine      P^pi from p;  matvec: one product with it;  bellman: a whole evaluation, warm

With ``--scheme`` (which wants more memory than a descent step does) instead a few steps of that scheme.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.machine import load
from benchmarks.problem_l import cart_pole, navigation
from wpoflow.solver.bellman.evaluation import evaluate, q_of_value
from wpoflow.solver.bellman.linear_solver import linear_solver_of
from wpoflow.solver.entropy import regularised_cost, relative_entropy_to_gibbs
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.schemes.trajectory import flow

PROBLEMS: dict[str, Callable[..., GridMDP]] = {"navigation": navigation, "cart_pole": cart_pole}
STEP = 0.02
STEP_PARTS = ("descent", "q", "reward", "monitor")
SCHEME_STEPS = 8


def peak_bytes() -> int:
    """Largest resident memory so far, of this process alone."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage counts what the parent process held when it started this one
        (line,) = (line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
        return 1024 * int(line.split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in kilobytes, macOS in bytes
    return peak if sys.platform == "darwin" else 1024 * peak


def least(run: Callable[[], Any], repeat: int) -> tuple[float, float]:
    """Least wall-clock and least CPU seconds of a call, after one untimed."""
    run()
    wall, cpu = [], []
    for _ in range(repeat):
        begun, used = time.perf_counter(), time.process_time()
        run()
        cpu.append(time.process_time() - used)
        wall.append(time.perf_counter() - begun)
    return min(wall), min(cpu)


def parts(mdp: GridMDP, repeat: int, tolerance: float = 0.0) -> dict[str, Any]:
    """Seconds of every part of a step, the Bellman solver, and the peak of memory after the step alone."""
    solver = linear_solver_of(mdp)
    step = WassersteinFlow(mdp).step
    first = evaluate(mdp, mdp.initial_policy, linear_solver=solver, tolerance=tolerance)
    p = step(mdp.initial_policy, first.q, STEP, np.empty_like(mdp.initial_policy))
    value, q, system = first.value, first.q, first.system
    evaluate(mdp, p, value, solver, out=q, tolerance=tolerance)
    peak = peak_bytes()
    out, state = np.empty_like(p), np.empty(mdp.states.size)
    runs: dict[str, Callable[[], Any]] = {
        "descent": lambda: step(p, q, STEP, out),
        "q": lambda: q_of_value(mdp, value, out),
        "reward": lambda: regularised_cost(p, mdp.cost, mdp.log_mass, mdp.temperature, state),
        "monitor": lambda: [relative_entropy_to_gibbs(x, q, mdp.log_mass, mdp.temperature, state) for x in (p, p)],
        "dissipation": lambda: WassersteinFlow(mdp).dissipation(p, q),
        "combine": lambda: mdp.transition.under(p),
        "matvec": lambda: system.transition.matvec(value),
        "bellman": lambda: evaluate(mdp, p, value, solver, out=out, tolerance=tolerance),
    }
    timed = {name: least(run, repeat) for name, run in runs.items()}
    return {
        "solver": solver,
        "peak_bytes": peak,
        "wall": {name: wall for name, (wall, _) in timed.items()},
        "cpu": {name: cpu for name, (_, cpu) in timed.items()},
    }


def scheme_steps(mdp: GridMDP, scheme: str) -> dict[str, Any]:
    """CPU and wall seconds per step of a time scheme, its first step left out, and the peak of memory."""
    states = flow(mdp, scheme=scheme, step=STEP)
    list(islice(states, 2))
    begun, used = time.perf_counter(), time.process_time()
    list(islice(states, SCHEME_STEPS))
    wall, cpu = time.perf_counter() - begun, time.process_time() - used
    return {"peak_bytes": peak_bytes(), "wall": {scheme: wall / SCHEME_STEPS}, "cpu": {scheme: cpu / SCHEME_STEPS}}


def main() -> int:
    """Measure and print one line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.one_step")
    parser.add_argument("problem", choices=sorted(PROBLEMS))
    parser.add_argument("size", nargs="*", type=int, help="points per state axis, cells per action axis")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--tolerance", type=float, default=0.0, help="Bellman residual that suffices; 0: rounding")
    parser.add_argument("--scheme")
    given = parser.parse_args()
    numba.set_num_threads(given.threads)
    with threadpool_limits(1):
        before = load()
        mdp = PROBLEMS[given.problem](*given.size)
        found = parts(mdp, given.repeat, given.tolerance) if given.scheme is None else scheme_steps(mdp, given.scheme)
    pairs = mdp.states.size * mdp.actions.size
    about = {"pairs": pairs, "states": mdp.states.size, "cells": mdp.actions.size, "threads": given.threads}
    print(json.dumps({**about, "load_before": before, "load_after": load(), **found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
