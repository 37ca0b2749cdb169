"""limits.json: what the studies found, for programs and for the record.

Schema 1, one object: schema; versions of wpoflow, Python and the packages used; limits, a list of: name, fails (what
fails or collapses), tables [{title, rows [{column: entry}]}], flow, growing_monitors, monitors, conclusion.  Numbers
that are not finite are the texts "inf", "-inf", "nan".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from wpoflow.solver.records.provenance import VERSION, package_versions
from wpoflow.solver.storage.atomic import write_text
from wpoflow.validation.limits.study import Limit

SCHEMA = 1
NAME = "limits.json"


def write_limits(limits: Sequence[Limit], folder: Path) -> Path:
    """Write limits.json into a folder, whole or not at all; the folder is made if it is missing."""
    content = {
        "schema": SCHEMA,
        "versions": {"wpoflow": VERSION, **json.loads(package_versions())},
        "limits": [limit.as_dict() for limit in limits],
    }
    return write_text(folder / NAME, json.dumps(content, indent=1, allow_nan=False) + "\n")
