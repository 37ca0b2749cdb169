"""Problem F by ourselves and by everyone else.

Set-up that a user does once per problem is not timed: arrays, the sparse generator, factors of nothing.  Integrators
get the best right-hand side that is easy to write: one product with the precomputed sparse generator.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numba
import numpy as np

from benchmarks.fokker_planck_packages import chang_cooper_solver, fipy_solver, py_pde_solver
from benchmarks.integrators import Equation, cvode_solution, scipy_solution
from benchmarks.ladder import Method
from benchmarks.numpy_flux import ColumnPattern
from benchmarks.problem_f import END, FrozenWells, as_bandit
from wpoflow.core.arrays import FloatArray
from wpoflow.solver.schemes.trajectory import flow

SHARE = 1e-2  # atol over rtol: of 1e-1 ... 1e-4 the best for CVODE and LSODA, entries being of that size
TOLERANCES = tuple(10.0**-k for k in np.arange(2.0, 8.6, 0.5))
OURS = tuple(10.0**-k for k in range(-1, 7))


def ours(wells: FrozenWells, scheme: str = "exponential") -> Method:
    """Our flow at a ladder of accuracies."""
    mdp = as_bandit(wells)

    def run(accuracy: float) -> FloatArray:
        for state in flow(mdp, accuracy=accuracy, scheme=scheme, landings=[END]):
            if state.time >= END:
                return state.policy.copy()
        raise AssertionError("the flow never ends")

    return Method(f"wpoflow, {scheme}", run, OURS, ours=True)


@numba.njit(error_model="numpy")
def compiled_field(
    t: float, y: FloatArray, out: FloatArray, lower: FloatArray, middle: FloatArray, upper: FloatArray
) -> None:
    """out = L y for the three diagonals of L."""
    n = y.size
    out[0] = middle[0] * y[0] + upper[0] * y[1]
    for i in range(1, n - 1):
        out[i] = lower[i] * y[i - 1] + middle[i] * y[i] + upper[i] * y[i + 1]
    out[n - 1] = lower[n - 1] * y[n - 2] + middle[n - 1] * y[n - 1]


def peers(wells: FrozenWells) -> tuple[list[Method], list[str]]:
    """All peers that are installed, and a line on each that is not."""
    generator = wells.generator.tocsr()
    equation = Equation(
        field=lambda t, y: generator @ y,
        rates=lambda t, y: wells.rates,
        start=wells.start,
        times=(END,),
        constant=True,
        pattern=ColumnPattern(*wells.start.shape),
    )
    methods = [
        Method("SciPy LSODA, banded", lambda e: scipy_solution(equation, "LSODA", e, SHARE), TOLERANCES[:-2]),
        Method("SciPy BDF, sparse", lambda e: scipy_solution(equation, "BDF", e, SHARE), TOLERANCES[:10:2]),
        Method("SciPy Radau, sparse", lambda e: scipy_solution(equation, "Radau", e, SHARE), TOLERANCES[:7:2]),
    ]
    missing = []
    if find_spec("sksundae") is None:
        missing.append("CVODE: scikit-sundae is not installed")
    else:
        middle = generator.diagonal()
        lower, upper = np.append(0.0, generator.diagonal(-1)), np.append(generator.diagonal(1), 0.0)

        def filled(t: float, y: FloatArray, out: FloatArray) -> None:
            compiled_field(t, y, out, lower, middle, upper)

        methods += [
            Method("CVODE, banded", lambda e: cvode_solution(equation, e, SHARE, "band"), TOLERANCES),
            Method("CVODE, banded, numba f", lambda e: cvode_solution(equation, e, SHARE, "band", filled), TOLERANCES),
            Method(
                "CVODE, sparse, exact Jacobian",
                lambda e: cvode_solution(equation, e, SHARE, "sparse, frozen Q", filled),
                TOLERANCES[::3],
                note="a banded exact Jacobian would need a template of 34 GB",
            ),
        ]
    for package, make, rungs, note in PACKAGES:
        if find_spec(package) is None:
            missing.append(f"{package} is not installed")
        else:
            methods.append(make(wells, rungs, note))
    return methods, missing


def _package(
    name: str, solver: Callable[[FrozenWells], Callable[[float], Any]]
) -> Callable[[FrozenWells, tuple[float, ...], str], Method]:
    return lambda wells, rungs, note: Method(name, solver(wells), rungs, note=note)


FIRST_ORDER = "first order, fixed steps; the rung is their number"
PACKAGES: tuple[tuple[str, Callable[[FrozenWells, tuple[float, ...], str], Method], tuple[float, ...], str], ...] = (
    (
        "pde",
        _package("py-pde, adaptive Runge-Kutta", py_pde_solver),
        (1e-3, 1e-5),
        "our flux as its evolution rate, compiled; explicit",
    ),
    ("fipy", _package("FiPy, implicit Euler", fipy_solver), (4.0, 16.0), FIRST_ORDER),
    (
        "pychangcooper",
        _package("pychangcooper, implicit Euler", chang_cooper_solver),
        (16.0, 64.0, 256.0, 1024.0, 4096.0),
        FIRST_ORDER,
    ),
)
