"""Order in time on fixed cells: one for ``euler``, four for ``extrapolated`` with a fixed step.

The bandit is compared with the exact evolution on its own cells; the coupled problem, where V and Q move with the
policy, with a controlled run of much higher accuracy.  Both start after the initial layer, from a policy that the flow
itself has smoothed for a short time: a start that is out of balance at the ends of the box excites the fastest modes,
which no step of this length resolves, and there the limiter gives up order for positivity.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from grids.arrays import FloatArray
from solver.mdp import GridMDP
from validation.exact_cases.bandits import double_well, time_exact
from validation.exact_cases.regulators import one_state
from validation.exact_cases.slices import Slice, follow
from validation.refinement import check_order

EULER = 1.0 / np.array([32, 64, 128, 256])
SCHEMES = [("euler", 1, EULER, 0.02), ("extrapolated", 4, 1.0 / np.array([40, 56, 80, 112]), 1e-8)]


def smoothed(mdp: GridMDP) -> GridMDP:
    """The same problem, started two units of flow time later."""
    return replace(mdp, initial_policy=follow(mdp, [2.0], accuracy=1e-10)[0].policy)


def errors(at: Slice, policy: FloatArray, gap: float) -> tuple[float, float]:
    """Worst total variation over the states, and ln gap."""
    return 0.5 * float(np.abs(at.policy - policy).sum(axis=1).max()), float(np.log(at.gap / gap))


@pytest.mark.parametrize(("scheme", "order", "steps", "cap"), SCHEMES)
def test_bandit(scheme: str, order: int, steps: FloatArray, cap: float) -> None:
    mdp = smoothed(double_well(1.0).grid(48))
    exact, start = time_exact(mdp), mdp.initial_policy[0]
    policy, gap = exact.policy(start, 2.0)[None], exact.gap(start, 2.0)
    found = [errors(follow(mdp, [2.0], scheme=scheme, step=float(step))[0], policy, gap) for step in steps]
    for column in np.transpose(found):
        check_order(steps, column, order, cap=cap)


@pytest.mark.parametrize(("scheme", "order", "steps", "cap"), SCHEMES)
def test_coupled_problem(scheme: str, order: int, steps: FloatArray, cap: float) -> None:
    """A regulator on 25 x 24 cells."""
    mdp = smoothed(one_state().grid(24, 24))
    best = follow(mdp, [1.0], accuracy=1e-11)[0]
    found = [errors(follow(mdp, [1.0], scheme=scheme, step=float(step))[0], best.policy, best.gap) for step in steps]
    for column in np.transpose(found):
        check_order(steps, column, order, cap=cap)


@pytest.mark.parametrize("scheme", ["euler", "extrapolated"])
def test_the_error_of_a_controlled_run_follows_its_accuracy(scheme: str) -> None:
    """ln gap is wrong by no more than the accuracy times the e-folds of p - g, from a rough start on."""
    mdp = double_well(1.0).grid(48)
    exact, start = time_exact(mdp), mdp.initial_policy[0]
    folds = 0.5 * np.log(exact.gap(start, 0.0) / exact.gap(start, 4.0))
    found = []
    for accuracy in (1e-1, 3e-2, 1e-2) if scheme == "euler" else (1e-4, 1e-6, 1e-8):
        at = follow(mdp, [4.0], scheme=scheme, accuracy=accuracy)[0]
        found.append(abs(np.log(at.gap / exact.gap(start, 4.0))))
        assert found[-1] < 4.0 * accuracy * folds
    assert np.all(np.diff(found) < 0.0)
