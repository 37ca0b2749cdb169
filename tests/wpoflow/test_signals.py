"""Ctrl-C and SIGTERM end a command with one line and status 130, whenever they come, and leave nothing half written."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are sent the POSIX way")

MARKED = """
import os, sys
sys.path.insert(0, {root!r})
from wpoflow.__main__ import SIGNALS, main
print("up", flush=True)
sys.argv[1:] = {arguments!r}
{more}
main()
"""


def started(folder: Path, arguments: list[str], more: str = "") -> subprocess.Popen[str]:
    """A command in a process that has just installed its handlers."""
    code = MARKED.format(root=str(ROOT), arguments=arguments, more=more)
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def left(folder: Path) -> set[str]:
    """What is neither a whole file nor what a run may be gone on with."""
    return {path.name for path in folder.iterdir() if path.suffix in (".part", ".lock")}


@pytest.mark.parametrize(
    ("command", "number", "instants"),
    [
        (["run", "lqr", "--until", "1000", "--force"], signal.SIGINT, (0.6,)),
        *(
            pytest.param(*more, marks=pytest.mark.slow)
            for more in (
                (["run", "lqr", "--until", "1000", "--force"], signal.SIGINT, (0.0, 0.1, 0.3, 1.0, 1.6)),
                (["run", "lqr", "--until", "1000", "--force"], signal.SIGTERM, (0.03, 0.9)),
                (["optimum", "torus", "-o", "o.h5", "--force"], signal.SIGHUP, (0.2, 0.7, 1.2)),
                (["check", "lqr"], signal.SIGTERM, (0.4,)),
                (["check", "lqr"], signal.SIGINT, (0.4,)),
            )
        ),
    ],
    ids=lambda given: given[0] if isinstance(given, list) else given.name if isinstance(given, signal.Signals) else "",
)
def test_at_many_instants(
    tmp_path: Path, command: list[str], number: signal.Signals, instants: tuple[float, ...]
) -> None:
    """From the first line of the command on: within imports, while preparing, while stepping, while ending."""
    for instant in instants:
        process = started(tmp_path, command)
        time.sleep(instant)
        process.send_signal(number)
        _, said = process.communicate(timeout=120)
        if process.returncode == 0:  # it was over
            assert said == ""
            continue
        assert process.returncode == 130, said
        assert len(said.splitlines()) == 1
        assert "interrupted" in said
        assert left(tmp_path) == set()


SWALLOWED = {
    "import": "import builtins; open('deaf.py', 'w').write('import time\\ntry: time.sleep(1)\\nexcept: pass\\n'); "
    "sys.path.insert(0, '.'); import deaf",
    "finaliser": "class Deaf:\n    def __del__(self): time.sleep(1)\nDeaf()",
    "callback": "import ctypes; ctypes.CFUNCTYPE(None)(lambda: time.sleep(1))()",
    "except": "try: time.sleep(1)\nexcept BaseException: pass",
}


@pytest.mark.parametrize("where", SWALLOWED)
def test_a_signal_that_is_dropped_comes_again(tmp_path: Path, where: str) -> None:
    """Python drops what is raised within finalisers and callbacks, and modules may catch whatever comes."""
    code = f"import time, sys; print('deaf', flush=True)\n{SWALLOWED[where]}\ntime.sleep(60)"
    more = (
        "import wpoflow.commands.gallery as gallery\n"
        f"def deaf(**_): exec({code!r}, {{'__name__': 'deaf'}})\n"
        "gallery.main = deaf\n"
    )
    process = started(tmp_path, ["gallery"], more)
    assert process.stdout is not None
    assert process.stdout.readline() == "deaf\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (130, "wpoflow: interrupted\n")


COMPILER = Path(str(getattr(importlib.util.find_spec("llvmlite"), "origin", ""))).parent
CALLED = """
print("within", flush=True)
try:
    time.sleep(1)
finally:
    print("left", flush=True)
told.append("whole")
"""


@pytest.mark.parametrize("place", [COMPILER / "any_module.py", "<frozen importlib._bootstrap>"])
def test_what_would_be_left_half_made_is_not_cut_short(tmp_path: Path, place: object) -> None:
    """Objects of LLVM do not survive that, nor do modules: the interruption waits until the call returns."""
    more = (
        "import time\nimport wpoflow.commands.gallery as gallery\n"
        "def working(**_):\n"
        "    told = []\n"
        f"    try: exec(compile({CALLED!r}, {str(place)!r}, 'exec'), {{'time': time, 'told': told}})\n"
        "    finally: print(*told, flush=True)\n"
        "    time.sleep(60)\n"
        "gallery.main = working\n"
    )
    process = started(tmp_path, ["gallery"], more)
    assert process.stdout is not None
    assert process.stdout.readline() == "within\n"
    process.send_signal(signal.SIGTERM)
    shown, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (130, "wpoflow: interrupted\n")
    assert shown == "left\nwhole\n"


@pytest.mark.slow
def test_a_signal_that_is_ignored_stays_so(tmp_path: Path) -> None:
    """As nohup and shells do for what runs in the background."""
    process = subprocess.Popen(
        [sys.executable, "-m", "wpoflow", "run", "lqr", "--until", "5", "-o", "run.h5"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    time.sleep(1.0)
    process.send_signal(signal.SIGHUP)
    _, said = process.communicate(timeout=120)
    assert (process.returncode, said) == (0, b"")


def test_the_handlers_of_the_process_are_given_back(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Where `main` is called by another program: after a command, after one that fails, and after `--version`."""
    from wpoflow.cli import main
    from wpoflow.commands import gallery

    def hooks() -> list[object]:
        return [*map(signal.getsignal, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)), sys.unraisablehook]

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # ignored ones, as under nohup, are left alone
        previous = signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        request.addfinalizer(functools.partial(signal.signal, number, previous))
    before, within = hooks(), []

    def listing(name: str) -> object:
        within.append(hooks())
        return 1 / len(name)

    monkeypatch.setattr(gallery, "main", listing)
    for arguments in (["gallery", "x"], ["gallery", ""], ["--version"], ["nothing"]):
        with pytest.raises(SystemExit):
            main(arguments)
        assert hooks() == before
    assert len(within) == 2
    for taken in within:  # all of them were taken over
        assert not any(a == b for a, b in zip(taken, before, strict=True))


LATE = """
import json, signal
from wpoflow.solver.runs.recorder import Recorder
closing, count = Recorder.close, [0]
def close(*arguments):
    found = closing(*arguments)
    count[0] += 1
    if count[0] == {which}:
        os.kill(os.getpid(), signal.{number})
    return found
Recorder.close = close
import atexit
atexit.register(lambda: print("runs", count[0], flush=True))
"""
SMALL = ["lqr", "--cells", "x=12", "--cells", "u=12"]
COMPARE = ["compare", *SMALL, "--flow", "wasserstein", "--flow", "fisher-rao", "--flow", "mirror:step=1"]
COMPARE += ["--until", "0.1", "-o", "out"]
SWEEP = ["sweep", *SMALL, "--over", "problem.temperature=0.1,0.2", "--until", "0.1", "-o", "out"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "number"),
    [
        (COMPARE, "SIGTERM"),
        (["validate", "lqr", "bandit", "--only", "pointwise_descent", "--jobs", "1"], "SIGINT"),
        (SWEEP, "SIGINT"),
        (["refine", *SMALL, "--levels", "3", "--time", "0.2"], "SIGINT"),
        (["limits", "metastability"], "SIGHUP"),
        (["doctor"], "SIGINT"),
    ],
    ids=lambda given: given[0] if isinstance(given, list) else given,
)
def test_a_signal_after_the_last_step_of_a_run_is_heard_before_the_next(
    tmp_path: Path, command: list[str], number: str
) -> None:
    """It came too late for the run, which is kept, and the command goes on to nothing else."""
    process = started(tmp_path, command, LATE.format(which=1, number=number))
    shown, said = process.communicate(timeout=120)
    assert (process.returncode, len(said.splitlines())) == (130, 1), said
    assert said.startswith("wpoflow: interrupted")
    assert shown.splitlines()[-1] == "runs 1"
    assert left(tmp_path) == set()
    assert len(list(tmp_path.glob("out/*.h5"))) == ("out" in command)


@pytest.mark.slow
def test_what_a_comparison_has_done_is_kept(tmp_path: Path) -> None:
    """Files, and processor times of runs before the one at whose end it was interrupted."""
    process = started(tmp_path, COMPARE, LATE.format(which=2, number="SIGINT"))
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert said == "wpoflow: interrupted; what is done is kept, and the same command with -o out goes on\n"
    before = {path: path.read_bytes() for path in tmp_path.glob("out/*.h5")}
    assert len(before) == 2
    _, said = started(tmp_path, COMPARE).communicate(timeout=120)
    assert said == ""
    assert {path: path.read_bytes() for path in before} == before
    flows = json.loads((tmp_path / "out" / "compare.json").read_text())["flows"]
    assert [None in flow["rows"]["cpu_seconds"] for flow in flows] == [False, True, False]


@pytest.mark.slow
def test_a_single_run_that_is_over_is_over(tmp_path: Path) -> None:
    process = started(tmp_path, ["run", *SMALL, "--until", "0.1"], LATE.format(which=1, number="SIGINT"))
    _, said = process.communicate(timeout=120)
    assert (process.returncode, said) == (0, "")
    assert (tmp_path / "lqr.h5").is_file()
