"""Help, the gallery and mistakes are answered without importing anything heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.wpoflow.runs import small_run

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"numpy", "numba", "scipy", "h5py", "pydantic", "rich", "matplotlib", "PIL"}
CODE = """
import sys
from wpoflow.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    print("STATUS", end.code or 0)
print("MODULES", *sorted(name for name in sys.modules if "." not in name))
"""


def modules_after(arguments: list[str]) -> tuple[int, set[str]]:
    """Exit status of a command in a process of its own, and the top-level modules it imported."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    *_, status, modules = done.stdout.strip().splitlines()
    return int(status.removeprefix("STATUS ")), set(modules.split()[1:])


HELPED = ("run", "limits", "refine", "plot", "movie", "validate")


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["gallery"], ["gallery", "lqr"], *([command, "--help"] for command in HELPED)],
    ids=" ".join,
)
def test_light_commands(arguments: list[str]) -> None:
    status, modules = modules_after(arguments)
    assert status == 0
    assert modules & HEAVY == set()


def test_wrong_arguments_are_answered_at_once() -> None:
    status, modules = modules_after(["run", "lqr", "--cells", "x=many"])
    assert status == 2
    assert modules & HEAVY == set()


def test_a_fault_in_a_problem_file_needs_no_numba() -> None:
    status, modules = modules_after(["run", "lqr", "--set", "problem.temperature=-1"])
    assert status == 2
    assert modules & {"numba", "scipy"} == set()


def test_info_needs_no_numba(tmp_path: Path) -> None:
    small_run(tmp_path / "run.h5")
    status, modules = modules_after(["info", str(tmp_path / "run.h5")])
    assert status == 0
    assert "h5py" in modules
    assert modules & {"numba", "scipy", "pydantic"} == set()
