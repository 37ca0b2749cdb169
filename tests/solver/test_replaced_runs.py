"""What a run replaces, with its checkpoints, stays until the new run has begun; what is refused leaves nothing."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from tests.same_run import differences
from tests.solver.faults import Stagnating
from tests.solver.test_evolve import problem_for
from tests.solver.test_resume import interrupting
from wpoflow.grids.grid import Grid
from wpoflow.problems.resume import resume
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.evolve import Progress, evolve
from wpoflow.solver.storage.writer import open_run


def broken_optimum(mdp: GridMDP) -> GridMDP:
    return replace(mdp, transition=cast(Any, Stagnating(mdp.transition, 1)))


def one_name_twice(mdp: GridMDP) -> GridMDP:
    (axis,) = mdp.states.axes
    return replace(mdp, states=Grid((replace(axis, name="a"),)))


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run, the same interrupted with its checkpoints, and what is left of one that was killed."""
    mdp, folder = problem_for("multistep"), tmp_path_factory.mktemp("interrupted")
    evolve(mdp, until=0.2, output=folder / "whole.h5")
    evolve(mdp, until=0.2, output=folder / "run.h5", progress=interrupting(4))
    (folder / "run.h5.part").write_bytes((folder / "whole.h5").read_bytes()[:-100])
    return folder


@pytest.mark.parametrize("checkpoint", [None, math.inf])
@pytest.mark.parametrize(
    ("until", "change", "says"),
    [
        ({"gap": 1e-28}, lambda mdp: mdp, "rounding floor"),
        ({"time": 1.0}, broken_optimum, "residual 1"),
        ({"time": 1.0}, one_name_twice, "a"),
    ],
    ids=["gap below rounding", "no optimum", "names"],
)
def test_a_run_that_is_refused_leaves_what_it_was_to_replace(
    until: dict[str, float], change: Any, says: str, checkpoint: float | None, interrupted: Path, tmp_path: Path
) -> None:
    """Among it the checkpoints, and what is left of a run that was killed."""
    mdp, path = problem_for("multistep"), tmp_path / "run.h5"
    shutil.copytree(interrupted, tmp_path, dirs_exist_ok=True)
    before = {place: place.read_bytes() for place in tmp_path.rglob("*") if place.is_file()}
    with pytest.raises((ValueError, ArithmeticError), match=says):
        evolve(change(mdp), until=until, output=path, force=True, checkpoint=checkpoint)
    assert {place: place.read_bytes() for place in tmp_path.rglob("*") if place.is_file()} == before
    assert resume(path, mdp=mdp).status == "complete"
    assert differences(tmp_path / "whole.h5", path) == []


@pytest.mark.parametrize("checkpoint", [None, math.inf])
def test_a_run_that_is_refused_leaves_nothing(checkpoint: float | None, tmp_path: Path) -> None:
    """In an empty folder: it stays empty, and the same name can be written to without force."""
    mdp, path = problem_for("multistep"), tmp_path / "run.h5"
    for asked, broken in (({"gap": 1e-28}, mdp), ({"time": 1.0}, broken_optimum(mdp))):
        with pytest.raises((ValueError, ArithmeticError)):
            evolve(broken, until=asked, output=path, checkpoint=checkpoint)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("older", ["none", "interrupted"])
def test_a_run_that_breaks_before_its_first_checkpoint_leaves_none(older: str, tmp_path: Path) -> None:
    mdp, path = problem_for("multistep"), tmp_path / "run.h5"
    if older == "interrupted":
        evolve(mdp, until=0.2, output=path, progress=interrupting(4))

    def breaks(_: Progress) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        evolve(mdp, until=0.2, output=path, force=True, progress=breaks)
    assert list(tmp_path.glob("*.checkpoint*")) == []


def test_what_a_run_replaces_goes_when_it_has_begun(tmp_path: Path) -> None:
    mdp, path = problem_for("multistep"), tmp_path / "run.h5"
    evolve(mdp, until=0.2, output=path, progress=interrupting(4))
    evolve(mdp, until=0.1, output=path, force=True, progress=interrupting(2))
    assert [place.name for place in tmp_path.glob("*.checkpoint*")] == ["run.h5.checkpoint"]
    resume(path, mdp=mdp)
    assert open_run(path).stop_reason.startswith("flow time 0.1 reached")
    assert sorted(place.name for place in tmp_path.iterdir()) == ["run.h5"]
    evolve(mdp, until=0.2, output=path, force=True, progress=interrupting(4))
    evolve(mdp, until=0.1, output=path, force=True, checkpoint=math.inf)
    assert sorted(place.name for place in tmp_path.iterdir()) == ["run.h5"]


@pytest.mark.parametrize("cut", [True, False], ids=["interrupted", "ended"])
def test_a_gap_below_rounding_changes_no_checkpoint(cut: bool, tmp_path: Path) -> None:
    mdp, path = problem_for("multistep"), tmp_path / "run.h5"
    evolve(mdp, until=0.2, output=path, progress=interrupting(4) if cut else None)
    before = {place: place.read_bytes() for place in tmp_path.rglob("*") if place.is_file()}
    with pytest.raises(ValueError, match="until: gap = 1e-28 lies below this problem's rounding floor"):
        resume(path, mdp=mdp, until={"gap": 1e-28})
    assert {place: place.read_bytes() for place in tmp_path.rglob("*") if place.is_file()} == before
