"""The memory estimate: near what a run takes, and refused against the right limit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from wpoflow.core import memory
from wpoflow.core.memory import available_bytes
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.interpolation import Stencil
from wpoflow.grids.transitions import InterpolatedTransition
from wpoflow.grids.transitions.policy_pairs import PolicyPairs
from wpoflow.grids.transitions.policy_rows import PolicyRows
from wpoflow.grids.transitions.tensor_stencil import TensorStencil
from wpoflow.problems.load import build_problem, read_statement
from wpoflow.problems.memory import estimate, factorised, row_entries, thinned_entries, transition_bytes
from wpoflow.problems.problem_file import read_problem
from wpoflow.problems.statement import Statement, build
from wpoflow.solver.bellman.linear_solver import linear_solver_of
from wpoflow.solver.schemes.choice import chosen_scheme

ROOT = Path(__file__).resolve().parents[2]
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def test_the_estimate_grows_with_everything() -> None:
    def needed(u: int = 100, scheme: str = "euler") -> int:
        problem = read_problem("lqr", cells={"x": 5000, "u": u}, scheme=scheme)
        return estimate(read_statement(problem), problem.flow).needed

    assert needed(u=200) - needed() > 8 * 9 * 5000 * 100
    assert needed(scheme="extrapolated") > needed()
    assert needed(scheme="automatic") == needed(scheme="multistep") > needed(scheme="extrapolated")


def test_a_control_group_may_allow_less_than_the_machine_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit, used = tmp_path / "memory.max", tmp_path / "memory.current"
    monkeypatch.setattr(memory, "_CGROUP_LIMITS", (str(limit),))
    monkeypatch.setattr(memory, "_CGROUP_USED", (str(used),))
    machine = psutil.virtual_memory().total
    limit.write_text("5000000\n")
    used.write_text("2000000\n")
    assert available_bytes() == 3_000_000
    used.write_text("9000000\n")
    assert available_bytes() == 0
    limit.write_text("max\n")
    assert 3_000_000 < available_bytes() <= machine
    limit.unlink()
    assert 3_000_000 < available_bytes() <= machine


@pytest.mark.parametrize(
    "name", ["bandit", "lqr", "torus", "double_integrator", "navigation", "pendulum", "mountain_car"]
)
def test_rows_are_counted_without_building_them(name: str) -> None:
    problem = read_problem(name, cells={"x": 24, "y": 24} if name == "navigation" else None)
    statement = read_statement(problem)
    mdp = build_problem(problem)
    transition = mdp.transition.under(mdp.initial_policy)
    assert isinstance(transition, PolicyRows)
    counted = transition.data.size / mdp.states.size
    assert row_entries(statement) == pytest.approx(counted, rel=0.35)


@pytest.mark.parametrize(
    ("name", "cells", "discount"),
    [
        ("bandit", {}, "0.9"),
        ("lqr", {"x": 300, "u": 16}, "0.9"),
        ("lqr", {"x": 2000, "u": 16}, "0.997"),
        ("navigation", {}, "0.95"),
        ("pendulum", {}, "0.99"),
        ("mountain_car", {}, "0.99"),
    ],
)
def test_solver_and_scheme_are_known_without_building_anything(name: str, cells: dict[str, int], discount: str) -> None:
    problem = read_problem(name, cells=cells, set={"problem.discount": discount})
    statement, mdp = read_statement(problem), build_problem(problem)
    assert estimate(statement, problem.flow).linear_solver == linear_solver_of(mdp)
    assert chosen_scheme(statement, "automatic", None, "wasserstein") == chosen_scheme(
        mdp, "automatic", None, "wasserstein"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "cells", "options"),
    [
        ("navigation", {"x": 64, "y": 64, "vx": 32, "vy": 32}, ["--scheme", "euler", "--step", "0.01"]),
        ("pendulum", {"theta": 201, "speed": 201, "torque": 41}, ["--scheme", "euler", "--step", "0.01"]),
        ("lqr", {"x": 1000, "u": 1000}, ["--scheme", "extrapolated", "--accuracy", "1e-4"]),
        ("lqr", {"x": 400, "u": 4500}, ["--scheme", "multistep", "--accuracy", "1e-4"]),
        ("bandit", {"a": 2000000}, ["--scheme", "exponential", "--accuracy", "1e-4"]),
        ("lqr", {"x": 16, "u": 16}, ["--scheme", "extrapolated", "--accuracy", "1e-4"]),
        ("lqr", {"x": 1000, "u": 1000}, ["--scheme", "adams", "--accuracy", "1e-4", "--set", "flow.kind='fisher-rao'"]),
        ("lqr", {"x": 1000, "u": 1000}, ["--scheme", "euler", "--step", "0.01", "--set", "flow.kind='fisher-rao'"]),
        ("lqr", {"x": 2000, "u": 16}, ["--scheme", "euler", "--step", "0.01", "--set", "problem.discount=0.997"]),
    ],
    ids=[
        "navigation",
        "pendulum",
        "lqr",
        "multistep",
        "exponential",
        "small",
        "adams",
        "logarithms",
        "dense",
    ],
)
def test_the_estimate_is_near_the_peak(tmp_path: Path, name: str, cells: dict[str, int], options: list[str]) -> None:
    changed = dict(option.split("=") for option in options if "=" in option)
    control = {options[2].removeprefix("--"): float(options[3])}
    problem = read_problem(name, cells=cells, set=changed, scheme=options[1], **control)
    expected = estimate(read_statement(problem), problem.flow)
    sizes = [part for axis, number in cells.items() for part in ("--cells", f"{axis}={number}")]
    output = ["-o", str(tmp_path / "run.h5"), "--force", "--quiet", "--until", "steps=3"]
    command = [sys.executable, "-m", "wpoflow", "run", name, *sizes, *options, *output]
    for _ in range(2):  # the first run compiles, which takes memory of its own
        # a process inherits the peak of the one that starts it, so a small one stands between
        started = subprocess.run([sys.executable, "-c", PEAK, *command], cwd=ROOT, capture_output=True, text=True)
        assert started.returncode == 0, started.stderr
    assert expected.needed == pytest.approx(1024 * int(started.stdout), rel=0.15)


@pytest.mark.parametrize("noisy", [0, 1, 2])
def test_noise_is_in_the_memory_of_a_pair(noisy: int) -> None:
    """Every noisy axis keeps a share besides a place between nodes: 8 bytes a pair more."""
    axes = tuple(uniform_axis(name, -1.0, 1.0, 12, "periodic") for name in "xy")
    statement = Statement(
        states=Grid(axes),
        actions=Grid((uniform_axis("u", -1.0, 1.0, 200),)),
        discount=0.9,
        temperature=0.1,
        cost=0.0,
        dynamics={"x": lambda x, y, u: x + u, "y": lambda x, y, u: y - u},
        noise=dict(list({"x": 0.3, "y": 0.3}.items())[:noisy]),
    )
    transition = build(statement).transition
    assert isinstance(transition, InterpolatedTransition)
    assert isinstance(transition.stencil, Stencil)
    held = transition.stencil.base.nbytes + transition.stencil.fraction.nbytes
    assert held == transition_bytes(statement.plan) == statement.plan.pairs * (4 + 8 * (2 + noisy))


@pytest.mark.slow
def test_policies_kept_over_the_pairs_are_estimated_as_such() -> None:
    """Held long, actions lead far apart: rows would hold five numbers for each pair, a policy holds one."""
    cells = {"x": 9, "theta": 31, "v": 9, "omega": 15, "u": 9}
    stated = read_problem("cartpole_swingup", cells=cells, set={"problem.hold": 12})
    statement, mdp = read_statement(stated), build_problem(stated)
    entries = row_entries(statement)
    thinned = thinned_entries(statement, entries)
    held = mdp.transition.under(mdp.initial_policy)
    assert isinstance(held, PolicyPairs)
    assert thinned is not None
    assert held.thinned().data.size == pytest.approx(thinned * mdp.states.size, rel=0.35)
    whole = row_entries(read_statement(read_problem("cartpole_swingup", cells=cells, set={"problem.hold": 100})))
    assert whole > 64.0 >= thinned
    near = read_statement(read_problem("cartpole_swingup", cells=cells, set={"problem.hold": 2}))
    assert thinned_entries(near, row_entries(near)) is None


def test_what_factorises_holds_nothing_for_a_pair() -> None:
    """Of two noisy axes each looks at its own action axis: the estimate knows it, and knows where it is not so."""
    names = ("navigation", "pendulum", "double_integrator")
    found = {name: factorised(read_statement(read_problem(name))) for name in names}
    assert found == {"navigation": True, "pendulum": False, "double_integrator": False}
    problem = read_problem("navigation", cells={"x": 8, "y": 8})
    skew = read_problem("navigation", cells={"x": 8, "y": 8}, set={"dynamics.x": "'x + 0.2*vx + 0.01*vy'"})
    for one, kind in ((problem, TensorStencil), (skew, Stencil)):
        statement, transition = read_statement(one), build_problem(one).transition
        assert isinstance(transition, InterpolatedTransition)
        assert isinstance(transition.stencil, kind)
        assert factorised(statement) is (kind is TensorStencil)
        held = sum(array.nbytes for array in vars(transition.stencil).values() if isinstance(array, np.ndarray))
        small = held < 4 * statement.plan.pairs
        assert small is (kind is TensorStencil)
