"""Whatever callers have NumPy do at floating-point errors: what underflows is zero, and no error of theirs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import wpoflow as wpo


@pytest.fixture(autouse=True)
def _strict() -> Iterator[None]:
    with np.errstate(all="raise"):
        yield


def test_underflow_is_not_an_error() -> None:
    """Gaussian tails, densities and probabilities of the flow fall below the least number everywhere."""
    with pytest.raises(FloatingPointError):
        np.exp(np.array([-800.0]))
    mdp = wpo.load_problem("lqr", cells={"x": 12, "u": 10}, set={"problem.temperature": 0.01})
    best = wpo.solve_optimum(mdp)
    assert best.policy.min() < 1e-300
    assert wpo.evolve(mdp, until={"steps": 30}, optimum=best, accuracy=1e-2).status == "complete"
    steps = wpo.flow(mdp, flow="fisher-rao", accuracy=1e-2)
    for _ in range(5):
        state = next(steps)
        assert np.isfinite(state.value).all()
    with pytest.raises(FloatingPointError):
        np.exp(np.array([-800.0]))  # the caller's setting is as it was, also while a flow is under way


@pytest.mark.parametrize("noise", [0.01, lambda x, u: 0.01 + 0.0 * u])
def test_nor_where_a_problem_is_built(noise: wpo.problems.statement.Value) -> None:
    statement = wpo.Statement(
        states=wpo.Grid((wpo.uniform_axis("x", -1.0, 1.0, 5, "clamp"),)),
        actions=wpo.Grid((wpo.uniform_axis("u", -1.0, 1.0, 6),)),
        discount=0.9,
        temperature=0.1,
        cost=lambda x, u: x**2 + u**2,
        dynamics={"x": lambda x, u: 0.5 * x},
        noise={"x": noise},
        policy_density=lambda x, u: np.exp(-900.0 * u**2),
    )
    mdp = wpo.build(statement)
    np.testing.assert_allclose(mdp.initial_policy.sum(axis=1), 1.0, rtol=1e-14)


def test_nor_in_a_chain_a_verdict_or_a_figure() -> None:
    table = wpo.tauchen(5, 0.9, 0.01, width=3.0)[1]
    np.testing.assert_allclose(table.sum(axis=1), 1.0, rtol=1e-14)
    run = wpo.evolve(wpo.load_problem("bandit", cells={"a": 12}), until=0.5, accuracy=1e-2)
    assert not [one for one in wpo.validate_run(run, "bandit").findings if one.verdict == "fails"]
    assert wpo.plot(run, "decay") is not None
