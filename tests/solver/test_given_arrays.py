"""Arrays as callers have them: of any layout and byte order, and theirs afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

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


def own(number: Any) -> float:
    """The same number as Python's."""
    return float(number)


PUBLIC: Any = wpo  # whose types do not name NumPy's numbers


@pytest.mark.parametrize("kind", [np.float32, np.float16, np.longdouble, np.array])
def test_numbers_of_any_precision_are_computed_with_in_double(kind: Any, mdp: wpo.GridMDP) -> None:
    discount, temperature, step = kind(0.9), kind(0.1), kind(0.125)
    given = replace(mdp, discount=discount, temperature=temperature)
    made = replace(mdp, discount=own(discount), temperature=own(temperature))
    for flow in ("wasserstein", "fisher-rao"):
        steps = wpo.flow(given, step=step, flow=flow), wpo.flow(made, step=own(step), flow=flow)
        for _ in range(4):
            here, there = (next(one) for one in steps)
            assert here.time == there.time
            np.testing.assert_array_equal(here.policy, there.policy)
    run, other = (wpo.evolve(one, until=0.2, accuracy=1e-3) for one in (given, made))
    for name in ("gap", "value_rho", "dissipation"):
        np.testing.assert_array_equal(run.series[name], other.series[name])
    np.testing.assert_array_equal(
        wpo.solve_optimum(mdp.at_temperature(temperature)).value,
        wpo.solve_optimum(mdp.at_temperature(own(temperature))).value,
    )


def test_so_are_those_of_axes_and_chains() -> None:
    for kind in (np.float32, np.float16, np.array):
        lower, upper, focus, ratio = (kind(number) for number in (-1.1, 2.3, 0.3, 7.7))
        graded = PUBLIC.sinh_axis("x", lower, upper, 9, focus=focus, ratio=ratio)
        again = PUBLIC.sinh_axis("x", own(lower), own(upper), 9, focus=own(focus), ratio=own(ratio))
        np.testing.assert_array_equal(graded.edges, again.edges)
        for chain in (PUBLIC.tauchen, PUBLIC.rouwenhorst):
            found, expected = chain(5, kind(0.9), kind(0.1)), chain(5, own(kind(0.9)), own(kind(0.1)))
            for here, there in zip(found, expected, strict=True):
                np.testing.assert_array_equal(here, there)


def test_numbers_of_cells_are_whole_and_do_not_overflow() -> None:
    """Twelve and a half cells would reach beyond the box."""
    assert PUBLIC.uniform_axis("x", 0.0, 1.0, np.uint8(255)).size == 255
    assert PUBLIC.uniform_axis("x", 0.0, 1.0, 12.0).size == 12
    for make in (PUBLIC.uniform_axis, partial(PUBLIC.sinh_axis, focus=0.5, ratio=2.0)):
        with pytest.raises(ValueError, match=r"axis x: cells = 12\.5; it must be a whole number"):
            make("x", 0.0, 1.0, 12.5)
    with pytest.raises(ValueError, match=r"points = 4\.5; it must be a whole number"):
        PUBLIC.tauchen(4.5, 0.9, 0.1)


def test_labels_may_be_an_array() -> None:
    assert PUBLIC.label_axis("move", np.array(["up", "down"])).labels == ("up", "down")
