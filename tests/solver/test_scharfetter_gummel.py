"""Rates of blocks and their solves against dense matrices built from the formulas; bits of lines."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.solver.lines import exact_solution, largest_relative_error, rates_of_line
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis, edges_axis
from wpoflow.solver.arithmetic.lines import LANES, load_lines, store_lines
from wpoflow.solver.flux.bernoulli import bernoulli_fractions, bernoulli_pair
from wpoflow.solver.flux.scharfetter_gummel import add_axis_dissipation, backward_euler_axis

EPS = float(np.finfo(np.float64).eps)
SHAPES = st.sampled_from([(5,), (1, 4), (4, 3), (3, 2, 4), (2, 70), (70, 2), (2, 3), (1,)])


def problem(
    shape: tuple[int, ...], states: int, seed: int, periodic: bool, spread: float
) -> tuple[list[Axis], FloatArray, FloatArray, FloatArray]:
    """Axes, p of both signs, Q and ln(m/vol) of random size."""
    generator = np.random.default_rng(seed)
    axes = [
        edges_axis(f"a{j}", np.concatenate(([0.0], np.cumsum(np.exp(generator.uniform(-1.0, 1.0, n))))),
                   "periodic" if periodic else "no-flux")
        for j, n in enumerate(shape)
    ]  # fmt: skip
    size = math.prod(shape)
    p, q = generator.standard_normal((2, states, size))
    return axes, p, spread * q, generator.standard_normal(size)


def generator_matrix(q: FloatArray, log_density: FloatArray, axis: Axis, temperature: float) -> FloatArray:
    """L of one line from the flux formula, Bernoulli functions by NumPy."""
    n = axis.size
    matrix = np.zeros((n, n))
    for k, distance in enumerate(axis.distances):
        after = (k + 1) % n
        z = (q[after] - q[k]) / temperature - (log_density[after] - log_density[k])
        with np.errstate(over="ignore"):
            forward = z / np.expm1(z) if z != 0.0 else 1.0
            backward = -z / np.expm1(-z) if z != 0.0 else 1.0
        u = temperature / distance * forward / axis.widths[k]
        w = temperature / distance * backward / axis.widths[after]
        matrix[k, k] -= u
        matrix[after, k] += u
        matrix[after, after] -= w
        matrix[k, after] += w
    return matrix


@given(st.one_of(st.floats(-740.0, 740.0), st.floats(-1e-3, 1e-3)))
def test_bernoulli_functions_against_sixty_digits(z: float) -> None:
    """Below four roundings; beyond 709.4, where e^z overflows, B counts as zero."""
    found = bernoulli_pair(z)
    with localcontext() as context:
        context.prec = 800  # digits enough to subtract one from e^z at every z
        exact = [Decimal(1) if z == 0.0 else Decimal(s * z) / (Decimal(s * z).exp() - 1) for s in (1, -1)]
    for mine, value in zip(found, exact, strict=True):
        assert abs(mine - float(value)) <= 4.0 * EPS * float(value) + 1e-300


def test_bernoulli_functions_at_special_points() -> None:
    assert bernoulli_pair(0.0) == bernoulli_pair(-0.0) == (1.0, 1.0)
    assert bernoulli_pair(1e5) == (0.0, 1e5)
    assert bernoulli_pair(-1e5) == (1e5, 0.0)
    assert all(math.isnan(value) for value in bernoulli_pair(math.nan))


@given(st.floats(-1e6, 1e6) | st.floats(-1e-3, 1e-3) | st.sampled_from([0.0, 1e-310, -1e-250, 708.3, -708.5, 745.0]))
def test_fractions_of_the_bernoulli_function(z: float) -> None:
    forward, backward, denominator = bernoulli_fractions(z)
    expected = bernoulli_pair(z)
    np.testing.assert_allclose([forward / denominator, backward / denominator], expected, rtol=1e-15, atol=1e-304)


@given(SHAPES, st.integers(1, 70), st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([0.1, 5.0]))
def test_solve_against_dense_matrices(
    shape: tuple[int, ...], states: int, seed: int, periodic: bool, spread: float
) -> None:
    """I - dt L undone by its solve, on every axis, of p of any sign."""
    temperature, dt = 0.7, 0.3
    axes, p, q, log_density = problem(shape, states, seed, periodic, spread)
    for where, axis in enumerate(axes):
        stride = math.prod(shape[where + 1 :])
        solved = np.empty_like(p)
        args = (q, log_density, axis.widths, axis.distances, stride)
        if axis.size > 1:
            backward_euler_axis(p, *args, dt, temperature, solved)
        else:
            solved[:] = p

        def lines(x: FloatArray, where: int = where, axis: Axis = axis) -> FloatArray:
            return np.moveaxis(x.reshape(-1, *shape), where + 1, -1).reshape(-1, axis.size)

        densities = np.broadcast_to(log_density, p.shape)
        for i, (pi, qi, li) in enumerate(zip(lines(p), lines(q), lines(densities), strict=True)):
            matrix = generator_matrix(qi, li, axis, temperature)
            system = np.eye(axis.size) - dt * matrix
            back = lines(solved)[i]
            scale = np.abs(system) @ np.abs(back)
            assert np.all(np.abs(system @ back - pi) <= 100.0 * EPS * axis.size * scale.max())


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("shape", [(9,), (4, 6)])
def test_a_line_has_the_same_bits_in_every_block(shape: tuple[int, ...], periodic: bool) -> None:
    """One state alone, and among 3 LANES + 1 others: the same numbers of every kernel."""
    axes, p, q, log_density = problem(shape, 3 * LANES + 1, 5, periodic, 3.0)
    p = np.abs(p)
    for where, axis in enumerate(axes):
        args = (log_density, axis.widths, axis.distances, math.prod(shape[where + 1 :]))
        together, dissipated = np.empty_like(p), np.zeros(p.shape[0])
        backward_euler_axis(p, q, *args, 0.2, 0.3, together)
        add_axis_dissipation(p, q, log_density, *args, 0.3, dissipated)
        for i in (0, 1, LANES - 1, LANES, 2 * LANES + 5, 3 * LANES):
            one, out, total = slice(i, i + 1), np.empty((1, p.shape[1])), np.zeros(1)
            backward_euler_axis(p[one], q[one], *args, 0.2, 0.3, out)
            assert np.array_equal(out, together[one])
            add_axis_dissipation(p[one], q[one], log_density, *args, 0.3, total)
            assert total[0] == dissipated[i]


@given(st.integers(2, 12), st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([1e-9, 1e-3, 1.0, 30.0]))
def test_dissipation_is_a_sum_of_accurate_terms(n: int, seed: int, periodic: bool, size: float) -> None:
    """tau sum J d near p = g and far from it, to the error of the logarithms: none of its square is lost."""
    generator = np.random.default_rng(seed)
    (axis,), _, q, log_density = problem((n,), 1, seed, periodic, 1.0)
    temperature = 0.5
    log_mass = log_density + np.log(axis.widths)
    log_x = size * generator.standard_normal(n)
    p = np.exp(log_mass - q[0] / temperature + log_x)[None]
    out = np.zeros(1)
    add_axis_dissipation(p, q, log_mass, log_density, axis.widths, axis.distances, 1, temperature, out)
    right, left = rates_of_line(q[0], log_density, axis.widths, axis.distances, 1.0, temperature)
    exact, allowed = 0.0, 0.0
    for k in range(axis.distances.size):
        after = (k + 1) % n
        logs = np.log(p[0]) - log_mass + q[0] / temperature
        d = float(logs[k] - logs[after])
        lower = min(right[k] * p[0, k], left[k] * p[0, after])
        exact += temperature * lower * math.expm1(abs(d)) * abs(d)
        delta = 8.0 * EPS * (np.abs(np.log(p[0])).max() + np.abs(log_mass).max() + np.abs(q).max() / temperature)
        allowed += temperature * lower * math.exp(abs(d)) * ((2.0 * abs(d) + d * d) * delta + delta**2)
    assert abs(out[0] - exact) <= allowed + 1e-14 * exact


@pytest.mark.slow
def test_dissipation_at_cells_without_mass() -> None:
    """Nothing between two empty cells, infinite beside a full one, also where a rate has underflowed."""
    widths, distances, flat = np.ones(3), np.ones(2), np.zeros(3)
    p = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 0.0, 0.0], [np.nan, 1.0, 1.0]])
    q = np.zeros_like(p)
    q[1] = [0.0, 0.0, -1e4]
    out = np.zeros(5)
    add_axis_dissipation(p, q, flat, flat, widths, distances, 1, 1.0, out)
    np.testing.assert_array_equal(out, [0.0, np.inf, np.inf, np.inf, np.nan])


@pytest.mark.parametrize("stride", [1, 3, 80])
def test_lines_come_back_to_where_they_were(stride: int) -> None:
    n, outer = 5, 30
    x = np.arange(float(outer * n * stride))
    block, back = np.empty((n, 21)), np.full_like(x, -1.0)
    load_lines(x, stride, 4, block, 0, 21)
    tensor = np.moveaxis(x.reshape(outer, n, stride), 1, 0).reshape(n, -1)
    assert np.array_equal(block, tensor[:, 4:25])
    store_lines(block, 0, 21, stride, 4, back)
    returned = np.moveaxis(back.reshape(outer, n, stride), 1, 0).reshape(n, -1)
    assert np.array_equal(returned[:, 4:25], block)
    assert np.all(np.delete(returned, np.s_[4:25], axis=1) == -1.0)
    wide = np.full((n, 30), -1.0)
    load_lines(x, stride, 4, wide, 6, 21)
    assert np.array_equal(wide[:, 6:27], block)
    assert np.all(np.delete(wide, np.s_[6:27], axis=1) == -1.0)


@pytest.mark.parametrize("n", [2, 9, 130])
def test_a_line_has_the_same_bits_alone_and_among_many(n: int) -> None:
    generator = np.random.default_rng(n)
    q, p = generator.standard_normal((70, n)), generator.random((70, n))
    args = (generator.standard_normal(n), generator.uniform(0.1, 1.0, n), generator.uniform(0.1, 1.0, n - 1), 1)
    out = np.empty_like(p)
    backward_euler_axis(p, q, *args, 3.0, 0.3, out)
    for i in range(70):
        alone = p[i : i + 1].copy()
        backward_euler_axis(alone, q[i : i + 1], *args, 3.0, 0.3, alone)
        assert np.array_equal(alone[0], out[i])
    few = p[:6].reshape(2, -1).copy()  # three lines side by side in a state, entries three apart
    tensor = np.moveaxis(p[:6].reshape(2, 3, n), 1, 2)
    flat_q = np.moveaxis(q[:6].reshape(2, 3, n), 1, 2).reshape(2, -1).copy()
    density = np.repeat(args[0], 3)
    few[:] = tensor.reshape(2, -1)
    backward_euler_axis(few, flat_q, density, args[1], args[2], 3, 3.0, 0.3, few)
    assert np.array_equal(np.moveaxis(few.reshape(2, n, 3), 1, 2).reshape(6, n), out[:6])


@given(st.integers(1, 9), st.integers(1, 70), st.integers(0, 2**32 - 1), st.floats(-6.0, 12.0), st.floats(-3.0, 3.0))
def test_sweeps_of_paths_solve_what_rates_and_elimination_do(
    n: int, lines: int, seed: int, exponent: float, steepness: float
) -> None:
    """Entry by entry, to a few roundings a cell, for steps and potentials of any size."""
    generator = np.random.default_rng(seed)
    q = 10.0**steepness * generator.standard_normal((lines, n))
    p = np.exp(6.0 * generator.standard_normal((lines, n)))
    widths, distances, flat = generator.uniform(0.1, 1.0, n), generator.uniform(0.1, 1.0, n - 1), np.zeros(n)
    out = np.empty_like(p)
    backward_euler_axis(p, q, flat, widths, distances, 1, 10.0**exponent, 0.3, out)
    for i in {0, lines - 1}:
        right, left = rates_of_line(q[i], flat, widths, distances, 10.0**exponent, 0.3)
        exact = exact_solution(right, left, p[i], circle=False)
        if min(exact) > 1e-290:
            assert largest_relative_error(out[i], exact) <= 2e-15 * (n + 2)
