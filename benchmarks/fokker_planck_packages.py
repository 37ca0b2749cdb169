"""Packages that solve Fokker–Planck equations, on problem F.

All three are made to use exactly our generator, so that their error is that of time stepping alone.  The 256 states are
laid end to end on one axis of 65 536 cells whose faces between states carry no flux: one call a step serves all.

* FiPy: ``ExponentialConvectionTerm`` with ``DiffusionTerm`` is the Scharfetter–Gummel flux; backward Euler.
* pychangcooper: the Chang–Cooper flux is the same one; backward Euler.  Its grid, made for photon energies, is replaced
  by a uniform one, whose ``_step`` is chosen such that the end cells come out right.
* py-pde: finite differences of its own are another discretisation, so our flux is its evolution rate, compiled;
  explicit Runge–Kutta with adaptive steps (its implicit steppers iterate to a fixed point, which needs as short ones).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from benchmarks.problem_f import DIFFUSION, END, FrozenWells
from wpoflow.core.arrays import FloatArray


def fipy_solver(wells: FrozenWells) -> Callable[[float], FloatArray]:
    """Policies at the end by a number of backward Euler steps of FiPy."""
    fipy: Any = importlib.import_module("fipy")
    n_states, cells = wells.start.shape
    mesh = fipy.Grid1D(nx=n_states * cells, dx=wells.width)
    inner = np.zeros(n_states * cells + 1, dtype=np.bool_)
    inner[1:-1] = True
    inner[::cells] = False
    drift = np.zeros(inner.size)
    drift[inner] = -(np.diff(wells.potential, axis=1) / wells.width).reshape(-1)
    diffusion = np.where(inner, DIFFUSION, 0.0)
    density = fipy.CellVariable(mesh=mesh)
    equation = fipy.TransientTerm() == fipy.DiffusionTerm(
        coeff=fipy.FaceVariable(mesh=mesh, value=diffusion)
    ) - fipy.ExponentialConvectionTerm(coeff=fipy.FaceVariable(mesh=mesh, value=drift[None], rank=1))
    solver = importlib.import_module("fipy.solvers.scipy").LinearLUSolver()

    def run(steps: float) -> FloatArray:
        density.setValue(wells.start.reshape(-1))
        for _ in range(int(steps)):
            equation.solve(var=density, dt=END / steps, solver=solver)
        return np.array(density.value)

    return run


def chang_cooper_solver(wells: FrozenWells) -> Callable[[float], FloatArray]:
    """Policies at the end by a number of backward Euler steps of pychangcooper; its set-up of a grid is not timed."""
    # the package draws; without a screen
    importlib.import_module("matplotlib").use("Agg")
    base: Any = importlib.import_module("pychangcooper").ChangCooper
    n_states, cells = wells.start.shape
    n = n_states * cells
    between = np.arange(1, n) % cells == 0
    slope = np.append(np.diff(wells.potential.reshape(-1)) / wells.width, 0.0)
    slope[:-1][between] = 0.0
    diffusion = np.append(np.where(between, 0.0, DIFFUSION), DIFFUSION)
    # the last face is read again as that of the end cell
    slope[-1] = slope[-2]

    class Wells(base):  # type: ignore[misc]
        """All states on one uniform axis."""

        def _build_grid(self) -> None:
            self._grid = 1.0 + wells.width * np.arange(n)
            self._half_grid = self._grid[:-1] + 0.5 * wells.width
            self._step = (self._grid[0] / (self._grid[0] - 0.5 * wells.width)) ** 2
            self._delta_grid = np.full(n + 1, wells.width)
            self._delta_grid_bar = np.full(n, wells.width)

        def _define_terms(self) -> None:
            self._heating_term, self._dispersion_term = slope, diffusion

    made: dict[float, Any] = {}

    def run(steps: float) -> FloatArray:
        if steps not in made:
            made[steps] = Wells(n_grid_points=n, delta_t=END / steps, initial_distribution=wells.start.reshape(-1))
        solver = made[steps]
        solver.reset()
        for _ in range(int(steps)):
            solver.solve_time_step()
        return np.asarray(solver.n)

    return run


def py_pde_solver(wells: FrozenWells) -> Callable[[float], FloatArray]:
    """Policies at the end by py-pde's adaptive Runge–Kutta method at a tolerance."""
    pde: Any = importlib.import_module("pde")
    n_states, cells = wells.start.shape
    up, down = wells.rates

    class FrozenDrift(pde.PDEBase):  # type: ignore[misc]
        """dp/dt of all states; densities are those of one axis."""

        explicit_time_dependence = False

        def evolution_rate(self, state: Any, t: float = 0) -> Any:
            rate = state.copy()
            p = state.data.reshape(n_states, cells)
            flux = up * p[:, :-1] - down * p[:, 1:]
            rate.data = np.diff(flux, axis=1, prepend=0.0, append=0.0).reshape(-1) * -1.0
            return rate

        def make_evolution_rate(self, state: Any, backend: Any) -> Any:
            @numba.njit(error_model="numpy")
            def rate(data: FloatArray, t: float = 0.0) -> FloatArray:
                out = np.empty_like(data)
                for i in range(n_states):
                    entering = 0.0
                    for k in range(cells):
                        here = i * cells + k
                        leaving = 0.0
                        if k + 1 < cells:
                            leaving = up[i, k] * data[here] - down[i, k] * data[here + 1]
                        out[here] = entering - leaving
                        entering = leaving
                return out

            return rate

    grid = pde.CartesianGrid([[0.0, float(n_states)]], n_states * cells)
    equation = FrozenDrift()
    field = pde.ScalarField(grid, wells.start.reshape(-1))

    def run(tolerance: float) -> FloatArray:
        found = equation.solve(
            field,
            t_range=END,
            dt=1e-5,
            tracker=None,
            backend="numba",
            solver="runge-kutta",
            adaptive=True,
            tolerance=tolerance,
        )
        return np.asarray(found.data)

    return run
