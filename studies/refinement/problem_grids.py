"""A problem file on other grids: its axes as refinement sees them, and itself with other numbers of points."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from wpoflow.problems.problem_file import ProblemFile
from wpoflow.studies.refinement.plan import LABELS, SHOCK, RefinedAxis

FEWEST_CELLS, OF_FOUR = 7, 5  # of an axis, and where more than three are coarsened


def refined_axes(problem: ProblemFile) -> list[RefinedAxis]:
    """The axes of a problem file: shocks, other states, actions."""
    tables = problem.tables
    shocks = [RefinedAxis(name, "state", shock.size, counted=SHOCK) for name, shock in tables.shock.items()]
    states = [
        RefinedAxis(name, "state", axis.size, axis.boundary == "clamp" and axis.size > 1, axis.edges is not None)
        for name, axis in tables.state.items()
    ]
    actions = [
        RefinedAxis(
            name,
            "action",
            axis.size,
            axis.boundary == "clamp" and axis.size > 1,
            axis.edges is not None,
            counted="" if axis.labels is None else LABELS,
        )
        for name, axis in tables.action.items()
    ]
    return shocks + states + actions


def with_cells(problem: ProblemFile, sizes: Mapping[str, int]) -> ProblemFile:
    """The problem on another grid; axes given by edges, and axes not named, keep theirs."""
    tables = problem.tables
    text = {**tables.dump()}
    for key in ("state", "action"):
        for name, axis in text.get(key, {}).items():
            if "cells" in axis and name in sizes:
                axis["cells"] = sizes[name]
    return ProblemFile(problem.name, problem.label, type(tables).model_validate(text))


def coarsened(axes: Sequence[RefinedAxis], most_pairs: float) -> dict[str, int]:
    """Cells of all axes that can have others, so that of more than ``most_pairs`` pairs about so many are left."""
    pairs = math.prod(axis.points for axis in axes)
    free = [axis for axis in axes if not axis.by_edges and not axis.fixed]
    if pairs <= most_pairs or not free:
        return {axis.name: axis.points for axis in free}
    factor, fewest = (most_pairs / pairs) ** (1.0 / len(free)), FEWEST_CELLS if len(free) < 4 else OF_FOUR
    return {axis.name: min(axis.points, max(fewest, round(axis.points * factor))) for axis in free}
