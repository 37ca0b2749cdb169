"""How time and memory grow with the number of pairs.

    python -m benchmarks.sizes

Memory: 20 ``euler`` steps of navigation at 64^2 x 32^2 and of the pendulum at 201 x 201 x 41, each in a
process of its own: measured peak against the estimate and against 16 doubles a pair plus 400 MB.
Time: a descent step alone, and a step with its Bellman evaluation, at three sizes of navigation.
"""

from __future__ import annotations

import itertools
import math
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.commands import wpoflow
from wpoflow.problems.load import load_problem, read_statement
from wpoflow.problems.memory import estimate
from wpoflow.problems.problem_file import read_problem
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.flows.wasserstein import WassersteinFlow

CASES = {
    "navigation": {"x": 64, "y": 64, "vx": 32, "vy": 32},
    "pendulum": {"theta": 201, "speed": 201, "torque": 41},
}
LADDER = (16, 32, 64)
REPEATS = 5


def memory() -> None:
    """Print peak memory beside its estimate and its bound."""
    print(f"{'problem':14s}{'pairs':>10s}{'peak MB':>9s}{'estimate':>10s}{'ratio':>7s}{'bound MB':>10s}{'seconds':>9s}")
    for name, cells in CASES.items():
        problem = read_problem(name, cells=cells, scheme="euler", step=0.01)
        expected = estimate(read_statement(problem), problem.flow)
        with tempfile.TemporaryDirectory() as folder:
            options = list(itertools.chain.from_iterable(("--cells", f"{k}={v}") for k, v in cells.items()))
            fixed = ["--scheme", "euler", "--step", "0.01", "--until", "steps=20", "--quiet"]
            taken = wpoflow("run", name, "-o", str(Path(folder) / "run.h5"), *options, *fixed)
        if taken.status != 0:
            raise SystemExit(f"{name}: exit {taken.status}: {taken.printed}")
        pairs = expected.plan.pairs
        bound = 16 * 8 * pairs + 400e6
        print(
            f"{name:14s}{pairs:10d}{taken.peak_bytes / 1e6:9.0f}{expected.needed / 1e6:10.0f}"
            f"{expected.needed / taken.peak_bytes:7.2f}{bound / 1e6:10.0f}{taken.seconds:9.1f}",
            flush=True,
        )


def seconds() -> None:
    """Print seconds per step, with and without the Bellman evaluation, and their slopes in the number of pairs."""
    rows = []
    for n in LADDER:
        mdp = load_problem("navigation", cells={"x": n, "y": n, "vx": n // 2, "vy": n // 2})
        step, out = WassersteinFlow(mdp).step, np.empty_like(mdp.initial_policy)
        start = evaluate(mdp, mdp.initial_policy)
        alone, whole = [], []
        for _ in range(REPEATS):
            begun = time.perf_counter()
            step(mdp.initial_policy, start.q, 0.01, out)
            stepped = time.perf_counter()
            evaluate(mdp, out, start.value)
            ended = time.perf_counter()
            alone.append(stepped - begun)
            whole.append(ended - begun)
        rows.append((mdp.states.size * mdp.actions.size, float(np.median(alone)), float(np.median(whole))))
    print(f"\n{'pairs':>10s}{'step ms':>10s}{'with Bellman ms':>17s}")
    for pairs, alone_s, whole_s in rows:
        print(f"{pairs:10d}{1e3 * alone_s:10.2f}{1e3 * whole_s:17.2f}")
    span = math.log(rows[-1][0] / rows[0][0])
    slopes = [math.log(rows[-1][column] / rows[0][column]) / span for column in (1, 2)]
    print(f"slope in pairs: {slopes[0]:.2f} for the step alone, {slopes[1]:.2f} with its Bellman evaluation")


if __name__ == "__main__":
    memory()
    seconds()
