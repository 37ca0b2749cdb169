"""The validation suite at level quick, dearest parts last, until claims fail: what is printed names them.

    python -m tests.suite_verdict [CASE ...]

Run in a copy of the sources by `tests.suite_mutants_run`: sharp cases, other flows, negative controls, gallery,
exact solutions.  Cases that are named, sharp ones or problems with another flow, come before all else: what is looked
for first, where every kernel has to be compiled that is needed on the way.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import numpy as np

from wpoflow.validation.control import caught
from wpoflow.validation.controls import CONTROLS
from wpoflow.validation.everything import OWN_PROBLEMS, Judged, Part, followed_otherwise, parts
from wpoflow.validation.finding import Verdict


def in_order(first: list[str]) -> Iterator[Part]:
    """The parts of the suite: those named, sharp cases, other flows, controls, gallery, and what is left."""
    every = {part.title: part for part in parts("quick")}
    titles = {name: f"problem {name}" for name in followed_otherwise()}
    titles |= {claim.NAME: title for title, claim in OWN_PROBLEMS.items()}
    named = [titles.get(name, f"sharp case {name}") for name in first]
    named += ["constants in closed form", *(title for title in every if title.startswith("sharp case"))]
    named += [f"problem {name}" for name in followed_otherwise()]
    named += [title for title in every if title.startswith("negative control")]
    return (every[title] for title in dict.fromkeys([*named, *every]))


def failures(judged: Judged) -> str:
    """The claims that fail, and where; the first control that is missed, and by which; empty where there is none."""
    failed = [finding for finding in judged.found.findings if finding.verdict is Verdict.FAILS]
    if failed:
        return f"{_named(finding.claim for finding in failed)} on {failed[0].case.removeprefix('sharp: ')}"
    for name, findings in judged.of_controls.items():
        if not caught(CONTROLS[name], findings):
            expected = CONTROLS[name].expected
            missed = [found.claim for found in findings if found.verdict is not expected[found.claim]]
            return f"{_named(missed)} on the control {name!r}"
    return ""


def _named(claims: Iterable[str]) -> str:
    return ", ".join(f"`{claim}`" for claim in claims)


def main(first: list[str]) -> int:
    """Print the claims that fail in the first part in which any does; 1 if there is one."""
    with np.errstate(all="ignore"):
        for part in in_order(first):
            if found := failures(part.judge()):
                print(found)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
