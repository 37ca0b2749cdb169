"""Tabular problems from arrays: mirror descent, natural policy gradient and soft policy iteration in plain NumPy.

The tables are published ones: Gymnasium's FrozenLake, Taxi and cliff, the river swim of Strehl & Littman (2008), and a
chain (Strens 2000).  The independent implementation below shares no code with the solver.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import gymnasium
import numpy as np
import pytest
import scipy.sparse as sp

import wpoflow as wpo
from wpoflow.core.arrays import FloatArray

Table = tuple[FloatArray, FloatArray, FloatArray]
DISCOUNT = 0.9


def of_gymnasium(name: str, **options: Any) -> Table:
    """P (S, A, S) without what ends, cost (S, A) and the probability of an end (S, A)."""
    env: Any = gymnasium.make(name, **options).unwrapped
    n_states, n_actions = env.observation_space.n, env.action_space.n
    P, cost, ends = np.zeros((n_states, n_actions, n_states)), np.zeros((n_states, n_actions)), None
    ends = np.zeros_like(cost)
    for s, row in env.P.items():
        for a, outcomes in row.items():
            for chance, after, reward, ended in outcomes:
                cost[s, a] -= chance * reward
                if ended:
                    ends[s, a] += chance
                else:
                    P[s, a, after] += chance
    return P, cost, ends


def river_swim(n: int = 6) -> Table:
    """Left is certain; right succeeds with 0.35 (0.3 of 0.9 at the right bank), slips back with 0.05."""
    P, cost = np.zeros((n, 2, n)), np.zeros((n, 2))
    for s in range(n):
        P[s, 0, max(s - 1, 0)] = 1.0
        forward, stay, back = (0.3, 0.7, 0.0) if s == 0 else (0.35, 0.6, 0.05) if s < n - 1 else (0.0, 0.95, 0.05)
        P[s, 1, min(s + 1, n - 1)] += forward
        P[s, 1, s] += stay
        P[s, 1, max(s - 1, 0)] += back
    cost[0, 0], cost[n - 1, 1] = -0.005, -1.0
    return P, cost, np.zeros_like(cost)


def chain(n: int = 5, slip: float = 0.2) -> Table:
    """Forward along the chain, or back to its start for a little; either happens instead with the odds of a slip."""
    P, cost = np.zeros((n, 2, n)), np.zeros((n, 2))
    for s in range(n):
        for a, (ahead, back) in enumerate(((1.0 - slip, slip), (slip, 1.0 - slip))):
            P[s, a, min(s + 1, n - 1)] += ahead
            P[s, a, 0] += back
            cost[s, a] = -(ahead * (10.0 if s == n - 1 else 0.0) + back * 2.0)
    return P, cost, np.zeros_like(cost)


TABLES: dict[str, Callable[[], Table]] = {
    "FrozenLake 4x4": lambda: of_gymnasium("FrozenLake-v1", map_name="4x4", is_slippery=True),
    "FrozenLake 8x8": lambda: of_gymnasium("FrozenLake-v1", map_name="8x8", is_slippery=True),
    "Taxi": lambda: of_gymnasium("Taxi-v4"),
    "slippery cliff": lambda: of_gymnasium("CliffWalking-v1", is_slippery=True),
    "river swim": river_swim,
    "chain": chain,
}


TEMPERATURES = {"Taxi": 0.5, "slippery cliff": 2.0}  # of costs of 10 and 100, so that Q/tau is known to 1e-13 as well


def tau(name: str) -> float:
    return TEMPERATURES.get(name, 0.1)


@cache
def table(name: str) -> Table:
    return TABLES[name]()


@cache
def problem(name: str) -> wpo.GridMDP:
    P, cost, ends = table(name)
    return wpo.tabular_mdp(P, cost, discount=DISCOUNT, temperature=tau(name), ends=ends, title=name)


def values(name: str, policy: FloatArray) -> tuple[FloatArray, FloatArray]:
    """V and Q of a policy by a dense solve; entropy relative to the uniform law."""
    P, cost, _ = table(name)
    n_states, n_actions = cost.shape
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = np.where(policy > 0.0, policy * np.log(policy * n_actions), 0.0).sum(axis=1)
    under = (policy[:, None, :] @ P)[:, 0]
    running = (policy * cost).sum(axis=1) + tau(name) * entropy
    V = np.linalg.solve(np.eye(n_states) - DISCOUNT * under, running)
    return V, cost + DISCOUNT * P @ V


def normalised(logarithm: FloatArray) -> FloatArray:
    weight = np.exp(logarithm - logarithm.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def mirror_step(name: str, policy: FloatArray, eta: float) -> FloatArray:
    """argmin eta <Q + tau ln(r/m), r> + KL(r|p): stationarity gives ln r (1 + eta tau) = ln p - eta (Q - tau ln m)."""
    Q, n = values(name, policy)[1], policy.shape[1]
    return normalised((np.log(policy) - eta * (Q + tau(name) * np.log(n))) / (1.0 + eta * tau(name)))


def gradient_step(name: str, policy: FloatArray, eta: float) -> FloatArray:
    """Natural policy gradient of softmax logits: theta - eta (advantage), the entropy's part in it."""
    V, Q = values(name, policy)
    advantage = Q + tau(name) * np.log(policy * policy.shape[1]) - V[:, None]
    return normalised(np.log(policy) - eta * advantage)


def soft_policy_iteration_step(name: str, policy: FloatArray) -> FloatArray:
    return normalised(-values(name, policy)[1] / tau(name))


def uniform(name: str) -> FloatArray:
    return np.full_like(table(name)[1], 1.0 / table(name)[1].shape[1])


def steps_of(name: str, eta: float) -> wpo.Run:
    """A run of a dozen steps, of a few where each takes long, every step a snapshot."""
    count = 3 if name == "Taxi" else 12
    times = [eta * k for k in range(count + 1)]
    return wpo.evolve(problem(name), until={"steps": count}, flow="mirror", step=eta, snapshots={"times": times})


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("eta", [0.3, 5.0, 400.0])
def test_mirror_descent_is_that_of_an_independent_implementation(name: str, eta: float) -> None:
    run, policy = steps_of(name, eta), uniform(name)
    assert run.snapshots is not None
    assert len(run.snapshots.time) > 3
    scale = max(1.0, float(np.abs(run.snapshots.value).max()))
    for k in range(len(run.snapshots.time)):
        np.testing.assert_allclose(run.snapshots.policy_at(k), policy, rtol=0.0, atol=1e-12)
        np.testing.assert_allclose(run.snapshots.value_at(k), values(name, policy)[0], rtol=0.0, atol=1e-12 * scale)
        policy = mirror_step(name, policy, eta)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("rate", [0.05, 0.9])
def test_the_natural_policy_gradient_is_mirror_descent_in_other_units(name: str, rate: float) -> None:
    """eta = eta_NPG/(1 - tau eta_NPG), rate = tau eta_NPG."""
    gradient = rate / tau(name)
    run, policy = steps_of(name, gradient / (1.0 - rate)), uniform(name)
    assert run.snapshots is not None
    for k in range(len(run.snapshots.time)):
        np.testing.assert_allclose(run.snapshots.policy_at(k), policy, rtol=0.0, atol=1e-12)
        policy = gradient_step(name, policy, gradient)


@pytest.mark.parametrize("name", TABLES)
def test_soft_policy_iteration_and_its_optimum(name: str) -> None:
    run, policy = steps_of(name, 1e300), uniform(name)
    assert run.snapshots is not None
    for k in range(len(run.snapshots.time)):
        np.testing.assert_allclose(run.snapshots.policy_at(k), policy, rtol=0.0, atol=1e-12)
        policy = soft_policy_iteration_step(name, policy)
    for _ in range(8):
        policy = soft_policy_iteration_step(name, policy)
    best = wpo.solve_optimum(problem(name))
    value = values(name, policy)[0]
    np.testing.assert_allclose(best.policy, policy, rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(best.value, value, rtol=0.0, atol=1e-12 * max(1.0, float(np.abs(value).max())))


@pytest.mark.parametrize("name", ["FrozenLake 4x4", "Taxi", "slippery cliff"])
def test_environments_are_their_tables(name: str) -> None:
    options: dict[str, Any] = {"FrozenLake 4x4": {}, "Taxi": {}, "slippery cliff": {"is_slippery": True}}[name]
    env = gymnasium.make({"FrozenLake 4x4": "FrozenLake-v1", "Taxi": "Taxi-v4"}.get(name, "CliffWalking-v1"), **options)
    mdp, given = wpo.from_environment(env, discount=DISCOUNT, temperature=tau(name)), problem(name)
    np.testing.assert_allclose(mdp.cost, given.cost, rtol=1e-15)
    ends, stated = mdp.transition.termination, given.transition.termination
    assert ends is not None
    assert stated is not None
    np.testing.assert_allclose(ends, stated, rtol=1e-15)
    V = np.random.default_rng(0).standard_normal(mdp.states.size)
    np.testing.assert_allclose(mdp.transition.expect(V), given.transition.expect(V), rtol=1e-13, atol=1e-15)
    np.testing.assert_array_equal(mdp.rho, env.unwrapped.initial_state_distrib)  # type: ignore[attr-defined]


def test_sparse_rows_rewards_and_defaults() -> None:
    P, cost, _ = river_swim()
    given: dict[str, Any] = {"discount": 0.9, "temperature": 0.1}
    dense = wpo.tabular_mdp(P, cost, **given)
    sparse = wpo.tabular_mdp(sp.csr_array(P.reshape(12, 6)), reward=-cost, labels=["left", "right"], **given)
    np.testing.assert_array_equal(dense.cost, sparse.cost)
    assert (sparse.rewards, dense.rewards) == (True, False)
    assert dense.actions.axes[0].labels == ("0", "1")
    assert sparse.actions.axes[0].labels == ("left", "right")
    np.testing.assert_array_equal(dense.rho, np.full(6, 1.0 / 6.0))
    np.testing.assert_array_equal(wpo.solve_optimum(dense).value, wpo.solve_optimum(sparse).value)
    weighted = wpo.tabular_mdp(P, cost, reference_mass=np.array([0.25, 0.75]), **given)
    np.testing.assert_array_equal(weighted.initial_policy, np.tile([0.25, 0.75], (6, 1)))
    one = wpo.tabular_mdp(np.ones((1, 3, 1)), np.array([[1.0, 0.0, 2.0]]), **given)
    assert wpo.evolve(one, until=1.0, flow="fisher-rao").status == "complete"
    maze = wpo.Grid((wpo.uniform_axis("x", 0.0, 2.0, 3, "clamp"), wpo.uniform_axis("y", 0.0, 1.0, 2, "clamp")))
    pair = wpo.Grid((wpo.label_axis("a", ["left"]), wpo.label_axis("b", ["on", "off"])))
    assert wpo.tabular_mdp(P, cost, states=maze, actions=pair, **given).initial_policy.shape == (6, 2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reward": np.zeros((6, 2))}, "give either cost, which is minimised, or reward, which is maximised"),
        ({"cost": None}, "give either cost, which is minimised, or reward"),
        ({"labels": ["left"]}, "labels are 1; the transition is of 2 actions"),
        ({"labels": ["left", "left"]}, "labels hold 'left' twice"),
        ({"labels": ["l", "r"], "actions": wpo.Grid()}, "give either labels, or actions="),
        ({"cost": np.zeros((6, 3))}, r"cost has shape \(6, 3\); it must be \(6, 2\)"),
        ({"reference_mass": np.array([0.5, 0.4])}, "reference_mass must be non-negative and sum to one"),
        ({"transition": river_swim()[0][:, :, :5]}, r"transition has shape \(6, 2, 5\); expected"),
        ({"states": wpo.Grid((wpo.uniform_axis("s", 0, 1, 4, "clamp"),))}, "transition is for"),
    ],
)
def test_what_is_no_table_is_refused(changes: dict[str, Any], words: str) -> None:
    P, cost, _ = river_swim()
    given: dict[str, Any] = {"transition": P, "cost": cost, "discount": 0.9, "temperature": 0.1}
    with pytest.raises(ValueError, match=words):
        wpo.tabular_mdp(**{**given, **changes})


def test_rows_that_miss_one_are_refused_unless_the_end_is_stated() -> None:
    P, cost, _ = river_swim()
    short = P.copy()
    short[2, 0] = 0.4 * P[2, 0]
    short[2, 1] = 0.8 * P[2, 1]
    with pytest.raises(ValueError, match=r"state 2, action 0: probabilities sum to 0\.4\d* .*and 1 more pair likewise"):
        wpo.tabular_mdp(short, cost, discount=0.9, temperature=0.1)
    ends = 1.0 - short.sum(axis=2)
    mdp = wpo.tabular_mdp(short, cost, discount=0.9, temperature=0.1, ends=np.where(ends > 1e-12, ends, 0.0))
    assert mdp.transition.termination is not None
    np.testing.assert_allclose(mdp.transition.termination[2], [0.6, 0.2], rtol=1e-15)


def test_order_is_told_of_cells_and_not_of_labels() -> None:
    """Of a table whose actions are cells on a line `info` and the run file say so; labels have no order."""
    P = np.full((2, 3, 2), 0.5)
    named = wpo.tabular_mdp(P, np.zeros((2, 3)), discount=0.9, temperature=0.1)
    third = np.full(3, 1.0 / 3.0)
    states, line = named.states, wpo.Grid((wpo.uniform_axis("a", 0.0, 1.0, 3),))
    ordered = wpo.GridMDP(
        states, line, 0.9, 0.1, np.zeros((2, 3)), wpo.tabulated_transition(P), third, named.rho, np.tile(third, (2, 1))
    )
    assert "actions are cells on a line in this order" in ordered.transition_in_words
    assert "order" not in named.transition_in_words
    run = wpo.evolve(ordered, until=0.1)
    assert "actions are cells on a line in this order" in str(run.attributes["transition"])
