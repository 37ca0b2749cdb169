"""What a command says before it works with a damaged run file."""

from __future__ import annotations

import os
import sys

from wpoflow.solver.records.run import Run


def warn_of_damage(run: Run, file: str | os.PathLike[str]) -> str | None:
    """Say on standard error that a run was read from a damaged file, and return the damage; None if it is whole."""
    damage = run.attributes.get("damage")
    if damage is None:
        return None
    print(f"wpoflow: {os.fspath(file)}: DAMAGED, read anyway: {damage}", file=sys.stderr)
    return str(damage)
