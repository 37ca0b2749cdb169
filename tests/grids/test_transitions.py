"""What every transition promises: rows, products, termination; and each kind against a plain NumPy twin."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from wpoflow.core.arrays import BoolArray, FloatArray
from wpoflow.grids.axis import sinh_axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.interpolation import boundary_map
from wpoflow.grids.transitions import (
    Transition,
    cell_integrated_transition,
    gauss_hermite_transition,
    interpolated_transition,
    mixture_transition,
    states_outside,
    tabulated_transition,
)

KINDS = ["clamp", "reflect", "periodic"]
LINE = {kind: sinh_axis("x", -1.0, 2.0, 9, kind, focus=0.5, ratio=3.0) for kind in KINDS}
PLANE = Grid((LINE["clamp"], uniform_axis("y", 0.0, 1.0, 6, "periodic")))
HYPERCUBE = Grid(
    tuple(uniform_axis(f"x{j}", -1.0, 1.0, 3 + (j == 1), (*KINDS, "clamp")[j]) for j in range(4)),
)


def means(states: Grid, actions: int, seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    return np.asarray(states.points[:, None, :] + rng.normal(0.0, 0.7, (states.size, actions, states.dim)))


def right(x: FloatArray, *_: FloatArray) -> BoolArray:
    return np.asarray(x > 0.6)


def across(x: FloatArray, y: FloatArray) -> BoolArray:
    return np.asarray(x + y > 1.2)


def slanted(x: FloatArray, _: FloatArray, y: FloatArray, __: FloatArray) -> BoolArray:
    return np.asarray(x + 0.5 * y > 0.3)


def outcomes(terminal: Callable[..., BoolArray] | None) -> Transition:
    share = np.random.default_rng(5).random((PLANE.size, 4))
    return mixture_transition(
        [
            (share, interpolated_transition(PLANE, means(PLANE, 4, 1), [0.3, 0.0], terminal)),
            (1.0 - share, interpolated_transition(PLANE, means(PLANE, 4, 2), None, terminal)),
        ]
    )


def table(sub_stochastic: bool) -> Transition:
    rng = np.random.default_rng(2)
    array = rng.random((12, 3, 12)) * (rng.random((12, 3, 12)) < 0.5)
    array[:, :, 0] += 0.1
    array /= array.sum(axis=2, keepdims=True)
    if sub_stochastic:
        array[::2, 1] *= 0.75
    return tabulated_transition(array, "remainder" if sub_stochastic else None)


def spread(axis_kind: str) -> FloatArray:
    sigma = np.random.default_rng(8).uniform(0.0, 0.5, (LINE[axis_kind].size, 5))
    sigma[:, 2] = 0.0
    return sigma


def transitions(terminal: Callable[..., BoolArray] | None) -> dict[str, Transition]:
    made: dict[str, Transition] = {
        "plane, no noise": interpolated_transition(PLANE, means(PLANE, 4), None, terminal),
        "plane, noise": interpolated_transition(PLANE, means(PLANE, 4), [0.3, 0.2], terminal),
        "plane, noise on one axis": interpolated_transition(PLANE, means(PLANE, 4), [0.0, 0.2], terminal),
        "four axes": interpolated_transition(HYPERCUBE, means(HYPERCUBE, 2), [0.2, 0.0, 0.1, 0.3], terminal),
        "plane, set across axes": interpolated_transition(PLANE, means(PLANE, 4), [0.3, 0.0], terminal and across),
        "four axes, set across": interpolated_transition(
            HYPERCUBE, means(HYPERCUBE, 2), [0.2, 0.0, 0.0, 0.3], terminal and slanted
        ),
        "mixture, set across axes": outcomes(terminal and across),
        "mixture": outcomes(terminal),
        "Gauss-Hermite": gauss_hermite_transition(
            PLANE, means(PLANE, 3), np.abs(means(PLANE, 3, 4)) * [0.1, 0.2], 3, terminal
        ),
        "table": table(terminal is not None),
    }
    for kind in KINDS:
        grid = Grid((LINE[kind],))
        made[f"line, {kind}"] = interpolated_transition(grid, means(grid, 5), [0.2], terminal)
        made[f"hats, {kind}"] = cell_integrated_transition(LINE[kind], means(grid, 5)[:, :, 0], spread(kind), terminal)
    return made


ALL = {(name, ends): t for ends in (False, True) for name, t in transitions(right if ends else None).items()}
every = pytest.mark.parametrize("key", list(ALL), ids=lambda key: f"{key[0]}{', ends' if key[1] else ''}")


def random_policy(transition: Transition, seed: int) -> FloatArray:
    p = np.random.default_rng(seed).random((transition.n_states, transition.n_actions))
    return np.asarray(p / p.sum(axis=1, keepdims=True))


@every
def test_rows_sum_to_one_minus_termination(key: tuple[str, bool]) -> None:
    transition = ALL[key]
    termination = transition.termination
    assert (termination is not None) == key[1]
    survival = 1.0 if termination is None else 1.0 - termination
    rounding = 1e-15 * transition.n_states
    assert np.abs(transition.expect(np.ones(transition.n_states)) - survival).max() <= rounding
    if termination is not None:
        assert termination.min() >= 0.0
        assert 0.0 < termination.max() <= 1.0 + rounding


@every
def test_all_forms_of_the_operator_agree(key: tuple[str, bool]) -> None:
    transition = ALL[key]
    policy, x = random_policy(transition, 1), np.random.default_rng(2).normal(size=transition.n_states)
    operator = transition.under(policy)
    dense = operator.dense()
    assert dense.min() >= 0.0
    assert dense.shape == (transition.n_states,) * 2
    assert operator.n_states == transition.n_states
    assert operator.work > 0
    assert operator.matvec(x) == pytest.approx(dense @ x, abs=1e-13)
    assert operator.rmatvec(x) == pytest.approx(x @ dense, abs=1e-13)
    assert (policy * transition.expect(x)).sum(axis=1) == pytest.approx(dense @ x, abs=1e-13)
    sparse = operator.sparse()
    assert sparse.has_sorted_indices
    assert sparse.toarray() == pytest.approx(dense, abs=1e-15)


@every
def test_unnormalised_weights_and_repeated_use(key: tuple[str, bool]) -> None:
    transition = ALL[key]
    one, two = random_policy(transition, 5), random_policy(transition, 6)
    x = np.random.default_rng(7).normal(size=transition.n_states)
    total = transition.under(2.0 * one + two).matvec(x)
    assert total == pytest.approx(2 * transition.under(one).matvec(x) + transition.under(two).matvec(x), abs=1e-13)


@every
def test_terminal_expectation_of_one_is_the_termination(key: tuple[str, bool]) -> None:
    transition = ALL[key]
    if key[0] == "table":
        if key[1]:
            with pytest.raises(ValueError, match="put the terminal cost into the cost"):
                transition.terminal_expectation(lambda x: np.ones_like(x))
        return
    got = transition.terminal_expectation(lambda x, *_: np.ones_like(x))
    termination = transition.termination
    assert got == pytest.approx(np.zeros_like(got) if termination is None else termination, abs=1e-14)
    doubled = transition.terminal_expectation(lambda x, *_: 2.0 + 0.0 * x)
    assert doubled == pytest.approx(2.0 * got, abs=1e-14)


@every
def test_descriptions_are_one_line(key: tuple[str, bool]) -> None:
    assert "\n" not in ALL[key].description


def test_a_mixture_is_the_weighted_sum() -> None:
    share = np.random.default_rng(5).random((PLANE.size, 4))
    x = np.random.default_rng(6).normal(size=PLANE.size)
    parts = [
        interpolated_transition(PLANE, means(PLANE, 4, 1), [0.3, 0.0], right),
        interpolated_transition(PLANE, means(PLANE, 4, 2), None, right),
    ]
    mixed = outcomes(right)
    expected = share * parts[0].expect(x) + (1 - share) * parts[1].expect(x)
    assert mixed.expect(x) == pytest.approx(expected, abs=1e-13)
    clamped = [np.zeros_like(share) if part.clamped is None else part.clamped for part in parts]
    assert mixed.clamped == pytest.approx(share * clamped[0] + (1 - share) * clamped[1], abs=1e-14)


@given(st.integers(1, 8), st.integers(1, 4), st.integers(0, 2**31))
def test_tables_agree_with_einsum(states: int, actions: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    array = rng.random((states, actions, states)) * (rng.random((states, actions, states)) < 0.7)
    array /= np.maximum(array.sum(axis=2, keepdims=True), 1.0)
    policy, value = rng.random((states, actions)), rng.normal(size=states)
    for given_as in (array, sp.csr_array(array.reshape(-1, states)), sp.coo_matrix(array.reshape(-1, states))):
        transition = tabulated_transition(given_as, "remainder")
        assert transition.expect(value) == pytest.approx(array @ value, abs=1e-13)
        assert transition.under(policy).dense() == pytest.approx(np.einsum("ia,iaj->ij", policy, array), abs=1e-14)
        missing = transition.termination
        total = array.sum(axis=2)
        assert total + (0.0 if missing is None else missing) == pytest.approx(np.ones_like(total), abs=1e-14)


@given(st.integers(1, 300), st.integers(0, 2**31))
def test_rows_divided_by_their_sums_are_stochastic(states: int, seed: int) -> None:
    rows = np.random.default_rng(seed).random((4, states)) ** 4 + 1e-12
    rows /= rows.sum(axis=1, keepdims=True)
    assert tabulated_transition(np.tile(rows, (states, 1, 1))[:, :, :]).termination is None


@pytest.mark.parametrize("kind", KINDS)
def test_hat_rows_agree_with_quadrature(kind: str) -> None:
    axis = LINE[kind]
    mean, sigma = means(Grid((axis,)), 5)[:, :, 0], spread(kind)
    rows = cell_integrated_transition(axis, mean, sigma)
    xi = np.linspace(-9.0, 9.0, 100_001)
    law = np.exp(-0.5 * xi**2)
    law /= law.sum()
    value = np.random.default_rng(1).normal(size=axis.size)
    got = rows.expect(value)
    for i in range(0, axis.size, 3):
        for k in range(5):
            place = boundary_map(axis, mean[i, k] + sigma[i, k] * xi)
            period = axis.length if axis.periodic else None
            hat = np.interp(place, axis.points, value, period=period)
            assert got[i, k] == pytest.approx(float(law @ hat), abs=1e-7)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sigma", [1e-9, 1e-3, 0.3, 4.0, 50.0])
def test_hat_rows_are_stochastic_for_any_spread(kind: str, sigma: float) -> None:
    axis = LINE[kind]
    mean = means(Grid((axis,)), 30)[:, :, 0] * 3.0
    rows = cell_integrated_transition(axis, mean, np.full(mean.shape, sigma))
    dense = rows.under(np.eye(1, 30).repeat(axis.size, axis=0)).dense()
    assert dense.min() >= 0.0
    assert np.abs(rows.expect(np.ones(axis.size)) - 1.0).max() < 1e-14


def test_vanishing_spread_is_interpolation() -> None:
    for kind in KINDS:
        grid = Grid((LINE[kind],))
        f, value = means(grid, 6) * 2.0, np.random.default_rng(3).normal(size=grid.size)
        exact = interpolated_transition(grid, f).expect(value)
        for sigma in (0.0, 1e-13):
            hats = cell_integrated_transition(LINE[kind], f[:, :, 0], np.full(f.shape[:2], sigma))
            assert hats.expect(value) == pytest.approx(exact, abs=1e-11)


def test_gauss_hermite_is_exact_for_polynomials_away_from_the_ends() -> None:
    axes = tuple(uniform_axis(name, -40.0, 40.0, 161, "clamp") for name in "xy")
    rng = np.random.default_rng(0)
    states = Grid((axes[0],))
    f, s = rng.uniform(-2.0, 2.0, (161, 3, 1)), rng.uniform(0.5, 2.0, (161, 3, 1))
    value = states.points[:, 0] ** 2
    got = gauss_hermite_transition(states, f, s, 5).expect(value)
    lattice = 0.25 * 0.5**2
    assert np.all(got >= (f**2 + s**2)[:, :, 0] - 1e-12)
    assert np.all(got <= (f**2 + s**2)[:, :, 0] + lattice + 1e-12)


def test_termination_without_noise_is_judged_on_the_next_state_itself() -> None:
    f = means(PLANE, 6, 9)
    places = [boundary_map(axis, f[:, :, j]) for j, axis in enumerate(PLANE.axes)]
    dead = places[0] + places[1] > 1.2
    transition = interpolated_transition(PLANE, f, None, lambda x, y: x + y > 1.2)
    assert transition.termination is not None
    assert np.array_equal(transition.termination, dead.astype(float))
    assert transition.expect(np.ones(PLANE.size)) == pytest.approx(1.0 - dead, abs=0.0)
    got = transition.terminal_expectation(lambda x, y: x * y)
    assert got == pytest.approx(np.where(dead, places[0] * places[1], 0.0), abs=1e-14)


def test_termination_at_a_clamped_end_is_the_probability_of_being_clamped() -> None:
    axis = uniform_axis("x", -1.0, 1.0, 81, "clamp")
    f = means(Grid((axis,)), 4)
    either = interpolated_transition(Grid((axis,)), f, [0.4]).clamped
    assert either is not None
    made: list[tuple[Transition, float]] = [
        (interpolated_transition(Grid((axis,)), f, [0.4], lambda x: x >= 1.0), 2e-4),
        (cell_integrated_transition(axis, f[:, :, 0], np.full(f.shape[:2], 0.4), lambda x: x >= 1.0), 1e-14),
    ]
    for transition, tolerance in made:
        assert transition.termination is not None
        below = cell_integrated_transition(axis, f[:, :, 0], np.full(f.shape[:2], 0.4), lambda x: x <= -1.0)
        assert below.termination is not None
        assert transition.termination + below.termination == pytest.approx(either, abs=tolerance)


def test_half_dead_cells_end_half_of_their_mass() -> None:
    axis = uniform_axis("x", 0.0, 1.0, 4, "periodic")
    law = interpolated_transition(Grid((axis,)), np.zeros((4, 1, 1)), [10.0], lambda x: x < 0.375)
    assert law.termination == pytest.approx(np.full((4, 1), 0.375), abs=1e-15)
    assert law.terminal_expectation(lambda x: x) == pytest.approx(np.full((4, 1), 0.375**2 / 2), rel=1e-12)


def test_clamped_is_none_where_nothing_reaches_an_end() -> None:
    grid = Grid((LINE["clamp"],))
    assert interpolated_transition(grid, np.full((9, 2, 1), 0.5), [0.1]).clamped is None
    moved = interpolated_transition(grid, np.full((9, 2, 1), 2.5)).clamped
    assert moved is not None
    assert np.array_equal(moved, np.ones((9, 2)))


def test_states_outside_lie_outside_the_set() -> None:
    alive = states_outside(PLANE, lambda x, y: x > 0.6)
    assert np.array_equal(alive, PLANE.points[:, 0] <= 0.6)
    assert states_outside(PLANE, None).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: tabulated_transition(np.ones((2, 3, 4))), "transition has shape"),
        (lambda: tabulated_transition(sp.csr_array(np.ones((3, 2)))), r"shape \(3, 2\); expected"),
        (lambda: tabulated_transition(np.full((2, 2, 2), 0.6)), "state 0, action 0: probabilities sum to 1.2"),
        (lambda: tabulated_transition(np.array([[[0.5, 0.5]], [[1.5, -0.5]]])), "state 1, action 0: .* negative"),
        (lambda: tabulated_transition(np.array([[[np.nan, 0.5]], [[1.0, 0.0]]])), "state 0, action 0: .* not finite"),
        (lambda: mixture_transition([]), "at least one outcome"),
        (lambda: mixture_transition([(np.full((12, 3), 0.9), table(False))]), "state 0, action 0: .* sum to 0.9"),
        (lambda: mixture_transition([(np.ones((2, 3)), table(False))]), "outcome 0: sizes"),
        (lambda: mixture_transition([(np.full((12, 3), -1.0), table(False))]), "outcome 0, state 0, action 0"),
        (
            lambda: cell_integrated_transition(LINE["clamp"], np.zeros((9, 2)), np.full((9, 2), -0.1)),
            r"state 0 \(x = -1\), action 0: sigma is -0.1",
        ),
        (lambda: cell_integrated_transition(LINE["clamp"], np.zeros((8, 2)), np.zeros((8, 2))), "have shapes"),
        (
            lambda: gauss_hermite_transition(PLANE, means(PLANE, 2), -np.ones((PLANE.size, 2, 2))),
            r"noise of x is -1.0 from state 0 \(x = -1",
        ),
        (
            lambda: interpolated_transition(PLANE, means(PLANE, 4), None, right).terminal_expectation(
                lambda x, y: np.full_like(x, np.nan)
            ),
            r"terminal function is nan from state \d+ \(x = ",
        ),
        (
            lambda: interpolated_transition(PLANE, means(PLANE, 4), [0.1, 0.1], right).terminal_expectation(
                lambda x, y: np.full_like(x, np.inf)
            ),
            "terminal function is inf at x = ",
        ),
    ],
)
def test_errors_name_the_pair(call: object, words: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("sigma", [[0.0, 0.0], [0.3, 0.0]], ids=["certain", "noisy"])
def test_pairs_that_end_contribute_nothing_and_all_others_what_they_did(sigma: list[float]) -> None:
    f, rng = means(PLANE, 4), np.random.default_rng(12)
    ended, value, policy = rng.random((PLANE.size, 4)) < 0.3, rng.normal(size=PLANE.size), rng.random((PLANE.size, 4))
    whole = interpolated_transition(PLANE, f, sigma)
    cut = interpolated_transition(PLANE, f, sigma, ended=ended)
    assert cut.expect(value) == pytest.approx(np.where(ended, 0.0, whole.expect(value)), abs=1e-14)
    assert cut.under(policy).matvec(value) == pytest.approx((policy * cut.expect(value)).sum(axis=1), abs=1e-13)
    assert cut.termination is not None
    assert np.array_equal(cut.termination, ended)
    assert whole.termination is None
    with pytest.raises(ValueError, match="put the terminal cost into the cost"):
        cut.terminal_expectation(lambda x, y: x)
    with pytest.raises(ValueError, match=r"ended has shape \(54, 3\); give one of \(54, 4\) and no terminal set"):
        interpolated_transition(PLANE, f, sigma, ended=ended[:, :3])
    with pytest.raises(ValueError, match="no terminal set"):
        interpolated_transition(PLANE, f, sigma, right, ended=ended)
