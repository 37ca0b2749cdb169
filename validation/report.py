"""report.json: what a validation found, for programs and for the record.

Schema 1, one object:

    schema          1
    level           "quick", "full", "run" (a run file judged alone) or "mixed"
    passed          no claim fails and every negative control is caught
    versions        of wpoflow, Python and the packages used
    findings        list of: claim, case, verdict ("holds", "fails", "not certified"), statement, source,
                    hypotheses [{name, met, detail}], measurements [{quantity, measured, relation, bound, holds,
                    tolerance {theory, discretisation, rounding}, where}], notes
    cases           by name: title, states, actions (grid shapes), discount, temperature, stop_reason,
                    constants, rates (`validation.case_numbers`)
    controls        by name: what (is broken), expected {claim: verdict}, caught, findings

Numbers that are not finite are the texts "inf", "-inf", "nan".
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from solver.provenance import VERSION, package_versions
from validation.suite import SuiteResult

SCHEMA = 1
NAME = "report.json"


def as_dict(result: SuiteResult) -> dict[str, Any]:
    """The whole result in JSON's types."""
    return {
        "schema": SCHEMA,
        "level": result.level,
        "passed": result.passed,
        "versions": {"wpoflow": VERSION, **json.loads(package_versions())},
        "findings": [finding.as_dict() for finding in result.findings],
        "cases": result.cases,
        "controls": {
            name: {
                "what": control.what,
                "expected": {claim: str(verdict) for claim, verdict in control.expected.items()},
                "caught": caught,
                "findings": [finding.as_dict() for finding in findings],
            }
            for name, (control, findings, caught) in result.controls.items()
        },
    }


def write_report(result: SuiteResult, folder: Path) -> Path:
    """Write report.json into a folder, whole or not at all; the folder is made if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    part = path.with_suffix(".json.part")
    part.write_text(json.dumps(as_dict(result), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(part, path)
    return path
