"""A problem stated in Python is rebuilt from its run file, bit for bit, where its transition is a table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.sparse as sp

import wpoflow as wpo
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import (
    TabulatedTransition,
    Transition,
    cell_integrated_transition,
    interpolated_transition,
    tabulated_transition,
)
from wpoflow.solver.mdp import GridMDP

STATES, ACTIONS = Grid((uniform_axis("x", 0.0, 1.0, 5, "clamp"),)), Grid((uniform_axis("u", 0.0, 1.0, 6),))
RNG = np.random.default_rng(4)
MEANS = RNG.uniform(-0.2, 1.2, (5, 6))


def tensor() -> FloatArray:
    rows = RNG.dirichlet(np.ones(5), (5, 6))
    rows[2, 3] *= 0.75
    return rows


def right(x: FloatArray) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.asarray(x > 0.9)


TABLES: dict[str, Transition] = {
    "dense": tabulated_transition(tensor(), "remainder"),
    "sparse": tabulated_transition(sp.csr_array(np.where(tensor().reshape(30, 5) > 0.1, 0.2, 0.0)), "remainder"),
    "cell-integrated": cell_integrated_transition(STATES.axes[0], MEANS, np.full((5, 6), 0.1), right),
}


def problem(transition: Transition) -> GridMDP:
    return GridMDP(
        states=STATES,
        actions=ACTIONS,
        discount=0.9,
        temperature=0.5,
        cost=RNG.normal(size=(5, 6)),
        transition=transition,
        reference_mass=np.full(6, 1.0 / 6.0),
        rho=np.array([0.25, 0.25, 0.25, 0.25, 0.0]),
        initial_policy=np.full((5, 6), 1.0 / 6.0),
        counted=np.array([True, True, True, True, False]),
    )


def stored(mdp: GridMDP, path: Path) -> dict[str, FloatArray]:
    wpo.evolve(mdp, until={"steps": 2}, step=0.1, output=path)
    with h5py.File(path) as file:
        return {name: data[...] for name, data in file["problem"].items()}


@pytest.mark.parametrize("kind", list(TABLES))
def test_a_tabulated_problem_is_rebuilt_from_its_file(kind: str, tmp_path: Path) -> None:
    mdp = problem(TABLES[kind])
    kept = stored(mdp, tmp_path / "run.h5")
    table = [kept[f"transition_{part}"].reshape(-1) for part in ("data", "indices", "indptr")]
    rebuilt = replace(
        mdp,
        cost=kept["cost"],
        initial_policy=kept["initial_policy"],
        counted=kept["alive"] != 0,
        transition=TabulatedTransition(
            sp.csr_array(tuple(table), shape=(30, 5)),
            6,
            termination=kept.get("termination"),
            clamped=kept.get("clamped"),
        ),
    )
    termination, again = mdp.transition.termination, rebuilt.transition.termination
    assert termination is not None
    assert again is not None
    assert np.array_equal(kept["termination"], termination)
    assert np.array_equal(again, termination)
    runs = [wpo.evolve(case, until={"steps": 3}, step=0.1) for case in (mdp, rebuilt)]
    assert np.array_equal(runs[0].policy, runs[1].policy)
    assert np.array_equal(runs[0].series["gap_sup"], runs[1].series["gap_sup"])


def test_of_other_transitions_the_ends_are_kept(tmp_path: Path) -> None:
    mdp = problem(interpolated_transition(STATES, MEANS[:, :, None], [0.1], right))
    kept = stored(mdp, tmp_path / "run.h5")
    assert not any(name.startswith("transition_") for name in kept)
    for name in ("termination", "clamped"):
        assert np.array_equal(kept[name], getattr(mdp.transition, name))
    assert np.array_equal(kept["alive"], [1, 1, 1, 1, 0])
