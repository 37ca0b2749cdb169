"""That a pair ends is stated, never read from what its row misses to one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

import wpoflow as wpo
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import (
    MixtureTransition,
    TabulatedTransition,
    cell_integrated_transition,
    interpolated_transition,
    mixture_transition,
    tabulated_transition,
)
from wpoflow.grids.transitions.base import in_words

SHAPE = (4, 3, 4)


def stochastic(seed: int = 0) -> FloatArray:
    return np.asarray(np.random.default_rng(seed).dirichlet(np.ones(4), (4, 3)))


def forms(table: FloatArray) -> list[Any]:
    """The same table as a tensor, as nested lists and in several sparse formats."""
    flat = table.reshape(-1, table.shape[2])
    return [table, table.tolist(), sp.csr_array(flat), sp.coo_matrix(flat), sp.lil_array(flat), sp.dok_array(flat)]


@pytest.mark.parametrize("missing", [1e-3, 1e-4, 1e-10, 1e-13, -1e-4, -1e-13])
def test_a_row_that_misses_one_is_refused_with_its_pair_its_sum_and_the_ways_out(missing: float) -> None:
    rows = np.full((2, 1, 2), 0.5)
    rows[1, 0, 1] -= missing
    for table in forms(rows):
        with pytest.raises(
            ValueError, match=r"^state 1, action 0: probabilities sum to (0\.9|1\.0)\d+, not to one"
        ) as error:
            tabulated_transition(table)
        assert all(way in str(error.value) for way in ("divide rows", "ends=(S, A)", 'ends="remainder"'))
        assert "\n" not in str(error.value)


def test_rows_written_with_four_digits_are_refused_and_counted() -> None:
    with pytest.raises(ValueError, match=r"sum to 0\.9998999999999999\d*, not to one|\(and 5 more pairs likewise\)"):
        tabulated_transition(np.full((3, 2, 3), 0.3333))


def test_a_forgotten_pair_is_refused_by_name() -> None:
    table = stochastic()
    table[2, 1] = 0.0
    for given_as in forms(table):
        with pytest.raises(ValueError, match="state 2, action 1: probabilities sum to 0, not to one"):
            tabulated_transition(given_as)


@given(st.integers(0, 2**31), st.floats(1e-10, 1.0))
def test_the_remainder_and_the_probabilities_it_is_made_of_are_one_problem(seed: int, largest: float) -> None:
    ends = np.random.default_rng(seed).random((4, 3)) * largest
    ends[0] = 0.0
    table = stochastic(seed) * (1.0 - ends[..., None])
    value = np.random.default_rng(seed).normal(size=4)
    stated, remainder = tabulated_transition(table, ends), tabulated_transition(table, ends="remainder")
    assert stated.termination is not None
    assert remainder.termination is not None
    assert np.array_equal(stated.termination, ends)
    assert remainder.termination == pytest.approx(ends, abs=1e-14)
    assert np.array_equal(stated.expect(value), remainder.expect(value))
    assert (stated.termination[0] == 0.0).all()
    assert (remainder.termination[0] == 0.0).all()


def test_nothing_ends_where_all_rows_are_stochastic_whatever_is_said() -> None:
    for ends in (None, "remainder", np.zeros((4, 3)), np.zeros((4, 3), dtype=int).tolist()):
        transition = tabulated_transition(stochastic(), ends)  # type: ignore[arg-type]
        assert transition.termination is None
        assert "end" not in in_words(transition)


def with_sum(pair: tuple[int, int], total: float) -> FloatArray:
    table = stochastic()
    table[pair] *= total
    return table


def tab(*arguments: Any) -> TabulatedTransition:
    return tabulated_transition(*arguments)


def mixed(weights: list[Any]) -> MixtureTransition:
    parts = [w if np.ndim(w) else np.full((4, 3), w) for w in weights]
    return mixture_transition([(part, tab(stochastic())) for part in parts])


def halves() -> FloatArray:
    return np.full((4, 3), 0.5)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: tab(with_sum((1, 2), 0.75), halves() * 0),
            r"state 1, action 2: .* sum to 0\.7.*, the probability of an end is 0, and with",
        ),
        (
            lambda: tab(stochastic(), halves()),
            r"the probability of an end is 0\.5 \(and 11 more pairs likewise\), and with it not",
        ),
        (
            lambda: tab(with_sum((3, 0), 1.5), "remainder"),
            r"state 3, action 0: .* sum to 1\.[45]\d*, more than one; div",
        ),
        (lambda: tab(stochastic(), "rest"), r"ends is 'rest'; give \(S, A\) probabilities, \"rem"),
        (lambda: tab(stochastic(), np.zeros((3, 4))), r"ends has shape \(3, 4\); expected .* \(4, 3\)"),
        (lambda: tab(stochastic(), halves() - 1.0), r"state 0, action 0: .* of an end is -0\.5"),
        (lambda: tab(stochastic(), halves() * np.nan), "the probability of an end is nan"),
        (lambda: tab(stochastic(), np.ma.masked_less(halves(), 0.1)), "ends: a masked array"),
        (lambda: tab(stochastic(), halves() * 1j), "ends: complex"),
        (lambda: tab(np.ma.masked_less(stochastic(), 0.1)), "transition: a masked array"),
        (lambda: tab(np.ma.array(stochastic())), "transition: a masked array"),
        (lambda: tab(list(np.ma.masked_less(stochastic(), 0.1))), "transition: a masked array"),
        (lambda: tab(stochastic() * (1 + 0j)), "transition: complex"),
        (lambda: tab(sp.csr_array(stochastic().reshape(12, 4) * (1 + 0j))), "transition: complex"),
        (lambda: tab(stochastic().astype(str)), "transition: of type <U"),
        (lambda: tab(np.array([[[None, 1.0]], [[0.5, 0.5]]])), "transition: of type object"),
        (lambda: tab(stochastic().astype(np.float32)), "its numbers are float32: convert them before"),
        (lambda: tab(with_sum((0, 0), np.inf)), "state 0, action 0: probability inf of state 0 is"),
        (lambda: mixed([0.5, 0.5 + 1e-13]), r"state 0, action 0: probabilities of the outcomes sum to 1\.0+9"),
        (lambda: mixed([np.ma.array(np.ones((4, 3)))]), "outcome 0: probabilities: a masked array"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(call: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words) as error:
        call()
    assert "\n" not in str(error.value)


class NullableTable:
    """As other libraries have them: numbers, and beside them which are missing."""

    def __init__(self, values: FloatArray) -> None:
        self.values, self.mask = values, values < 0.1

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> FloatArray:
        return self.values


def test_masks_of_other_libraries_are_seen() -> None:
    with pytest.raises(ValueError, match="transition: a masked array"):
        tabulated_transition(NullableTable(stochastic()))  # type: ignore[arg-type]


def test_single_precision_that_is_exact_is_taken() -> None:
    table: Any = np.full((2, 1, 2), 0.5, dtype=np.float32)
    assert tabulated_transition(table).expect(np.array([1.0, 3.0]))[0, 0] == 2.0


def test_converted_before_it_is_divided_single_precision_is_taken() -> None:
    table = stochastic().astype(np.float32).astype(float)
    table /= table.sum(axis=2, keepdims=True)
    assert tabulated_transition(table).termination is None


def test_tables_of_actions_say_that_their_order_matters() -> None:
    assert "actions are cells on a line in this order" in tabulated_transition(stochastic()).description
    assert "order" not in tabulated_transition(np.full((2, 2, 2), 0.5)).description


def problem(transition: wpo.grids.transitions.Transition) -> wpo.GridMDP:
    uniform = np.full(3, 1.0 / 3.0)
    return wpo.GridMDP(
        states=Grid((uniform_axis("x", 0.0, 3.0, 4, "clamp"),)),
        actions=Grid((uniform_axis("u", 0.0, 1.0, 3),)),
        discount=0.99,
        temperature=0.1,
        cost=np.ones((4, 3)),
        transition=transition,
        reference_mass=uniform,
        rho=np.full(4, 0.25),
        initial_policy=np.tile(uniform, (4, 1)),
    )


def test_an_end_with_a_probability_is_worth_what_it_is_worth() -> None:
    """Cost 1 a step, an end with probability e: V = 1/(1 - gamma (1 - e))."""
    ends = np.full((4, 3), 0.125)
    best = wpo.solve_optimum(problem(tabulated_transition(stochastic() * 0.875, ends)))
    assert best.value == pytest.approx(np.full(4, 1.0 / (1.0 - 0.99 * 0.875)), rel=1e-13)


def test_all_kinds_say_how_many_pairs_can_end_and_how_surely() -> None:
    states = Grid((uniform_axis("x", -1.0, 1.0, 9, "clamp"),))
    mean = np.linspace(-1.0, 1.0, 9)[:, None] + np.zeros((9, 2))
    ended = np.zeros((9, 2), dtype=np.bool_)
    ended[3, 1] = True
    certain = interpolated_transition(states, mean[..., None], None, lambda x: x > 0.9)
    by_pair = interpolated_transition(states, mean[..., None], None, ended=ended)
    hats = cell_integrated_transition(states.axes[0], mean, np.full((9, 2), 0.1), lambda x: x > 0.5)
    half = np.full((9, 2), 0.5)
    mixture = mixture_transition([(half, certain), (half, by_pair)])
    rows = np.full((9, 2, 9), 1.0 / 9.0)
    rows[4] *= 0.25
    table = tabulated_transition(rows, "remainder")
    assert "2 of 18 pairs can end, with probability at most 1" in in_words(certain)
    assert "1 of 18 pairs can end, with probability at most 1" in in_words(by_pair)
    assert "3 of 18 pairs can end, with probability at most 0.5" in in_words(mixture)
    assert hats.termination is not None
    assert f"{np.count_nonzero(hats.termination)} of 18 pairs can end" in in_words(hats)
    assert "2 of 18 pairs can end, with probability at most 0.75" in table.description
    for transition in (certain, by_pair, hats, mixture, table):
        assert in_words(transition).count("can end") == 1


@pytest.mark.parametrize("name", ["cost", "rho", "reference_mass", "initial_policy"])
def test_masked_and_complex_arrays_of_a_problem_are_refused_by_name(name: str) -> None:
    mdp = problem(tabulated_transition(stochastic()))
    array: Any = getattr(mdp, name)
    masked: dict[str, Any] = {name: np.ma.masked_less(array, 0.3)}
    with pytest.raises(ValueError, match=f"^{name}: a masked array"):
        replace(mdp, **masked)
    with pytest.raises(ValueError, match=f"^{name}: complex"):
        replace(mdp, **{name: array + 0j})
