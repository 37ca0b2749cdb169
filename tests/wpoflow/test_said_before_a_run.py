"""What `check`, `run` and `info` say of a problem that nobody would notice in its numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import scipy.sparse as sparse
import scipy.sparse.linalg as sparse_linalg

from tests.variants import slow
from tests.wpoflow.conftest import Call
from wpoflow.estimate import entries_of_factors
from wpoflow.problems.load import load_problem

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
        slow(("0.04", "spacing/sigma of x 2.5, above 2: 26 cells would do;")),
        slow(('"0.1 + 0.05*abs(x)"', "spacing/sigma of x 1, above 1/2: 41 cells would do;")),
        ("1e-9", "above 2: more than 1,000,000 cells would do;"),
    ],
)
def test_check_run_and_info_say_how_noise_is_resolved_and_what_ends(call: Call, noise: str, words: str) -> None:
    file = written(noise=noise)
    for arguments in (["check", file], ["run", file, "-o", "p.h5"], ["info", "p.h5"], ["optimum", file]):
        status, out, err = call(*arguments)
        assert status == 0
        assert words in out + err, arguments
        assert "of 63 pairs can end, with probability at most" in out + err, arguments


@pytest.mark.parametrize("boundary", [slow("clamp"), "reflect", "periodic"])
@pytest.mark.parametrize(("noise", "limit"), [("0.013", "above 2"), ('"0.03 + 0.001*x"', "above 1/2")])
def test_the_cells_that_would_do_do(call: Call, boundary: str, noise: str, limit: str) -> None:
    """As many as are said, and not one fewer."""
    file = written(noise=noise)
    options = ["--set", f"state.x.boundary='{boundary}'"]

    def said(*more: str) -> str:
        status, out, _ = call("check", file, *options, *more)
        assert status == 0
        return next(line for line in out.splitlines() if "spacing/sigma of x" in line)

    cells = int(re.findall(limit + r": ([\d,]+) cells would do", said())[0].replace(",", ""))
    if "x" in noise:  # the least noise of a grid, as of its ends, is not that of another: near enough
        cells = cells + cells // 20
    assert "above" not in said("--cells", f"x={cells}")
    assert limit in said("--cells", f"x={cells - 1 if 'x' not in noise else cells - cells // 10}")


def test_what_factoring_takes_is_said(call: Call) -> None:
    """By the entries of SuperLU's factors, within a factor of three, on one and two state axes and of wide noise."""
    for name, cells in (
        ("pendulum", {"theta": 41, "speed": 41}),
        ("double_integrator", {"x": 32, "v": 32}),
        ("lqr", {}),
    ):
        mdp = load_problem(name, cells=cells)
        matrix = sparse.eye_array(mdp.states.size) - mdp.discount * mdp.transition.under(mdp.initial_policy).sparse()
        factors = sparse_linalg.splu(sparse.csc_array(matrix.T), permc_spec="COLAMD", diag_pivot_thresh=0.0)
        assert entries_of_factors(mdp) / 3.0 < factors.nnz < 3.0 * entries_of_factors(mdp)
    status, out, _ = call("check", "pendulum")
    step, longer = (float(found) for found in re.findall(r"(?:about|up to) (\S+) s (?:a step|where)", out))
    assert status == 0
    assert longer > 5.0 * step
    assert "up to" not in call("check", "bandit")[1]


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


def test_a_problem_whose_name_has_two_lines_is_shown_and_warned_of_in_one(call: Call) -> None:
    """The resolved text stays TOML, and no line of the terminal is anything but ours."""
    text = Path(written()).read_text(encoding="utf-8")
    seam = text.replace("[dynamics]", 'boundary = "periodic"\n[dynamics]').replace('"x**2"', '"x**2 + a"')
    Path("two\nlines.toml").write_text(seam, encoding="utf-8")
    status, out, err = call("check", "two\nlines.toml")
    assert status == 0
    assert out.startswith("# two\\nlines.toml, as resolved")
    assert err.startswith("wpoflow: two\\nlines.toml: warning: cost.running jumps at the seam")
    assert len(err.splitlines()) == 1
