"""The front-door import: complete and lazy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import wpoflow

ROOT = Path(__file__).resolve().parents[2]
PROMISED = (
    *("load_problem", "GridMDP", "Statement", "Grid", "Axis", "uniform_axis", "sinh_axis", "edges_axis"),
    *("interpolated_transition", "cell_integrated_transition", "mixture_transition", "tabulated_transition"),
    *("solve_optimum", "evolve", "flow", "open_run", "__version__"),
)


def python(code: str, cwd: Path, *path: Path) -> subprocess.CompletedProcess[str]:
    search = ", ".join(repr(str(folder)) for folder in path)
    return subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = [{search}]; {code}"],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_public_name_exists() -> None:
    assert set(PROMISED) <= set(wpoflow.__all__)
    for name in wpoflow.__all__:
        assert getattr(wpoflow, name) is not None
    assert dir(wpoflow) == sorted(wpoflow.__all__)


def test_an_unknown_name_is_answered_with_the_choices() -> None:
    with pytest.raises(AttributeError, match=r"'solve'.*solve_optimum"):
        _ = wpoflow.solve


def test_importing_costs_nothing(tmp_path: Path) -> None:
    heavy = ("numpy", "numba", "scipy", "h5py", "pydantic", "click", "rich")
    done = python(f"import wpoflow; print([m for m in {heavy} if m in sys.modules])", tmp_path, ROOT)
    assert done.stdout.strip() == "[]", done.stderr
