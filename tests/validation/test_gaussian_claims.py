"""What is claimed of Gaussian policies, and what must not pass for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.statement import Statement, build
from wpoflow.solver.flows.parametric.gaussian import GaussianFlow
from wpoflow.solver.flows.parametric.moments import Members
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.evolve import evolve
from wpoflow.validation.claims import CLAIMS
from wpoflow.validation.claims.gaussian_law import finding
from wpoflow.validation.controls_of_gaussians import FastGaussian, RigidGaussian
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Verdict
from wpoflow.validation.independent.gaussian import least_rate, mass_outside


class Cold(GaussianFlow):
    """The entropy pulls 2 % less."""

    def velocity(self, parameters: FloatArray, q: FloatArray, out: FloatArray) -> FloatArray:
        return GaussianFlow(self.mdp.at_temperature(self.mdp.temperature / 1.02)).velocity(parameters, q, out)


def test_the_law() -> None:
    assert finding().verdict is Verdict.HOLDS


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [FastGaussian, RigidGaussian, Cold])
def test_another_law(wrong: Any) -> None:
    assert finding(wrong).verdict is Verdict.FAILS


def narrow_box(width: float) -> GridMDP:
    """A quadratic cost that draws the policy to the middle, in a box of this half width."""
    axis = uniform_axis("a", -width, width, 60, "no-flux")
    return build(
        Statement(
            Grid((axis,)),
            discount=0.5,
            temperature=0.3,
            cost=lambda a: 0.5 * a * a,
            policy_mean=0.4,
            policy_covariance=0.2,
        )
    )


@pytest.mark.parametrize(("width", "verdict"), [(5.0, Verdict.HOLDS), (1.0, Verdict.NOT_CERTIFIED)])
def test_gaussians_that_a_box_cuts_off_are_not_judged_as_gaussians(width: float, verdict: Verdict) -> None:
    """They are no geodesically convex set, and the inequality may be false."""
    mdp = narrow_box(width)
    run = evolve(mdp, flow="gaussian", until=8.0, accuracy=1e-6)
    found = CLAIMS["gaussian_contraction"].finding(Evidence("box", run, mdp))
    assert found.verdict is verdict, found.reason
    assert width > 1.0 or "within the box" in found.reason


def test_the_least_rate_of_a_quadratic_is_its_curvature() -> None:
    """kappa of the mean, 2 kappa of the variance."""
    mdp = narrow_box(6.0)
    width = mdp.actions.axes[0].widths[0]
    at_rest = np.array([[0.3 - width**2 / 12.0]])
    rate = least_rate(mdp.actions, np.zeros(1), at_rest, mdp.cost[0], 0.3, mdp.log_mass)
    assert rate == pytest.approx(1.0, abs=2e-3)


def test_late_rate_of_two_actions() -> None:
    axes = [uniform_axis(name, -4.0, 4.0, 20, "no-flux") for name in "uv"]
    mdp = build(
        Statement(
            Grid(tuple(axes)),
            discount=0.5,
            temperature=0.6,
            cost=lambda u, v: 0.5 * u**2 + 0.8 * (v - 0.4 * u) ** 2,
            policy_mean={"u": 0.8, "v": -0.5},
            policy_covariance={"u,u": 0.5, "u,v": 0.1, "v,v": 0.4},
        )
    )
    run = evolve(mdp, flow="gaussian", until=30.0, accuracy=1e-5, snapshots=40)
    found = CLAIMS["gaussian_late"].finding(Evidence("two actions", run, mdp))
    assert found.verdict is Verdict.HOLDS, found.reason
    hessian = np.array([[1.0 + 2 * 0.8 * 0.16, -2 * 0.8 * 0.4], [-2 * 0.8 * 0.4, 1.6]])
    assert found.notes["late rate of Gaussians"] == pytest.approx(2.0 * np.linalg.eigvalsh(hessian)[0], rel=0.02)


def test_mass_outside_a_box() -> None:
    actions = Grid((uniform_axis("u", -1.0, 2.0, 6, "no-flux"),))
    members = Members(np.array([[0.25, 0.75]]), np.array([[[0.0], [1.0]]]), np.array([[[[0.5]], [[2.0]]]]))
    each = [norm.sf(2.0, m, s) + norm.cdf(-1.0, m, s) for m, s in ((0.0, np.sqrt(0.5)), (1.0, np.sqrt(2.0)))]
    np.testing.assert_allclose(mass_outside(actions, members), [0.25 * each[0] + 0.75 * each[1]])
