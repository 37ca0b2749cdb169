"""Arrays as callers have them: of any layout and byte order, and theirs afterwards."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import wpoflow as wpo
from wpoflow.core.arrays import AnyArray, FloatArray

CELLS = {"x": 6, "u": 5}
LAYOUTS: dict[str, Callable[[FloatArray], AnyArray]] = {
    "Fortran": np.asfortranarray,
    "strided": lambda p: np.repeat(p, 2, axis=1)[:, ::2],
    "backwards": lambda p: np.ascontiguousarray(p[::-1, ::-1])[::-1, ::-1],
    "a part": lambda p: np.pad(p, 2)[2:-2, 2:-2],
    "read-only": lambda p: np.broadcast_to(p, p.shape),
    "big-endian": lambda p: p.astype(">f8"),
    "a list": lambda p: p.tolist(),
}


@pytest.fixture(scope="module")
def mdp() -> wpo.GridMDP:
    """A small regulator."""
    return wpo.load_problem("lqr", cells=CELLS)


@pytest.fixture(scope="module")
def policy() -> FloatArray:
    """Cell probabilities that are the same in no two cells."""
    weights = np.random.default_rng(0).random((6, 5))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("flow", ["wasserstein", "fisher-rao"])
def test_a_flow_begins_with_a_policy_of_any_layout(
    layout: str, flow: str, mdp: wpo.GridMDP, policy: FloatArray
) -> None:
    given = LAYOUTS[layout](policy)
    steps, others = (wpo.flow(mdp, step=0.1, flow=flow, policy=start) for start in (given, policy))
    for _ in range(3):
        here, there = next(steps), next(others)
        np.testing.assert_array_equal(here.policy, there.policy)
        np.testing.assert_array_equal(here.value, there.value)
    np.testing.assert_array_equal(given, policy)


def test_a_flow_has_a_policy_of_its_own(mdp: wpo.GridMDP, policy: FloatArray) -> None:
    """What becomes of the array that was given does not matter to it."""
    given = policy.copy()
    steps, others = (wpo.flow(mdp, step=0.1, policy=start) for start in (given, policy))
    given[:] = 0.0
    for _ in range(3):
        np.testing.assert_array_equal(next(steps).policy, next(others).policy)
