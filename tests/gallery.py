"""What tests need to know of the gallery: which problems have neighbouring actions, which axes can have other cells."""

from __future__ import annotations

from wpoflow.problems.gallery import gallery_names
from wpoflow.problems.problem_file import read_problem

LABELLED = ("grid_world",)
"""Problems whose actions are labels, which the Wasserstein flow does not move between."""
CONNECTED = tuple(name for name in gallery_names() if name not in LABELLED)


def on_cells(name: str, cells: int) -> dict[str, int]:
    """So many cells of all axes that can have any number."""
    tables = read_problem(name).tables
    axes = {**tables.state, **tables.action}
    return {key: cells for key, axis in axes.items() if axis.cells is not None}
