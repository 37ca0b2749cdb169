"""Second order of expectations and of a chain pinned against a clamped end, and better where noise is smoothed.

The interpolation error, (w (1 - w) - 1/6) h² V''/2, depends on where in its mesh f falls: test points divide
every mesh of a clamped axis in thirds, and lie midway between the cell centres of the other axes, so
that its constant is the same on all of them.  Constant noise keeps mean and variance of every step, and its laws are
symmetric, so that the error is that of fourth moments; what is clamped at an end is of second order.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.orders import check_order
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.interpolation import boundary_map
from wpoflow.grids.transitions import Transition, cell_integrated_transition, interpolated_transition

XI = np.linspace(-9.0, 9.0, 20_001)
LAW = np.exp(-0.5 * XI**2) / np.exp(-0.5 * XI**2).sum()
SMOOTH: dict[str, Callable[[FloatArray], FloatArray]] = {
    "clamp": lambda x: np.exp(x) + np.sin(3.0 * x),
    "reflect": lambda x: np.cos(np.pi * (x + 1.0)) + np.cos(0.5 * np.pi * (x + 1.0)),
    "periodic": lambda x: np.cos(np.pi * x) + 0.4 * np.sin(2.0 * np.pi * x),
}


def transition(kind: str, axis: Axis, mean: FloatArray, sigma: float) -> Transition:
    if kind == "interpolated":
        return interpolated_transition(Grid((axis,)), mean[:, :, None], [sigma])
    return cell_integrated_transition(axis, mean, np.full(mean.shape, sigma))


@pytest.mark.parametrize("kind", ["interpolated", "hats"])
@pytest.mark.parametrize("boundary", ["clamp", "reflect", "periodic"])
@pytest.mark.parametrize("sigma", [0.1, 0.4])
def test_expectations_are_second_order_or_better(kind: str, boundary: str, sigma: float) -> None:
    thirds, sixteenths = np.array([-4.0, -1.0, 1.0, 4.0, 5.0]) / 3.0, np.array([-20.0, -6.0, 5.0, 18.0]) / 16.0
    targets = thirds if boundary == "clamp" else sixteenths
    value = SMOOTH[boundary]
    axis = uniform_axis("x", -1.0, 1.0, 8, boundary)
    exact = np.array([LAW @ value(boundary_map(axis, f + sigma * XI)) for f in targets])
    sizes, errors = [], []
    for cells in (32, 64, 128, 256):
        axis = uniform_axis("x", -1.0, 1.0, cells + (boundary == "clamp"), boundary)
        mean = np.tile(targets, (axis.size, 1))
        got = transition(kind, axis, mean, sigma).expect(value(axis.points))[0]
        sizes.append(1.0 / cells)
        errors.append(float(np.sqrt(np.mean((got - exact) ** 2))))
    if kind == "hats":
        check_order(sizes, errors, 2.0, cap=2e-3)
    elif boundary == "clamp":
        check_order(sizes, errors, 2.0, above=1.2, cap=1e-4)
    else:
        check_order(sizes, errors, 4.0, cap=1e-8)


def pinned_expectation(kind: str, cells: int) -> float:
    """Stationary E[exp(s)] of s' = min(1, 0.7 s + 7/15 + 0.15 ξ), four fifths of whose mass sits at s = 1."""
    axis = uniform_axis("x", -1.0, 1.0, cells + 1, "clamp")
    mean = 0.7 * axis.points[:, None] + 7.0 / 15.0
    matrix = transition(kind, axis, mean, 0.15).under(np.ones((axis.size, 1))).dense()
    system = matrix.T - np.eye(axis.size)
    system[-1] = 1.0
    stationary = np.linalg.solve(system, np.eye(axis.size)[-1])
    assert stationary[-1] > 0.75
    return float(stationary @ np.exp(axis.points))


@pytest.mark.parametrize("kind", ["interpolated", "hats"])
def test_chain_pinned_against_a_clamped_end_is_second_order(kind: str) -> None:
    cells = (64, 128, 256, 512)
    reference = pinned_expectation("hats", 2048)
    errors = [pinned_expectation(kind, n) - reference for n in cells]
    check_order([1.0 / n for n in cells], errors, 2.0, cap=1e-4)


def test_cell_centres_at_a_clamped_end_would_be_first_order() -> None:
    """The reason for points at both ends: with the end mass half a cell inside, the order is one."""
    errors = []
    for cells in (32, 64, 128, 256):
        centres = -1.0 + (np.arange(cells) + 0.5) * 2.0 / cells
        errors.append(np.exp(1.0) - float(np.interp(1.5, centres, np.exp(centres))))
    check_order([1 / 32, 1 / 64, 1 / 128, 1 / 256], errors, 1.0, cap=0.1)
