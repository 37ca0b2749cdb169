"""Problems, runs and errors in other processes: what arrives computes the same bits."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wpoflow as wpo
from tests.gallery import on_cells
from tests.variants import slow, slow_but
from wpoflow.core.arrays import FloatArray
from wpoflow.exits import CommandError, Exit
from wpoflow.problems.expressions import ExpressionError
from wpoflow.problems.gallery import gallery_names
from wpoflow.problems.load import read_statement
from wpoflow.problems.problem_file import read_problem
from wpoflow.solver.records.settings import Settings

CELLS = {"x": 6, "u": 5}
MIXTURE = """
[problem]
discount = 0.9
temperature = 0.2
[state.x]
bounds = [-1.0, 1.0]
cells = 6
[state.y]
bounds = [0.0, 1.0]
cells = 4
[action.u]
bounds = [-1.0, 1.0]
cells = 5
[[outcome]]
probability = "0.5 + 0.25*u"
dynamics = { x = "x + u", y = "y" }
noise = { x = "0.1 + 0.1*u**2" }
[[outcome]]
probability = "0.5 - 0.25*u"
dynamics = { x = "0.5*x", y = "1 - y" }
noise = { y = 0.4 }
[cost]
running = "x**2 + y + u**2"
terminal_set = "x + y > 1.2"
terminal_cost = "3*y"
[flow]
until = 1.0
"""


def sent(thing: Any) -> Any:
    """What arrives of something that is pickled."""
    return pickle.loads(pickle.dumps(thing))


def optimal_value(mdp: wpo.GridMDP) -> FloatArray:
    """Work for another process."""
    return wpo.solve_optimum(mdp).value


def last_policy(run: wpo.Run) -> FloatArray:
    """Work for another process, which has to read the run file again."""
    assert run.optimum is not None
    return run.policy + run.optimum.value[:, None]


def fail(number: int) -> None:
    """Raise, in another process."""
    raise [
        wpo.ProblemError("one: fault", "two: faults"),
        wpo.RunFileError("r.h5: gone"),
        ExpressionError("x^2"),
        CommandError(Exit.ENVIRONMENT, "no room"),
    ][number]


def small(name: str) -> wpo.GridMDP:
    """A gallery problem on a few cells."""
    return wpo.load_problem(name, cells=on_cells(name, 6))


def same(first: wpo.GridMDP, second: wpo.GridMDP) -> bool:
    """Whether two problems give the same bits, and say the same of themselves."""
    values = np.random.default_rng(0).standard_normal(first.states.size)
    arrays = ("cost", "rho", "reference_mass", "initial_policy", "counted")
    words = ("discount", "temperature", "title", "statement")
    numbers = [
        np.array_equal(getattr(first, name), getattr(second, name)) and getattr(second, name).flags.writeable
        for name in arrays
    ]
    texts = [getattr(first, name) == getattr(second, name) for name in words]
    laws = [first.transition, second.transition]
    expected = [law.expect(values).tobytes() for law in laws]
    ends = [None if law.termination is None else law.termination.tobytes() for law in laws]
    clamped = [None if law.clamped is None else law.clamped.tobytes() for law in laws]
    found = [*numbers, *texts, len({*expected}) == len({*ends}) == len({*clamped}) == 1]
    return all(found) and laws[0].description == laws[1].description


@pytest.mark.parametrize("name", slow_but(gallery_names(), *set(gallery_names()) - {"acrobot", "cartpole_swingup"}))
def test_a_problem_of_the_gallery_travels_as_its_statement(name: str) -> None:
    mdp = small(name)
    parcel = pickle.dumps(mdp)
    assert len(parcel) < 2 * len(mdp.statement) + 1000
    for again in (pickle.loads(parcel), sent(pickle.loads(parcel)), copy.deepcopy(mdp), copy.copy(mdp)):
        assert same(mdp, again)


def test_a_problem_file_travels_without_its_file_and_with_what_was_set(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(MIXTURE)
    mdp = wpo.load_problem(path, set={"problem.temperature": 0.7}, cells={"u": 3})
    parcel = pickle.dumps(mdp)
    path.unlink()
    assert same(mdp, pickle.loads(parcel))
    assert pickle.loads(parcel).title == "own"


def test_a_deep_copy_has_arrays_of_its_own() -> None:
    """As what arrives elsewhere: what becomes of it changes nothing here."""
    mdp = wpo.load_problem("lqr", cells=CELLS)
    names = ("cost", "rho", "reference_mass", "initial_policy")
    for again in (copy.deepcopy(mdp), sent(mdp)):
        before = {name: getattr(mdp, name).copy() for name in names}
        for name in names:
            getattr(again, name)[...] = 0.5
        assert all(np.array_equal(getattr(mdp, name), before[name]) for name in names)


def test_a_problem_that_was_changed_travels_as_it_is() -> None:
    mdp = wpo.load_problem("lqr", cells=CELLS)
    warmer = replace(mdp, temperature=2.0 * mdp.temperature)
    dearer = wpo.load_problem("lqr", cells=CELLS)
    dearer.cost[0, 0] += 1.0
    swapped = wpo.load_problem("lqr", cells=CELLS)
    swapped.cost[:] = np.roll(swapped.cost, 1, axis=1)
    for changed in (warmer, dearer, swapped):
        assert not same(mdp, changed)
        assert same(changed, sent(changed))
        assert same(changed, copy.deepcopy(changed))


@pytest.mark.parametrize("vectorised", [True, False])
def test_the_problem_of_an_environment_travels(vectorised: bool) -> None:
    states = wpo.Grid((wpo.uniform_axis("t", -3.0, 3.0, 4, "periodic"), wpo.uniform_axis("w", -8.0, 8.0, 4, "clamp")))
    found = wpo.from_environment(
        "Pendulum-v1", discount=0.9, temperature=0.1, states=states, cells={"torque": 3} if vectorised else None,
        actions=None if vectorised else wpo.Grid((wpo.uniform_axis("a", -2.0, 2.0, 3),)), vectorised=vectorised,
    )  # fmt: skip
    assert same(found, sent(found))


def by_callables(terminal: bool, noise: Any) -> wpo.GridMDP:
    """A problem stated by functions that have no pickle."""
    x, y = wpo.uniform_axis("x", -1.0, 1.0, 7, "clamp"), wpo.uniform_axis("y", 0.0, 1.0, 4, "reflect")
    return wpo.build(
        wpo.Statement(
            states=wpo.Grid((x, y)),
            actions=wpo.Grid((wpo.uniform_axis("u", -1.0, 1.0, 5),)),
            discount=0.9,
            temperature=0.2,
            cost=lambda x, y, u: x**2 + y + u**2,
            dynamics={"x": lambda x, y, u: x + 0.5 * u, "y": lambda x, y, u: 0.5 * y},
            noise={"x": noise},
            terminal_set=(lambda x, y: x + y > 1.2) if terminal else None,
            terminal_cost=(lambda x, y: 3.0 * y) if terminal else None,
        )
    )  # fmt: skip


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("noise", [0.0, 0.3, lambda x, y, u: 0.1 + u**2])
def test_of_a_problem_stated_by_callables_the_arrays_travel(terminal: bool, noise: Any) -> None:
    mdp = by_callables(terminal, noise)
    again = sent(sent(mdp))
    assert same(mdp, again)
    assert np.array_equal(optimal_value(mdp), optimal_value(again))
    if terminal:
        here = mdp.transition.terminal_expectation(lambda x, y: np.ones_like(x))
        assert np.array_equal(here, copy.deepcopy(mdp).transition.terminal_expectation(lambda x, y: np.ones_like(x)))
        with pytest.raises(ValueError, match=r"functions .* stayed in the process"):
            again.transition.terminal_expectation(lambda x, y: np.ones_like(x))


def test_a_tabulated_problem_and_one_of_noise_that_varies_on_one_axis_travel() -> None:
    axis, actions = wpo.uniform_axis("x", -1.0, 1.0, 5, "clamp"), wpo.Grid((wpo.uniform_axis("u", -1.0, 1.0, 3),))
    mean = axis.points[:, None] + 0.2 * actions.points[:, 0]
    law = wpo.cell_integrated_transition(axis, mean, 0.1 + 0.1 * np.abs(mean), lambda x: x > 0.8)
    table = wpo.tabulated_transition(np.full((5, 3, 5), 0.2))
    mass = np.full(3, 1.0 / 3.0)
    for transition in (law, table):
        mdp = wpo.GridMDP(
            wpo.Grid((axis,)), actions, 0.9, 0.2, mean**2, transition, mass, np.full(5, 0.2), np.tile(mass, (5, 1))
        )
        assert same(mdp, sent(mdp))


def test_a_statement_travels_and_is_compiled_where_it_arrives() -> None:
    statement = read_statement(read_problem("pendulum", cells={"theta": 6, "speed": 6, "torque": 5}))
    assert same(wpo.build(statement), wpo.build(sent(statement)))
    assert same(wpo.build(statement), wpo.build(sent(statement)))  # the original has been compiled by now


@pytest.mark.parametrize("method", [slow("spawn"), "fork"])
def test_other_processes_compute_the_same_bits(method: str, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(MIXTURE)
    problems = [wpo.load_problem("lqr", cells=CELLS), wpo.load_problem(path), by_callables(True, 0.3)]
    wpo.evolve(problems[0], until=0.2, output=tmp_path / "run.h5")
    run = wpo.open_run(tmp_path / "run.h5")
    with ProcessPoolExecutor(1, multiprocessing.get_context(method)) as pool:
        for mdp, value in zip(problems, pool.map(optimal_value, problems), strict=True):
            assert np.array_equal(value, optimal_value(mdp))
        assert np.array_equal(pool.submit(last_policy, run).result(), last_policy(run))
        for number in range(4):  # an error that cannot be unpickled breaks the pool
            with pytest.raises(Exception) as here:
                fail(number)
            with pytest.raises(type(here.value)) as there:
                pool.submit(fail, number).result()
            assert str(there.value) == str(here.value)
            assert vars(there.value).items() >= vars(here.value).items()


def test_runs_and_what_they_are_asked_for_travel(tmp_path: Path) -> None:
    mdp = wpo.load_problem("lqr", cells=CELLS)
    here = wpo.evolve(mdp, until=0.2)
    written = wpo.evolve(mdp, until=0.2, output=tmp_path / "run.h5")
    opened = wpo.open_run(tmp_path / "run.h5")
    for run in (here, written, opened):
        for again in (sent(run), copy.deepcopy(run), sent(sent(run))):
            assert np.array_equal(again.policy, run.policy)
            assert again.optimum is not None
            assert run.optimum is not None
            assert np.array_equal(again.optimum.q, run.optimum.q)
            assert again.series.keys() == run.series.keys()
            assert again.attributes == run.attributes
            assert again.problem_arrays.keys() == run.problem_arrays.keys()
    settings = Settings.of(until={"gap": 1e-3}, series={"times": [0.1, 0.2]}, snapshots=[0.1])
    assert sent(settings) == settings
    findings = wpo.validate_run(opened, "lqr", only=["structure"]).findings
    assert [sent(finding).verdict for finding in findings] == [finding.verdict for finding in findings]
