"""The examples run as a user would run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.variants import slow_but

ROOT = Path(__file__).resolve().parents[1]
SAYS = {
    "run_and_read": "mean control is about -0.7",
    "own_problem": "reached at flow time",
    "given_arrays": "condition 4: spend",
    "act_in_an_environment": "50 episodes: mean return 94, 0 failed",
    "own_stop_rule": "  t =  4.00   value",
}


def test_of_every_example_it_is_known_what_it_says() -> None:
    assert {path.stem for path in (ROOT / "examples").glob("*.py")} == SAYS.keys()


@pytest.mark.parametrize("name", slow_but(SAYS, "act_in_an_environment", "run_and_read"))
def test_example(name: str, tmp_path: Path) -> None:
    example = ROOT / "examples" / f"{name}.py"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(example)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert SAYS[name] in done.stdout
    assert not (tmp_path / "lqr.h5").exists()  # which is the name of the run of the README
