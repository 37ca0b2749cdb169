"""``wpoflow info``: what a run file holds and how its run ended."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from wpoflow.commands.subject import naming_its_subject
from wpoflow.exits import CommandError, Exit, warn
from wpoflow.solver.records.run import Run
from wpoflow.solver.storage.atomic import RunFileError
from wpoflow.solver.storage.writer import open_run
from wpoflow.views.terminal import bytes_text, hand_out, path_text, show, summary, table


@naming_its_subject
def main(*, file: Path, as_json: bool, anyway: bool) -> Exit:
    """Print the summary of a run file, or all its attributes and series' ends as JSON."""
    try:
        run = open_run(file, anyway=anyway)
    except RunFileError as error:
        if file.suffix != ".part" or not file.is_file():
            raise
        hint = "--anyway reads the rows of an unfinished run"
        raise CommandError(Exit.RUN_FILE, f"{error}; {hint}") from error
    damage = warn_of_damage(run, file)
    if as_json:
        hand_out(json.dumps(as_dict(run), indent=2, allow_nan=False))
        return Exit.DONE
    snapshots = 0 if run.snapshots is None else len(run.snapshots.time)
    state = "DAMAGED" if damage else str(run.attributes.get("unsealed", "whole and unaltered"))
    rows = [
        *summary(run),
        ("snapshots", str(snapshots)),
        ("made by", f"wpoflow {run.attributes.get('wpoflow_version', 'unknown')}, {_packages(run)}"),
        ("file", f"{path_text(file)} ({bytes_text(file.stat().st_size)}, {state})"),
    ]
    if damage:
        rows.insert(0, ("DAMAGED", f"{damage}; any number below may be wrong, nan stands for what is lost"))
    show(table(rows))
    return Exit.DONE


def warn_of_damage(run: Run, file: Path | str) -> str | None:
    """Say on standard error that a run was read from a damaged file, and return the damage; None if it is whole."""
    damage = run.attributes.get("damage")
    if damage is None:
        return None
    warn(f"{file}: DAMAGED, read anyway: {damage}")
    return str(damage)


def as_dict(run: Run) -> dict[str, Any]:
    """The run in numbers and text: attributes, grids, and the first and last row of the series."""
    attributes = {**run.attributes, "packages": _versions(run)}
    ends = {"first": 0, "last": -1} if len(run.series["time"]) else {}
    axes = [("state", axis) for axis in run.states.axes] + [("action", axis) for axis in run.actions.axes]
    return {
        "attributes": {name: _finite(value) for name, value in attributes.items()},
        "axes": {
            axis.name: {
                "kind": kind,
                "cells": axis.size,
                "bounds": [axis.lower, axis.upper],
                "boundary": axis.boundary,
                **({"labels": list(axis.labels)} if axis.labels else {}),
            }
            for kind, axis in axes
        },
        "rows": len(run.series["time"]),
        "snapshot_times": [] if run.snapshots is None else [_finite(time) for time in run.snapshots.time.tolist()],
        "series": {
            name: {end: _finite(float(values[row])) for end, row in ends.items()} for name, values in run.series.items()
        },
    }


def _finite(value: Any) -> Any:
    """JSON has no NaN or infinity; they become null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _packages(run: Run) -> str:
    packages = _versions(run)
    return ", ".join(f"{name} {packages[name]}" for name in ("python", "numpy", "numba") if name in packages)


def _versions(run: Run) -> dict[str, str]:
    found: dict[str, str] = json.loads(str(run.attributes.get("packages", "{}")))
    return found
