"""General integrators of stiff equations, as peers: SciPy's ``solve_ivp`` and SUNDIALS' CVODE (scikit-sundae).

Each takes a problem y' = f(t, y) with the tridiagonal Jacobian of frozen Q in the form the integrator takes it:
compressed columns for BDF and Radau, LAPACK bands for LSODA, for CVODE the diagonals of its full template (``band``) or
compressed columns (``sparse``), or none of them, when bands are found by differences of the right-hand side.

The absolute tolerance is a share of the relative one, since the entries of a policy are small.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.integrate import solve_ivp

from benchmarks.numpy_flux import ColumnPattern, bands
from wpoflow.core.arrays import FloatArray

Field = Callable[[float, FloatArray], FloatArray]
Rates = Callable[[float, FloatArray], tuple[FloatArray, FloatArray]]
MOST_STEPS = 1_000_000


@dataclass(frozen=True, eq=False)
class Equation:
    """What an integrator is given.

    Attributes
    ----------
    field : callable
        f(t, y) -> dy/dt, flattened.
    rates : callable
        Rates on all faces, (S, A - 1) twice, of the frozen generator at (t, y).
    start : array (S, A)
    times : sequence of float
        Where the solution is wanted.
    constant : bool
        Whether the Jacobian is.
    pattern : ColumnPattern
    """

    field: Field
    rates: Rates
    start: FloatArray
    times: Sequence[float]
    constant: bool
    pattern: ColumnPattern


def scipy_solution(equation: Equation, method: str, tolerance: float, share: float) -> FloatArray:
    """Solution at the times, (times, S·A), by ``solve_ivp``.

    Parameters
    ----------
    method : {"LSODA", "BDF", "Radau"}
    tolerance, share : float
        rtol, and atol over rtol.

    Raises
    ------
    ArithmeticError
        The integrator gave up.
    """
    options: dict[str, Any] = {"rtol": tolerance, "atol": share * tolerance}
    if method == "LSODA":
        constant_bands = bands(*equation.rates(0.0, equation.start.reshape(-1))) if equation.constant else None
        options |= {"lband": 1, "uband": 1}
        options["jac"] = lambda t, y: bands(*equation.rates(t, y)) if constant_bands is None else constant_bands
    elif equation.constant:
        options["jac"] = equation.pattern.matrix(*equation.rates(0.0, equation.start.reshape(-1)))
    else:
        options["jac"] = lambda t, y: equation.pattern.matrix(*equation.rates(t, y))
    span = (0.0, float(equation.times[-1]))
    integrate: Any = solve_ivp  # its overloads know no options by name
    found = integrate(
        equation.field, span, equation.start.reshape(-1), method=method, t_eval=list(equation.times), **options
    )
    if not found.success:
        raise ArithmeticError(str(found.message))
    return np.ascontiguousarray(found.y.T)


def cvode_solution(
    equation: Equation,
    tolerance: float,
    share: float,
    linear: str,
    filled: Callable[[float, FloatArray, FloatArray], None] | None = None,
) -> FloatArray:
    """Solution at the times, (times, S·A), by CVODE's BDF.

    Parameters
    ----------
    linear : {"band", "band, frozen Q", "sparse, frozen Q"}
        Banded with differences; banded and sparse (SuperLU_MT) with the Jacobian of frozen Q.  The banded one fills a
        template of (S·A)² entries, of which only the pages holding the bands are ever touched.
    filled : callable, optional
        The right-hand side as f(t, y, out), compiled; ``equation.field`` by default.

    Raises
    ------
    ImportError
        scikit-sundae is not installed.
    ArithmeticError
        The integrator gave up.
    """
    cvode = importlib.import_module("sksundae").cvode.CVODE

    def field(t: float, y: FloatArray, out: FloatArray) -> None:
        out[:] = equation.field(t, y)

    n = equation.pattern.size
    options: dict[str, Any] = {"rtol": tolerance, "atol": share * tolerance, "max_num_steps": MOST_STEPS}
    if linear.startswith("band"):
        options |= {"linsolver": "band", "lband": 1, "uband": 1}
        if linear != "band":
            options["jacfn"] = lambda t, y, yp, full: _fill_diagonals(full, bands(*equation.rates(t, y)))
    else:
        pattern = equation.pattern
        ones = np.ones(pattern.indices.size)
        options |= {"linsolver": "sparse", "sparsity": sp.csc_matrix((ones, pattern.indices, pattern.indptr), (n, n))}
        constant = pattern.data(*equation.rates(0.0, equation.start.reshape(-1))) if equation.constant else None

        def columns(t: float, y: FloatArray, yp: FloatArray, out: FloatArray) -> None:
            out[:] = pattern.data(*equation.rates(t, y)) if constant is None else constant

        options["jacfn"] = columns
    with warnings.catch_warnings():
        # that columns are filled by the function given, and not by differences, is what is meant
        warnings.filterwarnings("ignore", "Custom sparse Jacobian")
        solver = cvode(field if filled is None else filled, **options)
    found = solver.solve(
        # with two times it would keep every step: a third, just beyond the end, makes it a list
        np.array([0.0, *equation.times, equation.times[-1] * (1.0 + 1e-9)]),
        equation.start.reshape(-1),
    )
    if not found.success:
        raise ArithmeticError(str(found.message))
    return np.ascontiguousarray(found.y[1 : 1 + len(equation.times)])


def _fill_diagonals(full: FloatArray, banded: FloatArray) -> None:
    """Write bands into the diagonals of a full array, touching nothing else."""
    n = full.shape[0]
    flat = full.reshape(-1)
    flat[1 :: n + 1] = banded[0, 1:]
    flat[:: n + 1] = banded[1]
    flat[n :: n + 1] = banded[2, :-1]
