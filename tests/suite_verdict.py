"""The validation suite at level quick, dearest parts last, until claims fail: what is printed names them.

    python -m tests.suite_verdict [CASE ...]

Run in a copy of the sources by `tests.suite_mutants_run`: sharp cases, other flows, negative controls, gallery,
exact solutions.  Cases that are named, sharp ones or problems with another flow, come before all else: what is looked
for first, where every kernel has to be compiled that is needed on the way.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from wpoflow.problems.gallery import gallery_names
from wpoflow.problems.load import build_problem
from wpoflow.problems.problem_file import read_problem
from wpoflow.validation.claims import CLAIMS, exact_solution, gaussian_law, particle_law
from wpoflow.validation.control import caught, run_control
from wpoflow.validation.controls import CONTROLS
from wpoflow.validation.exact_cases.cases import CASES as EXACT
from wpoflow.validation.finding import Finding, Verdict
from wpoflow.validation.sharp_cases import constants_attained
from wpoflow.validation.sharp_cases.suite import CASES, evidence_of, sharpened
from wpoflow.validation.suite import CONTROL_CELLS, LEVELS, followed_otherwise, judge, problem_evidence

LAWS: dict[str, Callable[[], Finding]] = {
    gaussian_law.NAME: gaussian_law.finding,
    particle_law.NAME: particle_law.finding,
}
"""Claims that have problems of their own."""


def parts(first: list[str]) -> Iterator[list[Finding]]:
    """The findings of one part after the other."""
    others, quick = followed_otherwise(), LEVELS["quick"]
    for name in first:
        if name in LAWS:
            yield [LAWS[name]()]
            continue
        if name in others:
            yield judge(replace(problem_evidence(others[name], quick), name=name), quick)
            continue
        evidence = evidence_of(CASES[name])
        for claim in CASES[name].claims:
            yield [sharpened(CLAIMS[claim].finding(evidence), CASES[name])]
    yield [constants_attained.finding()]
    for case in CASES.values():
        evidence = evidence_of(case)
        yield [sharpened(CLAIMS[name].finding(evidence), case) for name in case.claims]
    for name, problem in others.items():
        yield judge(replace(problem_evidence(problem, quick), name=name), quick)
    mdp = build_problem(read_problem("lqr", cells=CONTROL_CELLS))
    for control in CONTROLS.values():
        findings = run_control(control, mdp)
        if not caught(control, findings):
            missed = [found.claim for found in findings if found.verdict is not control.expected[found.claim]]
            print(f"{', '.join(f'`{claim}`' for claim in missed)} on the control {control.name!r}")
            raise SystemExit(1)
    for name in gallery_names():
        yield judge(problem_evidence(read_problem(name), quick), quick)
    yield [law() for law in LAWS.values()]
    yield [exact_solution.finding(case, quick.exact_grids) for case in EXACT.values()]


def main(first: list[str]) -> int:
    """Print the claims that fail in the first part in which any does; 1 if there is one."""
    with np.errstate(all="ignore"):
        for findings in parts(first):
            failed = [finding for finding in findings if finding.verdict is Verdict.FAILS]
            if failed:
                names = ", ".join(f"`{finding.claim}`" for finding in failed)
                print(f"{names} on {failed[0].case.removeprefix('sharp: ')}")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
