"""The comparison of two checkouts finds what differs, and a checkout is equal to itself."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.compare_checkouts import difference, gallery, small_grid

ROOT = Path(__file__).resolve().parents[2]


def case(**changed: object) -> dict[str, Any]:
    kept = {"seconds": 1.0, "series gap": [1.0, np.nan], "stop reason": "time"}
    return {what.replace("_", " "): np.array(value) for what, value in (kept | changed).items()}


def test_every_problem_of_the_gallery_has_a_small_grid() -> None:
    problems = gallery(ROOT)
    assert {"acrobot", "lqr"} <= set(problems)
    for name, path in problems.items():
        cells, end = small_grid(path)
        assert 0 < np.prod([*cells.values(), 1]) <= 5**5, (name, cells)
        assert end > 0.0


def test_what_differs_is_named() -> None:
    assert difference(case(), case(seconds=2.0)) == ""
    assert "series gap by 1.1e-16, 1 of 2, first in row 0" in difference(case(), case(series_gap=[1 - 2**-53, np.nan]))
    assert "series gap by 0, 1 of 2, first in row 1" in difference(case(), case(series_gap=[1.0, 2.0]))
    assert difference(case(), case(stop_reason="gap")) == "stop reason time, then gap"
    assert difference(case(), case(steps=3)) == "steps only in NEW"
    assert difference(case(), None) == "only in OLD"
    assert difference(case(), {"refused": np.array("why")}) == "refused by one: why"


@pytest.mark.slow
def test_a_checkout_equals_itself() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "compare_checkouts.py"), str(ROOT), str(ROOT)]
    done = subprocess.run(
        [*command, "--problems", "bandit", "--schemes", "euler"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "3 cases, 0 differ" in done.stdout
