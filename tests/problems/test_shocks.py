"""Markov shocks as a state axis: the law of the next state is that of the other axes times a row of the table."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.problems.test_problem_file import changed
from tests.variants import slow_but
from wpoflow.core.arrays import FloatArray
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.load import build_problem, read_statement
from wpoflow.problems.memory import estimate
from wpoflow.problems.problem_file import parse_problem, read_problem
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.evolve import evolve
from wpoflow.solver.storage.writer import open_run
from wpoflow.views.problem_math import equations

POINTS = [-0.5, 0.1, 0.3, 1.0]
TABLE = [[0.5, 0.25, 0.25, 0.0], [0.125, 0.5, 0.125, 0.25], [0.0, 0.5, 0.0, 0.5], [0.25, 0.25, 0.25, 0.25]]
T, Z = np.array(TABLE), np.array(POINTS)
BASE: dict[str, Any] = {
    "problem": {"discount": 0.9, "temperature": 0.2},
    "shock": {"z": {"points": POINTS, "transition": TABLE}},
    "state": {"x": {"bounds": [-1.0, 1.0], "cells": 9}},
    "action": {"u": {"bounds": [-1.0, 1.0], "cells": 5}},
    "dynamics": {"x": "0.7*x + 0.4*u + 0.3*z"},
    "cost": {"running": "x**2 + u**2 + z*x"},
    "flow": {"until": {"time": 1.0}},
}
KINDS: dict[str, dict[str, Any]] = {
    "certain": {},
    "noise": {"noise.x": 0.3},
    "reflecting": {"noise.x": 0.3, "state.x.boundary": "reflect"},
    "periodic": {"state.x.boundary": "periodic"},
    "two axes": {
        "state.y": {"bounds": [0.0, 1.0], "cells": 4},
        "dynamics.y": "0.5*y + 0.2*z",
        "noise.y": "0.1 + 0.05*abs(u)",
    },
    "outcomes": {
        "dynamics": None,
        "outcome": [
            {"probability": "0.5 + 0.2*z", "dynamics": {"x": "0.7*x + z"}},
            {"probability": "0.5 - 0.2*z", "dynamics": {"x": "u - x"}, "noise": {"x": 0.2}},
        ],
    },
}


def built(changes: dict[str, Any] | None = None) -> GridMDP:
    return build_problem(parse_problem(changed(changes or {}, BASE)))


def at_shock(changes: dict[str, Any], value: float) -> GridMDP:
    """The same problem with the shock held: a constant, no axis."""
    return build_problem(parse_problem(changed({"shock": None, "constants.z": value, **changes}, BASE)))


@pytest.mark.parametrize("kind", slow_but(KINDS, *(kind for kind in KINDS if kind not in ("two axes", "outcomes"))))
def test_the_law_is_a_product_of_the_other_axes_and_a_row_of_the_table(kind: str) -> None:
    mdp = built(KINDS[kind])
    held = [at_shock(KINDS[kind], z) for z in POINTS]
    rest = held[0].states.size
    if kind == "two axes":  # on one axis noise that varies is integrated over cells, so both are of one kind here
        assert mdp.transition.description.startswith("Gauss-Hermite")
    value = np.random.default_rng(1).standard_normal((len(POINTS), rest))
    found = mdp.transition.expect(value.ravel()).reshape(len(POINTS), rest, -1)
    for row, problem in enumerate(held):
        np.testing.assert_allclose(found[row], problem.transition.expect(T[row] @ value), atol=1e-13)
        np.testing.assert_allclose(mdp.cost.reshape(found.shape)[row], problem.cost, rtol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_a_policy_s_matrix_is_the_mean_of_its_rows_and_stochastic(kind: str) -> None:
    mdp = built(KINDS[kind])
    policy = np.random.default_rng(2).dirichlet(np.ones(mdp.actions.size), mdp.states.size)
    rows = np.stack([(policy * mdp.transition.expect(unit)).sum(axis=1) for unit in np.eye(mdp.states.size)], axis=1)
    under = mdp.transition.under(policy)
    np.testing.assert_allclose(under.dense(), rows, atol=1e-14)
    np.testing.assert_allclose(under.sparse().toarray(), rows, atol=1e-14)
    np.testing.assert_allclose(rows.sum(axis=1), 1.0, rtol=1e-13)
    x = np.random.default_rng(3).standard_normal(mdp.states.size)
    np.testing.assert_allclose(under.matvec(x), rows @ x, atol=1e-13)
    np.testing.assert_allclose(under.rmatvec(x), rows.T @ x, atol=1e-13)


def test_the_points_are_those_given_and_the_shock_comes_first() -> None:
    mdp = built()
    assert [axis.name for axis in mdp.states.axes] == ["z", "x"]
    np.testing.assert_array_equal(mdp.states.axes[0].points, POINTS)
    assert "Markov shock z" in mdp.transition.description
    assert estimate(read_statement(parse_problem(changed({}, BASE))), parse_problem(changed({}, BASE)).flow).needed > 0


def test_what_no_action_moves_has_the_value_of_the_chain() -> None:
    """With cost z alone V = (1 - gamma T)^-1 z, whatever the rest, by every policy; the reference is optimal."""
    mdp = built({"cost.running": "z"})
    value = np.linalg.solve(np.eye(4) - 0.9 * T, Z)
    best = solve_optimum(mdp)
    np.testing.assert_allclose(best.value.reshape(4, -1), np.tile(value[:, None], (1, 9)), atol=1e-13)
    np.testing.assert_allclose(best.policy, 0.2, rtol=1e-12)


def test_a_shock_alone_is_a_problem() -> None:
    mdp = built({"state": None, "dynamics": None, "cost.running": "(u - z)**2"})
    best = solve_optimum(mdp)
    assert mdp.states.shape == (4,)
    q = mdp.cost + 0.9 * (T @ best.value)[:, None]
    np.testing.assert_allclose(best.q, q, atol=1e-13)


def ends(mdp: GridMDP, inside: Any) -> tuple[FloatArray, list[FloatArray]]:
    """Probability to end, and next states, of all pairs, for a set judged at (next z, next x)."""
    z, x = mdp.states.points.T
    u = mdp.actions.points[:, 0]
    after = np.clip(0.7 * x[:, None] + 0.4 * u + 0.3 * z[:, None], -1.0, 1.0)
    rows = T[np.searchsorted(Z, z)]
    judged = np.stack([np.broadcast_to(inside(following, after), after.shape) for following in POINTS])
    return np.einsum("ij,jik->ik", rows, judged), [after, rows]


SETS: dict[str, tuple[str, Any]] = {
    "x alone": ("x > 0.4", lambda z, x: x > 0.4),
    "z alone": ("z > 0.5", lambda z, x: np.full_like(x, z > 0.5)),
    "both": ("x + z > 0.6", lambda z, x: x + z > 0.6),
}


@pytest.mark.parametrize("which", SETS)
def test_ending_is_judged_on_the_next_value_of_the_shock(which: str) -> None:
    text, inside = SETS[which]
    mdp = built({"cost.terminal_set": text, "cost.terminal_cost": "2 + x*z", "cost.running": 0})
    probability, (after, rows) = ends(mdp, inside)
    assert mdp.transition.termination is not None
    np.testing.assert_allclose(mdp.transition.termination, probability, atol=1e-14)
    going = mdp.transition.expect(np.ones(mdp.states.size))
    np.testing.assert_allclose(going + probability, 1.0, rtol=1e-13)
    ended = [np.where(inside(z, after), 2.0 + after * z, 0.0) for z in POINTS]
    exact = np.einsum("ij,jik->ik", rows, np.stack(ended))
    np.testing.assert_allclose(mdp.cost, 0.9 * exact, atol=1e-13)


def test_a_density_of_the_first_state_is_a_weight_for_each_point() -> None:
    mdp = built({"initial.state_density": "1 + z"})
    marginal = mdp.rho.reshape(4, -1).sum(axis=1)
    np.testing.assert_allclose(marginal, (1.0 + Z) / (1.0 + Z).sum(), rtol=1e-13)


@pytest.mark.parametrize("method", ["rouwenhorst", "tauchen"])
def test_a_run_is_rebuilt_resumed_and_carried_over(tmp_path: Path, method: str) -> None:
    shock = {"method": method, "persistence": 0.8, "deviation": 0.2, "points": 3}
    mdp = built({"shock.z": shock, "noise.x": 0.2})
    path = tmp_path / "run.h5"
    evolve(mdp, until={"steps": 5}, output=path)
    run = open_run(path)
    np.testing.assert_array_equal(run.states.points, mdp.states.points)
    again = build_problem(parse_problem(run.problem))
    value = np.random.default_rng(0).standard_normal(mdp.states.size)
    np.testing.assert_array_equal(again.transition.expect(value), mdp.transition.expect(value))
    finer = built({"shock.z": shock, "noise.x": 0.2, "state.x.cells": 13})
    np.testing.assert_allclose(evolve(finer, until={"steps": 1}, initial=path).policy.sum(axis=1), 1.0, rtol=1e-12)
    what = [equation.what for equation in equations(parse_problem(run.problem))]
    assert f"Markov shock on 3 points, by the method of {method.title()}" in what
    assert "Markov shock on 4 points, by a table" in [e.what for e in equations(parse_problem(changed({}, BASE)))]


def test_cells_set_the_points_of_a_method(tmp_path: Path) -> None:
    path = tmp_path / "shock.toml"
    raw = copy.deepcopy(BASE)
    raw["shock"]["z"] = {"method": "rouwenhorst", "persistence": 0.8, "deviation": 0.2, "points": 3}
    path.write_text(changed({}, raw))
    assert read_problem(path, cells={"z": 9}).tables.shock["z"].size == 9
    path.write_text(changed({}, BASE))
    with pytest.raises(ProblemError, match=r"cells\['z'\]: the shock is given by a table"):
        read_problem(path, cells={"z": 9})


METHOD = {"method": "rouwenhorst", "persistence": 0.8, "deviation": 0.2, "points": 3}


@pytest.mark.parametrize(
    ("shock", "says"),
    [
        ({**METHOD, "method": "hamilton"}, "shock.z.method: 'hamilton' is not a choice; choose 'rouwenhorst'"),
        ({**METHOD, "persistence": 1.0}, "shock.z.persistence: must be less than 1"),
        ({**METHOD, "deviation": 0.0}, "shock.z.deviation: must be greater than 0"),
        ({**METHOD, "points": 1}, "shock.z.points: must be greater than or equal to 2"),
        ({**METHOD, "points": [0.0, 1.0]}, "shock.z: the method rouwenhorst needs points as a whole number"),
        ({"method": "tauchen", "points": 3}, "shock.z: the method tauchen needs persistence and deviation"),
        ({**METHOD, "width": 2.0}, "shock.z: width is one of the method tauchen"),
        ({**METHOD, "transition": TABLE}, "shock.z: give either transition or method, persistence, deviation"),
        ({"points": POINTS}, "shock.z: give method, persistence, deviation and points, or a list of points"),
        ({"points": 4, "transition": TABLE}, "shock.z: points must be a list with transition"),
        ({"points": POINTS[::-1], "transition": TABLE}, "shock.z: points must be strictly increasing"),
        ({"points": POINTS, "transition": TABLE[:3]}, "shock.z: transition must have 4 rows of 4 probabilities"),
        ({"points": POINTS, "transition": [*TABLE[:3], [0.5, 0.5, 0.5, 0.0]]}, "row 3 of the table sums to 1.5"),
        ({"points": POINTS, "transition": [*TABLE[:3], [1.5, -0.5, 0.0, 0.0]]}, "row 3 of the table holds -0.5"),
    ],
)
def test_what_is_no_shock_is_refused_by_name(shock: dict[str, Any], says: str) -> None:
    with pytest.raises(ProblemError) as refused:
        built({"shock.z": shock})
    assert len(refused.value.lines) == 1
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"dynamics.z": "z"}, "dynamics.z: is a shock, whose next value comes from its own chain"),
        ({"noise.z": 0.1}, "noise.z: is a shock, whose next value comes from its own chain"),
        ({"constants.z": 1.0}, "constants.z: the name is already taken by shock.z"),
        ({"shock.gap": METHOD}, "shock.gap: an axis may not be called 'gap'"),
        ({"reference.potential": "z"}, "reference.potential: 'z' in 'z': z is not a name here"),
    ],
)
def test_a_shock_is_no_other_axis(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ProblemError) as refused:
        built(changes)
    assert len(refused.value.lines) == 1
    assert says in str(refused.value)
