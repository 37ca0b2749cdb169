"""Runs begun from another run's policy: the same on the same grids, mass kept and positive on others, and recorded."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.same_run import differences
from tests.variants import slow
from wpoflow.grids.axis import Axis, edges_axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transfer import transferred_policy
from wpoflow.problems.load import load_problem
from wpoflow.problems.resume import resume
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.evolve import Progress, evolve
from wpoflow.solver.storage.atomic import RunFileError, checkpoint_folder
from wpoflow.solver.storage.writer import open_run


def problem(**cells: int) -> GridMDP:
    return load_problem("lqr", cells={"x": 10, "u": 12} | cells)


@st.composite
def axes(draw: st.DrawFn, boundaries: tuple[str, ...]) -> tuple[Axis, Axis]:
    """Two axes on the box [-1, 2] with cells of any widths."""
    boundary = draw(st.sampled_from(boundaries))

    def one() -> Axis:
        widths = np.array(draw(st.lists(st.floats(0.01, 1.0), min_size=1, max_size=7)))
        edges = np.concatenate(([0.0], np.cumsum(widths)))
        edges = -1.0 + 3.0 * edges / edges[-1]
        edges[0], edges[-1] = -1.0, 2.0
        return edges_axis("z", edges, boundary)

    return one(), one()


@settings(max_examples=150, deadline=None)
@given(axes(("clamp", "reflect", "periodic")), axes(("no-flux", "periodic")), st.integers(0, 2**31))
def test_mass_and_sign_are_kept_and_policies_affine_in_the_state_are_reproduced(
    state: tuple[Axis, Axis], action: tuple[Axis, Axis], seed: int
) -> None:
    grids = [Grid((axis,)) for axis in (state[0], replace_name(action[0]), state[1], replace_name(action[1]))]
    p = np.random.default_rng(seed).dirichlet(np.ones(action[0].size), state[0].size) + 1e-9
    p /= p.sum(axis=1, keepdims=True)
    carried = transferred_policy(p, *grids)
    assert np.all(carried > 0.0)
    np.testing.assert_allclose(carried.sum(axis=1), 1.0, rtol=1e-14)
    same = transferred_policy(p, grids[0], grids[1], grids[0], grids[1])
    np.testing.assert_array_equal(same, p)
    uniform = np.tile(action[0].widths / 3.0, (state[0].size, 1))
    np.testing.assert_allclose(transferred_policy(uniform, *grids), np.tile(action[1].widths / 3.0, (state[1].size, 1)))
    if state[0].boundary != "periodic":
        slope = 0.01 * (p[0] - uniform[0])
        inside = np.clip(state[1].points, state[0].points[0], state[0].points[-1])
        affine = transferred_policy(uniform + state[0].points[:, None] * slope, grids[0], grids[1], grids[2], grids[1])
        np.testing.assert_allclose(affine, uniform[:1] + inside[:, None] * slope, atol=1e-14)


def replace_name(axis: Axis) -> Axis:
    return Axis("a", axis.edges, axis.boundary)


def test_action_cells_that_are_halved_get_half_the_mass_each() -> None:
    states = Grid((uniform_axis("x", 0.0, 1.0, 2, "clamp"),))
    actions, halved = (Grid((uniform_axis("a", 0.0, 1.0, n),)) for n in (3, 6))
    p = np.array([[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]])
    carried = transferred_policy(p, states, actions, states, halved)
    np.testing.assert_allclose(carried, np.repeat(p, 2, axis=1) / 2.0, rtol=1e-14)
    back = transferred_policy(carried, states, halved, states, actions)
    np.testing.assert_allclose(back, p, rtol=1e-14)


def test_a_run_goes_on_from_another_as_if_not_left_but_for_rounding_where_the_scheme_has_no_memory(
    tmp_path: Path,
) -> None:
    mdp = problem()
    whole = evolve(mdp, until={"steps": 8}, scheme="euler", step=0.05, snapshots=3)
    first = evolve(mdp, until={"steps": 4}, scheme="euler", step=0.05, output=tmp_path / "first.h5")
    for initial in (first, tmp_path / "first.h5", str(tmp_path / "first.h5"), first.policy):
        second = evolve(mdp, until={"steps": 4}, scheme="euler", step=0.05, initial=initial)
        np.testing.assert_allclose(second.policy, whole.policy, rtol=1e-11)  # the Bellman solver begins elsewhere
        np.testing.assert_array_equal(second.snapshots.policy_at(0), first.policy)  # type: ignore[union-attr]
    assert evolve(mdp, until={"steps": 1}).attributes.get("initial") is None


def test_the_run_file_says_which_policy_it_was(tmp_path: Path) -> None:
    first = evolve(problem(), until={"time": 0.25}, output=tmp_path / "first.h5")
    evolve(problem(u=18), until={"steps": 2}, initial=tmp_path / "first.h5", output=tmp_path / "second.h5")
    said = open_run(tmp_path / "second.h5").attributes
    assert said["initial_run_id"] == first.attributes["run_id"]
    assert said["initial"] == (f"the policy of {tmp_path / 'first.h5'} at flow time 0.25, carried over from x 10, u 12")


def test_a_problem_stated_in_python_keeps_the_policy_it_began_from(tmp_path: Path) -> None:
    mdp = replace(problem())
    first = evolve(mdp, until={"steps": 3})
    second = evolve(mdp, until={"steps": 3}, initial=first, output=tmp_path / "second.h5")
    np.testing.assert_array_equal(second.problem_arrays["initial_policy"], first.policy)
    longer = resume(tmp_path / "second.h5", mdp=mdp, until={"steps": 6})  # by the problem as it was given
    np.testing.assert_array_equal(longer.problem_arrays["initial_policy"], first.policy)


@pytest.mark.parametrize("after", [0, slow(5)])
def test_cut_short_and_resumed_it_is_the_same_run(tmp_path: Path, after: int) -> None:
    """Also where no state was kept yet: the policy is kept with the checkpoints, and its source is not needed."""
    mdp = problem()
    evolve(mdp, until={"time": 0.1}, output=tmp_path / "first.h5")
    asked: dict[str, Any] = {"until": {"time": 0.05}, "initial": tmp_path / "first.h5"}
    alone = evolve(problem(), output=tmp_path / "alone.h5", **asked)
    cut = tmp_path / "cut.h5"
    kept = tmp_path / "kept"

    def progress(seen: Progress) -> None:
        if seen.steps >= max(1, after) and not kept.exists():
            shutil.copytree(checkpoint_folder(cut), kept)
            for state in kept.glob("state-*" if after == 0 else "none"):
                state.unlink()

    evolve(problem(), output=cut, checkpoint=0.0, progress=progress, **asked)
    cut.unlink()
    (tmp_path / "first.h5").unlink()
    shutil.move(kept, checkpoint_folder(cut))
    again = resume(cut)
    assert not differences(cut, tmp_path / "alone.h5")
    assert again.attributes["initial"] == alone.attributes["initial"]


def test_an_ended_run_is_extended_with_what_it_began_from(tmp_path: Path) -> None:
    mdp = problem()
    first = evolve(mdp, until={"time": 0.5})
    evolve(mdp, until={"steps": 4}, initial=first, output=tmp_path / "a.h5")
    longer = resume(tmp_path / "a.h5", until={"steps": 8})
    evolve(mdp, until={"steps": 8}, initial=first, output=tmp_path / "b.h5")
    assert not differences(tmp_path / "a.h5", tmp_path / "b.h5")
    assert longer.attributes["initial_run_id"] == first.attributes["run_id"]


def other(mdp: GridMDP, **changes: Any) -> GridMDP:
    return replace(mdp, **changes)


def test_axes_that_differ_are_refused_by_name(tmp_path: Path) -> None:
    first = evolve(problem(), until={"steps": 1}, output=tmp_path / "first.h5")
    mdp = problem()
    renamed = Grid((uniform_axis("y", mdp.states.axes[0].lower, mdp.states.axes[0].upper, 10, "clamp"),))
    wider = Grid((uniform_axis("x", -9.0, 9.0, 10, "clamp"),))
    wrapped = Grid((uniform_axis("x", mdp.states.axes[0].lower, mdp.states.axes[0].upper, 10, "periodic"),))
    for states, says in (
        (renamed, "its state axes are x, those of the problem y"),
        (wider, r"its state axis x lies on \[.*\], that of the problem on \[-9, 9\]"),
        (wrapped, "its state axis x is clamp, that of the problem periodic"),
    ):
        with pytest.raises(ValueError, match=says):
            evolve(other(mdp, states=states), until={"steps": 1}, initial=first)
    renamed = Grid((uniform_axis("a", -1.0, 1.0, 12),))
    with pytest.raises(ValueError, match=r"first.h5: its action axes are u, those of the problem a"):
        evolve(other(mdp, actions=renamed), until={"steps": 1}, initial=tmp_path / "first.h5")


def test_what_is_no_policy_is_refused_and_nothing_is_touched(tmp_path: Path) -> None:
    mdp = problem()
    with pytest.raises(ValueError, match=r"initial at state 0 .* must be non-negative and sum to one"):
        evolve(mdp, until={"steps": 1}, initial=np.zeros((10, 12)))
    with pytest.raises(ValueError, match="initial has shape"):
        evolve(mdp, until={"steps": 1}, initial=np.ones((2, 2)))
    with pytest.raises(RunFileError, match=r"no\.h5"):
        evolve(mdp, until={"steps": 1}, initial=tmp_path / "no.h5")
    path = tmp_path / "a.h5"
    evolve(mdp, until={"steps": 1}, output=path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="would replace it; name another output"):
        evolve(mdp, until={"steps": 1}, initial=path, output=path, force=True)
    assert path.read_bytes() == before
