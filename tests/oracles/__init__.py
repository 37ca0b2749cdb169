"""Reference solutions made without any grid: see README.md."""

import json
from pathlib import Path
from typing import Any


def load(case: str) -> dict[str, Any]:
    """The table of one case, by file name without extension."""
    data: dict[str, Any] = json.loads((Path(__file__).parent / f"{case}.json").read_text(encoding="utf-8"))
    return data
