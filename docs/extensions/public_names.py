"""Reference of the Python names, in groups, their texts taken from the docstrings."""

from __future__ import annotations

import inspect

import wpoflow

GROUPS: dict[str, tuple[str, ...]] = {
    "Problems": ("load_problem", "Statement", "Outcome", "build", "tabular_mdp", "GridMDP"),
    "Grids": (
        "Axis",
        "uniform_axis",
        "sinh_axis",
        "edges_axis",
        "label_axis",
        "shock_axis",
        "rouwenhorst",
        "tauchen",
        "Grid",
    ),
    "Masses": ("potential_masses", "density_masses", "policy_masses"),
    "Transitions": (
        "interpolated_transition",
        "cell_integrated_transition",
        "gauss_hermite_transition",
        "mixture_transition",
        "tabulated_transition",
    ),
    "Solving": ("solve_optimum", "stationary_gaussians", "save_optimum", "evolve", "resume", "flow"),
    "Truth": ("truth", "Truth", "score", "Score", "corrected_value", "CorrectedValue"),
    "Runs": ("Run", "open_run"),
    "Validation and figures": (
        "refine",
        "compare",
        "sweep",
        "open_study",
        "validate_problem",
        "validate_run",
        "plot",
        "save_movie",
    ),
    "Environments": (
        "from_environment",
        "open_policy",
        "GridPolicy",
        "LookAhead",
        "CrossEntropy",
        "refined_ending",
        "rollout",
        "Rollout",
    ),
    "Errors": ("ProblemError", "RunFileError", "RunFileWarning", "FigureError", "BellmanError", "NotFiniteError"),
}
BESIDES = (
    ("Optimum", "wpoflow.solver.records.run"),
    ("StationaryGaussian", "wpoflow.studies.stationary_gaussians"),
    ("Snapshots", "wpoflow.solver.records.run"),
    ("FlowState", "wpoflow.solver.schemes.trajectory"),
    ("Errors", "wpoflow.studies.truth.score"),
    ("Regret", "wpoflow.studies.truth.score"),
    ("RefinementStudy", "wpoflow.studies.refinement.result"),
    ("QuantityStudy", "wpoflow.studies.refinement.result"),
    ("Comparison", "wpoflow.studies.comparison.result"),
    ("Study", "wpoflow.studies.sweep.result"),
    ("SuiteResult", "wpoflow.validation.suite"),
)
"""What public functions return, which need not be imported by name."""


def markdown() -> str:
    """Sections of autodoc directives.

    Raises
    ------
    ValueError
        A public name in no group, or a name in a group that is not public.
    """
    grouped = {name for names in GROUPS.values() for name in names}
    public = set(wpoflow.__all__) - {"__version__"}
    if grouped != public:
        raise ValueError(f"names that are in no group, or not public: {sorted(grouped ^ public)}")
    lines: list[str] = []
    for title, names in GROUPS.items():
        lines += [f"## {title}", "", "```{eval-rst}"]
        for name in names:
            lines += [*_entry("wpoflow", name), ""]
        lines += ["```", ""]
    lines += ["## What they return", "", "```{eval-rst}"]
    for name, module in BESIDES:
        lines += [*_entry(module, name), ""]
    return "\n".join([*lines, "```", ""])


def _entry(module: str, name: str) -> list[str]:
    thing = getattr(__import__(module, fromlist=[name]), name)
    if not inspect.isclass(thing):
        return [f".. autofunction:: {module}.{name}"]
    if issubclass(thing, Exception):
        return [f".. autoexception:: {module}.{name}", "   :no-show-inheritance:"]
    return [f".. autoclass:: {module}.{name}", "   :members:"]
