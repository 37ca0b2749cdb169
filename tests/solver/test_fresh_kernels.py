"""Machine code that is loaded from the cache gives the bits of the process that compiled it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CALLS = """
import hashlib
import numpy as np
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.entropy import relative_entropies_to_gibbs
from wpoflow.solver.schemes.history import combine_history, measure_step
from tests.solver.small_problems import small_problem

generator = np.random.default_rng(0)
states, cells = 37, 81
history = generator.random((7, states, cells))
history /= history.sum(axis=2, keepdims=True)
slots, weights = np.arange(6), generator.standard_normal((6, 3))
weights[0] += 1.0 - weights.sum(axis=0)
new, q, log_mass = history[6].copy(), generator.standard_normal((states, cells)), np.full(cells, -np.log(cells))
found = [np.empty((5, states)), np.empty(states), np.zeros(states, dtype=np.int64), *np.empty((2, states))]
right = np.empty_like(new)
combine_history(history, slots, weights[:, 0].copy(), right)
measure_step(history, slots, weights, history[3], new, *found[:3])
relative_entropies_to_gibbs(history[0], new, q, log_mass, 0.3, *found[3:])
mdp = small_problem()
for array in (right, new, *found, evaluate(mdp, mdp.initial_policy, linear_solver="krylov").value):
    print(hashlib.sha256(array.tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_fresh_and_kept_machine_code_give_the_same_bits(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", CALLS]
    fresh, kept = (
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout for _ in range(2)
    )
    assert list(tmp_path.rglob("*.nbc"))
    assert fresh == kept
    assert len(fresh.split()) == 8
