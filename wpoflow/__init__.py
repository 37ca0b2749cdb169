"""Wasserstein policy optimisation flows of entropy-regularised MDPs, exact on the grid.

    import wpoflow as wpo

    mdp = wpo.load_problem("lqr", cells={"x": 64, "u": 64})
    run = wpo.evolve(mdp, until={"gap": 1e-6, "time": 20.0})
    print(run.stop_reason, run.series["gap"][-1])

Names are imported when first used, so that importing this package costs nothing; which there are, and where they live,
is read from the imports below, which type checkers follow.
"""

from __future__ import annotations

import importlib
import os

TYPE_CHECKING = False  # as type checkers take it to be true; nothing is imported here that takes time
if TYPE_CHECKING:
    from typing import Any

    from wpoflow.grids.axis import Axis as Axis
    from wpoflow.grids.axis import edges_axis as edges_axis
    from wpoflow.grids.axis import label_axis as label_axis
    from wpoflow.grids.axis import shock_axis as shock_axis
    from wpoflow.grids.axis import sinh_axis as sinh_axis
    from wpoflow.grids.axis import uniform_axis as uniform_axis
    from wpoflow.grids.grid import Grid as Grid
    from wpoflow.grids.markov_chains import rouwenhorst as rouwenhorst
    from wpoflow.grids.markov_chains import tauchen as tauchen
    from wpoflow.grids.masses import density_masses as density_masses
    from wpoflow.grids.masses import policy_masses as policy_masses
    from wpoflow.grids.masses import potential_masses as potential_masses
    from wpoflow.grids.transitions import cell_integrated_transition as cell_integrated_transition
    from wpoflow.grids.transitions import gauss_hermite_transition as gauss_hermite_transition
    from wpoflow.grids.transitions import interpolated_transition as interpolated_transition
    from wpoflow.grids.transitions import mixture_transition as mixture_transition
    from wpoflow.grids.transitions import tabulated_transition as tabulated_transition
    from wpoflow.problems.environments.build import from_environment as from_environment
    from wpoflow.problems.environments.cross_entropy import CrossEntropy as CrossEntropy
    from wpoflow.problems.environments.look_ahead import LookAhead as LookAhead
    from wpoflow.problems.environments.policy import GridPolicy as GridPolicy
    from wpoflow.problems.environments.policy import open_policy as open_policy
    from wpoflow.problems.environments.refined import refined_ending as refined_ending
    from wpoflow.problems.environments.rollout import Rollout as Rollout
    from wpoflow.problems.environments.rollout import rollout as rollout
    from wpoflow.problems.errors import ProblemError as ProblemError
    from wpoflow.problems.load import load_problem as load_problem
    from wpoflow.problems.resume import resume as resume
    from wpoflow.problems.statement import Outcome as Outcome
    from wpoflow.problems.statement import Statement as Statement
    from wpoflow.problems.statement import build as build
    from wpoflow.problems.tabular import tabular_mdp as tabular_mdp
    from wpoflow.solver.bellman.evaluation import NotFiniteError as NotFiniteError
    from wpoflow.solver.bellman.optimum import solve_optimum as solve_optimum
    from wpoflow.solver.bellman.system import BellmanError as BellmanError
    from wpoflow.solver.corrected.value import CorrectedValue as CorrectedValue
    from wpoflow.solver.corrected.value import corrected_value as corrected_value
    from wpoflow.solver.mdp import GridMDP as GridMDP
    from wpoflow.solver.records.notices import RunFileWarning as RunFileWarning
    from wpoflow.solver.records.run import Run as Run
    from wpoflow.solver.runs.evolve import evolve as evolve
    from wpoflow.solver.schemes.trajectory import flow as flow
    from wpoflow.solver.storage.atomic import RunFileError as RunFileError
    from wpoflow.solver.storage.optimum_file import save_optimum as save_optimum
    from wpoflow.solver.storage.writer import open_run as open_run
    from wpoflow.studies.refinement.problem_study import refine as refine
    from wpoflow.studies.stationary_gaussians import stationary_gaussians as stationary_gaussians
    from wpoflow.studies.sweep.netcdf import open_study as open_study
    from wpoflow.studies.truth.score import Score as Score
    from wpoflow.studies.truth.score import score as score
    from wpoflow.studies.truth.truth import Truth as Truth
    from wpoflow.studies.truth.truth import truth as truth
    from wpoflow.validation.comparison import compare as compare
    from wpoflow.validation.suite import validate_problem as validate_problem
    from wpoflow.validation.suite import validate_run as validate_run
    from wpoflow.validation.sweep import sweep as sweep
    from wpoflow.views.figures import FigureError as FigureError
    from wpoflow.views.figures import plot as plot
    from wpoflow.views.figures.movie import save_movie as save_movie

    __version__: str

_HERE = os.path.dirname(os.path.realpath(__file__))

if not os.path.isdir(os.path.join(_HERE, "solver")):  # a checkout where links are not kept: the floors are beside it
    __path__.append(os.path.dirname(_HERE))


def _homes() -> dict[str, str]:
    """Where each public name lives, as the imports above say."""
    re = importlib.import_module("re")
    with open(__file__, encoding="utf-8") as source:
        found = re.findall(r"^    from (wpoflow\S+) import (\w+) as", source.read(), re.MULTILINE)
    return {name: home for home, name in found}


def _html_of(thing: object) -> str:
    html: str = importlib.import_module("wpoflow.views.notebook").html_of(thing)
    return html


def _progress(until: Any) -> Any:
    return importlib.import_module("wpoflow.views.progress").shown(until)


_display = importlib.import_module("wpoflow.core.display")
_display.show_with(_html_of)
_display.progress_with(_progress)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("wpoflow.solver.records.provenance").VERSION
    homes = _homes()
    public = [*homes, "__version__"]
    if name == "__all__":
        return public
    if name not in homes:
        near = importlib.import_module("wpoflow.core.text").did_you_mean(name, public)
        raise AttributeError(f"module 'wpoflow' has no attribute {name!r}; it has {', '.join(public)}{near}")
    found = globals()[name] = getattr(importlib.import_module(homes[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted(__getattr__("__all__"))
