"""What is installed: one name, the same from the tree and from the sdist, and safe beside a user's own files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from wpoflow.core.floors import FLOORS
from wpoflow.solver.records.provenance import VERSION, source_hash

ROOT = Path(__file__).resolve().parents[1]
USERS_SCRIPT = """
import solver, grids, wpoflow
mdp = wpoflow.load_problem("bandit", cells={"a": 8})
run = wpoflow.evolve(mdp, until={"steps": 1}, step=0.1, snapshots=2)
print(solver.WHOSE, grids.WHOSE, run.policy.shape, wpoflow.__file__)
"""
IDENTITY = """
from wpoflow.solver import mdp
from wpoflow.solver.records.provenance import source_hash
print(mdp.__file__, source_hash())
"""


def wheel(root: Path, folder: Path) -> Path:
    """The wheel of a source tree."""
    (built,) = WheelBuilder(str(root)).build(directory=str(folder), versions=["standard"])
    return Path(built)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of the tree, and that of the sdist unpacked elsewhere."""
    folder = tmp_path_factory.mktemp("wheels")
    (sdist,) = SdistBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    unpacked = folder / "unpacked" / f"wpoflow-{VERSION}"
    return {"tree": wheel(ROOT, folder / "tree"), "sdist": wheel(unpacked, folder / "sdist")}


def python(code: str, cwd: Path, *path: Path) -> str:
    """What Python prints that searches these folders before all others."""
    search = ", ".join(repr(str(folder)) for folder in path)
    command = [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = [{search}]\n{code}"]
    interpreted = os.environ | {"NUMBA_DISABLE_JIT": "1"}  # files in a new place would be compiled anew
    done = subprocess.run(command, cwd=cwd, env=interpreted, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_wheels_of_tree_and_sdist_hold_the_package_alone(wheels: dict[str, Path]) -> None:
    held = {origin: set(zipfile.ZipFile(built).namelist()) for origin, built in wheels.items()}
    assert held["tree"] == held["sdist"]
    names = held["tree"]
    assert {name.split("/")[0] for name in names} == {"wpoflow", f"wpoflow-{VERSION}.dist-info"}
    assert {f"wpoflow/{floor}/__init__.py" for floor in FLOORS} <= names
    assert "wpoflow/problems/gallery/lqr.toml" in names
    templates = {f"wpoflow/views/templates/{path.name}" for path in (ROOT / "views" / "templates").iterdir()}
    assert {"wpoflow/views/templates/report.html", "wpoflow/views/templates/report.css"} <= templates <= names
    assert not [name for name in names if "test" in name or "__pycache__" in name]


def test_a_users_own_files_of_our_floors_names_do_no_harm(wheels: dict[str, Path], tmp_path: Path) -> None:
    installed, users = tmp_path / "installed", tmp_path / "users"
    zipfile.ZipFile(wheels["sdist"]).extractall(installed)
    (users / "grids").mkdir(parents=True)
    for own in (users / "solver.py", users / "grids" / "__init__.py"):
        own.write_text("WHOSE = 'mine'\n")
    assert python(IDENTITY, users, users, installed) == f"{installed / 'wpoflow' / 'solver' / 'mdp.py'} {source_hash()}"
    printed = python(USERS_SCRIPT, users, users, installed)
    assert printed == f"mine mine (1, 8) {installed / 'wpoflow' / '__init__.py'}"


def test_a_checkout_without_links_works(tmp_path: Path) -> None:
    for name in ("wpoflow", *FLOORS):
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for floor in FLOORS:
        link = tmp_path / "wpoflow" / floor
        link.unlink()
        link.write_text(f"../{floor}")  # what git leaves where there are no links
    assert python(IDENTITY, tmp_path, tmp_path) == f"{tmp_path / 'solver' / 'mdp.py'} {source_hash()}"
