"""Problem files that ask for too much, or are none: one clear line each, at once."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.problem_texts import huge
from tests.problems.test_problem_file import changed
from wpoflow.problems.checks import MAX_OPERATIONS
from wpoflow.problems.errors import MOST_LINES, ProblemError
from wpoflow.problems.load import build_problem, load_problem
from wpoflow.problems.problem_file import MAX_BYTES, parse_problem, read_problem

LINES = {
    "40 state axes of one cell": "state: has 40 axes; at most 8",
    "40 state axes of two cells": "state: the grids have 2.2e+12 pairs; at most 1e+10",
    "8 state axes of 1000 cells": "state: the grids have 2.0e+24 pairs",
    "40 action axes": "action: has 40 axes; at most 8",
    "a billion cells": "action.u.cells: must be less than or equal to 10000000, not 1000000000",
    "ten million cells, twice": "state: the grids have 1.0e+14 pairs",
    "ten megabytes": f"is 10000000 bytes long; at most {MAX_BYTES}",
    "many snapshots": "record.snapshots: must be less than or equal to",
    "rows without end": "record.series.every = 1e-300 gives more than 1,000,000 rows until time 1",
    "duplicate keys": "not valid TOML",
    "UTF-16": "not a text file in UTF-8",
}


@pytest.mark.parametrize("name", LINES)
def test_one_clear_line_at_once(name: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(huge()[name])
    started = time.process_time()
    with pytest.raises(ProblemError) as caught:
        load_problem(path)
    assert time.process_time() - started < 2.0
    assert any(LINES[name] in line for line in caught.value.lines), caught.value
    assert len(caught.value.lines) <= MOST_LINES
    assert all(line.startswith(str(path)) and line.isprintable() for line in caught.value.lines)


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    for path in (tmp_path / "pipe.toml", Path("/dev/zero")):
        with pytest.raises(ProblemError, match=f"{path}: not a regular file"):
            read_problem(path)


@pytest.mark.parametrize("name", ["../problems/gallery/lqr", "..", "lqr/../lqr", "lqr.toml\x00"])
def test_the_gallery_is_no_way_out(name: str) -> None:
    with pytest.raises(ProblemError) as caught:
        read_problem(name)
    assert len(caught.value.lines) == 1


@pytest.mark.slow
def test_a_chain_of_definitions_is_as_good_as_one(tmp_path: Path) -> None:
    chain: dict[str, Any] = {"d0": "u"} | {f"d{k + 1}": f"d{k} + 1" for k in range(200)}
    mdp = build_problem(parse_problem(changed({"definitions": chain, "cost.running": "d200"})))
    direct = build_problem(parse_problem(changed({"cost.running": "u + 200"})))
    assert abs(mdp.cost - direct.cost).max() < 1e-11


def test_many_operations_are_refused() -> None:
    wide = {f"d{k}": f"min({', '.join(['u'] * 900)})" for k in range(4)}
    with pytest.raises(ProblemError, match=f"more than {MAX_OPERATIONS} operations"):
        parse_problem(changed({"definitions": wide, "cost.running": "d0 + d1 + d2 + d3"}))


def test_what_memory_does_not_hold_is_refused() -> None:
    stated = parse_problem(changed({"state.x.cells": 100_000, "action.u.cells": 100_000}))
    with pytest.raises(MemoryError, match=r"needs about \d+ GB"):
        build_problem(stated)
