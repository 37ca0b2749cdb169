"""Objects that do not fit the problem are refused before anything is computed, and before anything old is touched."""

from __future__ import annotations

import shutil
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


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that was interrupted, its checkpoints, and what is left of one that was killed."""
    folder = tmp_path_factory.mktemp("interrupted")
    evolve(small_problem(), until=0.2, output=folder / "run.h5", progress=interrupting(4))
    (folder / "run.h5.part").write_bytes((folder / "run.h5").read_bytes()[:-100])
    return folder


@pytest.mark.parametrize(("given", "says"), GIVEN.values(), ids=GIVEN)
def test_what_is_of_another_problem_is_refused_and_nothing_old_is_touched(
    given: Callable[[GridMDP], dict[str, Any]], says: str, interrupted: Path, tmp_path: Path
) -> None:
    mdp, path = small_problem(), tmp_path / "run.h5"
    shutil.copytree(interrupted, tmp_path, dirs_exist_ok=True)
    before = {place: place.read_bytes() for place in tmp_path.rglob("*") if place.is_file()}
    arguments = given(mdp)
    with pytest.raises(ValueError, match=says):
        evolve(mdp, until=1.0, output=path, force=True, **arguments)
    if "optimum" in arguments and arguments["optimum"].q.shape != mdp.cost.shape:
        with pytest.raises(ValueError, match=says):
            save_optimum(mdp, arguments["optimum"], path, force=True)
    assert {place: place.read_bytes() for place in tmp_path.rglob("*") if place.is_file()} == before
    if says == "flow: None is neither":  # of the same bytes as in the other cases
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


def instead(mdp: GridMDP, **given: Any) -> GridMDP:
    return replace(mdp, **given)


def tabular(mdp: GridMDP, **given: Any) -> GridMDP:
    arrays = {"cost": mdp.cost} if "reward" not in given else {}
    table = np.full((*mdp.cost.shape, mdp.states.size), 1.0 / mdp.states.size)
    return wpo.tabular_mdp(table, **{**arrays, "discount": 0.9, "temperature": 0.1, **given})


def stated(mdp: GridMDP, reward: Any) -> GridMDP:
    given: dict[str, Any] = {"reward": reward}  # which takes the place of the cost
    return wpo.build(wpo.Statement(actions=mdp.actions, discount=0.9, temperature=0.1, **given))


TAKEN: dict[str, tuple[Callable[[GridMDP, Any], Any], str]] = {
    "reward": (lambda mdp, turned: instead(mdp, cost=None, reward=turned(mdp.cost)), "reward"),
    "reward of a table": (lambda mdp, turned: tabular(mdp, reward=turned(mdp.cost)), "reward"),
    "reward of a statement": (lambda mdp, turned: stated(mdp, lambda u: turned(u)), "reward"),
    "weights of labels": (
        lambda mdp, turned: tabular(mdp, reference_mass=turned(mdp.reference_mass)),
        "reference_mass",
    ),
    "policy a run begins from": (
        lambda mdp, turned: evolve(mdp, until=0.1, initial=turned(mdp.initial_policy)),
        "initial",
    ),
    "policy of the flow": (lambda mdp, turned: next(flow(mdp, policy=turned(mdp.initial_policy))), "policy"),
    "policy of the optimum": (lambda mdp, turned: solve_optimum(mdp, start=turned(mdp.initial_policy)), "start"),
    "value of the optimum": (lambda mdp, turned: solve_optimum(mdp, value=turned(mdp.rho)), "value"),
}


@pytest.mark.parametrize(("take", "name"), TAKEN.values(), ids=TAKEN)
def test_masked_and_complex_arrays_are_refused_by_name_wherever_they_are_taken(
    take: Callable[[GridMDP, Any], Any], name: str
) -> None:
    """What lies under a mask, and imaginary parts, are not dropped in silence."""
    mdp = small_problem()
    with pytest.raises(ValueError, match=f"^{name}: a masked array"):
        take(mdp, lambda array: np.ma.array(array, mask=np.arange(array.size).reshape(array.shape) == 1))
    with pytest.raises(ValueError, match=f"^{name}: complex"):
        take(mdp, lambda array: array + 0j)


def test_a_first_policy_that_is_none_is_refused_by_state_and_cell() -> None:
    mdp = small_problem()
    wrong = mdp.initial_policy.copy()
    wrong[2, 3], wrong[2, 4] = -0.25, wrong[2, 3] + wrong[2, 4] + 0.25
    place = f"at state 2 .{mdp.states.describe(2)}. must be non-negative and sum to one; it is -0.25 at "
    for take in (
        lambda: solve_optimum(mdp, start=wrong),
        lambda: evolve(mdp, until=0.1, initial=wrong),
        lambda: replace(mdp, initial_policy=wrong),
    ):
        with pytest.raises(ValueError, match=place + mdp.actions.describe(3)):
            take()
    again = solve_optimum(mdp, start=mdp.initial_policy.tolist())
    np.testing.assert_array_equal(again.policy, solve_optimum(mdp, start=mdp.initial_policy).policy)
