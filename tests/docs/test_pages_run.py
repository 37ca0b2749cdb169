"""Every page does what it says: its files, commands and Python run in order, and print what is shown."""

from __future__ import annotations

import contextlib
import io
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from tests.docs.pages import DOCS, Block, blocks, commands, missing_lines, pages
from wpoflow.cli import main
from wpoflow.solver.registry import FLOWS, SCHEMES
from wpoflow.validation.claims import CLAIMS
from wpoflow.views import figures
from wpoflow.views.figures import FIGURES

RUNNABLE = [page for page in pages() if any(block.language in ("sh", "python") for block in blocks(page))]
# a thousand episodes; limits from many starts; many runs; comparisons of all flows; programs; whole suites and studies
SLOW = {"environments", "gaussian_policies", "many_runs", "which_flow", "projections", "figures", "state_in_a_file"}
SLOW |= {"validate", "refine", "speed"}
# longer than two seconds; what a reader tries first stays
SLOW |= {"anneal", "environment", "guarantees", "interrupted", "particles", "plan_ahead", "read_the_output"}
SLOW |= {"score_an_agent", "flows/index", "stalling", "state_in_python", "small_temperature", "proximal"}


def _marks(page: Path) -> tuple[Any, ...]:
    return (pytest.mark.slow,) if {page.stem, f"{page.parent.name}/{page.stem}"} & SLOW else ()


def run_command(line: str) -> tuple[int, str]:
    """Exit status and output of a command of wpoflow, in this process; ``> FILE`` is understood."""
    words = shlex.split(line)
    assert words[0] == "wpoflow", f"{line}: in blocks marked sh stand commands of wpoflow alone"
    target = words[words.index(">") + 1] if ">" in words else ""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as end:
        main(words[1 : words.index(">")] if target else words[1:])
    if target:
        Path(target).write_text(out.getvalue(), encoding="utf-8")
    return int(end.value.code or 0), out.getvalue() + err.getvalue()


def run_block(block: Block, page: Path, namespace: dict[str, Any]) -> str:
    """Run a block; gives what it printed."""
    where = f"{page.relative_to(DOCS)}:{block.line}"
    if block.language == "python":
        out = io.StringIO()
        code = compile("\n" * block.line + block.text, str(page), "exec")
        with contextlib.redirect_stdout(out):
            exec(code, namespace)
        return out.getvalue()
    printed = ""
    for line in commands(block):
        status, text = run_command(line)
        assert status == block.status, f"{where}: {line} ended with {status}\n{text}"
        printed += text
    return printed


@pytest.fixture(autouse=True)
def registries_as_they_were(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A page may add to the lists of flows, schemes, claims and figures, for itself alone."""
    monkeypatch.setattr(figures, "__path__", [*figures.__path__])
    with ExitStack() as stack:
        for registry in (FLOWS, SCHEMES, CLAIMS, FIGURES):
            stack.enter_context(patch.dict(registry))
        yield


@pytest.mark.parametrize(
    "page", [pytest.param(page, id=str(page.relative_to(DOCS)), marks=_marks(page)) for page in RUNNABLE]
)
def test_a_page_does_what_it_says(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    namespace: dict[str, Any] = {"__name__": "page"}
    printed: str | None = None
    for block in blocks(page):
        if block.caption:
            Path(block.caption).write_text(block.text, encoding="utf-8")
        elif block.language in ("sh", "python"):
            printed = run_block(block, page, namespace)
        elif block.language == "text" and printed is not None:
            wrong = missing_lines(block.text, printed)
            assert not wrong, f"{page.name}:{block.line}: not printed: {wrong}\nprinted:\n{printed}"
            printed = None


def test_the_comparison_can_fail() -> None:
    printed = "gap             49.45 -> 9.7e-07\nmass error      2.7e-15 at most\n"
    assert not missing_lines("gap  49.5 -> 9.72e-07\nmass error 1e-16 at most\ngap ... 9.7e-07", printed)
    assert missing_lines("gap  49.5 -> 9.72e-06\ngab ...\nmass error 2.7e-3 at most", printed) == [
        "gap  49.5 -> 9.72e-06",
        "gab ...",
        "mass error 2.7e-3 at most",
    ]
