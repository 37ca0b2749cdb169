"""Progress on the terminal: lines while steps are taken, and what is waited for before the first."""

from __future__ import annotations

import math
import re
import sys
import threading
import time

import pytest

import wpoflow as wpo
from wpoflow.core.display import looked_at, silent
from wpoflow.solver.runs.loop import Progress
from wpoflow.views.progress import BeforeFirstStep, ProgressView


def step(
    time: float = 0.0, gap: float = 1.0, rate: float = 2.0, size: float = 0.1, steps: int = 0, wall_seconds: float = 0.0
) -> Progress:
    return Progress(time, gap, rate, size, steps, 0, wall_seconds)


def test_plain_progress_is_a_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressView({"time": 1.0}, live=False) as view:
        for second in range(1000):
            view(step(time=second / 1000.0, wall_seconds=float(second)))
    lines = capsys.readouterr().out.splitlines()
    assert 10 <= len(lines) <= 20
    assert "gap 1.000e+00" in lines[0]


def test_short_runs_show_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressView({"time": 1.0}, live=False) as view:
        view(step(wall_seconds=1.0))
    assert capsys.readouterr().out == ""


def test_live_progress_shows_the_gap(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes the captured output for a terminal
    with ProgressView({"gap": 1e-3}, live=True) as view:
        view(step())
        view(step(gap=0.5, steps=1))
    assert "gap 5.0e-01" in capsys.readouterr().out


def test_the_share_done_is_that_of_the_nearest_criterion() -> None:
    view = ProgressView({"time": 10.0, "gap": 1e-4, "steps": 100.0, "wall": 50.0}, live=False)
    view(step(gap=1.0))
    assert view.fraction(step(gap=1.0)) == 0.0
    assert view.fraction(step(gap=1e-2)) == pytest.approx(0.5)
    assert view.fraction(step(gap=1e-2, time=8.0)) == pytest.approx(0.8)
    assert view.fraction(step(steps=90)) == pytest.approx(0.9)
    assert view.fraction(step(wall_seconds=60.0)) == 1.0


@pytest.mark.parametrize("until", [{"time": 20.0}, {"gap": math.exp(-40.0)}])
def test_the_time_to_go_of_a_steady_run(until: dict[str, float], capsys: pytest.CaptureFixture[str]) -> None:
    """Right to a tenth where steps are equal, though the gap is known in few rows only, and silent at first."""
    with ProgressView(until, live=False) as view:
        for count in range(4000):
            row = 0.005 * (count - count % 340)
            view(step(0.005 * count, math.exp(-2.0 * row), 2.0, 0.005, count, 0.1 * count))
    lines = capsys.readouterr().out.splitlines()
    told = [re.fullmatch(r" +(\d+) s .*  (\d+):(\d+):(\d+) to go", line) for line in lines]
    assert told[:3] == [None] * 3
    later = [tuple(map(int, found.groups())) for found in told if found]
    assert len(later) >= 4
    for seconds, hours, minutes, left in later:
        assert 3600 * hours + 60 * minutes + left == pytest.approx(400.0 - seconds, rel=0.1, abs=2.0)


def test_the_first_time_to_go_of_a_run_whose_steps_grow() -> None:
    """Steps grow by a twentieth each: what is told is right within a factor of three, from the first on."""
    sizes = [1e-3 * 1.05**number for number in range(200)]
    with ProgressView({"time": sum(sizes)}, live=False) as view:
        for count in range(1, 201):
            view(step(sum(sizes[:count]), steps=count, wall_seconds=1.0 * count))
            if sum(sizes[:count]) >= 0.1 * sum(sizes) and count < 200:
                assert 1.0 / 3.0 < view.seconds_to_go / (200.0 - count) < 3.0


def test_runs_in_python_show_progress_where_they_are_told_to(capsys: pytest.CaptureFixture[str]) -> None:
    """Not unasked where output is no terminal; a function gets every step; and no view stays behind."""
    mdp = wpo.load_problem("bandit", cells={"a": 16})
    seen: list[Progress] = []
    for progress in (None, False, True, seen.append):
        assert wpo.evolve(mdp, until=0.1, progress=progress).status == "complete"
    assert capsys.readouterr().out == ""  # it was over within the first seconds
    assert seen[-1].time == 0.1
    assert threading.active_count() == 1


def test_who_looks_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress is shown unasked on terminals and in notebooks; never in other threads, nor within a command."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert looked_at()
    with silent():
        assert not looked_at()
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(looked_at()))
    thread.start()
    thread.join()
    assert found == [False]
    monkeypatch.setattr("sys.stdout.isatty", lambda: False, raising=False)
    assert not looked_at()
    for name in ("ipykernel", "IPython"):
        monkeypatch.setitem(sys.modules, name, sys)
    assert looked_at()


def test_standing_still_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    compiling = iter(["improve"])
    with BeforeFirstStep(lambda: next(compiling, ""), first=0.1) as waiting:
        view = ProgressView({"time": 1.0}, live=False, waiting=waiting)
        view(step())  # the start is no step
        said = ""
        while "first step" not in said:
            said += capsys.readouterr().out
            time.sleep(0.01)
        view(step(steps=1))
        said += capsys.readouterr().out
        time.sleep(0.4)
    first, second, *_ = said.splitlines()
    assert first.endswith(" s  compiling kernels (once): improve")
    assert second.endswith(" s  preparing: transition, optimum, first step")
    assert capsys.readouterr().out == ""


def test_nothing_is_said_twice(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it takes, and however often compiling comes between."""
    monkeypatch.setattr("wpoflow.views.progress.QUIET_LOOK", 0.01)
    kernels = iter(["improve", "", "improve", "evaluate", "", ""])
    with BeforeFirstStep(lambda: next(kernels, ""), first=0.01):
        time.sleep(0.6)
    said = [line.partition(" s  ")[2] for line in capsys.readouterr().out.splitlines()]
    assert said == [
        "compiling kernels (once): improve",
        "preparing: transition, optimum, first step",
        "compiling kernels (once): evaluate",
    ]


def test_what_is_quick_needs_no_explanation(capsys: pytest.CaptureFixture[str]) -> None:
    started = time.monotonic()
    with BeforeFirstStep(lambda: "improve"):
        pass
    assert time.monotonic() - started < 1.0
    assert capsys.readouterr().out == ""


def test_what_compiles_is_told_by_name_however_late_it_begins(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is said before; the first line comes within a look of the beginning."""
    begun = threading.Event()
    with BeforeFirstStep(lambda: "slowest_modes" if begun.is_set() else "", first=0.05, otherwise=""):
        time.sleep(1.2)
        assert capsys.readouterr().out == ""
        begun.set()
        time.sleep(1.5)
    assert capsys.readouterr().out.splitlines()[0].endswith(" s  compiling kernels (once): slowest_modes")
