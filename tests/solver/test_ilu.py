"""Rows of I - gamma P as they are factored: P without its small entries, of the same sums; what that costs in steps."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from benchmarks.problem_m import pendulum
from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman import ilu, optimum
from wpoflow.solver.bellman.gmres import gmres
from wpoflow.solver.bellman.ilu import IncompleteLU, compressed_rows
from wpoflow.solver.bellman.ilu_kernels import factor, system_rows
from wpoflow.solver.bellman.optimum import solve_optimum

DISCOUNT = 0.95


def rows_of(matrix: sp.csr_array, least: float) -> sp.csr_array:
    """I - gamma P as it would be factored."""
    n = matrix.shape[0]
    indptr, diagonal = np.empty(n + 1, dtype=np.int64), np.empty(n, dtype=np.int64)
    indices, entries = np.empty(matrix.nnz + n, dtype=np.int32), np.empty(matrix.nnz + n)
    given = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data
    system_rows(*given, DISCOUNT, least, indptr, indices, diagonal, entries)
    np.testing.assert_array_equal(indices[diagonal], np.arange(n))
    found = sp.csr_array((entries[: indptr[-1]], indices[: indptr[-1]], indptr), matrix.shape)
    assert found.has_canonical_format  # ascending columns, none twice
    return found


@pytest.fixture
def matrix() -> sp.csr_array:
    """A sub-stochastic matrix of entries of all sizes; a row is empty, one has all of its entries small."""
    rng = np.random.default_rng(3)
    dense = np.where(rng.random((40, 40)) < 0.3, rng.random((40, 40)) ** 6, 0.0)
    dense /= 1.1 * dense.sum(axis=1, keepdims=True)
    dense[7], dense[9] = 0.0, 1e-5 * dense[9]
    return sp.csr_array(dense)


def test_where_nothing_is_small_rows_are_those_of_the_system(matrix: sp.csr_array) -> None:
    whole = (sp.eye(40) - DISCOUNT * matrix).toarray()
    np.testing.assert_allclose(rows_of(matrix, 0.0).toarray(), whole, rtol=0.0, atol=3e-16)


@pytest.mark.parametrize("least", [1e-3, 1e-2])
def test_small_entries_are_left_out_and_sums_stay(matrix: sp.csr_array, least: float) -> None:
    kept = matrix.toarray() * (matrix.toarray() >= least)
    assert kept[9].sum() == 0.0 < matrix[[9]].sum()
    found = np.eye(40) - rows_of(matrix, least).toarray()
    np.testing.assert_array_equal(found != 0.0, kept != 0.0)
    whole = DISCOUNT * np.where(kept.any(axis=1), matrix.sum(axis=1), 0.0)
    np.testing.assert_allclose(found.sum(axis=1), whole, rtol=1e-14)
    assert np.all(found >= DISCOUNT * kept - 1e-15)


@pytest.mark.parametrize(("small", "more"), [(ilu.SMALL, 1), (5.0, None)])
def test_what_is_left_out_costs_no_more_than_a_step(
    small: float, more: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an optimum's policy, a quarter of whose entries are small; without all below a tenth there are more steps."""
    mdp = pendulum(41).mdp(tabulated=False)
    best = solve_optimum(mdp, residual=1e-6)
    transition, rhs = mdp.transition.under(best.policy), best.value - best.value.mean()
    _, _, data = compressed_rows(transition, thinned=False)
    assert np.count_nonzero(data >= small * (1.0 - mdp.discount)) <= 0.76 * data.size

    def products(least: float) -> int:
        monkeypatch.setattr(ilu, "SMALL", least)
        incomplete = IncompleteLU()
        incomplete.factor(transition, mdp.discount)
        solve = partial(incomplete.solve, transposed=False)
        return gmres(lambda x: x - mdp.discount * transition.matvec(x), solve, rhs, 1e-9)[1]

    steps = products(small) - products(0.0)
    assert steps > 1 if more is None else steps <= more


def test_factors_of_a_policy_near_serve_the_next_and_leave_as_many_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of steps that converge quadratically; the optimum is the same to the residual asked for."""
    mdp, made, products = pendulum(64).mdp(tabulated=False), list[int](), list[int]()

    def counted(*given: Any) -> None:
        made.append(given[-1].size)
        factor(*given)

    def solved(*given: Any) -> tuple[FloatArray, int, float]:
        found = gmres(*given)
        products.append(found[1])
        return found

    monkeypatch.setattr("wpoflow.solver.bellman.ilu.factor", counted)
    monkeypatch.setattr("wpoflow.solver.bellman.gmres.gmres", solved)
    found = []
    for near in (0.0, optimum.NEAR):
        monkeypatch.setattr(optimum, "NEAR", near)
        made.clear()
        products.clear()
        best = solve_optimum(mdp, residual=1e-10, nested=False)
        found.append((best.iterations, len(made), sum(products), best.value))
    (steps, all_made, fewest, value), (again, few_made, more, other) = found
    assert all_made >= steps
    assert few_made <= all_made - 3
    assert again <= steps
    assert more <= fewest + 2
    assert np.abs(value - other).max() <= 2e-10 / (1.0 - mdp.discount)
