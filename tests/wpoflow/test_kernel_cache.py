"""What compiling costs on an empty kernel cache, and that it can be done once and for all."""

from __future__ import annotations

import ast
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from wpoflow.core.floors import source_files

ROOT = Path(__file__).resolve().parents[2]
KERNEL_MARK = "from wpoflow.core.compile import"
OF_MILLIONS_OF_PAIRS = {
    "pairs_matvec",
    "pairs_matvec_4",
    "pairs_scatter",
    "pairs_scatter_4",
    "noisy_plane_matvec",
    "listed_combine",
    "listed_pattern",
    "representative_entries",
    "representative_pairs",
    "euclidean",
}
LEFT = {
    "runs_matvec",
    "started_of_factors",
    "spread_cells",
    "squared_distances",
    "certify_paths",
    "ground_all",
}
"""What else is compiled at its first use: products of long rows, guesses of small systems, particles' figures, and
certificates that small grids do without."""
FILLED = """
from wpoflow.core import compile as door
from wpoflow.kernel_cache import fill
fill(lambda text: None)
print("\\n".join(name for name, kernel in door.KERNELS.items() if kernel.signatures))
"""
COMPILED_BY = """
import sys
from wpoflow.cli import main
from wpoflow.solver.runs.compile_timer import CompileTimer
with CompileTimer() as timer:
    try:
        main(sys.argv[1:])
    except SystemExit as end:
        assert not end.code, end.code
print("compiled for", timer.seconds)
"""


def entry_kernels() -> set[str]:
    """Kernels that files without kernels call, as ``module.name``."""
    trees = {name: (path.read_text(encoding="utf-8"), path) for name, path in source_files(".py")}
    found = set()
    for text, _ in trees.values():
        if KERNEL_MARK in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.ImportFrom) or node.module is None:
                continue
            home = node.module.replace(".", "/") + ".py"
            source = next((text for name, (text, _) in trees.items() if name == home), "")
            if KERNEL_MARK not in source:
                continue
            decorated = {
                item.name
                for item in ast.parse(source).body
                if isinstance(item, ast.FunctionDef) and any("kernel" in ast.unparse(d) for d in item.decorator_list)
            }
            found |= {f"{node.module}.{alias.name}" for alias in node.names if alias.name in decorated}
    return found


@pytest.mark.slow
def test_all_that_is_called_is_compiled_in_both_ways() -> None:
    entries = {name for name in entry_kernels() if name.rpartition(".")[2] not in OF_MILLIONS_OF_PAIRS | LEFT}
    assert len(entries) > 40
    done = subprocess.run(
        [sys.executable, "-c", FILLED], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    used = set(done.stdout.split("\n"))
    assert entries - used == set()
    threaded = {name.removesuffix(", threaded") for name in used if name.endswith(", threaded")}
    assert {"improve", "descend_all", "stencil_expect_4"} <= {name.rpartition(".")[2] for name in threaded}


@pytest.mark.slow
def test_first_run_and_first_validation_take_half_a_minute_each(tmp_path: Path) -> None:
    """Processor time, which other work on the machine leaves alone, from nothing to the file and to the verdicts."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    for command in (["run", "bandit", "-o", "run.h5", "--quiet"], ["validate", "run.h5", "--report", "found"]):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", "wpoflow", *command], cwd=tmp_path, env=environment, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 30.0, command
    assert "compiling kernels (once): " in done.stdout
    assert (tmp_path / "found" / "report.html").is_file()
    for command in (["validate", "run.h5"], ["plot", "run.h5", "-o", "a.png", "--kind", "constants"]):
        kept = subprocess.run(
            [sys.executable, "-c", COMPILED_BY, *command], cwd=tmp_path, env=environment, capture_output=True,
            text=True, check=True,
        )  # fmt: skip
        assert kept.stdout.splitlines()[-1] == "compiled for 0.0"
