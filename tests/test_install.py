"""What is installed: the package alone, the same from the tree and from an sdist, and in no user's way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from wpoflow.core.floors import FLOORS, FRONT_DOOR, source_files
from wpoflow.solver.records.provenance import VERSION

ROOT = Path(__file__).resolve().parents[1]
LOADS = "import wpoflow; assert wpoflow.load_problem('lqr', cells={'x': 3, 'u': 3}).cost.shape == (3, 3); "


def build_wheel(tree: Path, folder: Path) -> Path:
    (built,) = WheelBuilder(str(tree)).build(directory=str(folder), versions=["standard"])
    return Path(built)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


def python(code: str, cwd: Path, path: Path) -> str:
    """Output of Python run in a folder as a script there is: the folder first on the path, then an installation's."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_wheel_holds_the_package_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert len(names) == len(set(names))
    assert {name.split("/")[0] for name in names} == {FRONT_DOOR, f"{FRONT_DOOR}-{VERSION}.dist-info"}
    assert {name for name, _ in source_files(".py", ".toml", ".html", ".css")} <= set(names)
    assert {f"wpoflow/{floor}/__init__.py" for floor in FLOORS} <= set(names)
    assert {"wpoflow/problems/gallery/lqr.toml", "wpoflow/views/templates/report.html"} <= set(names)
    assert not [name for name in names if "test" in name.replace("contestant", "") or "__pycache__" in name]


@pytest.mark.slow
def test_an_sdist_makes_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    (built,) = SdistBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with tarfile.open(built) as archive:
        how: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # from 3.11.4 on
        archive.extractall(tmp_path, **how)
    again = build_wheel(tmp_path / f"{FRONT_DOOR}-{VERSION}", tmp_path / "again")
    assert set(zipfile.ZipFile(again).namelist()) == set(zipfile.ZipFile(wheel).namelist())


def test_files_of_a_user_do_no_harm_and_none_is_done_to_them(wheel: Path, tmp_path: Path) -> None:
    installed, own = tmp_path / "installed", tmp_path / "own"
    zipfile.ZipFile(wheel).extractall(installed)
    (own / "grids").mkdir(parents=True)
    (own / "solver.py").write_text("NAME = 'my own'\n")
    (own / "grids" / "__init__.py").write_text("NAME = 'mine, too'\n")
    code = LOADS + "import grids, solver; print(wpoflow.__file__, solver.NAME, grids.NAME, sep=', ')"
    assert python(code, own, installed) == f"{installed / 'wpoflow' / '__init__.py'}, my own, mine, too"


@pytest.mark.slow
def test_a_checkout_without_its_links_works(tmp_path: Path) -> None:
    """As where a file system keeps none: `wpoflow.__path__` leads to the floors beside it."""
    checkout = tmp_path / "checkout"
    for package in (*FLOORS, FRONT_DOOR):
        shutil.copytree(ROOT / package, checkout / package, ignore=shutil.ignore_patterns("__pycache__"), symlinks=True)
    for floor in FLOORS:
        (checkout / FRONT_DOOR / floor).unlink()
    code = LOADS + "import wpoflow.solver.mdp as found; print(found.__file__)"
    assert python(code, tmp_path, checkout) == str(checkout / "solver" / "mdp.py")
