"""Which errors of a run are the user's to mend, and which are the program's."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import pytest

from wpoflow.cli import main

SMALL = ["lqr", "--cells", "x=12", "--cells", "u=12", "--quiet"]


def status(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    return int(end.value.code or 0)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_fault_inside_the_solver_is_an_internal_error(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any, **__: Any) -> NoReturn:
        raise ValueError("operands could not be broadcast together with shapes (3,) (4,)")

    monkeypatch.setattr("wpoflow.solver.runs.conduct.iterate_flow", broken)
    assert status(["run", *SMALL]) == 70
    assert "could not be broadcast" in capfd.readouterr().err


def test_a_gap_below_the_rounding_floor_is_an_unusable_argument(capfd: pytest.CaptureFixture[str]) -> None:
    assert status(["run", *SMALL, "--until", "gap=1e-40"]) == 2
    assert "rounding floor" in capfd.readouterr().err
