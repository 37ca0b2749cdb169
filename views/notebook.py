"""How problems, runs, optima and verdicts look in a notebook: compact tables, everything escaped."""

from __future__ import annotations

from functools import singledispatch

from wpoflow.core.text import one_line
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Optimum, Run
from wpoflow.studies.sweep.result import Study
from wpoflow.validation.finding import Finding
from wpoflow.validation.suite import SuiteResult
from wpoflow.views.templating import render
from wpoflow.views.terminal import grid_rows, number_text, sizes_line, summary

Rows = list[tuple[str, str]]


@singledispatch
def html_of(thing: object) -> str:
    """HTML of something that notebooks display."""
    raise TypeError(f"nothing is known of how a {type(thing).__name__} looks in a notebook")


def _table(caption: str, rows: Rows) -> str:
    return render("notebook_rows.html", caption=caption, rows=rows)


@html_of.register
def _mdp(mdp: GridMDP) -> str:
    return _table(
        mdp.title or "GridMDP",
        [
            *grid_rows(mdp),
            ("discount", number_text(mdp.discount)),
            ("temperature", number_text(mdp.temperature)),
            ("transition", mdp.transition_in_words),
            ("cost", f"{number_text(float(mdp.cost.min()))} to {number_text(float(mdp.cost.max()))}"),
        ],
    )


@html_of.register
def _run(run: Run) -> str:
    return _table(run.title or "Run", [(name, value) for name, value in summary(run) if name != "title"])


@html_of.register
def _optimum(optimum: Optimum) -> str:
    value = optimum.value
    return _table(
        "Soft optimum",
        [
            ("sizes", sizes_line(*optimum.q.shape)),
            ("value", f"{number_text(float(value.min()))} to {number_text(float(value.max()))}"),
            ("largest policy entry", number_text(float(optimum.policy.max()))),
            ("Bellman residual", number_text(optimum.bellman_residual)),
            ("gap floor", f"{number_text(optimum.gap_floor)} (rounding)"),
            ("iterations", str(optimum.iterations)),
        ],
    )


@html_of.register
def _study(study: Study) -> str:
    sizes = [
        (dim, f"{study[dim].size}: {one_line(', '.join(map(str, study[dim].tolist())), 80)}") for dim in study.dims
    ]
    counts = ", ".join(f"{number} {status}" for status, number in sorted(study.counts.items()))
    return _table(study.title or "Study", [*sizes, ("points", counts), ("folder", str(study.folder))])


@html_of.register
def _finding(finding: Finding) -> str:
    return render("notebook_finding.html", finding=finding.as_dict())


@html_of.register
def _result(result: SuiteResult) -> str:
    findings = [(finding.as_dict(), finding.reason) for finding in result.findings]
    controls = [(name, control.what, caught) for name, (control, _, caught) in result.controls.items()]
    return render("notebook_result.html", result=result, findings=findings, controls=controls)
