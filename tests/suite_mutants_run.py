"""Run the validation suite on mutants of theory and solver, and say which claims catch each: a table in Markdown.

The table is the page ``docs/mutants.md`` of the manual: a run of all groups, or of some, writes its rows there, each
as soon as it is known.

Each of a few copies of the sources is changed and put back, so that kernels once compiled for its place stay so; a
mutant of a kernel compiles anew.  A mutant on which the suite stops with an error counts as survived: no claim said
anything.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutant import ROOT, Mutant, copy_tree
from tests.suite_mutants import GROUPS
from tests.suite_mutants_flows import FIRST as OF_FLOWS_FIRST
from tests.suite_mutants_records import FIRST as RECORDS_FIRST

SECONDS = 900
PAGE = ROOT / "docs" / "mutants.md"
HEAD = "| group | mutant | caught by |\n| --- | --- | --- |\n"
FIRST = {"kernels": ("regulator", "graded path", "flat path"), **OF_FLOWS_FIRST, **RECORDS_FIRST}
"""Cases that are looked at before all else, by group: those that need few kernels, or the flow that is changed."""
NOT_TRIED = "not tried since it was written"


def rows_of(page: str) -> dict[tuple[str, str], str]:
    """What caught each mutant, by group and name, as the table of a page says."""
    lines = page.partition(HEAD)[2].splitlines()
    # a group's name may hold bars of its own, which stand escaped
    cells = [line.replace("\\|", "\0").split("|")[1:-1] for line in lines if line.startswith("|")]
    clean = [[cell.strip().replace("\0", "|") for cell in row] for row in cells]
    return {(group, name): caught for group, name, caught in clean}


def row(group: str, name: str, caught: str) -> str:
    """One line of the table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in (group, name, caught)) + " |\n"


def with_rows(page: str, found: dict[tuple[str, str], str]) -> str:
    """A page with the rows of all mutants that there are: as found, else as they stood."""
    known = {**rows_of(page), **found}
    keys = [(group, name) for group, mutants in GROUPS.items() for name in mutants]
    caught = sum(known.get(key, NOT_TRIED).startswith("`") for key in keys)
    table = "".join(row(*key, known.get(key, NOT_TRIED)) for key in keys)
    return f"{page.partition(HEAD)[0]}{HEAD}{table}\n{caught} of {len(keys)} caught.\n"


def _verdict(tree: Path, first: tuple[str, ...] = ()) -> tuple[int, str]:
    """Status of the suite on a copy, and the last line it printed."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "XDG_CACHE_HOME": str(tree.parent / f"{tree.name}-cache")}
    command = [sys.executable, "-m", "tests.suite_verdict", *first]
    try:
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return 2, f"no end after {SECONDS} s"
    lines = (done.stdout if done.returncode == 1 and done.stdout else done.stderr).strip().splitlines()
    return (done.returncode if done.stdout or not done.returncode else 2), lines[-1] if lines else ""


def caught_by(mutant: Mutant, trees: queue.Queue[Path], first: tuple[str, ...] = ()) -> tuple[bool, str]:
    """Whether a claim catches a mutant, and which one does, or what happened instead."""
    tree = trees.get()
    path = tree / mutant.file
    kept, times = path.read_bytes(), path.stat()
    try:
        path.write_text(mutant.applied(kept.decode()), encoding="utf-8")
        status, text = _verdict(tree, first)
    finally:
        path.write_bytes(kept)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        trees.put(tree)
    return status == 1, text if status == 1 else f"SURVIVED {text}".strip()


def run(chosen: list[str], jobs: int, untried: bool = False) -> int:
    """Print the table of the groups chosen, or of all; the number of mutants that survive.

    With ``untried`` only those that no row of the page tells of, or that survived.

    Raises
    ------
    SystemExit
        A group that there is not, a mutant that does not apply, or a suite that fails without any.
    """
    unknown = [name for name in chosen if name not in GROUPS]
    if unknown:
        raise SystemExit(f"{', '.join(unknown)}: choose among {', '.join(GROUPS)}")
    known = rows_of(PAGE.read_text(encoding="utf-8")) if untried else {}
    groups = {
        group: {name: m for name, m in GROUPS[group].items() if not known.get((group, name), "").startswith("`")}
        for group in chosen or GROUPS
    }
    with tempfile.TemporaryDirectory() as folder:
        trees: queue.Queue[Path] = queue.Queue()
        for job in range(jobs):
            trees.put(copy_tree(Path(folder) / f"tree{job}"))
        for group in groups.values():
            for mutant in group.values():
                mutant.applied((trees.queue[0] / mutant.file).read_text(encoding="utf-8"))
        with ThreadPoolExecutor(jobs) as pool:
            status, text = _verdict(trees.queue[0])
            if status:
                raise SystemExit(f"the suite fails without any mutant: {text}")
            print(HEAD, end="", flush=True)
            tasks = [(group, name, mutant) for group, found in groups.items() for name, mutant in found.items()]
            survived = 0
            for (of, name, _), (is_caught, text) in zip(
                tasks, pool.map(lambda task: caught_by(task[2], trees, FIRST.get(task[0], ())), tasks), strict=True
            ):
                survived += not is_caught
                print(row(of, name, text), end="", flush=True)
                PAGE.write_text(with_rows(PAGE.read_text(encoding="utf-8"), {(of, name): text}), encoding="utf-8")
    print(f"\n{len(tasks) - survived} of {len(tasks)} caught")
    return survived
