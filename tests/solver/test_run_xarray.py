"""A run is, for xarray, what its file is: identical in names, dimensions, types, attributes and numbers."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray

from tests.solver.small_problems import small_problem
from tests.variants import slow, slow_but
from wpoflow.grids.axis import label_axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import tabulated_transition
from wpoflow.problems.load import load_problem
from wpoflow.solver.flows.flow import suitable_flows
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Run
from wpoflow.solver.records.series import SERIES
from wpoflow.solver.runs.evolve import evolve
from wpoflow.solver.storage.writer import open_run

CLOCKS = ("wall_seconds", "compile_seconds", "run_id")
OF_FILES = "digests"


def given_by_arrays() -> GridMDP:
    """Two states on an axis, three actions, a kernel given as a tensor."""
    rng = np.random.default_rng(3)
    states, actions = Grid((uniform_axis("s", 0.0, 1.0, 2, "clamp"),)), Grid((uniform_axis("a", 0.0, 1.0, 3),))
    transition = tabulated_transition(rng.dirichlet(np.ones(2), size=(2, 3)))
    third, half = np.full(3, 1.0 / 3.0), np.full(2, 0.5)
    return GridMDP(states, actions, 0.8, 0.5, rng.random((2, 3)), transition, third, half, np.tile(third, (2, 1)))


def labelled() -> GridMDP:
    """The same with actions that are labels, beside an axis of one."""
    mdp = given_by_arrays()
    return replace(mdp, actions=Grid((label_axis("move", ("up", "höher", "it's")), uniform_axis("u", 0.0, 1.0, 1))))


PROBLEMS = {
    "bandit": lambda: load_problem("bandit", cells={"a": 20}),
    "one axis each": lambda: load_problem("lqr", cells={"x": 7, "u": 6}),
    "two axes each": lambda: load_problem("navigation", cells={"x": 4, "y": 3, "vx": 5, "vy": 2}),
    "terminal set": lambda: load_problem("mountain_car", cells={"position": 8, "velocity": 6, "force": 5}),
    "functions": lambda: small_problem(5, 6),
    "arrays": given_by_arrays,
    "labels": labelled,
}


def short_run(mdp: GridMDP, output: Path | None = None) -> Run:
    """A few steps of the first flow that suits."""
    flow = suitable_flows(mdp.actions)[0]
    return evolve(mdp, until=0.05, step=0.01, snapshots=3, output=output, flow=flow)


@pytest.fixture(scope="module", params=slow_but(PROBLEMS, "two axes each", "labels"))
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[GridMDP, Path]:
    """A problem and the file of a short run of it."""
    mdp = PROBLEMS[request.param]()
    path = tmp_path_factory.mktemp("xarray") / "run.h5"
    short_run(mdp, path)
    return mdp, path


@pytest.mark.parametrize(
    ("case", "engine"),
    slow_but(
        product(PROBLEMS, ("h5netcdf", "netcdf4")),
        *(("two axes each", "netcdf4"), ("labels", "netcdf4")),
    ),
    indirect=["case"],
)
def test_what_xarray_reads_is_what_the_run_gives(case: tuple[GridMDP, Path], engine: str) -> None:
    mdp, path = case
    ours = open_run(path).to_xarray()
    with xarray.open_datatree(path, engine=engine) as read:
        assert ours.identical(read)
        assert {node.path for node in ours.subtree} >= {"/", "/optimum", "/snapshot"}
        assert ("problem" in read) == (not mdp.statement)
        for node in ours.subtree:
            for name, variable in node.dataset.variables.items():
                assert variable.dtype == read[node.path][str(name)].dtype
                assert set(variable.attrs) >= {"units", "long_name"}
    with xarray.open_dataset(path, engine=engine) as root:
        assert ours.to_dataset(inherit=False).identical(root)
    with xarray.open_dataset(path, engine=engine, group="optimum") as group:
        assert ours.children["optimum"].to_dataset(inherit=False).identical(group.drop_vars(group.coords))


def test_a_run_in_memory_gives_what_its_file_would(case: tuple[GridMDP, Path]) -> None:
    mdp, path = case
    kept, stored = short_run(mdp).to_xarray(), open_run(path).to_xarray()
    for tree in (kept, stored):
        for name in (*CLOCKS, OF_FILES):
            tree.attrs.pop(name, None)
    assert kept.identical(stored)


def test_a_difference_is_seen(case: tuple[GridMDP, Path]) -> None:
    run = open_run(case[1])
    with xarray.open_datatree(case[1], engine="netcdf4") as read:
        run.series["gap"][1] *= 1.0 + 1e-15
        assert not run.to_xarray().identical(read)


@pytest.mark.skipif(shutil.which("ncdump") is None, reason="ncdump (netcdf-bin) is not installed")
def test_ncdump_shows_dimensions_units_and_long_names(case: tuple[GridMDP, Path]) -> None:
    mdp, path = case
    shown = subprocess.run(
        ["ncdump", "-h", path], capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C.UTF-8"}
    ).stdout
    for axis in (*mdp.states.axes, *mdp.actions.axes):
        assert f"{axis.name} = {axis.size} ;" in shown
        assert f"{axis.name}_edges = {axis.size + 1} ;" in shown
        assert f'{axis.name}:boundary = "{axis.boundary}" ;' in shown
    pairs = ", ".join(axis.name for axis in (*mdp.states.axes, *mdp.actions.axes))
    assert f"double policy(snapshot_time, {pairs}) ;" in shown
    assert "time = UNLIMITED" in shown
    for name in SERIES:
        assert f"double {name}(time) ;" in shown
        assert f'{name}:units = "1" ;' in shown
        assert f'{name}:long_name = "' in shown


@pytest.mark.parametrize("engine", [slow("h5netcdf"), "netcdf4"])
def test_bounds_of_the_axes_are_those_of_the_cf_conventions(case: tuple[GridMDP, Path], engine: str) -> None:
    mdp, path = case
    with xarray.open_dataset(path, engine=engine) as root:
        assert str(root.attrs["Conventions"]).startswith("CF-1.")
        for axis in (*mdp.states.axes, *mdp.actions.axes):
            bounds = root[root[axis.name].attrs["bounds"]]
            assert bounds.dims[0] == axis.name
            assert bounds.sizes[bounds.dims[1]] == 2
            np.testing.assert_array_equal(bounds, np.stack([axis.edges[:-1], axis.edges[1:]], axis=1))
            assert np.all((bounds[:, 0] <= root[axis.name]) & (root[axis.name] <= bounds[:, 1]))


def test_what_values_count_is_said_where_they_are(case: tuple[GridMDP, Path]) -> None:
    with xarray.open_datatree(case[1], engine="netcdf4") as read:
        for path in ("value_rho", "optimum/value", "optimum/q", "snapshot/value"):
            comment = read[path].attrs["comment"]
            assert "costs are minimised" in comment
            assert "temperature times the relative entropy" in comment


def test_accuracy_and_step_are_numbers(tmp_path: Path) -> None:
    mdp = load_problem("bandit", cells={"a": 20})
    choices: tuple[dict[str, Any], ...] = ({"accuracy": 1e-3}, {"step": 0.07})
    for asked in choices:
        evolve(mdp, until={"steps": 2}, output=tmp_path / "run.h5", force=True, **asked)
        run = open_run(tmp_path / "run.h5")
        with h5py.File(tmp_path / "run.h5") as file:
            found = {name: file.attrs[name] for name in ("accuracy", "step") if name in file.attrs}
        assert found == asked == {name: run.attributes[name] for name in asked}
        assert all(np.issubdtype(type(value), np.floating) for value in found.values())
