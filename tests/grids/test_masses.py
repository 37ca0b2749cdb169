"""Cell masses against closed forms, and the refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import sinh_axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.masses import Function, density_masses, policy_masses, potential_masses
from wpoflow.grids.quadrature import CHUNK_POINTS

LINE = Grid((sinh_axis("u", -4.0, 4.0, 30, focus=1.0, ratio=8.0),))


def gaussian_masses(edges: FloatArray, mean: float, sigma: float) -> FloatArray:
    masses = np.diff(ndtr((edges - mean) / sigma))
    return np.asarray(masses / masses.sum())


@pytest.mark.parametrize("sigma", [0.3, 1.0])
def test_gaussian_potential_gives_differences_of_the_normal_distribution(sigma: float) -> None:
    masses = potential_masses(LINE, lambda u: 0.5 * (u / sigma) ** 2)
    expected = gaussian_masses(LINE.axes[0].edges, 0.0, sigma)
    seen = expected > 1e-6
    assert masses[seen] == pytest.approx(expected[seen], rel=1e-9)


@given(st.integers(0, 15), st.integers(2, 8))
def test_legendre_rule_is_exact_for_polynomials(degree: int, order: int) -> None:
    power = min(degree, 2 * order - 1)
    grid = Grid((uniform_axis("u", 0.0, 1.0, 5),))
    masses = density_masses(grid, lambda u: u**power, order)
    assert masses == pytest.approx(np.diff(grid.axes[0].edges ** (power + 1)), rel=1e-12)


def test_product_densities_give_products_of_masses() -> None:
    axes = tuple(uniform_axis(name, -1.0, 2.0, n) for name, n in (("u", 3), ("v", 4), ("w", 2)))
    whole = density_masses(Grid(axes), lambda u, v, w: np.exp(u) * (v + 2) * np.cos(0.3 * w))
    factors: list[Function] = [np.exp, lambda v: v + 2, lambda w: np.cos(0.3 * w)]
    parts = [density_masses(Grid((axis,)), f) for axis, f in zip(axes, factors, strict=True)]
    assert whole == pytest.approx(np.einsum("i,j,k->ijk", *parts).ravel(), rel=1e-12)


@given(st.floats(-700, 700))
def test_a_constant_in_the_potential_does_not_matter(shift: float) -> None:
    one = potential_masses(LINE, lambda u: u**2)
    other = potential_masses(LINE, lambda u: u**2 + shift)
    assert other == pytest.approx(one, rel=1e-12)


def test_steep_potentials_neither_overflow_nor_vanish() -> None:
    grid = Grid((uniform_axis("u", 0.0, 1.0, 50),))
    masses = potential_masses(grid, lambda u: 600.0 * u + 1e5)
    edges = grid.axes[0].edges
    assert masses == pytest.approx(np.exp(-600 * edges[:-1]) * -np.expm1(-600 / 50), rel=1e-6)


def test_masses_on_clamped_states_are_those_of_their_half_cells() -> None:
    grid = Grid((uniform_axis("x", 0.0, 1.0, 5, "clamp"),))
    assert density_masses(grid, lambda x: 1.0 + 0.0 * x) == pytest.approx([0.125, 0.25, 0.25, 0.25, 0.125])


def test_policy_rows_follow_their_state() -> None:
    states = Grid((uniform_axis("x", -1.0, 1.0, 7, "clamp"),))
    policy = policy_masses(states, LINE, lambda x, u: np.exp(-0.5 * (u - x) ** 2))
    for i, x in enumerate(states.points[:, 0]):
        assert policy[i] == pytest.approx(gaussian_masses(LINE.axes[0].edges, x, 1.0), rel=1e-8, abs=1e-16)


def test_chunks_do_not_show() -> None:
    """Of many states and many cells; those of a part of them are whole in one chunk."""
    states = Grid((uniform_axis("x", -1.0, 1.0, 90, "clamp"), uniform_axis("y", 0.0, 1.0, 3, "periodic")))
    actions = Grid((uniform_axis("u", -1.0, 1.0, 25), uniform_axis("v", -1.0, 1.0, 25)))
    assert states.size * actions.size * 9 > CHUNK_POINTS
    whole = policy_masses(states, actions, lambda x, y, u, v: np.exp(x * u - y * v**2))
    assert whole.sum(axis=1) == pytest.approx(np.ones(states.size), abs=1e-14)
    for i in (0, 92, 93, states.size - 1):
        x, y = states.points[i]
        assert whole[i] == pytest.approx(density_masses(actions, lambda u, v: np.exp(x * u - y * v**2), 3), rel=1e-14)  # noqa: B023
    line, other = uniform_axis("x", -1.0, 1.0, 1000, "clamp"), uniform_axis("y", 0.0, 2.0, 12, "periodic")
    assert line.size * other.size * 64 > CHUNK_POINTS
    masses = density_masses(Grid((line, other)), lambda x, y: (2 + x) * (1 + y))
    parts = density_masses(Grid((line,)), lambda x: 2 + x), density_masses(Grid((other,)), lambda y: 1 + y)
    assert masses == pytest.approx(np.outer(*parts).ravel(), rel=1e-12)


def test_one_state_without_axes() -> None:
    nowhere = Grid(())
    assert density_masses(nowhere, lambda: np.array(1.0)).tolist() == [1.0]
    assert policy_masses(nowhere, LINE, lambda u: np.ones_like(u)).shape == (1, 30)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: density_masses(LINE, lambda u: u), r"cell 0 \(u = .*\): density is -"),
        (lambda: density_masses(LINE, lambda u: np.where(u > 1, np.nan, 1.0)), r"cell \d+ .*density is nan"),
        (lambda: density_masses(LINE, lambda u: 0 * u), "density integrates to 0"),
        (lambda: potential_masses(LINE, lambda u: np.where(u > 3, np.inf, 0.0)), r"cell \d+ .*potential is inf"),
        (lambda: potential_masses(LINE, lambda u: 1e4 * u**2), r"potential leaves cell \d+ \(u = "),
        (lambda: policy_masses(LINE, LINE, lambda x, u: u - x), r"state \d+ \(u = .*\), cell 0 .*density is -"),
        (lambda: policy_masses(LINE, LINE, lambda x, u: np.where(x > 0, 1.0, 0 * u)), r"state 0 .*integrates to 0"),
    ],
)
def test_errors_name_cell_and_state(call: object, words: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=words):
        call()


def test_what_is_no_real_number_is_named_by_what_it_is_of() -> None:
    given: list[tuple[str, object]] = [
        ("potential", lambda f: potential_masses(LINE, f)),
        ("density", lambda f: density_masses(LINE, f)),
        ("density", lambda f: policy_masses(LINE, LINE, f)),
    ]
    for name, masses in given:
        with pytest.raises(ValueError, match=f"^{name}: complex"):
            masses(lambda *a: a[0] + 1j)  # type: ignore[operator]
