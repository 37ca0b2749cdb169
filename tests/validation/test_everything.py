"""The suite through several processes: the same findings in the same order, and nothing that is left behind."""

from __future__ import annotations

import os
import time
from concurrent.futures import BrokenExecutor

import pytest

from tests.problems.test_problem_file import changed
from wpoflow.problems.problem_file import ProblemFile, parse_problem
from wpoflow.studies.sweep.engine import several_processes
from wpoflow.validation.claims import CLAIMS
from wpoflow.validation.controls import CONTROLS
from wpoflow.validation.everything import parts, validate_problems
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.sharp_cases.suite import CASES


def small(name: str, discount: float) -> ProblemFile:
    """The regulator on few cells."""
    text = changed({"problem": {"discount": discount, "temperature": 0.5}, "state.x.cells": 7, "action.u.cells": 8})
    return parse_problem(text, name)


def grid_of(evidence: Evidence) -> tuple[int, ...]:
    """Something to keep of a case."""
    return evidence.run.policy.shape


@pytest.mark.slow
def test_several_processes_find_the_same_in_the_same_order() -> None:
    problems = [small("first", 0.5), small("second", 0.6)]
    told: list[str] = []
    found = [validate_problems(problems, "quick", ["structure"], told.append, grid_of, jobs) for jobs in (1, 2)]
    (alone, views), (shared, shared_views) = found
    assert [finding.as_dict() for finding in alone.findings] == [finding.as_dict() for finding in shared.findings]
    assert [finding.case for finding in shared.findings] == ["first", "second"]
    assert (alone.cases, views) == (shared.cases, shared_views)
    assert views == {"first": (7, 8), "second": (7, 8)}
    assert told == ["problem first", "problem second"] * 2


def test_what_is_left_early_ends_at_once() -> None:
    def leave() -> None:
        with several_processes(2) as executor:
            futures = [executor.submit(time.sleep, 300.0) for _ in range(3)]
            while not futures[0].running():
                time.sleep(0.01)
            raise KeyboardInterrupt

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        leave()
    assert time.monotonic() - begun < 60.0


def test_a_lost_process_is_noticed() -> None:
    with several_processes(2) as executor:
        waiting = executor.submit(time.sleep, 300.0)
        lost = executor.submit(os._exit, 9)
        executor.submit(time.sleep, 300.0)  # the pool looks at its processes anew whenever something is submitted
        with pytest.raises(BrokenExecutor):
            lost.result()
        with pytest.raises(BrokenExecutor):
            waiting.result()


def test_every_part_is_named_once() -> None:
    titles = [part.title for part in parts("quick")]
    assert len(set(titles)) == len(titles)
    assert {f"negative control: {name}" for name in CONTROLS} < set(titles)
    assert {f"sharp case {name}" for name in CASES} < set(titles)
    assert not [part.title for part in parts("quick", ["orders"]) if part.title.startswith("negative control")]
    assert "orders" in CLAIMS
