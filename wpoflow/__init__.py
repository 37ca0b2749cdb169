"""Wasserstein policy optimisation flows of entropy-regularised MDPs, exact on the grid.

    import wpoflow as wpo

    mdp = wpo.load_problem("lqr", cells={"x": 64, "u": 64})
    run = wpo.evolve(mdp, until={"gap": 1e-6, "time": 20.0})
    print(run.stop_reason, run.series["gap"][-1])

Names are imported when first used, so that importing this package costs nothing.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grids.axis import Axis as Axis
    from grids.axis import edges_axis as edges_axis
    from grids.axis import sinh_axis as sinh_axis
    from grids.axis import uniform_axis as uniform_axis
    from grids.grid import Grid as Grid
    from grids.masses import density_masses as density_masses
    from grids.masses import policy_masses as policy_masses
    from grids.masses import potential_masses as potential_masses
    from grids.transitions import cell_integrated_transition as cell_integrated_transition
    from grids.transitions import gauss_hermite_transition as gauss_hermite_transition
    from grids.transitions import interpolated_transition as interpolated_transition
    from grids.transitions import mixture_transition as mixture_transition
    from grids.transitions import tabulated_transition as tabulated_transition
    from problems.environments.build import from_environment as from_environment
    from problems.environments.policy import GridPolicy as GridPolicy
    from problems.environments.policy import open_policy as open_policy
    from problems.environments.rollout import Rollout as Rollout
    from problems.environments.rollout import rollout as rollout
    from problems.errors import ProblemError as ProblemError
    from problems.load import load_problem as load_problem
    from problems.resume import resume as resume
    from problems.statement import Outcome as Outcome
    from problems.statement import Statement as Statement
    from problems.statement import build as build
    from solver.bellman import NotFiniteError as NotFiniteError
    from solver.discounted_system import BellmanError as BellmanError
    from solver.evolve import evolve as evolve
    from solver.flow import flow as flow
    from solver.mdp import GridMDP as GridMDP
    from solver.optimum import solve_optimum as solve_optimum
    from solver.optimum_file import save_optimum as save_optimum
    from solver.run import Run as Run
    from solver.run_file import open_run as open_run
    from solver.trailer import RunFileError as RunFileError
    from validation.suite import validate_run as validate_run
    from views.figures import FigureError as FigureError
    from views.figures import plot as plot
    from views.figures.movie import save_movie as save_movie

    __version__: str

_HOMES = {
    "problems.load": ("load_problem",),
    "problems.resume": ("resume",),
    "problems.statement": ("Statement", "Outcome", "build"),
    "problems.errors": ("ProblemError",),
    "problems.environments.build": ("from_environment",),
    "problems.environments.policy": ("GridPolicy", "open_policy"),
    "problems.environments.rollout": ("Rollout", "rollout"),
    "grids.grid": ("Grid",),
    "grids.axis": ("Axis", "uniform_axis", "sinh_axis", "edges_axis"),
    "grids.masses": ("potential_masses", "density_masses", "policy_masses"),
    "grids.transitions": (
        "interpolated_transition",
        "cell_integrated_transition",
        "gauss_hermite_transition",
        "mixture_transition",
        "tabulated_transition",
    ),
    "solver.mdp": ("GridMDP",),
    "solver.optimum": ("solve_optimum",),
    "solver.optimum_file": ("save_optimum",),
    "solver.evolve": ("evolve",),
    "solver.flow": ("flow",),
    "solver.run": ("Run",),
    "solver.run_file": ("open_run",),
    "solver.trailer": ("RunFileError",),
    "solver.discounted_system": ("BellmanError",),
    "solver.bellman": ("NotFiniteError",),
    "validation.suite": ("validate_run",),
    "views.figures": ("plot", "FigureError"),
    "views.figures.movie": ("save_movie",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}
_FLOORS = ("grids", "solver", "problems", "validation", "views")
_ROOT = Path(__file__).resolve().parents[1]

__all__ = [*_HOME_OF, "__version__"]


def _refuse_shadowed_floors() -> None:
    """Raise ImportError naming the file, if a floor would not be imported from beside this package."""
    for floor in _FLOORS:
        if floor in sys.modules:
            found = getattr(sys.modules[floor], "__file__", None)
        else:
            spec = importlib.util.find_spec(floor)
            found = None if spec is None else spec.origin
        if found is None or Path(found).resolve() != _ROOT / floor / "__init__.py":
            where = "is missing" if found is None else f"is shadowed by {found}; rename that file or folder"
            raise ImportError(f"wpoflow: its package {floor!r} {where} (expected in {_ROOT})")


_refuse_shadowed_floors()


def _html_of(thing: object) -> str:
    html: str = importlib.import_module("views.notebook").html_of(thing)
    return html


importlib.import_module("grids.display").show_with(_html_of)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("solver.provenance").VERSION
    if name not in _HOME_OF:
        raise AttributeError(f"module 'wpoflow' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
