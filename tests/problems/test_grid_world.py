"""The published grid world: the problem file is its table, and values agree with the tabulated to all their digits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wpoflow as wpo
from tests.oracles import load
from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.optimum import solve_optimum

ORACLE: dict[str, Any] = load("grid_world")
TIMES = [float(row["t"]) for row in ORACLE["fisher_rao"]]
SHIFT = ORACLE["temperature"] * np.log(4.0) / (1.0 - ORACLE["discount"])
"""Of values whose entropy is relative to the uniform law, above those of tau sum pi ln pi."""


def published() -> tuple[FloatArray, FloatArray]:
    """P (S, A, S) and cost (S, A)."""
    P = np.zeros((121, 4, 121))
    for state, action, after, chance in ORACLE["transitions"]:
        P[state, action, after] += chance
    return P, np.array(ORACLE["cost"])


@pytest.fixture(scope="module", params=["file", "arrays"])
def mdp(request: pytest.FixtureRequest) -> wpo.GridMDP:
    if request.param == "file":
        return wpo.load_problem("grid_world")
    P, cost = published()
    labels = ["up", "down", "left", "right"]
    P /= P.sum(axis=2, keepdims=True)  # printed to sixteen digits
    return wpo.tabular_mdp(
        P, cost, discount=ORACLE["discount"], temperature=ORACLE["temperature"], labels=labels, title="grid world"
    )


def test_the_problem_file_is_the_published_table() -> None:
    mdp, (P, cost) = wpo.load_problem("grid_world"), published()
    law = np.stack([mdp.transition.expect(indicator) for indicator in np.eye(121)], axis=2)
    np.testing.assert_allclose(law, P, rtol=0.0, atol=2e-16)
    np.testing.assert_array_equal(mdp.cost, cost)
    np.testing.assert_allclose(mdp.rho, 1.0 / 121.0, rtol=1e-15)
    np.testing.assert_array_equal(mdp.initial_policy, 0.25)
    assert (mdp.discount, mdp.temperature) == (ORACLE["discount"], ORACLE["temperature"])
    assert mdp.actions.axes[0].labels == ("up", "down", "left", "right")


def test_the_optimum_agrees_to_all_digits(mdp: wpo.GridMDP) -> None:
    np.testing.assert_allclose(solve_optimum(mdp).value - SHIFT, ORACLE["V_star"], rtol=0.0, atol=5e-15)


def test_the_flow_agrees_to_all_digits_at_the_tabulated_times(mdp: wpo.GridMDP) -> None:
    """The table's own flow was followed with a relative tolerance of 1e-11; its gaps are differences of values."""
    run = wpo.evolve(
        mdp, until=TIMES[-1], flow="fisher-rao", accuracy=1e-12, series={"times": TIMES}, snapshots={"times": TIMES}
    )
    assert run.snapshots is not None
    for row in ORACLE["fisher_rao"]:
        value = run.snapshots.value_at(int(np.flatnonzero(run.snapshots.time == row["t"])[0])) - SHIFT
        found = [value.mean(), value[0], value[60]]
        np.testing.assert_allclose(found, [row["V_mean"], row["V_0"], row["V_60"]], rtol=0.0, atol=2e-12)
        k = int(np.flatnonzero(run.series["time"] == row["t"])[0])
        gaps = [run.series["gap_sup"][k], run.series["gap"][k]]
        np.testing.assert_allclose(gaps, [row["gap_sup"], row["gap_mean"]], rtol=2e-11, atol=1e-13)
    late = np.log(run.series["gap"][-2] / run.series["gap"][-1]) / (TIMES[-1] - TIMES[-2])
    assert late == pytest.approx(2.0 * ORACLE["temperature"], rel=1e-2)


@pytest.mark.slow
def test_steps_of_fixed_size_have_their_order() -> None:
    """Descent steps with the exact Q of their start: order one; exponential Adams far above the first."""
    mdp = wpo.load_problem("grid_world")
    best, (row,) = solve_optimum(mdp), [row for row in ORACLE["fisher_rao"] if row["t"] == 2]

    def errors(scheme: str, steps: list[float]) -> FloatArray:
        runs = [
            wpo.evolve(
                mdp, until=2.0, flow="fisher-rao", scheme=scheme, step=h, optimum=best, snapshots={"times": [2.0]}
            )
            for h in steps
        ]
        return np.array([abs(run.value[60] - SHIFT - row["V_60"]) for run in runs])

    first = errors("euler", [1 / 8, 1 / 16, 1 / 32, 1 / 64])
    np.testing.assert_allclose(np.log2(first[:-1] / first[1:]), 1.0, atol=0.1)
    assert first[-1] < 1e-3
    high = errors("adams", [1 / 4, 1 / 8, 1 / 16])
    assert np.all(np.log2(high[:-1] / high[1:]) > 3.0)
    assert high[-1] < 1e-8
