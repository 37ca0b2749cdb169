"""The project's own files: the README tells the truth, and every floor has its link."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from wpoflow.core.floors import FLOORS
from wpoflow.problems.problem_file import parse_problem
from wpoflow.solver.records.provenance import VERSION

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def fenced(language: str) -> list[str]:
    """The README's code blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_readme_has_two_commands_and_ci_calls_the_second() -> None:
    commands = fenced("sh")
    assert len(commands) == 2
    assert all(len(command.strip().splitlines()) == 1 for command in commands)
    assert "wpoflow run lqr" in commands[0]
    lines = [line for line in README.splitlines() if "-m pytest" in line]
    assert lines == [commands[1].strip()]
    assert "grep -- '-m pytest' README.md | head -n 1" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_problem_file_of_the_readme_is_one() -> None:
    (text,) = fenced("toml")
    assert parse_problem(text).title == "Scalar regulator"


def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wpoflow

    monkeypatch.chdir(tmp_path)
    mdp = wpoflow.load_problem("lqr", cells={"x": 16, "u": 16})
    wpoflow.evolve(mdp, until=0.1, output="lqr.h5")
    reading, using = fenced("python")
    exec(reading, {})
    exec(using.replace('"x": 64, "u": 64', '"x": 12, "u": 12').replace("1e-8", "1e-2"), {})


def test_the_changelog_names_the_version() -> None:
    assert f"## {VERSION}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_floor_is_linked_and_included() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    homes = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["sources"]
    assert homes == {floor: f"wpoflow/{floor}" for floor in FLOORS}
    assert all((ROOT / "wpoflow" / floor).resolve() == ROOT / floor for floor in FLOORS)
