"""The page of a comparison of flows: its tables and its figure in one file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wpoflow.studies.comparison.result import RATES
from wpoflow.views.comparison_table import shown_levels
from wpoflow.views.templating import environment, render

if TYPE_CHECKING:
    from wpoflow.studies.comparison.result import Comparison

TABLES = (
    ("Flow time to a gap of", "time"),
    ("Bellman evaluations to a gap of", "evaluations"),
    ("Processor seconds to a gap of", "cpu_seconds"),
)
SHOWS = "The gap of each flow against flow time and against Bellman evaluations"


def comparison_html(comparison: Comparison) -> str:
    """The page as text."""
    from wpoflow.views.figures.canvas import svg_text
    from wpoflow.views.figures.comparison import draw_comparison

    return render(
        "compare.html",
        css=environment().get_template("report.css").render(),
        comparison=comparison.as_dict(),
        levels=shown_levels(comparison),
        tables=TABLES,
        rates=RATES,
        figure=svg_text(draw_comparison(comparison, title=False), SHOWS),
    )
