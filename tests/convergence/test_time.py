"""Order in time on fixed cells: ``euler`` one, ``extrapolated`` with a fixed step four, the k-step formula k.

The bandit is compared with the exact evolution on its own cells; the coupled problem, where V and Q move with the
policy, with a controlled run of much higher accuracy.  Both start after the initial layer, from a policy that the flow
itself has smoothed for a short time: a start that is out of balance at the ends of the box excites the fastest modes,
which no step of this length resolves, and there the limiter gives up order for positivity.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.oracles.time_exact import TimeExact
from tests.orders import check_order
from tests.variants import slow, slow_but
from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.evaluation import evaluate, q_of_value
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.schemes.backward_differentiation import formula, prediction_weights
from wpoflow.solver.schemes.history import combine_history
from wpoflow.validation.exact_cases.bandits import double_well
from wpoflow.validation.exact_cases.regulators import one_state
from wpoflow.validation.exact_cases.slices import Slice, follow

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
    exact, start = TimeExact(mdp), mdp.initial_policy[0]
    policy, gap = exact.policy(start, 2.0)[None], exact.gap(start, 2.0)
    found = [errors(follow(mdp, [2.0], scheme=scheme, step=float(step))[0], policy, gap) for step in steps]
    for column in np.transpose(found):
        check_order(steps, column, order, cap=cap)


@pytest.mark.parametrize(("scheme", "order", "steps", "cap"), slow_but(SCHEMES, SCHEMES[-1]))
def test_coupled_problem(scheme: str, order: int, steps: FloatArray, cap: float) -> None:
    """A regulator on 25 x 24 cells."""
    mdp = smoothed(one_state().grid(24, 24))
    best = follow(mdp, [1.0], accuracy=1e-11)[0]
    found = [errors(follow(mdp, [1.0], scheme=scheme, step=float(step))[0], best.policy, best.gap) for step in steps]
    for column in np.transpose(found):
        check_order(steps, column, order, cap=cap)


STEPS = {order: 1.0 / np.array([20, 28, 40, 56]) for order in range(1, 6)} | {1: 1.0 / np.array([64, 128, 256, 512])}


def integrated(mdp: GridMDP, order: int, step: float, start: list[FloatArray], count: int) -> FloatArray:
    """``count`` steps of the formula of one order, from the policies at times 0, -step, ... (newest first).

    Q is that of V extrapolated through as many past values: one evaluation and one elimination for each step.
    """
    history, solve = np.array(start), WassersteinFlow(mdp).step
    slots, times = np.arange(order + 1), -step * np.arange(order + 1.0)
    c, weights = formula(times, step, order)
    ahead = prediction_weights(times, step)
    values = np.array([evaluate(mdp, policy).value for policy in start])
    for _ in range(count):
        new, q = np.empty_like(start[0]), np.empty_like(start[0])
        combine_history(history, slots, weights, new)
        solve(new, q_of_value(mdp, ahead @ values, q), c, new)
        history = np.concatenate((new[None], history[:-1]))
        values = np.concatenate((evaluate(mdp, new, values[0]).value[None], values[:-1]))
    return np.asarray(history[0])


@pytest.mark.parametrize("order", STEPS)
def test_orders_of_backward_differentiation_on_a_bandit(order: int) -> None:
    mdp = smoothed(double_well(1.0).grid(48))
    exact, start = TimeExact(mdp), mdp.initial_policy[0]
    found = []
    for step in STEPS[order]:
        past = [exact.policy(start, 0.5 - j * float(step))[None] for j in range(order + 1)]
        policy = integrated(mdp, order, float(step), past, round(1.5 / step))
        found.append(0.5 * float(np.abs(policy - exact.policy(start, 2.0)).sum()))
    check_order(STEPS[order], found, order, cap=1e-2)


@pytest.mark.parametrize("order", slow_but(STEPS, 5))
def test_orders_of_backward_differentiation_on_a_coupled_problem(order: int) -> None:
    """The same regulator: V and Q move, and are extrapolated."""
    mdp = smoothed(one_state().grid(24, 24))
    found = []
    for step in STEPS[order]:
        times = [0.5 - j * float(step) for j in range(order, -1, -1)]
        *past, best = follow(mdp, [*times, 1.5], accuracy=1e-11, scheme="extrapolated")
        policy = integrated(mdp, order, float(step), [at.policy for at in past[::-1]], round(1.0 / step))
        found.append(0.5 * float(np.abs(policy - best.policy).sum(axis=1).max()))
    check_order(STEPS[order], found, order, cap=1e-2)


@pytest.mark.parametrize("scheme", ["euler", slow("extrapolated"), "multistep"])
def test_the_error_of_a_controlled_run_follows_its_accuracy(scheme: str) -> None:
    """ln gap is wrong by no more than the accuracy times the e-folds of p - g, from a rough start on."""
    mdp = double_well(1.0).grid(48)
    exact, start = TimeExact(mdp), mdp.initial_policy[0]
    folds = 0.5 * np.log(exact.gap(start, 0.0) / exact.gap(start, 4.0))
    accuracies = np.array([1e-1, 3e-2, 1e-2]) if scheme == "euler" else np.array([1e-4, 1e-5, 1e-6, 1e-7, 1e-8])
    found = []
    for accuracy in accuracies:
        at = follow(mdp, [4.0], scheme=scheme, accuracy=float(accuracy))[0]
        found.append(abs(np.log(at.gap / exact.gap(start, 4.0))))
        assert found[-1] < 4.0 * accuracy * folds
    assert 0.7 <= np.polyfit(np.log(accuracies), np.log(found), 1)[0] <= 1.3
