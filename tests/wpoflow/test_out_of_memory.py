"""Where memory does not suffice one line names what needed how much, whichever library was the first to miss it."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz import shown_files
from tests.wpoflow.runs import small_run
from wpoflow.core.memory import needed_by
from wpoflow.exits import Exit, describe, exit_status

ROOT = Path(__file__).resolve().parents[2]
limited = pytest.mark.skipif(sys.platform != "linux", reason="address space is limited the way of Linux")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (MemoryError("Unable to allocate 3 TiB"), "out of memory: run.h5: Unable to allocate 3 TiB"),
        (MemoryError(), "out of memory: run.h5: more memory is needed than there is"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "out of memory: run.h5: [Errno 12] Cannot allocate memory"),
        (RuntimeError("can't start new thread"), "out of memory: run.h5: can't start new thread"),
        (ImportError("lib.so: failed to map segment from\nx"), "out of memory: run.h5: lib.so: failed to map segment"),
    ],
)
def test_every_form_of_it_names_what_was_worked_on(error: Exception, says: str) -> None:
    with pytest.raises(MemoryError) as found, needed_by("lqr"), needed_by("run.h5"):
        raise error
    line = describe(found.value)
    assert line.startswith(says)
    assert "lqr" not in line  # what is nearest is named
    assert len(line.splitlines()) == 1
    assert exit_status(found.value) is Exit.ENVIRONMENT


@pytest.mark.parametrize(
    "error", [ValueError("unable to allocate"), OSError(errno.ENOSPC, "full"), KeyboardInterrupt()]
)
def test_other_errors_are_left_alone(error: BaseException) -> None:
    with pytest.raises(type(error)) as found, needed_by("run.h5"):
        raise error
    assert found.value is error


READERS = {
    "info": ["info", "large.h5"],
    "info-json": ["info", "large.h5", "--json"],
    "plot": ["plot", "large.h5", "-o", "f.png", "--force"],
    "several": ["plot", "large.h5", "run.h5", "-o", "f.png", "--force"],
    "movie": ["movie", "large.h5", "-o", "f.gif", "--force"],
    "validate": ["validate", "large.h5"],
    "to_xarray": ["large.h5"],
}
MEGABYTES = 8, 100
"""Too little for one series, which HDF5 would call a filter that failed, and too little for all of them."""
IN_A_PROCESS = """
import contextlib, io, json, resource, sys
import psutil, xarray
from wpoflow.cli import main
from wpoflow.commands import info, plot, validate
from wpoflow.exits import report
from wpoflow.solver.storage.writer import open_run
from wpoflow.validation.suite import validate_run
from wpoflow.views.figures import save
import wpoflow.views.figures.movie
save(plot.plot(open_run("run.h5"), "overview"), "warm.png")

def to_xarray(file):
    try:
        open_run(file).to_xarray()
    except Exception as error:
        sys.exit(report(error, False))

readers, found = json.loads(sys.argv[1]), {}
for name, arguments in readers.items():
    for more in json.loads(sys.argv[2]):
        said, status = io.StringIO(), 0
        most = psutil.Process().memory_info().vms + more * 10**6
        with contextlib.redirect_stderr(said):
            resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
            try:
                to_xarray(*arguments) if name == "to_xarray" else main(arguments)
            except SystemExit as end:
                status = end.code
            finally:
                resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
        found[f"{name} {more}"] = status, said.getvalue()
print("found", json.dumps(found))
"""


@limited
@pytest.mark.slow
def test_readers_name_the_file(tmp_path: Path) -> None:
    """Of a run file of a megabyte that unpacks to hundreds."""
    shown_files.write_run(tmp_path / "run.h5")
    ((_, content),) = shown_files.stated(tmp_path, ["series of 900 thousand rows"])
    (tmp_path / "large.h5").write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS, json.dumps(READERS), json.dumps(MEGABYTES)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.split("found ")[-1])
    assert len(found) == len(READERS) * len(MEGABYTES)
    for status, said in found.values():
        assert status == 4, found
        assert len(said.splitlines()) == 1
        assert said.startswith("wpoflow: out of memory: ")
        assert "large.h5: " in said
        assert "GB are allowed" in said


@limited
@pytest.mark.parametrize(
    "arguments",
    [
        ["plot", "run.h5", "-o", "f.png"],
        ["movie", "run.h5", "-o", "f.gif"],
        ["validate", "run.h5"],
        ["rollout", "run.h5", "--env", "Pendulum-v1"],
        ["compare", "lqr", "--flow", "fisher-rao"],
        ["refine", "lqr"],
        ["run", "lqr"],
    ],
    ids=lambda arguments: arguments[0],
)
@pytest.mark.parametrize("megabytes", [650])
def test_less_than_the_libraries_take_is_said_before_they_are_loaded(
    tmp_path: Path, arguments: list[str], megabytes: int
) -> None:
    """They would wait for ever, abort the process, or say that a file is missing."""
    small_run(tmp_path / "run.h5")
    before = sorted(tmp_path.iterdir())
    done = under(megabytes, arguments, tmp_path)
    assert done.returncode == 4, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"wpoflow: out of memory: wpoflow {arguments[0]} takes ")
    assert sorted(tmp_path.iterdir()) == before


@limited
def test_commands_without_kernels_take_less(tmp_path: Path) -> None:
    small_run(tmp_path / "run.h5")
    assert under(450, ["info", "run.h5"], tmp_path).returncode == 0
    assert under(450, ["gallery"], tmp_path).returncode == 0


def under(megabytes: int, arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """A command in a process of so much address space, as of ``ulimit -v``."""
    import resource

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (megabytes * 10**6,) * 2)

    set_limit: Callable[[], None] = limit
    return subprocess.run(
        [sys.executable, "-m", "wpoflow", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=set_limit,
    )
