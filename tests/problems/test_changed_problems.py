"""A problem of a file that was changed in Python is no longer the file's: its text goes nowhere with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import wpoflow as wpo
from tests.variants import slow_but

CELLS = {"x": 6, "u": 5}


def problem() -> wpo.GridMDP:
    """A small regulator, of the gallery's file."""
    return wpo.load_problem("lqr", cells=CELLS)


def dearer(mdp: wpo.GridMDP) -> wpo.GridMDP:
    """With another cost in one cell, in the arrays it has."""
    mdp.cost[0, 0] += 1.0
    return mdp


def elsewhere(mdp: wpo.GridMDP) -> wpo.GridMDP:
    """With another first policy, in the arrays it has."""
    mdp.initial_policy[:] = mdp.initial_policy[:, ::-1].copy()
    mdp.initial_policy[0] = np.eye(5)[2]
    return mdp


CHANGES: dict[str, Callable[[wpo.GridMDP], wpo.GridMDP]] = {
    "temperature": lambda mdp: replace(mdp, temperature=0.5),
    "discount": lambda mdp: replace(mdp, discount=0.5),
    "cost": lambda mdp: replace(mdp, cost=mdp.cost + 1.0),
    "transition": lambda mdp: replace(mdp, transition=wpo.tabulated_transition(np.full((6, 5, 6), 1 / 6))),
    "rho": lambda mdp: replace(mdp, rho=np.eye(6)[1]),
    "cost in place": dearer,
    "policy in place": elsewhere,
}


@pytest.mark.parametrize("change", slow_but(CHANGES, "cost in place", "discount", "policy in place", "rho"))
def test_its_run_is_kept_and_resumed_as_it_is(change: str, tmp_path: Path) -> None:
    """Not from the text of the file, which states other numbers."""
    mdp = CHANGES[change](problem())
    whole = wpo.evolve(mdp, until={"steps": 8})
    wpo.evolve(mdp, until={"steps": 4}, output=tmp_path / "run.h5")
    kept = wpo.open_run(tmp_path / "run.h5")
    assert mdp.statement == kept.problem == ""
    assert (kept.attributes["temperature"], kept.attributes["discount"]) == (mdp.temperature, mdp.discount)
    np.testing.assert_array_equal(kept.problem_arrays["cost"], mdp.cost)
    with pytest.raises(ValueError, match="stated in Python; give it as mdp"):
        wpo.resume(tmp_path / "run.h5", until={"steps": 8})
    with pytest.raises(wpo.RunFileError, match="of another problem than the one given"):
        wpo.resume(tmp_path / "run.h5", mdp=problem(), until={"steps": 8})
    longer = wpo.resume(tmp_path / "run.h5", mdp=mdp, until={"steps": 8})
    for name in ("gap", "value_rho", "kl_sup"):
        np.testing.assert_array_equal(longer.series[name][-1], whole.series[name][-1])
    np.testing.assert_array_equal(longer.policy, whole.policy)


def test_its_optimum_is_kept_with_its_arrays(tmp_path: Path) -> None:
    mdp = dearer(problem())
    wpo.save_optimum(mdp, wpo.solve_optimum(mdp), tmp_path / "best.h5")
    kept = wpo.open_run(tmp_path / "best.h5")
    assert kept.problem == ""
    np.testing.assert_array_equal(kept.problem_arrays["cost"], mdp.cost)


def test_one_that_only_computed_is_the_files_still() -> None:
    """What is derived from its arrays and kept changes nothing."""
    mdp = problem()
    text = mdp.statement
    wpo.evolve(mdp, until={"steps": 2})
    assert "temperature = 0.2" in text
    assert mdp.statement == text
    assert mdp.at_temperature(0.3).statement == ""


def test_what_was_derived_from_its_arrays_is_that_of_the_present_ones() -> None:
    """A problem that was solved, written on and solved again is one that was made so."""
    mdp = problem()
    wpo.solve_optimum(mdp)
    weights = np.arange(1.0, 6.0)
    mdp.reference_mass[:] = weights / weights.sum()
    mdp.cost[:] *= 3.0
    made = replace(mdp)
    np.testing.assert_array_equal(wpo.solve_optimum(mdp).value, wpo.solve_optimum(made).value)
    np.testing.assert_array_equal(
        wpo.evolve(mdp, until={"steps": 3}).policy, wpo.evolve(made, until={"steps": 3}).policy
    )
    mdp.reference_mass[:] = weights[::-1] / weights.sum()
    steps, others = wpo.flow(mdp, step=0.1), wpo.flow(replace(mdp), step=0.1)
    for _ in range(3):
        np.testing.assert_array_equal(next(steps).policy, next(others).policy)
    assert mdp.largest_cost == np.abs(mdp.cost).max()


@pytest.mark.parametrize(
    ("name", "number", "message"),
    [
        ("cost", np.nan, "cost is nan at x = -4"),
        ("rho", 7.0, "rho must be non-negative and sum to one"),
        ("reference_mass", 0.0, "reference_mass"),
        ("initial_policy", -1.0, "initial_policy at state 0"),
    ],
)
def test_arrays_that_are_none_of_a_problem_are_refused_before_anything_is_computed(
    name: str, number: float, message: str
) -> None:
    mdp = problem()
    getattr(mdp, name)[0] = number
    for use in (
        wpo.solve_optimum,
        lambda mdp: wpo.evolve(mdp, until={"steps": 1}),
        lambda mdp: wpo.flow(mdp, step=0.1),
    ):
        with pytest.raises(ValueError, match=message):
            use(mdp)
