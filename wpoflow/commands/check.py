"""``wpoflow check``: what a run would be, without running anything."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wpoflow.commands.prepare import build, refuse_gap_below_rounding, scheme_used
from wpoflow.commands.subject import naming_its_subject
from wpoflow.core.text import one_line
from wpoflow.estimate import entries_of_factors, seconds_if_factored, seconds_per_step
from wpoflow.exits import Exit
from wpoflow.problems.problem_file import read_problem
from wpoflow.views.terminal import bytes_text, grid_rows, path_text, show, table

if TYPE_CHECKING:
    from wpoflow.grids.grid import Grid
    from wpoflow.problems.problem_file import ProblemFile


ORDER = (
    "whole numbers; if they are labels, mass still moves between neighbours only: their order makes barriers; "
    "actions without one are stated by labels = [...]"
)


def whole_numbered(actions: Grid) -> list[str]:
    """Action axes whose points are three or more consecutive whole numbers, as labels are written, and no ends."""
    lines = [axis for axis in actions.axes if axis.connected and axis.boundary != "clamp"]
    return [axis.name for axis in lines if axis.size > 2 and _whole(axis.points.tolist())]


def _whole(points: list[float]) -> bool:
    return all(math.isclose(x, round(points[0]) + k, abs_tol=1e-9) for k, x in enumerate(points))


def held_row(stated: ProblemFile) -> list[tuple[str, str]]:
    """What a decision is, where its action is held."""
    problem = stated.tables.problem
    if problem.hold == 1:
        return []
    power = problem.discount**problem.hold
    return [
        ("decision", f"{problem.hold} steps by one action, discount {problem.discount:g}^{problem.hold} = {power:.6g}")
    ]


@naming_its_subject
def main(*, asked: Mapping[str, Any]) -> Exit:
    """Print the resolved problem, then its sizes, kernels and estimates; nothing before all that may fail."""
    stated = read_problem(**asked)
    prepared = build(stated)
    refuse_gap_below_rounding(prepared, asked)
    used = scheme_used(prepared, asked)
    from wpoflow.grids.transitions.base import in_words
    from wpoflow.solver.bellman.direct import MOST_AXES, MOST_FILL
    from wpoflow.solver.bellman.linear_solver import solver_in_words
    from wpoflow.solver.bellman.optimum import least_gap_floor

    mdp, expected = prepared.mdp, prepared.estimate
    seconds, flow = seconds_per_step(expected, used), stated.flow
    rows = [
        ("title", one_line(stated.title)),
        *grid_rows(mdp),
        ("transition", in_words(mdp.transition)),
        ("objective", mdp.objective),
        *held_row(stated),
        ("Bellman solver", solver_in_words(mdp)),
        (
            "flow",
            ", ".join(
                [
                    flow.kind,
                    *(
                        f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}"
                        for key, value in flow.parameters.items()
                    ),
                ]
            ),
        ),
        *([] if flow.anneal is None else [("temperature", flow.anneal.words)]),
        ("time scheme", used),
        ("stops at", ", ".join(f"{name} {value:g}" for name, value in stated.flow.until.criteria.items())),
        ("gap floor", f"at least {least_gap_floor(mdp):.2g} (rounding)"),
        ("memory", f"about {bytes_text(expected.needed)} of {bytes_text(expected.available)} available"),
        ("time", f"about {seconds:.1g} s a step, within a factor of three"),
    ]
    axes = sum(axis.size > 1 for axis in mdp.states.axes)
    factored = expected.linear_solver == "krylov" and axes <= MOST_AXES and entries_of_factors(mdp) <= MOST_FILL
    if factored and (longer := seconds_if_factored(mdp, expected, used)) > 2.0 * seconds:
        rows.append(("", f"up to {longer:.1g} s where the Krylov method stagnates and systems are factored"))
    prepared.tell_doubts()
    rows += [("actions", f"{name}: {ORDER}") for name in whole_numbered(mdp.actions)]
    show(f"# {path_text(stated.label)}, as resolved with defaults filled in\n{stated.text}")
    show(f"# what a run would be\n{table(rows)}")
    return Exit.DONE
