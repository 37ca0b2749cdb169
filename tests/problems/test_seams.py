"""The seam of periodic axes: what does not go on across it is named, and nothing else is."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import wpoflow as wpo
from tests.variants import slow
from wpoflow.problems.gallery import gallery_names
from wpoflow.problems.load import read_statement
from wpoflow.problems.problem_file import read_problem
from wpoflow.problems.seams import unmatched_seams

TURN = 2.0 * np.pi


def found(lower: float = 0.0, length: float = TURN, **given: Any) -> list[str]:
    """What is said of a problem on two circles."""
    said: dict[str, Any] = {"cost": lambda s, a: np.cos(s - a), "dynamics": {"s": lambda s, a: s + np.sin(a)}} | given
    axes = (wpo.uniform_axis(name, lower, lower + length, 16, "periodic") for name in "sa")
    states, actions = (wpo.Grid((axis,)) for axis in axes)
    return unmatched_seams(wpo.Statement(states=states, actions=actions, discount=0.9, temperature=0.2, **said))


@pytest.mark.parametrize(
    "name", [slow(name) if name in ("acrobot", "cartpole_swingup") else name for name in gallery_names()]
)
def test_the_gallery_gives_no_false_alarm(name: str) -> None:
    assert unmatched_seams(read_statement(read_problem(name))) == []


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"lower": -np.pi},
        {"lower": -3.14, "length": 6.28},  # a rounded period
        {"cost": lambda s, a: np.minimum(s, TURN - s) + (a - np.pi) ** 2},  # kinks, but no jumps
        {"cost": lambda s, a: 1.0 * (s > np.pi) + (a > 3.0)},  # jumps at the seam that are jumps inside as well
        {"dynamics": {"s": lambda s, a: 3.0 * s - a}},  # whole turns
        {"dynamics": {"s": lambda s, a: np.where(a > 3.0, 3.0, 0.0) + s}},
        {"cost": 1.0, "potential": lambda a: np.cos(2.0 * a), "noise": {"s": lambda s, a: 0.1 + np.sin(s) ** 2}},
        {"cost": lambda s, a: np.full(np.shape(s), np.nan)},
    ],
)
def test_what_goes_on_across_the_seam_is_left_alone(given: dict[str, Any]) -> None:
    assert found(**given) == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"cost": lambda s, a: s + np.cos(a)}, ["cost.running jumps at the seam of the periodic axis s: "]),
        ({"cost": lambda s, a: np.cos(s) + (a - 3.0) ** 2}, ["cost.running jumps at the seam of the periodic axis a"]),
        ({"length": 6.0}, ["cost.running .* axis s: ", "cost.running .* axis a: ", "dynamics.s .* axis a: "]),
        ({"dynamics": {"s": lambda s, a: 1.5 * s}}, ["dynamics.s jumps at the seam of the periodic axis s: "]),
        ({"dynamics": {"s": lambda s, a: s + 0.5 * a}}, ["dynamics.s jumps at the seam of the periodic axis a: "]),
        ({"noise": {"s": lambda s, a: 0.1 + s}}, ["noise.s jumps"]),
        ({"potential": lambda a: a}, ["reference.potential jumps at the seam of the periodic axis a: 6.283e-09 at"]),
        ({"state_density": lambda s: s}, ["initial.state_density jumps"]),
        ({"policy_density": lambda s, a: 1.0 + a}, ["initial.policy_density jumps"]),
    ],
)  # fmt: skip
def test_what_jumps_at_the_seam_is_named(given: dict[str, Any], says: list[str]) -> None:
    lines = found(**given)
    assert len(lines) == len(says)
    for line, words in zip(lines, says, strict=True):
        assert re.match(words, line)
        assert "\n" not in line
