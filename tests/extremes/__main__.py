"""Extremes, as a table in Markdown: ``python -m tests.extremes [NAME ...]``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.extremes.cases import CASES
from tests.extremes.examine import Finding, examine

HEAD = """Errors are in units of what rounding allows: at most 1.

| case | gives | mass | least probability | descent | (I3) | optimum | in words |
|---|---|---|---|---|---|---|---|"""


def row(found: Finding) -> str:
    """One row of the table."""
    numbers = (found.mass, found.least, found.descent, found.identity, found.optimum)
    texts = ["" if number != number else f"{number:.2g}" for number in numbers]
    return f"| {' | '.join([found.name, found.gives, *texts, found.detail.replace('|', '/')])} |"


def main(names: list[str]) -> int:
    """Print the table, and warnings below it; gives the number of defects."""
    print(HEAD, flush=True)
    defects, said = 0, dict[str, list[str]]()
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            if names and case.name not in names:
                continue
            found = examine(case, Path(folder))
            defects += found.gives == "DEFECT"
            print(row(found), flush=True)
            for warning in found.warnings:
                said.setdefault(warning, []).append(case.name)
    print(f"\n{defects} defects")
    for warning, cases in said.items():
        print(f"- {warning}: {len(cases)} cases, the first: {cases[0]}")
    return defects


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
