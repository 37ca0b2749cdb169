"""Whole runs have the same bits from one and two threads, of our kernels and of BLAS, and when they are repeated."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.solver.runs_on_threads import RUNS_ON_THREADS

ROOT = Path(__file__).resolve().parents[2]


def run(kernel_threads: int, blas_threads: int) -> str:
    settings = {
        "NUMBA_NUM_THREADS": str(kernel_threads),
        "OPENBLAS_NUM_THREADS": str(blas_threads),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-c", RUNS_ON_THREADS, str(kernel_threads), str(blas_threads)]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_runs_do_not_depend_on_the_number_of_threads() -> None:
    alone = run(1, 1)
    assert len(alone.splitlines()) == 25
    assert run(2, 2) == alone
    assert run(2, 1) == alone


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
@pytest.mark.parametrize("threads", [1, 2])
def test_a_forked_process_computes_the_same(threads: int) -> None:
    """After kernels with threads, which it may not start; the case of one thread started them, too."""
    settings = {"NUMBA_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "ignore", "-c", FORKED, str(threads)]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout) == (0, "same\n"), done.stderr
