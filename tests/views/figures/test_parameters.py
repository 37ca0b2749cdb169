"""Figures of runs whose policies are made of parameters: Gaussians, mixtures, particles."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.axes import Axes

from wpoflow.problems.load import load_problem
from wpoflow.solver.flows.parametric.gaussian import GaussianFlow
from wpoflow.solver.flows.parametric.particles import ParticleFlow
from wpoflow.solver.records.run import Run
from wpoflow.solver.runs.evolve import evolve
from wpoflow.views.figures import FIGURES, FigureError, plot


@cache
def run(kind: str) -> Run:
    if kind == "particles":
        mdp = load_problem("lqr", cells={"x": 6, "u": 12})
        return evolve(mdp, flow=ParticleFlow(mdp, particles=20, seed=4), step=0.05, until=3.0)
    mdp = load_problem("bandit", cells={"a": 40})
    return evolve(mdp, flow=GaussianFlow(mdp, 2 if kind == "mixture" else 1), until=2.0, accuracy=1e-3)


@pytest.mark.parametrize("kind", ["gaussian", "mixture", "particles"])
def test_means_and_deviations_are_those_of_the_snapshots(kind: str) -> None:
    found = run(kind)
    kept, optimum = found.snapshots, found.optimum
    assert kept is not None
    assert optimum is not None
    (panel,) = plot(found, "moments", state={"x": 0.8} if kind == "particles" else None).axes
    at = int(np.argmin(np.abs(found.states.points[:, 0] - 0.8))) if kind == "particles" else 0
    lines = {str(line.get_label()): line for line in panel.lines}
    mean = kept.parameter("policy_mean")[:, at, 0]
    np.testing.assert_array_equal(lines["mean, and one standard deviation"].get_ydata(), mean)
    (band,) = panel.collections
    low, high = band.get_paths()[0].get_extents().intervaly
    spread = np.sqrt(kept.parameter("policy_covariance")[:, at, 0, 0])
    np.testing.assert_allclose((low, high), ((mean - spread).min(), (mean + spread).max()))
    (best,) = np.unique(np.asarray(lines[r"the same of $\pi^*$"].get_ydata()))
    assert best == pytest.approx(optimum.policy[at] @ found.actions.points[:, 0])
    members = [line for line in panel.lines if line.get_linewidth() == 0.8 and line.get_linestyle() == "-"]
    assert len(members) == (2 if kind == "mixture" else 0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gaussian", "mixture", "particles"])
def test_every_kind_that_applies_is_drawn(kind: str) -> None:
    found = run(kind)
    drawn = [name for name, figure in FIGURES.items() if not figure.why_not(found)]
    assert {"overview", "decay", "policy", "kymograph", "density", "moments", "steps", "value"} <= set(drawn)
    for name in drawn:
        figure = plot(found, name)
        for panel in figure.axes:
            assert apart(panel), f"{kind}, {name}: names of ticks lie on each other"


def apart(panel: Axes) -> bool:
    """Whether the names of the ticks of time do not touch."""
    panel.figure.canvas.draw()
    low, high = sorted(panel.get_xlim())
    named = zip(panel.get_xticks(), panel.get_xticklabels(), strict=False)
    boxes = sorted(
        (box.x0, box.x1)
        for place, text in named
        if text.get_text() and text.get_visible() and low <= place <= high and (box := text.get_window_extent()).width
    )
    return all(left[1] <= right[0] for left, right in pairwise(boxes))


def test_of_actions_on_a_circle_no_mean_is_drawn() -> None:
    """The mean of angles depends on where the circle is cut."""
    mdp = load_problem("torus", cells={"s": 6, "a": 12})
    assert mdp.actions.axes[0].periodic
    found = evolve(mdp, flow=ParticleFlow(mdp, particles=10, seed=4), step=0.1, until=0.2)
    with pytest.raises(FigureError, match="moments: actions on a circle have no mean"):
        plot(found, "moments")
