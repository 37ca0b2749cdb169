"""Standard output and standard error are onlookers: whatever becomes of them, a command does what it was asked for."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import wpoflow as wpo
from tests.variants import slow
from tests.wpoflow.runs import small_run
from wpoflow.core.brief import brief
from wpoflow.core.onlooker import Onlooker
from wpoflow.problems.gallery import gallery_text
from wpoflow.problems.load import read_statement
from wpoflow.problems.problem_file import read_problem
from wpoflow.solver.storage.writer import open_run

ROOT = Path(__file__).resolve().parents[2]
SMALL = "lqr --cells x=8 --cells u=8"
COMMANDS = {
    "run": f"run {SMALL} --until 0.1 -o out.h5",
    "optimum": f"optimum {SMALL} -o out.h5",
    "plot": "plot kept.h5 --kind decay -o out.png",
    "movie": "movie steps.h5 -o out.gif",
    "check": f"check {SMALL}",
    "info": "info kept.h5",
    "gallery": "gallery",
    "validate": "validate steps.h5 --only structure",
    "resume": "resume steps.h5",
    "refine": "refine bandit --cells a=16 --levels 3 --axis actions --time 0.1 --report out",
    "help": "--help",
}


def others(*values: Any) -> list[Any]:
    """Further values of a parameter, which are tried with what is slow."""
    return [slow(value) for value in values]


LIGHT = ("run", "info", "help")
needs_posix = pytest.mark.skipif(os.name != "posix", reason="streams are closed the POSIX way")
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")


def shell(folder: Path, command: str, redirected: str, **variables: str) -> tuple[int, str]:
    """Exit status of a command with its streams redirected as a shell does, and what is on standard error."""
    line = f"{sys.executable} -m wpoflow {command} {redirected}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of made-up numbers, and one of few steps."""
    folder = tmp_path_factory.mktemp("runs")
    small_run(folder / "kept.h5")
    few = f"run {SMALL} --until 0.1 --set record.snapshots=3 -o steps.h5 --quiet"
    assert shell(folder, few, "")[0] == 0
    return folder


@pytest.fixture
def folder(tmp_path: Path, two_runs: Path) -> Path:
    """With both."""
    shutil.copytree(two_runs, tmp_path, dirs_exist_ok=True)
    return tmp_path


@needs_posix
@needs_full
@pytest.mark.parametrize(
    ("name", "redirected"),
    [
        *((name, ">/dev/full") for name in LIGHT),
        *others(*((name, ">/dev/full") for name in COMMANDS if name not in LIGHT), ("run", ">&-")),
        ("info", ">&-"),
        slow(("run", "| true")),
        ("help", "| true"),
    ],
)
def test_nothing_ends_with_standard_output(folder: Path, name: str, redirected: str) -> None:
    """The status is that of the command, the file is there, and at most one line says what was not shown."""
    command = COMMANDS[name]
    status, said = shell(folder, command, redirected)
    assert status == 0, said
    lines = said.splitlines()
    assert len(lines) == 1 or (redirected == "| true" and not lines)  # who reads may leave after the last line
    assert all(line.startswith("wpoflow: standard output: ") for line in lines)
    if " -o " in command:
        (out,) = folder.glob("out.*")
        assert out.stat().st_size > 0
        if out.suffix == ".h5":
            assert open_run(out).status == "complete"


@pytest.mark.slow
@needs_posix
@needs_full
@pytest.mark.parametrize("redirected", ["<&- >&- 2>&-", "2>&-", "2>/dev/full", ">&- 2>&-"])
def test_nothing_ends_with_standard_error(folder: Path, redirected: str) -> None:
    """The status stays 1 for a run short of its goal, and what would have been said does not get into its file."""
    status, _ = shell(folder, f"run {SMALL} --until gap=1e-9 --until steps=2 -o out.h5", redirected)
    assert status == 1
    assert open_run(folder / "out.h5").stop_reason.startswith("2 steps taken")
    with h5py.File(folder / "out.h5") as file:
        assert file.attrs["status"] == "complete"


@needs_posix
@needs_full
def test_what_was_to_be_said_is_said_where_it_can_be(tmp_path: Path) -> None:
    status, _ = shell(tmp_path, "run nonesuch >said", "2>/dev/full")
    assert status == 2
    said = (tmp_path / "said").read_text()
    assert said.startswith("wpoflow: standard error: No space left on device; not shown: wpoflow: ")
    assert "nonesuch" in said


@needs_posix
@needs_full
@pytest.mark.parametrize("command", ["gallery lqr", "info kept.h5 --json"])
def test_data_that_is_not_whole_is_no_success(folder: Path, command: str) -> None:
    """What a program would go on to read: JSON, and a problem file."""
    status, said = shell(folder, command, ">/dev/full")
    assert status == 4
    assert said.startswith("wpoflow: standard output: No space left on device; not shown: ")
    assert len(said.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii:strict", "ascii", "cp1252", "latin-1:strict", "utf-8"])
def test_letters_that_an_encoding_lacks(tmp_path: Path, encoding: str) -> None:
    title = "Münzwurf ∂π/∂t 𝔼"
    text = gallery_text("bandit").replace("Bandit: one state, a double-well cost", title)
    (tmp_path / "title.toml").write_text(text, encoding="utf-8")
    shown = {}
    for command in ("check", "run", *(["info"] if encoding == "latin-1:strict" else [])):
        named = ["./title.h5"] if command == "info" else ["./title.toml", "--cells", "a=16", "--until", "0.1"]
        done = subprocess.run(
            [sys.executable, "-m", "wpoflow", command, *named],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding},
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        shown[command] = done.stdout.decode(encoding.partition(":")[0])
    assert open_run(tmp_path / "title.h5").title == title
    problem, _, _ = shown["check"].partition("\n# what a run would be\n")
    assert tomllib.loads(problem)["problem"]["title"] == title  # escapes are those of TOML
    assert "zwurf" in shown["run"]


def test_json_is_the_same_in_every_encoding(tmp_path: Path) -> None:
    small_run(tmp_path / "kept.h5")
    with h5py.File(tmp_path / "kept.h5", "r+") as file:
        file.attrs["title"] = "Münzwurf"
    done = subprocess.run(
        [sys.executable, "-m", "wpoflow", "info", "kept.h5", "--json", "--anyway"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["attributes"]["title"] == "Münzwurf"


@pytest.mark.slow
def test_what_a_terminal_would_obey_is_not_sent_to_it(tmp_path: Path) -> None:
    """Titles and names of files come from elsewhere: neither moves the cursor, neither makes a second line."""
    text = gallery_text("bandit").replace("Bandit: one state", "Red\\u001b[31m\\u009b2J\\nsecond")
    (tmp_path / "red.toml").write_text(text, encoding="utf-8")
    name = "a\nb\x1b[31m.h5"
    for command in (
        ["run", "./red.toml", "--cells", "a=16", "--until", "0.1", "-o", name],
        ["info", name],
        ["run", name],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "wpoflow", *command],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode == 0) == (command != ["run", name])
        assert "\x1b" not in done.stdout + done.stderr
        assert "\x9b" not in done.stdout
        assert not any(line.startswith("b") and ".h5" in line for line in (done.stdout + done.stderr).splitlines())
        assert len(done.stderr.splitlines()) == (0 if done.returncode == 0 else 1)


@pytest.mark.skipif(sys.platform != "linux", reason="there is no pseudo-terminal to be had")
@pytest.mark.slow
@pytest.mark.parametrize(("term", "columns"), [("xterm", "80"), ("dumb", "80"), ("xterm", "1"), ("", "1")])
def test_terminals_of_all_kinds(tmp_path: Path, term: str, columns: str) -> None:
    import pty

    parent, child = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": term, "COLUMNS": columns}
    process = subprocess.Popen(
        [sys.executable, "-m", "wpoflow", "run", "lqr", "--cells", "x=16", "--cells", "u=16", "--until", "2"],
        cwd=tmp_path,
        env=environment,
        stdout=child,
        stderr=subprocess.PIPE,
    )
    os.close(child)
    shown = b""
    while True:
        try:
            block = os.read(parent, 4096)
        except OSError:  # the other end is closed
            break
        if not block:
            break
        shown += block
    os.close(parent)
    assert process.stderr is not None
    assert (process.wait(), process.stderr.read()) == (0, b"")
    process.stderr.close()
    assert b"flow time 2 reached" in shown
    if term in ("dumb", ""):
        assert b"\x1b[2K" not in shown


@pytest.mark.skipif(sys.platform != "linux", reason="there is no pseudo-terminal to be had")
@pytest.mark.slow
def test_a_terminal_that_is_closed_while_the_run_goes_on(tmp_path: Path) -> None:
    import pty

    parent, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "wpoflow", "run", *SMALL.split(), "--until", "20", "-o", "run.h5"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"},
        stdout=child,
        stderr=subprocess.PIPE,
    )
    os.close(child)
    os.read(parent, 1)
    os.close(parent)
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert said.decode().startswith("wpoflow: standard output: ")
    assert len(said.splitlines()) == 1
    assert open_run(tmp_path / "run.h5").series["time"][-1] == 20.0


def test_an_onlooker_that_is_there_is_written_to(capsys: pytest.CaptureFixture[str]) -> None:
    stream = Onlooker(sys.stdout)
    stream.write("seen\n")
    stream.flush()
    assert capsys.readouterr().out == "seen\n"
    assert (stream.lost, stream.error) == ("", None)
    assert Onlooker(None).isatty() is False
    with pytest.raises(TypeError):
        stream.write(b"bytes")  # type: ignore[arg-type]


def test_what_fails_when_it_is_sent_on_is_lost_all_the_same() -> None:
    """Small texts stay in a buffer until they are flushed; later ones are not tried."""

    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    behind = Full()
    stream = Onlooker(behind)
    stream.write("first\nsecond\n")
    stream.flush()
    stream.write("third\n")
    assert stream.lost == "No space left on device; not shown: first ..."
    assert behind.getvalue() == "first\nsecond\n"
    closed = io.StringIO()
    closed.close()
    stream = Onlooker(closed)
    stream.write("text")
    assert stream.lost == "closed; not shown: text ..."


def test_short_texts_have_one_line(tmp_path: Path) -> None:
    """Of every public class that holds arrays, whatever the size of these."""
    small_run(tmp_path / "run.h5")
    run = open_run(tmp_path / "run.h5")
    mdp = wpo.load_problem("lqr")
    best = wpo.solve_optimum(mdp)
    state = next(iter(wpo.flow(mdp, step=0.05)))
    judged = wpo.validate_run(wpo.evolve(mdp, until=0.1, optimum=best), "lqr", only=["structure"])
    gallery = [wpo.load_problem(name).transition for name in ("bandit", "inventory", "mountain_car")]
    stated = read_problem("lqr")
    things: list[object] = [run, run.optimum, run.snapshots, mdp, mdp.states, mdp.actions.axes[0], best, state]
    things += [state.state, judged, judged.findings[0], stated, read_statement(stated), *gallery]
    things += [wpo.tabulated_transition(np.full((3, 2, 3), 1 / 3)), wpo.GridPolicy.from_run(run, None, "median")]
    for thing in things:
        assert len(repr(thing).splitlines()) == 1
        assert len(repr(thing)) <= 300
        assert repr(thing).startswith(f"{type(thing).__name__}(")
    assert repr(mdp.states) == "Grid(x 128)"
    assert repr(mdp.states.axes[0]) == "Axis('x', 128 cells on [-4, 4], clamp)"
    assert brief(run.optimum).startswith("Optimum(value=array (3,), q=array (3, 4), ")
