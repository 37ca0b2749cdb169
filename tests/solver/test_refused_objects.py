"""Objects that do not fit the problem are refused before anything is computed, and before anything old is touched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wpoflow as wpo
from tests.solver.small_problems import small_problem
from tests.solver.test_resume import interrupting
from wpoflow.problems.resume import resume
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.evolve import evolve
from wpoflow.solver.schemes.trajectory import flow
from wpoflow.solver.storage.optimum_file import save_optimum


def warmer(mdp: GridMDP) -> GridMDP:
    return replace(mdp, temperature=1.01 * mdp.temperature)


def dearer(mdp: GridMDP) -> GridMDP:
    cost = mdp.cost.copy()
    cost[3, 4] += 1e-6
    return replace(mdp, cost=cost)


def fewer(mdp: GridMDP) -> GridMDP:
    return small_problem(states=mdp.states.size - 1)


GIVEN: dict[str, tuple[Callable[[GridMDP], dict[str, Any]], str]] = {
    "a number as flow": (lambda mdp: {"flow": 3}, "flow: 3 is neither a name, nor a Flow"),
    "a class as flow": (lambda mdp: {"flow": WassersteinFlow}, "flow: .* is neither a name, nor a Flow"),
    "no flow": (lambda mdp: {"flow": None}, "flow: None is neither"),
    "the flow of another temperature": (lambda mdp: {"flow": WassersteinFlow(warmer(mdp))}, "of another problem"),
    "the flow of another grid": (lambda mdp: {"flow": WassersteinFlow(fewer(mdp))}, "of another problem"),
    "progress": (lambda mdp: {"progress": 3}, "progress: 3 is neither true, false nor a function"),
    "words as progress": (lambda mdp: {"progress": "no"}, "progress: 'no' is neither"),
    "the optimum of another temperature": (lambda mdp: {"optimum": solve_optimum(warmer(mdp))}, "of another problem"),
    "the optimum of another cost": (lambda mdp: {"optimum": solve_optimum(dearer(mdp))}, "of another problem"),
    "the optimum of another grid": (lambda mdp: {"optimum": solve_optimum(fewer(mdp))}, "of another problem"),
    "an optimum whose Q is another's": (
        lambda mdp: {"optimum": replace(solve_optimum(mdp), q=solve_optimum(dearer(mdp)).q)},
        "its q misses",
    ),
    "an optimum whose policy is none of its own": (
        lambda mdp: {"optimum": replace(solve_optimum(mdp), policy=mdp.initial_policy)},
        "its policy misses",
    ),
    "an optimum that is not finite": (
        lambda mdp: {"optimum": replace(solve_optimum(mdp), value=np.full(mdp.states.size, np.nan))},
        "its value misses",
    ),
}


@pytest.mark.parametrize(("given", "says"), GIVEN.values(), ids=GIVEN)
def test_what_is_of_another_problem_is_refused_and_nothing_old_is_touched(
    given: Callable[[GridMDP], dict[str, Any]], says: str, tmp_path: Path
) -> None:
    mdp, path = small_problem(), tmp_path / "run.h5"
    evolve(mdp, until=2.0, output=path, progress=interrupting(4))
    (tmp_path / "run.h5.part").write_bytes(path.read_bytes()[:-100])
    before = {place: place.read_bytes() for place in tmp_path.rglob("*") if place.is_file()}
    arguments = given(mdp)
    with pytest.raises(ValueError, match=says):
        evolve(mdp, until=1.0, output=path, force=True, **arguments)
    if "optimum" in arguments and arguments["optimum"].q.shape != mdp.cost.shape:
        with pytest.raises(ValueError, match=says):
            save_optimum(mdp, arguments["optimum"], path, force=True)
    assert {place: place.read_bytes() for place in tmp_path.rglob("*") if place.is_file()} == before
    assert resume(path, mdp=mdp).status == "complete"


def test_what_is_of_the_problem_is_taken() -> None:
    """An optimum as well as it is known, of the same numbers elsewhere; and a flow of a problem that differs in ρ."""
    mdp = small_problem()
    again = small_problem()
    for best in (solve_optimum(again), solve_optimum(again, residual=1e-3)):
        assert evolve(mdp, until=0.1, optimum=best).status == "complete"
    other = replace(mdp, rho=np.roll(mdp.rho, 1), initial_policy=np.roll(mdp.initial_policy, 1, axis=0))
    states = flow(mdp, flow=WassersteinFlow(other), accuracy=1e-3)
    own = flow(mdp, accuracy=1e-3)
    for _ in range(3):
        np.testing.assert_array_equal(next(states).policy, next(own).policy)


NAME: Any = "lqr"
THREE: Any = 3


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda mdp: wpo.evolve(NAME, until=1.0), "mdp is of type str; it must be a GridMDP: wpoflow.load_problem"),
        (lambda mdp: wpo.solve_optimum(NAME), "mdp is of type str"),
        (lambda mdp: next(iter(wpo.flow(NAME))), "mdp is of type str"),
        (lambda mdp: wpo.save_optimum(mdp, NAME, "best.h5"), "best is of type str; it must be an Optimum"),
        (lambda mdp: wpo.evolve(mdp, until=1.0, output=THREE), "output is of type int; it must be the name of a file"),
        (lambda mdp: replace(mdp, transition=np.ones((2, 2, 2))), "wpoflow.tabulated_transition.P. makes one of an"),
        (lambda mdp: replace(mdp, states=mdp.states.axes), "states is of type tuple; it must be a Grid"),
        (
            lambda mdp: wpo.load_problem(THREE),
            "problem is of type int; it must be the name of a gallery problem or a file",
        ),
        (lambda mdp: wpo.refine(THREE), "problem is of type int"),
        (lambda mdp: wpo.validate_problem(THREE), "problem is of type int"),
        (lambda mdp: wpo.validate_run(NAME), "run is of type str; it must be a Run: wpoflow.open_run"),
        (lambda mdp: wpo.plot(NAME), "run is of type str; it must be a Run: wpoflow.open_run"),
        (lambda mdp: wpo.plot([NAME, NAME]), "run is of type str; it must be a Run"),
        (lambda mdp: wpo.save_movie(NAME, "m.gif"), "run is of type str; it must be a Run"),
        (lambda mdp: replace(mdp, discount="0.9"), "discount is '0.9'; it must be a number"),
        (lambda mdp: replace(mdp, temperature=None), "temperature is None; it must be a number"),
        (lambda mdp: replace(mdp, temperature=np.ones(2)), "temperature is array.*; it must be a number"),
    ],
)
def test_arguments_of_another_kind_say_what_makes_one_of_the_right_kind(call: Any, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        call(small_problem())


@pytest.mark.parametrize("name", ["", ".", "/", "a\0.h5"])
def test_a_name_that_no_file_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"output .*: no file can have this name"):
        wpo.evolve(small_problem(), until=1.0, output=name)
