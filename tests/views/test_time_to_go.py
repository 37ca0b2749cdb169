"""Time to go: right where the run is steady, silent where it is not, and never jumping."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from tests.views.test_progress import Step
from wpoflow.views.time_to_go import TimeToGo, duration_text


def steps(
    end: float, *, largest: float = 0.1, seconds: float = 0.5, rate: float = 2.0, row: float = 0.0
) -> Iterator[Step]:
    """A run whose step doubles until it is as large as it gets; the gap is known in rows of that distance only."""
    time, size, wall, count, known = 0.0, 1e-4, 40.0, 0, 0.0  # forty seconds of compiling before
    yield Step(wall_seconds=wall, rate=rate)
    while time < end:
        size = min(2.0 * size, largest)
        time, wall, count = time + size, wall + seconds, count + 1
        known = time if time >= known + row else known
        yield Step(time, math.exp(-rate * known), rate, size, count, wall)


def told(until: dict[str, float], run: list[Step]) -> list[tuple[float, float]]:
    """Estimates and truths where something is said."""
    to_go = TimeToGo(until)
    found = [(to_go(step), run[-1].wall_seconds - step.wall_seconds) for step in run]
    return [(said, truth) for said, truth in found if said is not None]


@pytest.mark.parametrize("until", [{"time": 20.0}, {"gap": math.exp(-40.0)}, {"time": 1000.0, "gap": math.exp(-40.0)}])
def test_a_steady_run(until: dict[str, float]) -> None:
    run = list(steps(20.0, row=1.7 if "gap" in until else 0.0))
    pairs = told(until, run)
    assert len(pairs) > 0.85 * len(run)
    assert all(said == pytest.approx(truth, rel=0.1, abs=3.0) for said, truth in pairs)


def test_nothing_is_said_while_steps_grow() -> None:
    to_go = TimeToGo({"time": 20.0})
    said = [(step, to_go(step)) for step in steps(20.0)]
    assert all(number is None for step, number in said if step.step_size < 0.02)
    worst = max(number for _, number in said if number is not None)
    assert worst < 1.5 * 0.5 * 20.0 / 0.1


def test_the_number_told_never_jumps() -> None:
    """Seconds a step vary by a factor of ten from step to step; the number follows calmly."""
    to_go, wall, last = TimeToGo({"steps": 400.0}), 0.0, None
    for count in range(1, 400):
        wall += 0.05 if count % 2 else 0.5
        said = to_go(Step(count * 0.1, 1.0, 2.0, 0.1, count, wall))
        if said is not None and last is not None:
            assert abs(said - last) < 3.0
        last = said


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan])
def test_a_gap_that_does_not_fall_gives_no_number(rate: float) -> None:
    assert told({"gap": 1e-9}, list(steps(5.0, rate=rate))) == []


def test_the_first_criterion_to_be_met_counts() -> None:
    (*_, (said, _)) = told({"time": 1e9, "wall": 100.0, "steps": 1e9}, list(steps(5.0)))
    last = list(steps(5.0))[-1]
    assert said == pytest.approx(100.0 - last.wall_seconds, abs=1e-6)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "a few s"), (8.0, "10 s"), (31.0, "30 s"), (58.0, "1 min"), (89.0, "1 min"), (600.0, "10 min"),
        (5699.0, "95 min"), (7200.0, "2 h"), (1e6, "12 days"),
    ],
)  # fmt: skip
def test_durations_in_round_words(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text
