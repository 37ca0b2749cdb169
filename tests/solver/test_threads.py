"""Whole runs have the same bits from one and two threads, of our kernels and of BLAS, and when they are repeated."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.variants import slow

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import hashlib
import sys

import wpoflow.core.compile as door

door.LEAST_THREADED = 1  # threaded kernels for arrays of every size

import numba
import numpy as np
from threadpoolctl import threadpool_info

import wpoflow as wpo
from tests.variants import slow
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import interpolated_transition
from wpoflow.solver.bellman.linear_solver import LINEAR_SOLVERS

assert numba.get_num_threads() == int(sys.argv[1])
assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} == {int(sys.argv[2])}


def problem(state_cells, action_axes, noise):
    names = "uv"[:action_axes]
    states = Grid((uniform_axis("x", -1.0, 1.0, state_cells, "clamp"),))
    kinds = ("no-flux", "periodic")
    actions = Grid(tuple(uniform_axis(n, -1.0, 1.0, 7 + j, kinds[j]) for j, n in enumerate(names)))
    x, push = states.points[:, :1], actions.points.sum(axis=1)
    rng = np.random.default_rng(0)
    policy = rng.uniform(0.5, 1.5, (states.size, actions.size))
    return wpo.GridMDP(
        states=states,
        actions=actions,
        discount=0.9,
        temperature=0.3,
        cost=x**2 + 0.5 * push**2 + 0.1 * np.sin(7.0 * x * push),
        transition=interpolated_transition(states, (0.9 * x + 0.1 * push)[:, :, None], [noise]),
        reference_mass=np.full(actions.size, 1.0 / actions.size),
        rho=np.full(states.size, 1.0 / states.size),
        initial_policy=policy / policy.sum(axis=1, keepdims=True),
    )


def digest(run):
    found = hashlib.sha256()
    best = run.optimum
    for array in (*run.series.values(), run.policy, run.snapshots.value, best.value, best.q, best.policy):
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:16]


# 1200 states and narrow rows without noise: the Krylov solver takes incomplete factors
small, wide = (lambda axes: problem(90, axes, 0.1)), (lambda axes: problem(1200, axes, 0.0))
cases = [(solver, axes, small) for solver in LINEAR_SOLVERS for axes in (1, 2)] + [("krylov", 1, wide)]
for solver, axes, make in cases:
    mdp = make(axes)
    controlled = {"accuracy": 1e-3}
    for scheme, size in (("euler", {"step": 0.01}), ("extrapolated", controlled), ("automatic", controlled)):
        both = [
            digest(wpo.evolve(mdp, until={"steps": 3}, scheme=scheme, linear_solver=solver, **size))
            for _ in range(1 + (sys.argv[1:] == ["2", "1"]))  # once more in one of the processes
        ]
        assert both[0] == both[-1], (solver, axes, scheme, "repeated")
        print(solver, axes, make is wide, scheme, both[0])
for flow in ("fisher-rao", "wasserstein-fisher-rao"):
    for axes in (1, 2):
        print(flow, axes, digest(wpo.evolve(small(axes), until={"steps": 3}, flow=flow, accuracy=1e-3)))
"""


def run(kernel_threads: int, blas_threads: int) -> str:
    settings = {
        "NUMBA_NUM_THREADS": str(kernel_threads),
        "OPENBLAS_NUM_THREADS": str(blas_threads),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-c", PROGRAM, str(kernel_threads), str(blas_threads)]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow  # runs resumed on other numbers of threads are tried beside the quick tests (.ci/run)
def test_runs_do_not_depend_on_the_number_of_threads() -> None:
    alone = run(1, 1)
    assert len(alone.splitlines()) == 25
    assert run(2, 2) == alone


FORKED = """
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

import numba
import numpy as np

import wpoflow.core.compile as door

door.LEAST_THREADED = 1
from wpoflow.solver.entropy import gibbs_policy

random = np.random.default_rng(0)
q = random.normal(size=(40, 30))


def gibbs(scale):
    out = np.empty_like(q)
    gibbs_policy(scale * q, np.full(30, -np.log(30.0)), 0.3, out)
    return out.tobytes()


here = [gibbs(scale) for scale in (1.0, 2.0)]
assert numba.get_num_threads() == int(sys.argv[1])
fork = multiprocessing.get_context("fork")
with ProcessPoolExecutor(2, mp_context=fork) as pool:
    assert list(pool.map(gibbs, (1.0, 2.0))) == here
with fork.Pool(2) as pool:
    assert pool.map_async(gibbs, (1.0, 2.0)).get(timeout=60) == here
assert gibbs(1.0) == here[0]
print("same")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("threads", [slow(1), 2])
def test_a_forked_process_computes_the_same(threads: int) -> None:
    """After kernels with threads, which it may not start; the case of one thread started them, too."""
    settings = {"NUMBA_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "ignore", "-c", FORKED, str(threads)]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout) == (0, "same\n"), done.stderr
