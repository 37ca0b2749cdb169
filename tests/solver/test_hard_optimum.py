"""The optimum without regularisation: against linear programming, QuantEcon, ties, and the limit of the soft one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.optimize import linprog

from tests.solver.random_mdps import grid_mdps
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import edges_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import tabulated_transition
from wpoflow.problems.load import load_problem
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.mdp import GridMDP, TooColdError


def tabular(cost: FloatArray, rows: FloatArray, discount: float) -> GridMDP:
    """A problem of given arrays (S, A) and (S, A, S)."""
    n_states, n_actions = cost.shape
    mass, rho = np.full(n_actions, 1.0 / n_actions), np.full(n_states, 1.0 / n_states)
    return GridMDP(
        states=Grid((edges_axis("s", np.arange(n_states + 1.0), "reflect"),)),
        actions=Grid((edges_axis("a", np.arange(n_actions + 1.0), "no-flux"),)),
        discount=discount,
        temperature=0.1,
        cost=cost,
        transition=tabulated_transition(rows, "remainder"),
        reference_mass=mass,
        rho=rho,
        initial_policy=np.tile(mass, (n_states, 1)),
    )


def random_tabular(seed: int) -> tuple[FloatArray, FloatArray, float]:
    """Cost, rows and discount; few next states to a pair."""
    generator = np.random.default_rng(seed)
    n_states, n_actions = int(generator.integers(2, 40)), int(generator.integers(2, 12))
    rows = generator.exponential(size=(n_states, n_actions, n_states))
    rows *= generator.random(rows.shape) < 0.4
    rows[..., 0] += 1e-3
    rows /= rows.sum(axis=2, keepdims=True)
    return generator.standard_normal((n_states, n_actions)), rows, float(generator.choice([0.5, 0.9, 0.99, 0.999]))


@pytest.mark.parametrize("seed", range(12))
def test_it_is_the_solution_of_the_linear_programme(seed: int) -> None:
    """max sum V subject to V_i <= c_ik + gamma sum_j P V_j, for all pairs."""
    cost, rows, discount = random_tabular(seed)
    best = solve_optimum(tabular(cost, rows, discount), temperature=0.0)
    n_states, n_actions = cost.shape
    constraints = np.repeat(np.eye(n_states), n_actions, axis=0) - discount * rows.reshape(-1, n_states)
    found = linprog(-np.ones(n_states), A_ub=constraints, b_ub=cost.ravel(), bounds=(None, None), method="highs")
    assert found.x is not None
    np.testing.assert_allclose(best.value, found.x, rtol=1e-7, atol=1e-7 / (1.0 - discount))
    # exactly: no action is better than those it takes, and they have these values
    chosen = best.policy.argmax(axis=1)
    states = np.arange(n_states)
    exact = np.linalg.solve(np.eye(n_states) - discount * rows[states, chosen], cost[states, chosen])
    np.testing.assert_allclose(best.value, exact, rtol=1e-11, atol=1e-12 / (1.0 - discount))
    q = cost + discount * rows @ exact
    assert (q[states, chosen] - q.min(axis=1)).max() <= best.gap_floor
    np.testing.assert_allclose(best.q, q, rtol=1e-10, atol=1e-12 / (1.0 - discount))
    assert best.temperature == 0.0


@pytest.mark.parametrize("seed", range(12, 24))
def test_it_is_that_of_quantecon(seed: int) -> None:
    quantecon = pytest.importorskip("quantecon", reason="quantecon is not installed")
    cost, rows, discount = random_tabular(seed)
    best = solve_optimum(tabular(cost, rows, discount), temperature=0.0)
    theirs = quantecon.markov.DiscreteDP(-cost, rows, discount).solve(method="policy_iteration")
    np.testing.assert_array_equal(best.policy.argmax(axis=1), theirs.sigma)
    np.testing.assert_allclose(best.value, -theirs.v, rtol=1e-10, atol=1e-12 / (1.0 - discount))


def test_of_actions_that_are_the_same_each_state_takes_the_first() -> None:
    cost, rows, discount = random_tabular(3)
    twice = tabular(np.repeat(cost, 2, axis=1), np.repeat(rows, 2, axis=1), discount)
    once = solve_optimum(tabular(cost, rows, discount), temperature=0.0)
    best = solve_optimum(twice, temperature=0.0)
    np.testing.assert_array_equal(best.policy.argmax(axis=1), 2 * once.policy.argmax(axis=1))
    np.testing.assert_array_equal(best.value, solve_optimum(twice, temperature=0.0).value)


def test_ties_that_rounding_would_decide_go_to_the_first() -> None:
    """Two ways to the same cost, added up in another order; and everything that costs the same."""
    rows = np.zeros((6, 2, 6))
    rows[0, 0, 1] = rows[0, 1, 3] = 1.0
    rows[1, :, 2] = rows[3, :, 4] = 1.0
    rows[[2, 4, 5], :, 5] = 1.0
    assert 0.1 + (0.2 + 0.3) != 0.3 + (0.2 + 0.1)
    for swapped in (False, True):
        cost = np.array([[0.1, 0.3], [0.4, 9.0], [1.2, 9.0], [0.4, 9.0], [0.4, 9.0], [0.0, 0.0]])
        order = [1, 0] if swapped else [0, 1]
        best = solve_optimum(tabular(cost[:, order], rows[:, order], 0.5), temperature=0.0)
        assert best.policy[0, 0] == 1.0
        assert best.policy[5, 0] == 1.0


@given(grid_mdps())
@settings(max_examples=40)
def test_it_ends_and_is_the_least_on_random_problems(mdp: GridMDP) -> None:
    """Some of which end; the soft optimum lies above it, by at most tau max ln(1/m)/(1 - gamma)."""
    best = solve_optimum(mdp, temperature=0.0)
    assert best.bellman_residual <= best.gap_floor
    assert set(np.unique(best.policy)) <= {0.0, 1.0}
    mdp.check_policy(best.policy)
    soft = solve_optimum(mdp, temperature=1e-3 * float(np.ptp(mdp.cost)) + 1e-6)
    above = soft.value - best.value
    assert above.min() >= -best.gap_floor
    assert above.max() <= best.gap_floor - soft.temperature * mdp.log_mass.min() / (1.0 - mdp.discount)


def test_every_linear_solver_and_every_beginning_lead_to_the_same() -> None:
    mdp = load_problem("lqr", cells={"x": 40, "u": 24})
    best = solve_optimum(mdp, temperature=0.0)
    for solver in ("dense", "sparse", "krylov"):
        other = solve_optimum(mdp, temperature=0.0, linear_solver=solver)
        np.testing.assert_array_equal(other.policy, best.policy)
    far = solve_optimum(mdp, temperature=0.0, value=1e3 * np.sin(np.arange(40.0)))
    np.testing.assert_array_equal(far.policy, best.policy)
    again = solve_optimum(mdp, temperature=0.0, value=best.value)
    assert again.iterations == 1
    np.testing.assert_array_equal(again.policy, best.policy)


def test_a_soft_optimum_at_another_temperature_and_from_a_value() -> None:
    mdp = load_problem("lqr", cells={"x": 20, "u": 16})
    colder = solve_optimum(replace(mdp, temperature=0.05))
    found = solve_optimum(mdp, temperature=0.05)
    np.testing.assert_array_equal(found.value, colder.value)
    assert found.temperature == 0.05
    near = solve_optimum(mdp, temperature=0.05, value=colder.value)
    np.testing.assert_allclose(near.value, colder.value, rtol=1e-13)
    assert near.iterations < colder.iterations
    assert mdp.at_temperature(0.05).at_temperature(mdp.temperature).cost is mdp.cost


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"temperature": -1.0}, "temperature = -1.0 must be finite and not negative"),
        ({"temperature": np.nan}, "temperature = nan must be finite and not negative"),
        ({"temperature": 0.0, "residual": 1e-6}, "start and residual are of the soft optimum"),
        ({"residual": np.nan}, "residual = nan must be finite and not negative"),
        ({"residual": -1.0}, "residual = -1.0 must be finite and not negative"),
        ({"value": np.zeros(3)}, r"value has shape \(3,\); it must be \(20,\)"),
        ({"value": np.full(20, np.nan)}, "value is not finite at x = -4"),
        ({"value": np.zeros(20), "start": np.zeros((20, 16))}, "either a policy to start from or a value"),
    ],
)
def test_what_cannot_be_asked_for_is_said(given_: dict[str, object], words: str) -> None:
    mdp = load_problem("lqr", cells={"x": 20, "u": 16})
    with pytest.raises(ValueError, match=words):
        solve_optimum(mdp, **given_)  # type: ignore[arg-type]
    with pytest.raises(TooColdError):
        solve_optimum(mdp, temperature=1e-200)
    with pytest.raises(TooColdError):
        solve_optimum(replace(mdp, temperature=1e-200))


def exactly(cost: FloatArray, rows: FloatArray, discount: float, policy: Sequence[int]) -> list[Fraction]:
    """V of a deterministic policy in rational arithmetic."""
    n, gamma = len(cost), Fraction(discount)
    system = [
        [(i == j) - gamma * Fraction(rows[i, policy[i], j]) for j in range(n)] + [Fraction(cost[i, policy[i]])]
        for i in range(n)
    ]
    for i in range(n):
        pivot = next(r for r in range(i, n) if system[r][i] != 0)
        system[i], system[pivot] = system[pivot], system[i]
        system[i] = [x / system[i][i] for x in system[i]]
        for r in set(range(n)) - {i}:
            system[r] = [a - system[r][i] * b for a, b in zip(system[r], system[i], strict=True)]
    return [row[n] for row in system]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("far", [1e-3, 1e-6, 1e-8, 1e-9, 1e-10])
def test_nearly_without_discount_it_is_the_least_in_the_average(seed: int, far: float) -> None:
    """Rounding of V is then far above the differences of actions, but the same in all states."""
    generator = np.random.default_rng(seed)
    rows = generator.integers(1, 9, (3, 3, 3)) / 1.0
    rows[..., 0] += 32.0 - rows.sum(axis=2)
    rows /= 32.0  # sums are one exactly
    cost = generator.integers(-40, 40, (3, 3)) / 8.0
    best = solve_optimum(tabular(cost, rows, 1.0 - far), temperature=0.0)
    values = {p: exactly(cost, rows, 1.0 - far, p) for p in itertools.product(range(3), repeat=3)}
    least = np.array([float(min(value[i] for value in values.values())) for i in range(3)])
    taken = values[tuple(int(k) for k in best.policy.argmax(axis=1))]
    assert np.array(taken, dtype=float) == pytest.approx(least, rel=1e-12, abs=1e-9)
    assert best.value == pytest.approx(least, rel=64.0 * np.finfo(float).eps / far)
