"""The front-door import: complete, lazy, and not to be confused with a user's own files."""

from __future__ import annotations

import shutil
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


@pytest.mark.parametrize("name", ["solver.py", "grids/__init__.py"])
def test_a_file_that_shadows_a_floor_is_named(tmp_path: Path, name: str) -> None:
    foreign = tmp_path / name
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_text("raise RuntimeError('the foreign file must not be run')\n")
    done = python("import wpoflow", tmp_path, tmp_path, ROOT)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: wpoflow:")
    assert str(foreign) in last


def test_a_floor_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "wpoflow").mkdir()
    shutil.copy(ROOT / "wpoflow" / "__init__.py", tmp_path / "wpoflow")
    done = python("import wpoflow", tmp_path, tmp_path)
    assert "its package 'grids'" in done.stderr
    assert str(tmp_path) in done.stderr
