"""Problem files whose numbers lie at the ends of what floats hold: a result, or one line that names what is wrong.

Floating-point errors raise in these tests, where a user would see a warning between the lines.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from wpoflow.problems.errors import ProblemError
from wpoflow.problems.load import build_problem
from wpoflow.problems.problem_file import parse_problem
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.mdp import GridMDP

BOX = "bounds = [-1.0, 1.0]\ncells = 4"


def stated(x: str = BOX, u: str = BOX, v: str = "", **given: str) -> GridMDP:
    """A small problem with some of its entries replaced."""
    said: dict[str, Any] = {
        "dynamics": "0.5*x + u", "noise": "0.1", "running": "x**2 + u**2", "potential": "0", "density": "1",
        "first": "1",
    } | given  # fmt: skip
    second = f"[action.v]\n{v}" if v else ""
    ends = f'terminal_set = "x > 0.9"\nterminal_cost = "{said["ending"]}"' if "ending" in said else ""
    return build_problem(
        parse_problem(f"""
[problem]
discount = 0.9
temperature = 0.2
[state.x]
{x}
[action.u]
{u}
{second}
[dynamics]
x = "{said["dynamics"]}"
[noise]
x = "{said["noise"]}"
[cost]
running = "{said["running"]}"
{ends}
[reference]
potential = "{said["potential"]}"
[initial]
state_density = "{said["first"]}"
policy_density = "{said["density"]}"
[flow]
until = 1.0
""")
    )


TINY, PAIR = "edges = [0.0, 1e-300, 0.5, 1.0]", "edges = [0.0, 1e-9, 2e-9, 0.5, 1.0]"
VARYING = "0.1 + 0.1*u**2"
REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "a cell of an action axis": ({"u": TINY, "v": BOX}, "axis u: the cell from 0 to 1e-300"),
    "a cell of a state axis": (
        {"x": "edges = [0.0, 5e-324, 1e-323, 1.0]", "noise": VARYING},
        "axis x: the cell from 0 to 4.94066e-324",
    ),
    "noise beside cells": ({"x": PAIR, "noise": VARYING}, "axis x: noise of .* times the least spacing of its points"),
    "noise beside cells that reflect": (
        {"x": PAIR + '\nboundary = "reflect"', "noise": VARYING},
        "axis x: noise of .* times the least spacing",
    ),
    "a box beside noise": ({"x": "bounds = [0.0, 1e-12]\ncells = 4", "noise": VARYING}, "axis x: noise of"),
    "potentials": ({"potential": "1e308*where(u > 0, 1, -1)"}, "reference potential: potential leaves cell"),
    "potentials in a cell": ({"potential": "1e308*where(u > 0.1, 1, -1)"}, "potential leaves cell"),
    "a policy": ({"density": "1e308"}, "policy_density: .*density integrates to inf"),
    "a policy of states": ({"density": "1e308*(x + 3)"}, "policy_density: .*density is inf"),
    "a policy of states, summed": ({"density": "1e308*where(x > 0, 1, 1)"}, "policy_density: .*integrates to inf"),
    "a first state": ({"first": "1e308"}, "state_density: density integrates to inf"),
    "an end": ({"ending": "1e308"}, "cost is (inf|nan)"),
    "an end without noise": ({"ending": "1.7e308", "noise": "0", "running": "1e308"}, "cost is inf"),
}  # fmt: skip


@pytest.mark.parametrize(("given", "says"), REFUSED.values(), ids=REFUSED)
def test_what_floats_cannot_hold_is_refused_by_name(given: dict[str, str], says: str) -> None:
    with pytest.raises(ProblemError, match=says) as found:
        stated(**given)
    assert len(found.value.lines) == 1


HELD: dict[str, dict[str, str]] = {
    "costs whose sum is infinite": {"running": "1e308"},
    "dynamics far away": {"dynamics": "1e308*u"},
    "a flat potential of any height": {"potential": "1e308"},
    "narrow cells": {"u": "edges = [0.0, 1e-15, 0.5, 1.0]", "v": BOX},
    "noise as wide as floats hold it": {"x": "edges = [0.0, 1e-7, 2e-7, 0.5, 1.0]", "noise": VARYING},
}


@pytest.mark.parametrize("given", HELD.values(), ids=HELD)
def test_what_floats_hold_is_built_without_a_word(given: dict[str, str]) -> None:
    mdp = stated(**given)
    ones = mdp.transition.expect(np.ones(mdp.states.size))
    assert np.abs(ones - 1.0).max() < 1e-13


def test_an_optimum_of_costs_that_no_float_spans_ends_in_words() -> None:
    with pytest.raises((ValueError, ArithmeticError), match=r"costs from .* lie too far apart"):
        solve_optimum(stated(running="1e308*where(u > 0, 1, -1)"))
