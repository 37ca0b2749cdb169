"""The generated module: stored where it can be, executed from memory only, cached between processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest

from wpoflow.core.arrays import read_only
from wpoflow.problems import generated
from wpoflow.problems.expressions import parse_expression
from wpoflow.problems.generated import compile_expressions
from wpoflow.problems.scope import Scope

ROOT = Path(__file__).resolve().parents[2]


def value(text: str) -> float:
    function = compile_expressions(Scope(), {"e": (parse_expression(text, ["x"]), ["x"])})["e"]
    return float(function(np.array([2.0]))[0])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: str(tmp_path / name))
    return tmp_path / "wpoflow" / "expressions"


def test_source_is_kept_once_and_whole(folder: Path) -> None:
    assert value("x + 10.25") == 12.25
    assert value("x + 10.25") == 12.25
    (path,) = folder.iterdir()
    assert "np.float64(10.25)" in path.read_text()


def test_what_lies_in_the_cache_is_never_executed(folder: Path) -> None:
    assert value("x + 20.5") == 22.5
    (path,) = folder.iterdir()
    source = path.read_text()
    path.write_text("raise SystemExit\n")
    sys.modules.pop(f"wpoflow.problems.generated_{path.stem}")
    generated.kernel_of.cache_clear()
    assert value("x + 20.5") == 22.5
    assert path.read_text() == source


def test_an_expression_is_compiled_once_whatever_stands_beside_it() -> None:
    x, y = (parse_expression(text, ["x"]) for text in ("x + 40.125", "x * 3.25"))
    alone = compile_expressions(Scope(), {"cost": (x, ["x"])})
    beside = compile_expressions(Scope(), {"dynamics": (y, ["x"]), "cost": (x, ["x"])})
    assert beside["cost"].fill is alone["cost"].fill
    assert beside["cost"].fill is not beside["dynamics"].fill
    assert beside["dynamics"](np.array([2.0])) == 6.5


def test_an_expression_is_compiled_once_for_arrays_that_can_and_cannot_be_written_to() -> None:
    text = parse_expression("x + 50.5 * y", ["x", "y"])
    function = compile_expressions(Scope(), {"e": (text, ["x", "y"])})["e"]
    x, y = np.linspace(0.0, 1.0, 3), np.array([2.0, 3.0, 5.0])
    found = [function(*given) for given in ((x, y), (read_only(x), y), (x, read_only(y)), (x[:, None], y))]
    assert x.flags.writeable
    assert y.flags.writeable
    assert all(np.array_equal(values, x + 50.5 * y) for values in found[:3])
    assert np.array_equal(found[3], x[:, None] + 50.5 * y)
    compiled: Any = function.fill
    assert len(compiled.signatures) == 1


def test_without_a_writable_cache_expressions_still_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: str(tmp_path / "file" / name))
    assert value("x + 30.75") == 32.75


@pytest.mark.slow
def test_a_second_process_compiles_nothing() -> None:
    code = (
        "import numpy as np; from wpoflow.problems.load import read_statement;"
        "from wpoflow.problems.problem_file import read_problem;"
        "s = read_statement(read_problem('lqr')); s.cost(np.ones(1), np.ones(1));"
        "print(sum(s.cost.fill.stats.cache_misses.values()), sum(s.cost.fill.stats.cache_hits.values()))"
    )
    outputs = [
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert outputs[1].split() == ["0", "1"]
