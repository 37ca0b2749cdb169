"""A few of the extremes; ``python -m tests.extremes`` shows all.  And that a wrong number would be noticed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.extremes.cases import CASES, Case
from tests.extremes.examine import Finding, _check, examine
from tests.variants import slow_but
from wpoflow.problems.load import build_problem
from wpoflow.problems.problem_file import parse_problem
from wpoflow.solver.records.run import Run
from wpoflow.solver.storage.writer import open_run

QUICK = {case.name: case for case in CASES if case.quick}
REFUSED = {
    "cost not finite": "cost is nan at x = -2",
    "an action box of few floats": "axis u: edges must be",
    "potential 1000*u**2": "choose a smaller box or a flatter potential",
}


def test_names_are_different() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", slow_but(QUICK.values(), *list(QUICK.values())[::4]), ids=QUICK)
def test_an_extreme_gives_right_numbers_or_a_clear_line(case: Case, tmp_path: Path) -> None:
    found = examine(case, tmp_path)
    assert found.warnings == []
    if case.name in REFUSED:
        assert found.gives == "refused"
        assert REFUSED[case.name] in found.detail
    else:
        assert found.gives in ("right", "short"), found.detail
        assert max(found.mass, found.descent, found.identity, found.optimum) <= 1.0


@pytest.mark.parametrize(
    "name",
    slow_but(["tau 1000000.0", "no cost", "tau 1e-08, costs of 1e-12"], "tau 1000000.0", "tau 1e-08, costs of 1e-12"),
)
def test_a_flow_that_has_settled_goes_on_in_long_steps(name: str, tmp_path: Path) -> None:
    """Entropies far larger than V are rounded, too: that V rises by so much is no loss of descent."""
    found = examine(next(case for case in CASES if case.name == name), tmp_path)
    assert found.gives == "right", found.detail
    assert found.detail.startswith(("flow time 5 reached", "400 steps taken"))


def test_numbers_beyond_floats_end_in_a_line(tmp_path: Path) -> None:
    expected = {
        "tau 1e-300": "the least is 1e-150",
        "an action box of 1e-160": "axis u: [0, 1e-160] is 1e-160 long",
        "a state box of 1e-6": "cells outside the box",
        "noise 1e-300": "noise.x is 1e-300",
        "noise 1e+300": "noise.x is 1e+300",
    }
    for case in CASES:
        if case.name in expected:
            found = examine(case, tmp_path)
            assert found.gives in ("short", "refused"), found.detail
            assert expected.pop(case.name) in found.detail
    assert expected == {}


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a run whose numbers are right."""
    folder = tmp_path_factory.mktemp("right")
    assert examine(CASES[0], folder).gives == "right"
    return folder / "run.h5"


@pytest.mark.parametrize(
    ("name", "factor"),
    [("gap", np.nan), ("optimum", 1.0 + 1e-6), ("policy", 1.0 + 1e-6), ("policy", -1.0), ("value", np.inf)],
)
def test_wrong_numbers_are_noticed(name: str, factor: float, right: Path) -> None:
    run = open_run(right)
    mdp = build_problem(parse_problem(CASES[0].text))
    _change(run, name, factor)
    found = Finding("changed")
    _check(found, mdp, run)
    assert found.gives == "DEFECT"


def _change(run: Run, name: str, factor: float) -> None:
    assert run.optimum is not None
    assert run.snapshots is not None
    if name == "gap":
        run.series["gap"][-1] = factor
    elif name == "optimum":
        run.optimum.value[...] *= factor
    elif name == "policy":
        run.snapshots.policy[1, 0, 0] *= factor
    else:
        run.snapshots.value[1, 0] = factor
