"""A problem of arrays is a value: what the caller does to his own arrays afterwards does not change it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from tests.solver.small_problems import small_problem
from wpoflow.grids.transitions.mixture import mixture_transition
from wpoflow.grids.transitions.tabulated import tabulated_transition
from wpoflow.solver.bellman.optimum import solve_optimum

NAMES = ("cost", "reference_mass", "rho", "initial_policy", "counted")


@pytest.mark.parametrize("kind", ["tensor", "sparse", "mixture"])
def test_arrays_changed_after_the_problem_was_stated_do_not_change_it(kind: str) -> None:
    smooth, rng = small_problem(4, 3), np.random.default_rng(5)
    table = rng.dirichlet(np.ones(4), (4, 3))
    given: dict[str, Any] = {name: getattr(smooth, name).copy() for name in NAMES}
    weight, rows = np.full((4, 3), 0.25), sp.csr_array(table.reshape(12, 4))
    transition: Any = tabulated_transition(rows if kind == "sparse" else table)
    if kind == "mixture":
        transition = mixture_transition([(weight, transition), (1.0 - weight, smooth.transition)])
    mdp = replace(smooth, transition=transition, **given)
    before = {name: getattr(mdp, name).copy() for name in NAMES}, solve_optimum(mdp).value
    for array in (table, weight, rows.data, *given.values()):
        array[...] = 0
    for name, value in before[0].items():
        np.testing.assert_array_equal(getattr(mdp, name), value)
    np.testing.assert_array_equal(solve_optimum(mdp).value, before[1])
