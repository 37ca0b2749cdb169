"""Tables and summaries on the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.wpoflow.runs import small_run
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.solver.storage.writer import open_run
from wpoflow.views.terminal import bytes_text, grid_line, number_text, sizes_line, summary, table


def test_tables_are_aligned() -> None:
    assert table([("a", "1"), ("long", "2\n3"), ("", "4")]) == "a     1\nlong  2\n      3\n      4"
    assert table([]) == ""


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (2.34e9, "2.34 GB"), (5e14, "500,000 GB")]
)
def test_memory_in_words(number: float, text: str) -> None:
    assert bytes_text(number) == text


def test_grids_in_words() -> None:
    grid = Grid((uniform_axis("x", -4.0, 4.0, 128, "clamp"), uniform_axis("v", 0.0, 1.0, 2, "periodic")))
    assert grid_line(grid) == "x 128 on [-4, 4] clamp, v 2 on [0, 1] periodic"
    assert sizes_line(1, 2000) == "1 state x 2,000 actions = 2,000 pairs"
    assert number_text(float("nan")) == "unknown"


def test_the_summary_says_how_the_run_ended(tmp_path: Path) -> None:
    small_run(tmp_path / "run.h5", status="interrupted")
    rows = dict(summary(open_run(tmp_path / "run.h5")))
    assert rows["gap"] == "2 -> 0.5"
    assert rows["status"] == "interrupted"
    assert rows["stopped"] == "flow time 1 reached"
    assert rows["seconds"] == "0.50, of which 0.25 compiling"
    assert rows["steps"].startswith("3 (")


@pytest.mark.parametrize(
    ("reached", "status"), [(0, "complete, goal not reached"), (1, "complete"), (None, "complete")]
)
def test_the_summary_says_whether_the_goal_was_reached(tmp_path: Path, reached: int | None, status: str) -> None:
    small_run(tmp_path / "run.h5")
    run = open_run(tmp_path / "run.h5")
    run.attributes = {**run.attributes, **({} if reached is None else {"reached_goal": reached})}
    assert dict(summary(run))["status"] == status
