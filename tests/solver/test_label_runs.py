"""Runs of actions that are labels: their files hold the labels, and what of a file is not labels is refused."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray

import wpoflow as wpo
from tests.same_run import differences
from tests.solver.toys import RelaxingFlow
from wpoflow.grids.axis import label_axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions.tabulated import tabulated_transition
from wpoflow.problems.resume import resume
from wpoflow.solver.storage.atomic import TRAILER_LENGTH, RunFileError, append_trailer

LABELS = ("up", "höher", 'it\'s "so"')


def problem(labels: tuple[str, ...] = LABELS, **changes: Any) -> wpo.GridMDP:
    rng = np.random.default_rng(1)
    P = rng.dirichlet(np.ones(4), size=(4, len(labels)))
    given = {"cost": rng.random((4, len(labels))), "discount": 0.9, "temperature": 0.3, "labels": labels}
    return wpo.tabular_mdp(P, **{**given, **changes})


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labels") / "run.h5"
    wpo.evolve(problem(), until=2.0, flow="fisher-rao", output=path)
    return path


def test_a_file_keeps_the_labels(path: Path) -> None:
    run = wpo.open_run(path)
    (axis,) = run.actions.axes
    assert (axis.labels, axis.boundary, axis.size) == (LABELS, "labels", 3)
    np.testing.assert_array_equal(axis.points, [0.0, 1.0, 2.0])
    with xarray.open_datatree(path, engine="h5netcdf") as tree:
        assert json.loads(tree["action"].attrs["labels"]) == list(LABELS)
    assert json.loads(run.to_xarray()["action"].attrs["labels"]) == list(LABELS)
    for again in (pickle.loads(pickle.dumps(run)), copy.deepcopy(problem())):
        assert again.actions.axes[0].labels == LABELS
    policy = wpo.open_policy(path)
    assert (policy.mode, policy(2.0).shape) == ("mode", (1,))


def test_an_optimum_file_keeps_them_too(tmp_path: Path) -> None:
    mdp = problem()
    best = wpo.solve_optimum(mdp)
    wpo.save_optimum(mdp, best, tmp_path / "best.h5")
    run = wpo.open_run(tmp_path / "best.h5")
    assert run.actions.axes[0].labels == LABELS
    np.testing.assert_array_equal(
        wpo.open_policy(tmp_path / "best.h5")(np.arange(4.0)[:, None])[:, 0], best.policy.argmax(axis=1)
    )


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ('["up", "down"]', "its 2 labels are the points"),
        ('["up", "up", "down"]', "labels hold 'up' twice"),
        ('{"up": 1}', "the labels of axis action are no list"),
        ('["up", 1, 2]', "labels hold 1"),
        ("up", "Expecting value"),
        ("[" * 100_000, "not a run file"),
        (3.0, "attribute labels is not one text"),
        (None, "labels"),
    ],
)
def test_labels_of_a_file_that_are_none_are_refused(path: Path, tmp_path: Path, wrong: Any, words: str) -> None:
    altered = tmp_path / "altered.h5"
    altered.write_bytes(path.read_bytes()[:-TRAILER_LENGTH])
    with h5py.File(altered, "r+") as file:
        if wrong is None:
            del file["action"].attrs["labels"]
        else:
            file["action"].attrs["labels"] = wrong
    append_trailer(altered)
    with pytest.raises(RunFileError, match=words):
        wpo.open_run(altered)


def test_other_labels_are_an_altered_file(path: Path, tmp_path: Path) -> None:
    """The seal is of the labels, too, where another program has cut it."""
    altered = tmp_path / "altered.h5"
    altered.write_bytes(path.read_bytes())
    with h5py.File(altered, "r+") as file:
        file["action"].attrs["labels"] = json.dumps(["up", "down", "wait"])
    with pytest.raises(RunFileError, match="altered or damaged: action"):
        wpo.open_run(altered)


@pytest.mark.slow
def test_a_run_goes_on_as_if_it_had_not_been_left(tmp_path: Path) -> None:
    for flow in ({"flow": "fisher-rao"}, {"flow": "mirror", "step": 0.25}):
        wpo.evolve(problem(), until=0.5, output=tmp_path / "whole.h5", force=True, **flow)
        wpo.evolve(problem(), until=0.25, output=tmp_path / "part.h5", force=True, **flow)
        with pytest.raises(RunFileError, match="another problem"):
            resume(tmp_path / "part.h5", until=0.5, mdp=problem(("up", "down", "wait")))
        resume(tmp_path / "part.h5", until=0.5, mdp=problem())
        whole, part = (wpo.open_run(tmp_path / f"{name}.h5") for name in ("whole", "part"))
        np.testing.assert_array_equal(whole.policy, part.policy)
        assert not [
            name for name in differences(tmp_path / "whole.h5", tmp_path / "part.h5") if name.startswith("optimum")
        ]


def test_a_run_begins_from_one_of_the_same_labels_only(path: Path, tmp_path: Path) -> None:
    last = wpo.open_run(path).policy
    begun = wpo.evolve(problem(), until=0.1, flow="fisher-rao", initial=path)
    assert begun.snapshots is not None
    np.testing.assert_array_equal(begun.snapshots.policy_at(0), last)
    with pytest.raises(ValueError, match="action axis action has the labels up, höher, it's"):
        wpo.evolve(problem(("up", "down", "wait")), until=0.1, flow="fisher-rao", initial=path)


def test_a_flow_of_another_problem_is_known_by_its_labels() -> None:
    from wpoflow.solver.flows.fisher_rao import FisherRaoFlow

    mdp = problem()
    other = replace(mdp, actions=wpo.Grid((wpo.label_axis("action", LABELS[::-1]),)))
    with pytest.raises(ValueError, match="is of another problem"):
        wpo.evolve(mdp, until=1.0, flow=FisherRaoFlow(other))


@pytest.mark.parametrize("axes", [1, 2])
def test_negative_entries_are_removed_whatever_the_order_of_the_labels(axes: int) -> None:
    """Of a flow of one's own whose extrapolated steps undershoot: labels in another order give the same numbers."""
    rng = np.random.default_rng(3)
    labels = [tuple("abcdef"), tuple("uvw")][:axes]
    cells = tuple(map(len, labels))
    cost, transition = rng.random((4, *cells)), rng.dirichlet(np.ones(4), size=(4, *cells))

    def run(orders: list[list[int]]) -> wpo.Run:
        places = np.ix_(range(4), *orders)
        actions = Grid(tuple(label_axis(f"a{k}", [labels[k][i] for i in orders[k]]) for k in range(axes)))
        mdp = wpo.GridMDP(
            states=Grid((uniform_axis("s", 0.0, 4.0, 4, "clamp"),)),
            actions=actions,
            cost=cost[places].reshape(4, -1),
            transition=tabulated_transition(transition[places].reshape(4, -1, 4)),
            reference_mass=np.full(actions.size, 1.0 / actions.size),
            rho=np.full(4, 0.25),
            initial_policy=np.full((4, actions.size), 1.0 / actions.size),
            discount=0.9,
            temperature=0.02,
        )
        return wpo.evolve(mdp, until={"steps": 3}, flow=RelaxingFlow(mdp), scheme="extrapolated", step=200.0)

    first = run([list(range(n)) for n in cells])
    orders = [list(rng.permutation(n)) for n in cells]
    other = run(orders)
    assert first.series["limited_cells"].sum() > 0
    np.testing.assert_array_equal(first.series["limited_cells"], other.series["limited_cells"])
    there = first.policy.reshape(4, *cells)[np.ix_(range(4), *orders)].reshape(4, -1)
    np.testing.assert_allclose(other.policy, there, rtol=1e-10, atol=0.0)
    np.testing.assert_allclose(other.series["value_rho"], first.series["value_rho"], rtol=1e-12)
