"""Spectral gaps of the independent judge: right to digits of their own size, however far the rates lie apart."""

from __future__ import annotations

import numpy as np
import pytest

from tests.validation.certificate.random_runs import outcome
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.validation.finding import Verdict
from wpoflow.validation.independent.generator import Frozen, Geometry, least_rate


def three_cells(log_g: FloatArray, first: float, second: float) -> tuple[FloatArray, float]:
    """The generator of a path with two conductances, and its least rate, the smaller root of a quadratic."""
    g = np.exp(log_g)
    generator = np.zeros((3, 3))
    for a, b, conductance in ((0, 1, first), (1, 2, second)):
        generator[b, a], generator[a, b] = conductance / g[a], conductance / g[b]
    generator -= np.diag(generator.sum(axis=0))
    trace = -np.trace(generator)
    product = first * second * g.sum() / g.prod()  # matrix-tree theorem: what no subtraction is left in
    return generator, 2.0 * product / (trace + np.sqrt(trace**2 - 4.0 * product))


@pytest.mark.parametrize("barrier", [0.0, 20.0, 60.0, 200.0])
@pytest.mark.parametrize("last", [0.0, -3.0, -90.0])
def test_a_barrier_between_two_wells(barrier: float, last: float) -> None:
    """The middle cell is hardly ever visited, and what leads over it falls with it."""
    log_g = np.array([0.0, -barrier, last])
    log_g -= np.log(np.exp(log_g).sum())
    generator, exact = three_cells(log_g, *np.exp(log_g[[1, 1]]) * (1.0, 0.25))
    found, error = least_rate(generator, log_g)
    assert found == pytest.approx(exact, rel=1e-13)
    assert abs(found - exact) <= error <= 1e-12 * exact


@pytest.mark.parametrize("boundary", ["no-flux", "periodic"])
def test_both_ways_agree_on_flat_grids_in_closed_form(boundary: str) -> None:
    """Of a flat box or torus the least rate is that of its longer axis."""
    axes = (uniform_axis("a", 0.0, 6.0, 6, boundary), uniform_axis("b", 0.0, 4.0, 4, boundary))
    grid = Grid(axes)
    frozen = Frozen.of(Geometry.of(grid), np.zeros((1, 24)), np.full(24, 1.0 / 24.0), 0.7)
    exact = 1.4 * (1.0 - np.cos(np.pi / 6.0 if boundary == "no-flux" else np.pi / 3.0))
    dense, noise = frozen.spectral_gaps()
    for found, error in ((dense[0], noise[0]), least_rate(frozen.matrix(0), frozen.log_g[0])):
        assert found == pytest.approx(exact, rel=1e-12)
        assert abs(found - exact) <= error


def test_the_error_is_told_where_the_eigensolver_sees_rounding_only() -> None:
    """Two wells with a wall of a hundred temperatures between: 1e-40 of the largest rate."""
    axis = uniform_axis("a", 0.0, 8.0, 8, "no-flux")
    q = np.array([[0.0, 10.0, 40.0, 100.0, 90.0, 30.0, 2.0, 1.0]])
    frozen = Frozen.of(Geometry.of(Grid((axis,))), q, np.full(8, 0.125), 1.0)
    (found,), (error,) = frozen.spectral_gaps()
    assert 1e-44 < found < 1e-38
    assert error < 1e-9 * found


@pytest.mark.parametrize(("seed", "scheme"), [(6709, "extrapolated"), (7534, "extrapolated"), (9000, "euler")])
def test_guarantees_are_formed_again_far_beyond_double_precision(seed: int, scheme: str) -> None:
    """Spectral gaps below 1e-16 of the largest rate; and cells whose g underflows where p does not."""
    found = outcome(seed, scheme, briefly=True)
    assert {finding.verdict for finding in found.findings} <= {Verdict.HOLDS, Verdict.EMPTY}, found.findings
    assert found.findings
