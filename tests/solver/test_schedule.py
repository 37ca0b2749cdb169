"""When runs record: times that are the same, and what a fixed step is cut for."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest

from tests.solver.test_evolve import flow_for, problem_for, small_problem
from wpoflow.solver.records.schedule import landings, merge, reached, series_times, snapshot_times
from wpoflow.solver.records.settings import RecordTable, Settings
from wpoflow.solver.registry import AUTOMATIC, fixed_step_schemes
from wpoflow.solver.runs.evolve import evolve
from wpoflow.solver.schemes.trajectory import flow


def recorded(**record: Any) -> RecordTable:
    """What is recorded of a run that is asked for this."""
    return Settings.of(until=1.0, **record).record


def test_times_that_differ_by_rounding_are_one() -> None:
    assert list(merge(iter([0.3]), iter([0.1, 0.2, 3 * 0.1]))) == [0.1, 0.2, 0.3]
    assert list(merge(iter([3 * 0.1]), iter([0.1, 0.2, 0.3, 0.4]))) == [0.1, 0.2, 3 * 0.1, 0.4]
    assert list(merge(iter([0.0, 1.0]), iter([0.0, 1e-13, 1.0 + 1e-11]))) == [0.0, 1e-13, 1.0, 1.0 + 1e-11]
    rows = series_times(recorded(series={"every": 1.0}).series)
    assert list(islice(merge(rows, iter([2.5])), 4)) == [1.0, 2.0, 2.5, 3.0]
    assert list(merge(iter([]))) == []
    assert reached(0.3, 3 * 0.1)
    assert not reached(0.3, 0.3 * (1.0 + 1e-11))


@pytest.mark.parametrize("control", [{"step": 0.07}, {"accuracy": 1e-3}])
def test_a_time_given_twice_is_landed_on_once_and_recorded_for_both(control: dict[str, Any]) -> None:
    twice = 3 * 0.1
    assert twice != 0.3
    sizes = []
    run = evolve(
        small_problem(),
        until=0.6,
        series={"times": [0.1, twice]},
        snapshots=[0.3],
        progress=lambda now: sizes.append(now.step_size),
        **control,
    )
    np.testing.assert_array_equal(run.series["time"], [0.0, 0.1, 0.3, 0.6])
    assert run.snapshots is not None
    np.testing.assert_array_equal(run.snapshots.time, [0.3, 0.6])
    assert min(sizes[1:]) > 1e-6


def test_the_end_is_met_although_a_row_falls_just_before_it() -> None:
    assert 3 * 0.7 < 2.1
    run = evolve(small_problem(), until=2.1, step=0.1, series={"every": 0.7})
    assert run.series["time"][-1] == 2.1
    assert len(run.series["time"]) == 4
    assert run.attributes["steps"] == 21


@pytest.mark.parametrize("scheme", [AUTOMATIC, *fixed_step_schemes()])
def test_a_fixed_step_is_not_cut_for_geometric_rows_and_snapshots(scheme: str) -> None:
    run = evolve(problem_for(scheme), until={"steps": 20}, step=0.05, scheme=scheme, flow=flow_for(scheme))
    series = run.series
    np.testing.assert_allclose(series["time"][-1], 1.0, rtol=1e-14)
    np.testing.assert_allclose(series["step_size"][1:], 0.05, rtol=1e-12)
    np.testing.assert_allclose(np.round(series["time"] / 0.05) * 0.05, series["time"], rtol=1e-12)
    wanted = [time for time in islice(series_times(RecordTable().series), 100) if time <= 1.0]
    for time in wanted:
        assert np.any((series["time"] >= time * (1 - 1e-12)) & (series["time"] < time + 0.05 * (1 + 1e-9)))
    assert run.snapshots is not None
    assert set(run.snapshots.time) <= set(series["time"]) | set(0.05 * np.arange(21))
    assert len(run.snapshots.time) > 2


def test_a_fixed_step_is_cut_for_listed_times_and_the_end() -> None:
    listed = [0.12, 0.3]
    run = evolve(small_problem(), until=0.52, step=0.05, scheme="euler", series={"times": listed}, snapshots=[0.2])
    np.testing.assert_array_equal(run.series["time"], [0.0, 0.12, 0.3, 0.52])
    assert run.snapshots is not None
    np.testing.assert_array_equal(run.snapshots.time, [0.2, 0.52])
    run = evolve(small_problem(), until=0.52, step=0.05, scheme="euler", series={"every": 0.13})
    np.testing.assert_allclose(run.series["time"], [0.0, 0.13, 0.26, 0.39, 0.52], rtol=1e-14)
    run = evolve(small_problem(), until=0.52, step=0.05, scheme="euler")
    assert run.series["time"][-1] == 0.52
    assert run.attributes["steps"] == 11


def test_what_steps_are_cut_for() -> None:
    geometric: dict[str, Any] = {"series": {"first": 0.1, "per_decade": 1}, "snapshots": 3}
    assert list(landings(Settings.of(until=2.0, step=0.1, **geometric))) == [2.0]
    assert list(landings(Settings.of(until={"steps": 5}, step=0.1))) == []
    listed = Settings.of(until=2.0, step=0.1, series={"times": [1.0, 0.5]}, snapshots={"times": [0.7]})
    assert list(landings(listed)) == [0.5, 0.7, 1.0, 2.0]
    controlled = list(islice(landings(Settings.of(until=2.0, accuracy=1e-3, **geometric)), 5))
    np.testing.assert_allclose(controlled, [0.0, 0.1, 1.0, 2.0, 10.0])


def test_landings_of_the_iterator_that_differ_by_rounding_make_one_step() -> None:
    states = list(islice(flow(small_problem(), step=0.1, landings=[0.3, 3 * 0.1, 0.5]), 6))
    np.testing.assert_allclose([state.step_size for state in states[1:]], 0.1, rtol=1e-9)


def test_ladders_of_snapshots() -> None:
    series = {"first": 0.01, "per_decade": 20}
    np.testing.assert_allclose(snapshot_times(recorded(series=series, snapshots=4), 1.0), [0.0, 0.01, 0.1, 1.0])
    assert snapshot_times(recorded(snapshots=1), 1.0) == [0.0]
    assert snapshot_times(recorded(snapshots=0), 1.0) == []
    np.testing.assert_allclose(snapshot_times(recorded(series=series, snapshots=3), None), [0.0, 0.01, 1e4])


def test_rows() -> None:
    assert list(islice(series_times(recorded(series={"every": 0.5}).series), 3)) == [0.5, 1.0, 1.5]
    geometric = islice(series_times(recorded(series={"first": 0.01, "per_decade": 2}).series), 3)
    np.testing.assert_allclose(list(geometric), [0.01, 0.01 * 10**0.5, 0.1])
    assert list(series_times(recorded(series={"times": np.array([3.0, 1.0])}).series)) == [1.0, 3.0]


def test_numbers_of_numpy_ask_for_the_same() -> None:
    times = np.linspace(0.0, 1.0, 5)
    assert recorded(snapshots=np.int64(3), series={"times": times}) == recorded(
        snapshots=3, series={"times": times.tolist()}
    )
