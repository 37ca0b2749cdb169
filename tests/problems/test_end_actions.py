"""Action axes whose points include both ends of the box, for controls of the bang-bang kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wpoflow as wpo
from tests.orders import check_order
from tests.problems.test_problem_file import MINIMAL, changed
from tests.solver import theorems
from wpoflow.cli import main
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import edges_axis, label_axis, sinh_axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.environments.cell_actions import cell_means, cell_quantiles
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.load import build_problem
from wpoflow.problems.problem_file import parse_problem
from wpoflow.solver.flows.flow import UnsuitableFlowError, suitable_flows
from wpoflow.solver.flows.parametric.gaussian import GaussianFlow
from wpoflow.solver.flows.parametric.particles import ParticleFlow
from wpoflow.solver.storage.writer import open_run
from wpoflow.studies.refinement.problem_grids import refined_axes, with_cells

SHAPES = (
    uniform_axis("u", -1.0, 2.0, 6, "clamp"),
    sinh_axis("u", -1.0, 2.0, 7, "clamp", focus=0.0, ratio=5.0),
    edges_axis("u", [-1.0, -0.7, 0.1, 0.3, 1.1, 2.0], "clamp"),
    uniform_axis("u", -1.0, 2.0, 2, "clamp"),
    uniform_axis("u", -1.0, 2.0, 1, "clamp"),
)


def command(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*arguments])
    assert ended.value.code == 0


def test_ends_are_points_of_cells_half_as_wide() -> None:
    problem = wpo.load_problem("bandit", cells={"a": 5}, set={"action.a.boundary": '"clamp"'})
    (axis,) = problem.actions.axes
    step = axis.length / 4
    np.testing.assert_allclose(axis.points, axis.lower + step * np.arange(5), rtol=1e-14)
    np.testing.assert_allclose(axis.widths, step * np.array([0.5, 1.0, 1.0, 1.0, 0.5]), rtol=1e-14)
    np.testing.assert_allclose(problem.reference_mass, axis.widths / axis.length, rtol=1e-14)


def test_values_are_of_second_order() -> None:
    """V* of a bandit is -tau ln of an integral, which the trapezoidal rule gives."""
    tau = 0.3

    def cost(a: FloatArray) -> FloatArray:
        return np.cos(2.0 * a) + a

    x, w = np.polynomial.legendre.leggauss(60)
    exact = -tau * np.log((0.5 * w * np.exp(-cost(1.0 + x) / tau)).sum())
    errors = []
    for cells in (17, 33, 65, 129):
        grid = Grid((uniform_axis("a", 0.0, 2.0, cells, "clamp"),))
        stated = wpo.Statement(actions=grid, discount=1e-9, temperature=tau, cost=cost)
        errors.append(abs(float(wpo.solve_optimum(wpo.build(stated)).value[0]) - exact))
    check_order([1.0 / (n - 1) for n in (17, 33, 65, 129)], errors, 2.0, cap=1e-3)


@pytest.mark.parametrize("dt", [1e-3, 1.0, 1e6])
@pytest.mark.parametrize("axis", SHAPES[:4])
def test_every_step_keeps_the_theorems(axis: Any, dt: float) -> None:
    states = Grid((uniform_axis("x", -1.0, 1.0, 5, "clamp"),))
    mdp = wpo.build(
        wpo.Statement(
            states=states,
            actions=Grid((axis, uniform_axis("w", 0.0, 1.0, 3, "clamp"))),
            discount=0.8,
            temperature=0.1,
            dynamics={"x": lambda x, u, w: 0.5 * x + 0.3 * u - 0.2 * w},
            cost=lambda x, u, w: (x - 0.4) ** 2 + 0.3 * np.sin(3.0 * u) + w * u,
            policy_density=lambda x, u, w: 1.0 + 0.5 * np.sin(u + 3.0 * x) * w,
        )
    )
    theorems.mass_and_positivity(mdp, dt)
    theorems.stationarity(mdp, dt)
    theorems.pointwise_descent(mdp, dt)
    theorems.suboptimality_identity(mdp)
    theorems.dissipation_identity(mdp)


@pytest.mark.parametrize("axis", SHAPES)
def test_actions_within_cells_are_of_the_log_linear_density(axis: Any) -> None:
    """Means and quantiles against sums over fine parts of both halves of a cell; an end has one half."""
    p = np.random.default_rng(0).dirichlet(np.full(axis.size, 0.7), 20)
    grid, log = Grid((axis,)), np.log(p / axis.widths)
    means = cell_means(grid, p)[..., 0]
    assert np.all((means >= axis.edges[:-1]) & (means <= axis.edges[1:]))
    for i in range(20):
        slope = np.diff(log[i]) / axis.distances if axis.size > 1 else np.zeros(1)
        for k in range(axis.size):
            t = axis.edges[k] + axis.widths[k] * (np.arange(20000) + 0.5) / 20000
            left, right = slope[max(k - 1, 0)], slope[min(k, slope.size - 1)]
            shift = t - axis.points[k]
            density = np.exp(np.where(shift < 0.0, left, right) * shift)
            density /= density.sum()
            assert means[i, k] == pytest.approx((density * t).sum(), abs=1e-6 * axis.length)
            for level in (0.0, 0.2, 0.5, 0.9, 1.0):
                found = cell_quantiles(grid, p[i : i + 1], np.array([k]), np.array([[level]]))[0, 0]
                assert abs(np.interp(found, t, density.cumsum()) - level) < 1e-3


def test_all_mass_at_an_end_is_the_end() -> None:
    axis = uniform_axis("u", -1.0, 1.0, 5, "clamp")
    p = np.full((1, 5), 1e-300)
    p[0, 4] = 1.0
    for mode in ("median", "mean", "mode"):
        policy = wpo.GridPolicy(Grid(), Grid((axis,)), p, mode)
        assert policy.batch(np.zeros((1, 0)))[0, 0] == pytest.approx(1.0, abs=2e-3)
    drawn = wpo.GridPolicy(Grid(), Grid((axis,)), np.full((1, 5), 0.2) * axis.widths / 0.4, "sampled")
    levels = np.random.default_rng(0).random((20000, 3))
    actions = drawn.batch(np.zeros((20000, 0)), levels)[:, 0]
    np.testing.assert_allclose([actions.mean(), actions.std()], [0.0, 1.0 / np.sqrt(3.0)], atol=0.02)


def test_a_run_is_kept_resumed_judged_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole, parts = tmp_path / "whole.h5", tmp_path / "parts.h5"
    common = ["lqr", "--cells", "x=12", "--cells", "u=13", "--set", 'action.u.boundary="clamp"', "--quiet"]
    command("run", *common, "--until", "time=2", "-o", str(whole))
    command("run", *common, "--until", "time=1", "-o", str(parts))
    command("resume", str(parts), "--until", "time=2", "--quiet")
    np.testing.assert_allclose(open_run(parts).policy, open_run(whole).policy, atol=1e-4)
    (axis,) = open_run(whole).actions.axes
    assert axis.boundary == "clamp"
    assert axis.points[0] == axis.edges[0]
    assert axis.points[-1] == axis.edges[-1]
    capsys.readouterr()
    command("check", *common[:-1])
    assert "u 13 on [-4, 4] clamp" in capsys.readouterr().out


def test_claims_hold_and_what_is_recomputed_independently_is_the_same() -> None:
    judged = wpo.validate_problem(
        "lqr",
        cells={"x": 12, "u": 13},
        set={"action.u.boundary": '"clamp"'},
        only=["structure", "identities", "recomputed", "pointwise_descent"],
    )
    assert len(judged.findings) == 4
    for finding in judged.findings:
        assert finding.verdict == "holds", finding.claim


def test_flows_that_need_middles_say_so() -> None:
    mdp = wpo.load_problem("bandit", cells={"a": 16}, set={"action.a.boundary": '"clamp"'})
    assert {"gaussian", "particles"}.isdisjoint(suitable_flows(mdp.actions))
    assert {"wasserstein", "proximal", "fisher-rao", "mirror"} <= set(suitable_flows(mdp.actions))
    for flow in (GaussianFlow, ParticleFlow):
        parameters: dict[str, Any] = {"particles": 8, "seed": 0} if flow is ParticleFlow else {}
        with pytest.raises(UnsuitableFlowError, match="a is 'clamp'") as error:
            flow(mdp, **parameters)
        assert "\n" not in str(error.value)


def test_files_refine_and_feasible_shares_have_ends() -> None:
    problem = parse_problem(changed({"action.u.boundary": "clamp"}))
    (axis,) = [axis for axis in refined_axes(problem) if axis.kind == "action"]
    assert axis.clamped
    assert [n - 1 for n in axis.sizes(3, 2.0)] == [4, 8, 16]
    assert with_cells(problem, {"u": 9}).tables.action["u"].size == 9
    shares = build_problem(
        parse_problem(changed({"action.u": {"feasible": ["-1", "x"], "cells": 5, "boundary": "clamp"}}))
    )
    np.testing.assert_allclose(shares.actions.points[:, 0], np.linspace(0.0, 1.0, 5), atol=1e-15)
    with pytest.raises(ProblemError, match="'open' is not a choice; choose 'no-flux', 'clamp' or 'periodic'"):
        parse_problem(changed({"action.u.boundary": "open"}))
    assert "clamp" not in str(MINIMAL["action"])
    assert label_axis("a", ["x", "y"]).boundary == "labels"
