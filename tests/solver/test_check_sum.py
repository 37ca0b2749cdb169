"""Check sums notice whatever is written into an array, and what stands beside it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from wpoflow.problems.load import load_problem
from wpoflow.solver.arithmetic.check_sum import LANES, check_sum

ZERO = np.uint64(0)


@pytest.mark.parametrize("size", [1, LANES - 1, LANES, 5 * LANES + 3])
def test_every_bit_of_every_entry_counts(size: int) -> None:
    words = np.random.default_rng(0).integers(2**63, size=size, dtype=np.uint64)
    sums = {int(check_sum(words, ZERO))}
    for place in range(size):
        for bit in range(64):
            changed = words.copy()
            changed[place] ^= np.uint64(1) << np.uint64(bit)
            sums.add(int(check_sum(changed, ZERO)))
    assert len(sums) == 1 + 64 * size


def test_signs_that_change_together_do_not_cancel() -> None:
    entries = np.random.default_rng(1).standard_normal(8 * LANES)
    signs = [entries, -entries, np.where(np.arange(entries.size) % LANES == 0, -entries, entries), np.abs(entries)]
    assert len({int(check_sum(some.view(np.uint64), ZERO)) for some in signs}) == len(signs)


def test_order_counts_and_what_came_before() -> None:
    words = np.arange(1, 3 * LANES + 1, dtype=np.uint64)
    orders = [words, words[::-1].copy(), np.roll(words, 1), np.roll(words, LANES), np.append(words, ZERO)]
    assert len({int(check_sum(order, before)) for order in orders for before in (ZERO, np.uint64(1))}) == 10


@pytest.mark.parametrize(
    "change",
    [
        lambda mdp: mdp.cost.__setitem__((3, 2), np.nan),
        lambda mdp: mdp.rho.__setitem__(slice(None), mdp.rho[::-1] - 0.25),
        lambda mdp: mdp.initial_policy.__setitem__((1, 1), -0.5),
    ],
)
def test_what_is_written_into_a_problem_is_looked_at_again(change: Callable[..., None]) -> None:
    mdp = load_problem("lqr", cells={"x": 8, "u": 6})
    mdp.check_arrays()
    change(mdp)
    with pytest.raises(ValueError, match=r"cost|rho|initial_policy"):
        mdp.check_arrays()
