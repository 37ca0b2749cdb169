"""Runs of Gaussians and particles begun from others: what is taken up, what is made anew, and what is said of it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.same_run import differences
from tests.variants import slow, slow_but
from wpoflow.problems.load import load_problem
from wpoflow.problems.resume import resume
from wpoflow.solver.flows.flow import AnyFlow
from wpoflow.solver.flows.parametric.gaussian import GaussianFlow
from wpoflow.solver.flows.parametric.particles import ParticleFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Run, Snapshots
from wpoflow.solver.runs.evolve import evolve
from wpoflow.solver.runs.loop import Progress
from wpoflow.solver.storage.atomic import checkpoint_folder

COARSE = {"x": 9, "u": 12}


@cache
def problem(x: int = 9, u: int = 12, **flow: str) -> GridMDP:
    keys = {f"flow.{name}": value for name, value in flow.items()}
    return load_problem("lqr", cells={"x": x, "u": u}, set={"flow.kind": '"gaussian"', **keys})


def kept(run: Run) -> Snapshots:
    assert run.snapshots is not None
    return run.snapshots


def begun(mdp: GridMDP, flow: AnyFlow, initial: Run, **how: Any) -> Run:
    return evolve(mdp, flow=flow, initial=initial, **{"until": {"steps": 1}, **how})


@pytest.mark.parametrize("components", [1, 2])
@pytest.mark.parametrize("cells", [12, 31])
def test_gaussians_are_taken_up_as_they_are(components: int, cells: int) -> None:
    """Their own numbers, and not the moments of cells, whose variance is larger by a twelfth of a cell squared."""
    mdp, other = problem(), problem(u=cells)
    first = evolve(mdp, flow=GaussianFlow(mdp, components), until=0.3, accuracy=1e-4)
    second = begun(other, GaussianFlow(other, components), first)
    assert kept(first).parameters == kept(second).parameters
    for name in kept(first).parameters:
        np.testing.assert_allclose(kept(second).parameter(name, 0), kept(first).parameter(name, -1), rtol=1e-13)
    said = str(second.attributes["initial"])
    assert said.endswith("; its Gaussians as they are"), said


def test_gone_on_with_it_is_the_longer_run() -> None:
    mdp = problem()
    how: dict[str, Any] = {"flow": "gaussian", "scheme": "runge-kutta", "step": 0.05}
    whole, half = (evolve(mdp, until={"steps": steps}, **how) for steps in (8, 4))
    second = evolve(mdp, until={"steps": 4}, initial=half, **how)
    for name in kept(whole).parameters:
        np.testing.assert_allclose(kept(second).parameter(name, -1), kept(whole).parameter(name, -1), rtol=1e-10)


def test_between_states_means_and_covariances_are_interpolated() -> None:
    coarse, fine = problem(), problem(x=17, u=20)
    first = evolve(coarse, flow="gaussian", until={"steps": 1}, snapshots=[0.0])
    points, nodes = fine.states.points[:, 0], coarse.states.points[:, 0]
    found, given = kept(begun(fine, "gaussian", first)), kept(first)
    for name in ("policy_mean", "policy_covariance"):
        expected = np.interp(points, nodes, given.parameter(name, -1).ravel())
        np.testing.assert_allclose(found.parameter(name, 0).ravel(), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("flow", ["wasserstein", "two", "particles"])
def test_of_anything_else_gaussians_have_the_moments_of_its_cells(flow: str) -> None:
    mdp = problem()
    flows: dict[str, AnyFlow] = {"two": GaussianFlow(mdp, 2), "particles": ParticleFlow(mdp, particles=40, seed=2)}
    first = evolve(mdp, flow=flows.get(flow, flow), step=0.1, until=0.3)
    second = begun(mdp, "gaussian", first)
    assert str(second.attributes["initial"]).endswith("; Gaussians of the moments of its cells")
    np.testing.assert_allclose(
        kept(second).parameter("policy_mean", 0)[:, 0], first.policy @ mdp.actions.points[:, 0], atol=1e-13
    )


def test_an_array_says_nothing_of_gaussians() -> None:
    mdp = problem()
    run = evolve(mdp, flow="gaussian", initial=mdp.initial_policy, until={"steps": 1})
    assert run.attributes["initial"] == "a policy that was given as an array; Gaussians of the moments of its cells"
    assert "moments" not in str(evolve(mdp, initial=mdp.initial_policy, until={"steps": 1}).attributes["initial"])


def test_particles_are_taken_up_where_there_are_as_many() -> None:
    mdp, finer, states = problem(), problem(u=30), problem(x=17)
    first = evolve(mdp, flow=ParticleFlow(mdp, particles=20, seed=2), step=0.1, until=0.3)
    for other, count, taken in ((mdp, 20, True), (finer, 20, True), (mdp, 21, False), (states, 20, False)):
        second = begun(other, ParticleFlow(other, particles=count, seed=3), first, step=0.1)
        said = "its particles as they are" if taken else "particles drawn of it"
        assert str(second.attributes["initial"]).endswith(f"; {said}")
        if taken:
            found, given = kept(second).parameter("particles", 0), kept(first).parameter("particles", -1)
            np.testing.assert_array_equal(found, given)


@pytest.mark.parametrize("kind", [slow("gaussian"), slow("two"), "particles"])
@pytest.mark.parametrize("after", slow_but([0, 3], 0))
def test_cut_short_and_resumed_it_is_the_same_run(tmp_path: Path, kind: str, after: int) -> None:
    """What it took up is kept with the checkpoints; also where no state was kept yet."""
    of = {"gaussian": {}, "two": {"components": "2"}}.get(
        kind, {"kind": '"particles"', "particles": "20", "seed": "2", "step": "0.05"}
    )
    mdp = problem(**of)
    flow = {"gaussian": GaussianFlow(mdp), "two": GaussianFlow(mdp, 2)}.get(kind, ParticleFlow(mdp, 20, 2))
    step = None if after and kind != "particles" else 0.05
    evolve(mdp, flow=flow, step=step, until=0.2, output=tmp_path / "first.h5")
    asked: dict[str, Any] = {"flow": flow, "step": step, "until": 0.4, "initial": tmp_path / "first.h5"}
    alone = evolve(mdp, output=tmp_path / "alone.h5", **asked)
    cut, saved = tmp_path / "cut.h5", tmp_path / "kept"

    def progress(seen: Progress) -> None:
        if seen.steps >= max(1, after) and not saved.exists():
            shutil.copytree(checkpoint_folder(cut), saved)
            for state in saved.glob("state-*" if after == 0 else "none"):
                state.unlink()

    evolve(mdp, output=cut, checkpoint=0.0, progress=progress, **asked)
    cut.unlink()
    (tmp_path / "first.h5").unlink()
    shutil.move(saved, checkpoint_folder(cut))
    again = resume(cut)
    assert not differences(cut, tmp_path / "alone.h5")
    assert again.attributes["initial"] == alone.attributes["initial"]


def test_gaussians_within_a_cell_are_taken_up_and_extended(tmp_path: Path) -> None:
    """Of which the cells know nothing: all their mass is in one."""
    mdp = problem().stated_by("")
    middle = float(mdp.actions.points[4, 0])
    narrow = replace(mdp, initial_gaussians=(np.full((9, 1), middle), np.full((9, 1, 1), 1e-7)))
    first = evolve(narrow, flow="gaussian", until={"steps": 1}, snapshots=[0.0], scheme="runge-kutta", step=1e-9)
    how: dict[str, Any] = {"scheme": "runge-kutta", "step": 1e-6}
    begun(mdp, "gaussian", first, output=tmp_path / "a.h5", until={"steps": 2}, **how)
    longer = resume(tmp_path / "a.h5", mdp=mdp, until={"steps": 4})
    begun(mdp, "gaussian", first, output=tmp_path / "b.h5", until={"steps": 4}, **how)
    assert not differences(tmp_path / "a.h5", tmp_path / "b.h5")
    assert kept(longer).parameter("policy_covariance", -1).max() < 1e-4
