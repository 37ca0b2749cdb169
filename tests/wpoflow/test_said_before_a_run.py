"""What `check`, `run` and `info` say of a problem that nobody would notice in its numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.wpoflow.conftest import Call

PROBLEM = """
[problem]
discount = 0.9
temperature = 0.2
[state.x]
bounds = [-1.0, 1.0]
cells = 21
[action.a]
bounds = [{lower}, {upper}]
cells = {cells}
[dynamics]
x = "0.9*x + 0.01*a"
[noise]
x = {noise}
[cost]
running = "x**2"
terminal_set = "x > 0.96"
[flow]
until = {{ time = 0.1 }}
"""


def written(lower: float = 0.0, upper: float = 1.0, cells: int = 3, noise: str = "0.1") -> str:
    Path("p.toml").write_text(PROBLEM.format(lower=lower, upper=upper, cells=cells, noise=noise), encoding="utf-8")
    return "p.toml"


@pytest.mark.parametrize(
    ("noise", "words"),
    [
        ("0.1", "spacing/sigma of x 1;"),
        ("0.04", "spacing/sigma of x 2.5, above 2"),
        ('"0.1 + 0.05*abs(x)"', "spacing/sigma of x 1, above 1/2"),
    ],
)
def test_check_run_and_info_say_how_noise_is_resolved_and_what_ends(call: Call, noise: str, words: str) -> None:
    file = written(noise=noise)
    for arguments in (["check", file], ["run", file, "-o", "p.h5"], ["info", "p.h5"], ["optimum", file]):
        status, out, err = call(*arguments)
        assert status == 0
        assert words in out + err, arguments
        assert "of 63 pairs can end, with probability at most" in out + err, arguments


@pytest.mark.parametrize(
    ("lower", "upper", "cells", "labels"),
    [
        (-0.5, 2.5, 3, True),
        (0.5, 7.5, 7, True),
        (-0.5, 1.5, 2, False),
        (0.0, 3.0, 3, False),
        (-1.0, 1.0, 12, False),
        (-1.0, 5.0, 3, False),
    ],
)
def test_check_says_that_labels_are_cells_on_a_line(
    call: Call, lower: float, upper: float, cells: int, labels: bool
) -> None:
    status, out, _ = call("check", written(lower, upper, cells))
    assert status == 0
    assert ("if they are labels" in out) == labels
