"""bends.json: what the studies found, for programs and for the record.

Schema 1, one object: schema; versions of wpoflow, Python and the packages used; bends, a list of: name, bends (what
fails or collapses), tables [{title, rows [{column: entry}]}], flow, growing_monitors, monitors, conclusion.  Numbers
that are not finite are the texts "inf", "-inf", "nan".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from wpoflow.solver.records.provenance import VERSION, package_versions
from wpoflow.solver.storage.atomic import write_text
from wpoflow.validation.limits.study import Bend

SCHEMA = 1
NAME = "bends.json"


def write_bends(bends: Sequence[Bend], folder: Path) -> Path:
    """Write bends.json into a folder, whole or not at all; the folder is made if it is missing."""
    content = {
        "schema": SCHEMA,
        "versions": {"wpoflow": VERSION, **json.loads(package_versions())},
        "bends": [bend.as_dict() for bend in bends],
    }
    return write_text(folder / NAME, json.dumps(content, indent=1, allow_nan=False) + "\n")
