"""Interpolation stencils: partition of unity, affine exactness, and plain NumPy twins of the kernels."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis, sinh_axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.interpolation import CHUNK_PAIRS, boundary_map, chunked, empty_stencil, fill_stencil
from wpoflow.grids.smoothing import axis_nodes
from wpoflow.grids.transitions import interpolated_transition

KINDS = ["clamp", "reflect", "periodic"]


def axis_of(boundary: str, cells: int, name: str = "x") -> Axis:
    return sinh_axis(name, -1.0, 2.0, cells, boundary, focus=0.5, ratio=3.0)


def twin(axis: Axis, value: FloatArray, y: FloatArray) -> FloatArray:
    """Interpolate on one axis with np.interp, boundary by boundary."""
    place = boundary_map(axis, y)
    if axis.boundary != "periodic":
        return np.asarray(np.interp(place, axis.points, value))
    return np.asarray(np.interp(place, axis.points, value, period=axis.length))


@given(
    st.sampled_from(KINDS),
    st.integers(1, 20),
    hnp.arrays(np.float64, 12, elements=st.floats(-30, 30)),
    st.integers(0, 2**31),
)
def test_one_axis_agrees_with_its_twin(boundary: str, cells: int, y: FloatArray, seed: int) -> None:
    axis = axis_of(boundary, cells)
    value = np.random.default_rng(seed).normal(size=cells)
    transition = interpolated_transition(Grid((axis,)), np.tile(y, (cells, 1))[:, :, None])
    assert transition.expect(value)[0] == pytest.approx(twin(axis, value, y), abs=1e-11)


@pytest.mark.parametrize("kinds", list(itertools.product(KINDS, KINDS)))
def test_two_axes_agree_with_one_axis_after_the_other(kinds: tuple[str, str]) -> None:
    rng = np.random.default_rng(3)
    axes = axis_of(kinds[0], 7, "x"), axis_of(kinds[1], 5, "y")
    y = rng.uniform(-5.0, 6.0, (35, 4, 2))
    value = rng.normal(size=(7, 5))
    got = interpolated_transition(Grid(axes), y).expect(value.ravel())
    for i, k in itertools.product(range(35), range(4)):
        column = np.array([twin(axes[1], row, y[i, k, 1:])[0] for row in value])
        assert got[i, k] == pytest.approx(twin(axes[0], column, y[i, k, :1])[0], abs=1e-12)


@given(st.integers(1, 4), st.integers(0, 2**31))
def test_weights_are_a_partition_of_unity_and_reproduce_affine_functions(dim: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    states = Grid(tuple(axis_of("clamp", int(rng.integers(2, 5)), f"x{j}") for j in range(dim)))
    inside = rng.uniform(-1.0, 2.0, (states.size, 3, dim))
    transition = interpolated_transition(states, inside)
    matrix = transition.under(np.ones((states.size, 3)))
    slope = rng.normal(size=dim)
    assert transition.expect(np.ones(states.size)) == pytest.approx(1.0, abs=0.0)
    assert matrix.matvec(np.ones(states.size)) == pytest.approx(3.0, abs=1e-14)
    assert matrix.dense().min() >= 0.0
    assert transition.expect(states.points @ slope - 0.7) == pytest.approx(inside @ slope - 0.7, abs=1e-12)


@pytest.mark.parametrize("dim", [1, 2, 3, 4])
def test_special_kernels_agree_with_the_stencil_written_out(dim: int) -> None:
    rng = np.random.default_rng(dim)
    axes = tuple(axis_of(KINDS[j % 3], 3 + j, f"x{j}") for j in range(dim))
    states, nodes = Grid(axes), [axis_nodes(axis, 0.0, (0.0, 0.0)) for axis in axes]
    f = [rng.uniform(-3.0, 4.0, (states.size, 5)) for _ in axes]
    stencil = empty_stencil(states.size, 5, [n.size for n in nodes])
    fill_stencil(stencil, 0, states.size, f, axes, nodes)
    assert stencil.fraction.min() >= 0.0
    assert stencil.fraction.max() <= 1.0
    value = rng.normal(size=states.size)
    padded = value.reshape(states.shape)
    for j, axis in enumerate(axes):
        if axis.periodic:
            padded = np.concatenate((padded, padded.take([0], axis=j)), axis=j)
    total = np.zeros((states.size, 5))
    for c, corner in enumerate(itertools.product((0, 1), repeat=dim)):
        upper = np.array(corner, dtype=bool)
        weight = np.where(upper, stencil.fraction, 1.0 - stencil.fraction).prod(axis=2)
        total += weight * padded.ravel()[stencil.base + stencil.offsets[c]]
    transition = interpolated_transition(states, np.stack(f, axis=-1))
    assert transition.expect(value) == pytest.approx(total, abs=1e-12)
    assert (
        stencil.base.nbytes + stencil.fraction.nbytes + stencil.offsets.nbytes
        <= (4 + 8 * dim) * states.size * 5 + 4 * 2**dim
    )


@pytest.mark.parametrize(
    ("boundary", "beyond", "expected"),
    [
        ("clamp", 5.0, 2.0),
        ("clamp", -5.0, -1.0),
        ("reflect", 2.25, 1.75),
        ("reflect", -1.5, -0.5),
        ("reflect", 5.5, -0.5),
        ("periodic", 2.25, -0.75),
        ("periodic", -1.5, 1.5),
        ("periodic", 8.5, -0.5),
    ],
)
def test_boundary_maps(boundary: str, beyond: float, expected: float) -> None:
    axis = uniform_axis("x", -1.0, 2.0, 4, boundary)
    assert boundary_map(axis, np.array([beyond, 0.5])) == pytest.approx([expected, 0.5], abs=1e-14)


@pytest.mark.parametrize("boundary", ["reflect", "periodic"])
def test_places_that_are_rounding_alone_are_refused(boundary: str) -> None:
    """Up to a hundredth of a cell the place is known; a clamped axis asks only on which side it lies."""
    states, f = Grid((uniform_axis("x", 0.0, 1.0, 4, boundary),)), np.zeros((4, 2, 1))
    f[2, 1] = -(2.0**44)
    assert 2.0 * np.spacing(2.0**44) > 0.01 / 4 > np.spacing(2.0**43)
    with pytest.raises(
        ValueError, match=rf"next state x is -1.75922e\+13 from state 2 .*, action 1: .* a {boundary} axis"
    ):
        interpolated_transition(states, f)
    interpolated_transition(states, f / 4.0)
    clamped = interpolated_transition(Grid((uniform_axis("x", 0.0, 1.0, 4, "clamp"),)), f * 1e280)
    assert clamped.expect(np.array([3.0, 0.0, 0.0, 0.0]))[2, 1] == 3.0


def test_callables_and_arrays_give_the_same_stencil() -> None:
    states, actions = Grid((axis_of("clamp", 9), axis_of("periodic", 4, "y"))), CHUNK_PAIRS // 20
    f = np.random.default_rng(0).normal(size=(36, actions, 2))
    value = states.points.sum(axis=1)
    whole = interpolated_transition(states, f, [0.1, 0.0])
    pieces = interpolated_transition(states, lambda i, j: (f[i:j, :, 0], f[i:j, :, 1]), [0.1, 0.0])
    assert np.array_equal(whole.expect(value), pieces.expect(value))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda s: interpolated_transition(s, np.zeros((3, 2, 2))), "next points have shape"),
        (lambda s: interpolated_transition(s, np.full((5, 2, 1), np.nan)), "next state x is nan from state 0"),
        (lambda s: interpolated_transition(s, np.zeros((5, 2, 1)), [-1.0]), "noise of axis x is -1.0"),
        (lambda s: interpolated_transition(s, np.zeros((5, 2, 1)), [0.1, 0.1]), "noise of 2 axes; expected 1"),
        (lambda s: chunked(s, lambda i, j: (np.zeros((j - i, 2)),) * 2, None)[0](0, 5), "next points of 2 axes"),
        (lambda s: interpolated_transition(Grid(()), lambda i, j: ()), "number of actions must be given"),
        (
            lambda s: interpolated_transition(Grid((uniform_axis("x", 0, 1, 5),)), np.zeros((5, 2, 1))),
            "state axis x: boundary 'no-flux'; choose one of clamp, reflect, periodic",
        ),
        (lambda s: empty_stencil(1, 1, (2**16, 2**16)), "32 bits"),
        (lambda s: interpolated_transition(s, np.zeros((5, 2, 1))).under(np.ones((2, 5))), "policy has shape"),
    ],
)
def test_errors_say_what_is_wrong(call: object, words: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=words):
        call(Grid((axis_of("clamp", 5),)))
