"""report.json: what a validation found, for programs and for the record.

Schema 1, one object:

    schema          1
    level           "quick", "full", "run" (a run file judged alone) or "mixed"
    passed          no claim fails and every negative control is caught
    versions        of wpoflow, Python and the packages used
    environment     source_hash (SHA-256 over the sources), platform, processors, date (UTC, ISO 8601)
    findings        list of: claim, case, verdict ("holds", "fails", "empty", "not certified"), slack (None without
                    constants), statement, source, hypotheses [{name, met, detail}], measurements [{quantity, measured,
                    relation, bound, holds, tolerance {theory, discretisation, rounding}, where, slack}], notes
    cases           by name: title, states, actions (grid shapes), grid (points by axis, on which it was judged),
                    own_grid (as the problem states it; level quick judges large ones on a coarser grid), discount,
                    temperature, stop_reason, constants, rates, from_when (`validation.case_numbers`)
    controls        by name: what (is broken), expected {claim: verdict}, caught, findings

Numbers that are not finite are the texts "inf", "-inf", "nan".
"""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wpoflow.solver.records.provenance import VERSION, package_versions, source_hash
from wpoflow.solver.storage.atomic import write_text
from wpoflow.validation.suite import SuiteResult

SCHEMA = 1
NAME = "report.json"


def environment() -> dict[str, str | int]:
    """Where and when, and by which sources."""
    return {
        "source_hash": source_hash(),
        "platform": platform.platform(),
        "processors": os.cpu_count() or 1,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def as_dict(result: SuiteResult) -> dict[str, Any]:
    """The whole result in JSON's types."""
    return {
        "schema": SCHEMA,
        "level": result.level,
        "passed": result.passed,
        "versions": {"wpoflow": VERSION, **json.loads(package_versions())},
        "environment": environment(),
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


def write_report(content: dict[str, Any], folder: Path) -> Path:
    """Write what `as_dict` gives as report.json into a folder, whole or not at all; a missing folder is made."""
    return write_text(folder / NAME, json.dumps(content, indent=1, allow_nan=False) + "\n")
