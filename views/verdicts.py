"""Verdicts as text: a table of problems and claims, then one line for each finding, then the rates side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wpoflow.validation.finding import Finding
    from wpoflow.validation.suite import SuiteResult

RATES = ("paper", "sup_norm", "guaranteed", "certified", "certified_rho", "observed")
MARKS = {"holds": "holds", "fails": "FAILS", "empty": "empty", "not certified": "-"}


def finding_line(finding: Finding) -> str:
    """Claim, verdict and the number nearest to failing."""
    return f"  {finding.claim:<21} {finding.verdict:<13} {finding.reason}"


def findings_text(result: SuiteResult) -> str:
    """All findings, case by case."""
    parts = []
    for case in dict.fromkeys(finding.case for finding in result.findings):
        lines = [finding_line(finding) for finding in result.findings if finding.case == case]
        numbers = result.cases.get(case)
        if numbers is not None:
            lines.insert(0, f"  {grid_words(numbers)}")
            lines += [rates_line(numbers), certified_line(numbers)]
        parts.append("\n".join([case, *lines]))
    return "\n\n".join(parts)


def grid_words(numbers: Mapping[str, Any]) -> str:
    """On which grid a case was judged, and which the problem states if that is another."""
    judged, own = (_points(numbers[key]) for key in ("grid", "own_grid"))
    if judged == own:
        return f"judged on its own grid, {own}"
    return f"judged on a coarser grid, {judged}; the problem's own is {own} (level full judges that)"


def _points(grid: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in grid.items())


def last_rates(rates: Mapping[str, Any]) -> dict[str, Any]:
    """The rates in the last row that is judged, or the last one, and the sharp rate."""
    row = last_row(rates)
    return {**{name: rates[name][row] for name in RATES}, "sharp": rates["sharp"]}


def last_row(rates: Mapping[str, Any]) -> int:
    """The last row that is judged, or the last one."""
    judged = [k for k, is_judged in enumerate(rates["judged"]) if is_judged]
    return judged[-1] if judged else -1


def rates_line(numbers: Mapping[str, Any]) -> str:
    """The rates at the end of a run: paper's, sup norm and weighted guarantees, certified, observed and sharp."""
    found = last_rates(numbers["rates"]).items()
    shown = (f"{name} {value if isinstance(value, str) else format(value, '.4g')}" for name, value in found)
    return f"  rates at the end: {', '.join(shown)}"


def certified_line(numbers: Mapping[str, Any]) -> str:
    """Down to what the certified rates hold, and from which gap on they are more than half of what is seen."""
    rates, row = numbers["rates"], last_row(numbers["rates"])
    levels = (rates[name][row] for name in ("certified_level", "certified_rho_level"))
    down = " and ".join(value if isinstance(value, str) else format(value, ".2g") for value in levels)
    since = numbers["from_when"]["certified_rho_above_half_observed"]
    worth = "nowhere" if isinstance(since, str) else f"from gap {since:.2g} on"
    return f"  certified from now on, down to {down}; certified_rho above half the observed rate {worth}"


def matrix_text(result: SuiteResult) -> str:
    """One row a case, one column a claim, numbered below; ``-`` is not certified, blank not judged."""
    claims = list(dict.fromkeys(finding.claim for finding in result.findings))
    cases = list(dict.fromkeys(finding.case for finding in result.findings))
    found = {(finding.case, finding.claim): MARKS[finding.verdict] for finding in result.findings}
    width = max(len(case) for case in cases)
    head = " " * width + "".join(f"{k + 1:>7}" for k in range(len(claims)))
    rows = [f"{case:<{width}}" + "".join(f"{found.get((case, claim), ''):>7}" for claim in claims) for case in cases]
    legend = [f"  {k + 1:>2}  {claim}" for k, claim in enumerate(claims)]
    return "\n".join([head, *rows, "", *legend])


def controls_text(result: SuiteResult) -> str:
    """What was broken on purpose, and whether the claims that should notice did."""
    lines = ["negative controls (each must be caught)"]
    width = max(map(len, result.controls))
    for name, (control, findings, caught) in result.controls.items():
        verdicts = ", ".join(f"{finding.claim} {finding.verdict}" for finding in findings)
        lines.append(f"  {name:<{width}}  {'caught' if caught else 'MISSED'}  {control.what}: {verdicts}")
    return "\n".join(lines)


def summary_line(result: SuiteResult) -> str:
    """Counts of verdicts, and whether all is well."""
    counts = {mark: sum(str(finding.verdict) == mark for finding in result.findings) for mark in MARKS}
    text = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    if result.controls:
        caught = sum(found for _, _, found in result.controls.values())
        text += f"; {caught} of {len(result.controls)} negative controls caught"
    return text


def result_text(result: SuiteResult) -> str:
    """Everything."""
    parts = [findings_text(result)]
    if len(result.cases) > 1:
        parts.append(matrix_text(result))
    if result.controls:
        parts.append(controls_text(result))
    if result.left_out:
        lines = [f"  {claim} on {case}: {words}" for (claim, case), words in result.left_out.items()]
        parts.append("\n".join(["not judged", *lines]))
    return "\n\n".join([*parts, summary_line(result)])
