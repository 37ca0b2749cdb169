"""A problem of arrays is a value: what the caller does to his own arrays afterwards does not change it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions.mixture import mixture_transition
from wpoflow.grids.transitions.tabulated import tabulated_transition
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.mdp import GridMDP

S, A = 4, 3
STATES = Grid((uniform_axis("s", 0.0, 3.0, S, "clamp"),))
ACTIONS = Grid((uniform_axis("a", 0.0, 3.0, A),))


def arrays() -> dict[str, Any]:
    rng = np.random.default_rng(5)
    table, policy = rng.random((S, A, S)), rng.random((S, A))
    return {
        "table": table / table.sum(axis=2, keepdims=True),
        "weight": rng.random((S, A)),
        "cost": rng.random((S, A)),
        "reference_mass": np.array([0.2, 0.3, 0.5]),
        "rho": np.full(S, 0.25),
        "initial_policy": policy / policy.sum(axis=1, keepdims=True),
        "counted": np.ones(S, dtype=np.bool_),
    }


def problem(given: dict[str, Any], kind: str) -> GridMDP:
    rest = {name: value for name, value in given.items() if name not in ("table", "weight")}
    if kind == "mixture":
        parts = [tabulated_transition(given["table"]), tabulated_transition(given["table"][::-1])]
        transition: Any = mixture_transition([(given["weight"], parts[0]), (1.0 - given["weight"], parts[1])])
    else:
        table = given["table"] if kind == "tensor" else given["table"].reshape(S * A, S)
        transition = tabulated_transition(table if kind == "tensor" else sp.csr_array(table))
    return GridMDP(states=STATES, actions=ACTIONS, discount=0.9, temperature=0.1, transition=transition, **rest)


@pytest.mark.parametrize("kind", ["tensor", "sparse", "mixture"])
def test_arrays_changed_after_the_problem_was_stated_do_not_change_it(kind: str) -> None:
    given = arrays()
    mdp = problem(given, kind)
    for array in given.values():
        array[...] = 0
    untouched = problem(arrays(), kind)
    np.testing.assert_array_equal(solve_optimum(mdp).value, solve_optimum(untouched).value)
    for name in ("rho", "initial_policy", "reference_mass", "counted"):
        np.testing.assert_array_equal(getattr(mdp, name), getattr(untouched, name))


def test_a_sparse_table_changed_afterwards_does_not_change_the_problem() -> None:
    rows = sp.csr_array(arrays()["table"].reshape(S * A, S))
    transition = tabulated_transition(rows)
    before = transition.expect(np.arange(4.0))
    rows.data[:] = 0.0
    np.testing.assert_array_equal(transition.expect(np.arange(4.0)), before)
