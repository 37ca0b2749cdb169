"""Tables and progress on the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from grids.axis import uniform_axis
from grids.grid import Grid
from solver.run_file import open_run
from tests.wpoflow.runs import small_run
from views.terminal import ProgressView, bytes_text, grid_line, number_text, sizes_line, summary, table


@dataclass
class Step:
    """What a run reports."""

    time: float = 0.0
    gap: float = 1.0
    rate: float = 2.0
    step_size: float = 0.1
    steps: int = 0
    wall_seconds: float = 0.0


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


def test_plain_progress_is_a_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressView({"time": 1.0}, live=False) as view:
        for second in range(1000):
            view(Step(time=second / 1000.0, wall_seconds=float(second)))
    lines = capsys.readouterr().out.splitlines()
    assert 10 <= len(lines) <= 20
    assert "gap 1.000e+00" in lines[0]


def test_short_runs_show_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressView({"time": 1.0}, live=False) as view:
        view(Step(wall_seconds=1.0))
    assert capsys.readouterr().out == ""


def test_live_progress_shows_the_gap(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes the captured output for a terminal
    with ProgressView({"gap": 1e-3}, live=True) as view:
        view(Step())
        view(Step(gap=0.5))
    assert "gap 5.000e-01" in capsys.readouterr().out


def test_the_share_done_is_that_of_the_nearest_criterion() -> None:
    view = ProgressView({"time": 10.0, "gap": 1e-4, "steps": 100.0, "wall": 50.0}, live=False)
    view(Step(gap=1.0))
    assert view.fraction(Step(gap=1.0)) == 0.0
    assert view.fraction(Step(gap=1e-2)) == pytest.approx(0.5)
    assert view.fraction(Step(gap=1e-2, time=8.0)) == pytest.approx(0.8)
    assert view.fraction(Step(steps=90)) == pytest.approx(0.9)
    assert view.fraction(Step(wall_seconds=60.0)) == 1.0
