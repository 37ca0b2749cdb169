"""Gaussians that are refused, and what files keep of those that are not."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wpoflow as wpo
from tests.solver.test_gaussian_flow import two_actions
from wpoflow.grids.axis import label_axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.statement import Statement, build
from wpoflow.solver.flows.flow import UnsuitableFlowError
from wpoflow.solver.flows.parametric.gaussian import GaussianFlow
from wpoflow.solver.flows.parametric.moments import gaussians


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"policy_covariance": None}, "give both policy_mean and policy_covariance"),
        ({"policy_density": 2.0}, "give either policy_density, or policy_mean"),
        ({"policy_covariance": {"u,u": 0.5, "u,v": 0.9, "v,v": 0.8}}, "state 0 .*is not positive definite"),
        ({"policy_covariance": {"u,u": 0.5, "v,v": lambda x: x}}, r"state 0 \(x = -2\) is not positive definite"),
        ({"policy_mean": {"u": 0.0}}, "policy_mean: v is missing"),
        ({"policy_mean": {"u": 0.0, "v": 0.0, "w": 1.0}}, "policy_mean: 'w' is no entry; give u, v"),
        ({"policy_covariance": {"u,u": 1.0, "v,u": 0.0, "u,v": 0.1, "v,v": 1.0}}, "'u,v' is given twice"),
        ({"policy_mean": 0.0}, "there are 2 action axes; give a table with u, v"),
        ({"policy_mean": {"u": math.nan, "v": 0.0}}, "policy_mean.u is nan at x = -2"),
    ],
)
def test_what_is_no_gaussian_is_refused(changed: dict[str, Any], words: str) -> None:
    mdp = two_actions()
    start: dict[str, Any] = {
        "policy_mean": {"u": 0.0, "v": 0.0},
        "policy_covariance": {"u,u": 1.0, "v,v": 1.0},
        **changed,
    }
    with pytest.raises(ValueError, match=words):
        build(Statement(mdp.actions, 0.9, 0.1, 0.0, mdp.states, dynamics={"x": 0.0}, **start))


@pytest.mark.parametrize("boundary", ["periodic", "labels"])
def test_actions_without_two_ends_are_refused(boundary: str) -> None:
    axis = label_axis("a", ["up", "down"]) if boundary == "labels" else uniform_axis("a", 0.0, 1.0, 8, boundary)
    mdp = build(Statement(Grid((axis,)), 0.9, 0.1, 0.0))
    with pytest.raises(UnsuitableFlowError, match="choose"):
        GaussianFlow(mdp)


def test_files_keep_the_gaussians_and_their_dimensions(tmp_path: Path) -> None:
    mdp = two_actions()
    how: dict[str, Any] = {"until": {"steps": 4}, "accuracy": 1e-4, "snapshots": 3}
    for components in (1, 2):
        flow = GaussianFlow(mdp, components)
        kept = wpo.evolve(mdp, flow=flow, **how)
        read = wpo.evolve(mdp, flow=flow, output=tmp_path / f"{components}.h5", **how)
        assert kept.snapshots is not None
        assert read.snapshots is not None
        assert kept.snapshots.parameters == read.snapshots.parameters
        for name in kept.snapshots.parameters:
            np.testing.assert_array_equal(kept.snapshots.parameter(name), read.snapshots.parameter(name))
        tree = read.to_xarray()["snapshot"]
        assert tree["policy_mean"].dims == ("snapshot_time", "x", "component")
        assert tree["policy_covariance"].dims == ("snapshot_time", "x", "component", "component_2")
        if components == 2:
            assert tree["member_mean"].dims == ("snapshot_time", "x", "member", "component")
            assert tree["member_weight"].shape[-1] == 2
        assert kept.to_xarray().isomorphic(read.to_xarray())
        covariance = read.snapshots.parameter("policy_covariance", -1)
        np.testing.assert_array_equal(covariance, covariance.transpose(0, 2, 1))


def test_degenerate_numbers_are_no_gaussians() -> None:
    mdp = two_actions()
    wrong = np.tile(np.array([[1.0, 1.0], [1.0, 1.0]]), (5, 1, 1))
    with pytest.raises(ValueError, match="not positive definite: 1, 1, 1, 1"):
        gaussians(mdp.states, mdp.slab, np.zeros((5, 2)), wrong)
    with pytest.raises(ValueError, match="components = 0"):
        GaussianFlow(mdp, 0)
    with pytest.raises(ValueError, match="trust_region"):
        GaussianFlow(mdp, trust_region=-1.0)
    assert replace(mdp).initial_gaussians is not None
