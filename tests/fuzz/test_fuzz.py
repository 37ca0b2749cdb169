"""A small part of the fuzzing; the scripts in this folder do the rest.  And that they would notice."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz import checkpoints, expressions, problem_files, run_files, sealed_files, shown_files
from tests.fuzz.answers import BadAnswerError, check_lines
from tests.fuzz.worker import Worker


def test_problem_files() -> None:
    tally = problem_files.fuzz(50, seed=1)
    assert tally.faults == []
    assert sum(tally.counts["structured"].values()) > 10
    assert tally.counts["structured"]["built"] > 0


def test_expressions() -> None:
    tally = expressions.fuzz(350, seed=1)
    assert tally.faults == []
    assert sum(tally.counts[expressions.NEW].values()) > 5
    assert tally.counts["random"]["accepted"] > 5


def test_run_files() -> None:
    tally = run_files.fuzz(20, seed=1)
    assert tally.faults == []
    assert (tally.counts["flipped"], tally.counts["truncated"]) == ({"refused": 40}, {"refused": 20})
    assert tally.counts["changed"]["refused"] > 7
    assert tally.counts[sealed_files.OPENED] == {"read": 1}


@pytest.mark.slow
def test_shown_files() -> None:
    small = [
        "tau 0",
        "tau 5e-324",
        "discount nan",
        "edges of 1e307",
        "edges of subnormals",
        "snapshot times nan",
        "rho negative",
    ]
    shown = ["one row", "largest gap of 1e307"]
    large = ["a text of 60 MB", "series of 5 million rows", "states never written", "a billion rows never written"]
    tally = shown_files.fuzz(3, seed=1, names=[*small, *shown, *large, "policies negative"])
    assert tally.faults == []
    assert tally.counts["stated"] == {
        "refused": len(small) + len(large),
        "shown": len(shown),
        "refused in part": 1,  # by what reads the policies
    }


def test_checkpoints() -> None:
    tally = checkpoints.fuzz(8, seed=1)
    assert tally.faults == []
    for kind in checkpoints.KINDS:
        assert tally.counts[f"{kind}, flipped"] == {"refused": 16}
        assert tally.counts[f"{kind}, truncated"] == {"refused": 8}


def _prepare_faulty(folder: Path) -> Callable[[str], str]:
    def judge(case: str) -> str:
        match case:
            case "raise":
                raise RuntimeError("raised")
            case "sleep":
                time.sleep(60.0)
            case "allocate":
                bytearray(3 << 30)
            case "die":
                os._exit(7)
            case "run":
                os.system("true")
            case "write":
                (folder.parent / "wpoflow-harm").write_text("")
        return "fine"

    return judge


@pytest.mark.slow
def test_every_fault_is_noticed() -> None:
    with Worker(_prepare_faulty, seconds=0.1) as worker:
        kinds = {case: worker.judge(case).kind for case in ("raise", "sleep", "allocate", "die", "run", "write", "")}
    assert kinds == {
        "raise": "traceback",
        "sleep": "hang",
        "allocate": "memory",
        "die": "killed",
        "run": "harm",
        "write": "harm",
        "": "fine",
    }


@pytest.mark.parametrize(
    "lines", [[], ["x"] * 100, ["file: a\nb"], ["file: \x1b[2J"], ["file: " + "a" * 5000], ["other: x"]]
)
def test_answers_that_are_not_clear_are_noticed(lines: list[str]) -> None:
    with pytest.raises(BadAnswerError):
        check_lines(lines, "file")
    check_lines(["file: fine"], "file")
