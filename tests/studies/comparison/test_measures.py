"""What a run took to a gap, where it stalled, and how a flow is written in one word: exact cases."""

from __future__ import annotations

import numpy as np
import pytest

from wpoflow.studies.comparison.contestant import contestant, contestants
from wpoflow.studies.comparison.measures import levels, observed_rate, reached, stall

TIME = np.linspace(0.0, 10.0, 101)


def test_time_to_a_gap_of_an_exponential_is_its_logarithm() -> None:
    gap = 2.0 * np.exp(-0.7 * TIME)
    counts = np.arange(TIME.size, dtype=np.float64)
    found = reached(0.1, TIME, gap, counts, 0.5 * counts)
    assert found.time == pytest.approx(np.log(20.0) / 0.7, rel=1e-12)
    assert found.evaluations == np.ceil(np.log(20.0) / 0.07)
    assert found.cpu_seconds == 0.5 * found.evaluations
    assert np.isnan(reached(1e-4, TIME, gap, counts, counts).time)


def test_levels_are_powers_of_ten_between_start_and_end() -> None:
    assert levels([np.array([2.0, 1e-3]), np.array([2.0, 0.05])]) == pytest.approx([0.1, 0.01, 0.001])
    assert levels([np.array([0.05, 1e-3])]) == pytest.approx([0.01, 0.001])


def test_the_rate_is_that_of_the_last_row_clear_of_rounding() -> None:
    gap = np.exp(-2.0 * TIME)
    assert observed_rate(TIME, gap, np.full_like(TIME, np.nan), 1e-10) == pytest.approx(2.0, rel=1e-9)
    rates = np.where(gap > 1e-8, 2.0, 77.0)
    assert observed_rate(TIME, gap, rates, 1e-10) == 2.0


def test_a_plateau_is_a_stall_and_a_steady_fall_is_none() -> None:
    assert stall(TIME, np.exp(-TIME), 0.0) is None
    gap = np.where(TIME < 2.0, np.exp(-TIME), np.where(TIME < 7.0, np.exp(-2.0), np.exp(5.0 - TIME)))
    found = stall(TIME, gap, 0.0)
    assert found is not None
    assert (found.begin, found.end) == pytest.approx((2.0, 7.1), abs=0.11)
    assert found.gap == pytest.approx(np.exp(-2.0))
    assert stall(TIME, gap, 1e-2) is None  # it lies within a hundred floors


def test_what_does_not_move_at_all_stalls_from_the_start() -> None:
    found = stall(TIME, np.ones_like(TIME), 0.0)
    assert found is not None
    assert (found.begin, found.end) == (0.0, 10.0)


def test_a_flow_with_its_keys_in_one_word() -> None:
    one = contestant("wasserstein-fisher-rao:beta=2,accuracy=1e-4")
    assert (one.flow, dict(one.settings), dict(one.parameters)) == (
        "wasserstein-fisher-rao", {"accuracy": 1e-4}, {"beta": 2.0},
    )  # fmt: skip
    assert one.file_name == "wasserstein-fisher-rao-beta=2-accuracy=1e-4.h5"


@pytest.mark.parametrize(
    ("label", "says"),
    [
        ("wfr", "'wfr' is no flow; choose wasserstein"),
        ("mirror:step", "write KEY=VALUE, not 'step'; keys are step"),
        ("mirror:step=x", "step = 'x' is not a number"),
        ("mirror:step=-1", "step = -1 must be positive and finite"),
        ("mirror:accuracy=1", "accuracy is not a key of mirror; choose step"),
        ("fisher-rao:beta=1", "beta is not a key of fisher-rao; choose scheme, accuracy, step or anneal"),
        ("fisher-rao:step=1,accuracy=1", "give step or accuracy, not both"),
        ("fisher-rao:step=1,step=2", "step is given twice"),
    ],
)
def test_what_is_no_flow_is_refused_in_one_line(label: str, says: str) -> None:
    with pytest.raises(ValueError) as caught:
        contestant(label)
    assert says in str(caught.value)
    assert label in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="is given twice"):
        contestants(["mirror:step=1", "mirror:step=1"])
    with pytest.raises(ValueError, match="at least one"):
        contestants([])
