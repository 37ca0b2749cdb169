"""What the report shows of a case besides its verdicts: the problem, typeset, and figures of its run.

A view is made while the run is at hand and keeps text only, so that a suite need not hold all runs in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from wpoflow.grids.axis import Axis
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.problem_file import ProblemFile, parse_problem
from wpoflow.solver.records.run import Run
from wpoflow.validation.evidence import Evidence
from wpoflow.views.figures import FIGURES, applicable, plot
from wpoflow.views.problem_math import Equation, equations, remarks, written_out

KINDS = ("decay", "value", "policy", "constants")
"""Figures of a case, in this order, as far as they apply to its run."""


class FigureView(NamedTuple):
    """A figure: what is seen, and its SVG."""

    shows: str
    svg: str


@dataclass(frozen=True)
class CaseView:
    """What is shown of one case."""

    axes: tuple[tuple[str, Axis], ...]
    equations: tuple[Equation, ...]
    remarks: tuple[str, ...]
    text: str
    flow: str
    figures: tuple[FigureView, ...]


def evidence_view(evidence: Evidence) -> CaseView:
    """The view of what was judged."""
    return case_view(evidence.run)


def case_view(run: Run, kinds: Sequence[str] = KINDS) -> CaseView:
    """The view of a run.

    Parameters
    ----------
    run : Run
    kinds : sequence of str
        Figures to draw, of `views.figures.FIGURES`; what does not apply to the run is left out.
    """
    axes = [("state", axis) for axis in run.states.axes] + [("action", axis) for axis in run.actions.axes]
    problem = _stated(run.problem)
    stated = () if problem is None else tuple(equations(problem))
    from wpoflow.views.figures.canvas import svg_text

    return CaseView(
        axes=tuple(axes),
        equations=stated,
        remarks=remarks(stated, () if problem is None else written_out(problem)),
        text=run.problem,
        flow=_flow(run),
        figures=tuple(
            FigureView(FIGURES[kind].shows, svg_text(plot(run, kind, title=False), FIGURES[kind].shows))
            for kind in kinds
            if kind in applicable(run)
        ),
    )


def _stated(text: str) -> ProblemFile | None:
    """The problem; None if it was stated in Python, or the text is no problem file."""
    try:
        return parse_problem(text) if text else None
    except ProblemError:  # the text is shown as it is
        return None


def _flow(run: Run) -> str:
    """Scheme, control and counts, in a line."""
    attributes = run.attributes
    control = [f"{name} {attributes[name]}" for name in ("accuracy", "step") if name in attributes]
    counted = [name for name in ("steps", "rejected_steps") if name in attributes]
    counts = [f"{attributes[name]} {name.replace('_', ' ')}" for name in counted]
    named = [str(attributes[name]) for name in ("flow", "scheme", "transition") if name in attributes]
    return ", ".join([*named, *control, *counts])
