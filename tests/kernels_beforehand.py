"""What the tests need of compiled kernels beyond a run of every kind: those of constants, and those of threads.

In the cache before several workers would compile them, and compiled beside the others, as one process fills one core.
"""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np

from tests.solver.runs_on_threads import RUNS_ON_THREADS
from wpoflow.problems.load import load_problem
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.log_sobolev import minimise_log_sobolev
from wpoflow.validation.constants.lower_bounds import lower_bounds
from wpoflow.validation.constants.spectral_gap import spectral_gap
from wpoflow.validation.constants.verified_gap import proven_gap

SMALL = {"lqr": {"x": 4, "u": 9}, "torus": {"s": 4, "a": 9}, "navigation": {"x": 3, "y": 3, "vx": 4, "vy": 4}}


def main() -> None:
    """Constants of the generators of the costs, which need no flow to be run; then runs by threaded kernels."""
    for name, cells in SMALL.items():
        mdp = load_problem(name, cells=cells)
        generators = Generators(mdp.actions, mdp.cost, np.log(mdp.reference_mass), mdp.temperature)
        spectral_gap(generators)
        proven_gap(generators)
        minimise_log_sobolev(generators)
        lower_bounds(generators, "full")
    threads = os.environ | {"NUMBA_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", RUNS_ON_THREADS, "2", "1"], env=threads, check=True)


if __name__ == "__main__":
    main()
