"""The page: report.json's content and the views of its cases, put into the template.

Every number comes from the same mapping that is written as report.json, and stands in the page in full (the ``value``
of its ``data`` element) behind the digits shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from wpoflow.solver.storage.atomic import write_text
from wpoflow.views.report.case import CaseView
from wpoflow.views.templating import environment, render
from wpoflow.views.verdicts import MARKS, RATES, grid_words, last_rates

NAME = "report.html"
EXACT = "exact_solution"
BOUNDARIES = {
    "clamp": "clamped to the box",
    "reflect": "reflected at the ends",
    "periodic": "periodic",
    "no-flux": "no flux through the ends",
    "shock": "a Markov chain of its own",
    "labels": "labels",
}
ROWS_SHOWN = 12


def write_page(content: Mapping[str, Any], cases: Mapping[str, CaseView], folder: Path) -> Path:
    """Write report.html into a folder, whole or not at all; the folder is made if it is missing."""
    return write_text(folder / NAME, page_html(content, cases))


def page_html(content: Mapping[str, Any], cases: Mapping[str, CaseView]) -> str:
    """The page as text.

    Parameters
    ----------
    content : mapping
        As `validation.report.as_dict` gives it.
    cases : mapping of case to CaseView
        What is known of the cases besides; those left out are shown without statement and figures.
    """
    findings = content["findings"]
    problems = [name for name in dict.fromkeys(entry["case"] for entry in findings) if name in content["cases"]]
    exact = [entry for entry in findings if entry["claim"] == EXACT]
    sharp = [entry for entry in findings if entry["claim"] != EXACT and entry["case"] not in problems]
    judged = [entry for entry in findings if entry["case"] in problems]
    return render(
        "report.html",
        css=environment().get_template("report.css").render(),
        content=content,
        date=datetime.fromisoformat(content["environment"]["date"]),
        counts={name: sum(entry["verdict"] == name for entry in findings) for name in MARKS},
        problems=problems,
        views=cases,
        claims=list(dict.fromkeys(entry["claim"] for entry in judged)),
        matrix={(entry["case"], entry["claim"]): entry["verdict"] for entry in judged},
        of_case={name: [entry for entry in judged if entry["case"] == name] for name in problems},
        exact=exact,
        sharp=sharp,
        last={name: last_rates(content["cases"][name]["rates"]) for name in problems},
        rows={name: rows_shown(content["cases"][name]["rates"]) for name in problems},
        rate_names=RATES,
        boundaries=BOUNDARIES,
        grids={name: grid_words(content["cases"][name]) for name in problems},
    )


def rows_shown(rates: Mapping[str, Any]) -> list[dict[str, Any]]:
    """About a dozen rows spread over all, the first and the last among them."""
    count = len(rates["time"])
    most = min(ROWS_SHOWN, count)
    chosen = dict.fromkeys(round(k * (count - 1) / max(most - 1, 1)) for k in range(most))
    shown = ("time", "gap", *RATES, "certified_level", "certified_rho_level", "judged")
    return [{name: rates[name][k] for name in shown} for k in chosen]
