"""The reference of problem C, made once and kept: V(rho) at the five times by two independent integrators.

    python -m benchmarks.reference_c

CVODE (BDF, rtol 1e-12) and SciPy's Radau (rtol 1e-11), both with the dense NumPy right-hand side and the Jacobian of
frozen Q; the file keeps the values of the first and the largest difference of the two.
"""

from __future__ import annotations

import json
import sys

import numpy as np

from benchmarks.integrators import cvode_solution, scipy_solution
from benchmarks.peers_c import DenseField, equation_of
from benchmarks.problem_c import TIMES, coupled_flow
from benchmarks.report import RESULTS, write_json
from wpoflow.core.arrays import FloatArray

FILE = RESULTS / "coupled_reference.json"
SHARE = 1e-3  # atol over rtol


def reference_values() -> FloatArray:
    """V(rho) at the times of problem C, from the file."""
    return np.array(json.loads(FILE.read_text(encoding="utf-8"))["value"])


def main() -> int:
    """Compute and write the reference: about three minutes."""
    problem = coupled_flow()
    field = DenseField(problem)
    equation = equation_of(problem, field)
    value = field.values(cvode_solution(equation, 1e-12, SHARE, "sparse, frozen Q"))
    other = field.values(scipy_solution(equation, "Radau", 1e-11, SHARE))
    difference = float(np.abs(value - other).max())
    made = "CVODE BDF rtol 1e-12, atol 1e-15, dense NumPy right-hand side; compared with SciPy Radau rtol 1e-11"
    write_json(FILE, {"time": TIMES, "value": value.tolist(), "difference": difference, "made": made})
    print(f"V(rho) = {value}, the two differ by {difference:.1e}")
    return 0 if difference < 1e-10 else 1


if __name__ == "__main__":
    sys.exit(main())
