"""``wpoflow limits``: studies of problems in which a hypothesis of the theory fails or a constant collapses."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from wpoflow.commands.outputs import check_report
from wpoflow.core.text import did_you_mean
from wpoflow.exits import CommandError, Exit
from wpoflow.views.limits import limit_text
from wpoflow.views.terminal import path_text, show


def main(*, names: Sequence[str], report: Path | None, quiet: bool) -> Exit:
    """Run the studies named, or all; print their tables, write limits.json if asked to."""
    from wpoflow.validation.limits import LIMITS
    from wpoflow.validation.limits.report import NAME, write_limits

    for name in names:
        if name not in LIMITS:
            near = did_you_mean(name, LIMITS)
            raise CommandError(Exit.UNUSABLE, f"{name}: no such study; choose among {', '.join(LIMITS)}{near}")
    check_report(report, [NAME], [])
    found = []
    for name in dict.fromkeys(names) if names else LIMITS:
        if not quiet:
            show(f"  {name} ..")
        started = time.monotonic()
        limit = LIMITS[name]()
        found.append(limit)
        if not quiet:
            show(f"\n{limit_text(limit)}\n\n  {time.monotonic() - started:.1f} s\n")
    if report is not None:
        path = write_limits(found, report)
        if not quiet:
            show(f"written to {path_text(path)}")
    return Exit.DONE
