"""The same bits from one and two threads, of our kernels and of BLAS."""

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

import numba
import numpy as np

from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.masses import policy_masses
from wpoflow.grids.transitions import cell_integrated_transition, interpolated_transition, tabulated_transition

threads, chosen = sys.argv[1:]
assert numba.get_num_threads() == int(threads)
rng = np.random.default_rng(0)
line = Grid((uniform_axis("x", -1.0, 1.0, 150, "reflect"),))
plane = Grid((uniform_axis("x", -1.0, 1.0, 30, "clamp"), uniform_axis("y", 0.0, 1.0, 20, "periodic")))
box = Grid(tuple(uniform_axis(name, -1.0, 1.0, 7, "clamp") for name in "xyz"))
table = rng.random((90, 3, 90))
table /= table.sum(axis=2, keepdims=True)
kinds = [
    interpolated_transition(plane, rng.normal(size=(600, 9, 2)), [0.1, 0.2], lambda x, y: x > 0.9),
    interpolated_transition(plane, rng.normal(size=(600, 9, 2))),
    interpolated_transition(line, rng.normal(size=(150, 9, 1)), [0.1]),
    interpolated_transition(box, rng.normal(size=(343, 9, 3)), [0.1, 0.0, 0.3]),
    cell_integrated_transition(line.axes[0], rng.normal(size=(150, 9)), rng.random((150, 9)), lambda x: x > 0.9),
    tabulated_transition(table),
]
if chosen == "few":  # those that the time of compiling threads allows
    kinds = [kinds[0], kinds[5]]
digest = hashlib.sha256(policy_masses(plane, line, lambda x, y, u: np.exp(x * u - y)).tobytes())
for transition in kinds:
    value = rng.normal(size=transition.n_states)
    policy = rng.random((transition.n_states, transition.n_actions))
    operator = transition.under(policy)
    sparse = operator.sparse()
    termination = transition.termination
    for array in (
        transition.expect(value),
        operator.matvec(value),
        operator.rmatvec(value),
        operator.dense(),
        sparse.data,
        np.zeros(1) if termination is None else termination,
        np.zeros(1) if termination is None else transition.terminal_expectation(lambda x, *_: x),
    ):
        digest.update(np.ascontiguousarray(array).tobytes())
print(digest.hexdigest())
"""


def run(threads: int, chosen: str) -> str:
    settings = {"NUMBA_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PROGRAM, str(threads), chosen]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("chosen", ["few", slow("all")])
def test_bits_do_not_depend_on_the_number_of_threads(chosen: str) -> None:
    assert run(1, chosen) == run(2, chosen)
