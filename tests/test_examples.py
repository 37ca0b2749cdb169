"""The examples run as a user would run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SAYS = {
    "run_and_read": "mean control is about -0.7",
    "own_problem": "reached at flow time",
    "given_arrays": "condition 4: spend",
    "act_in_an_environment": "50 episodes: mean return 94, 0 failed",
    "own_stop_rule": "  t =  4.00   value",
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example(example: Path, tmp_path: Path) -> None:
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
    assert SAYS[example.stem] in done.stdout
    assert not (tmp_path / "lqr.h5").exists()  # which is the name of the run of the README
