"""Sweeps through executors: processes of their own, which may be lost; threads; what other libraries have."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import wpoflow as wpo
from tests.kills import carried_out
from tests.studies.sweep.studies import COMMAND, OVER, SMALL, differences
from tests.variants import slow
from wpoflow.studies.sweep import engine
from wpoflow.studies.sweep.engine import SweepError, threads_each
from wpoflow.studies.sweep.result import Study
from wpoflow.studies.sweep.study import Sweep, swept
from wpoflow.studies.sweep.task import carry_out
from wpoflow.studies.sweep.values import StudyError

ROOT = Path(__file__).resolve().parents[3]
TWO = {"problem.temperature": [0.1, 0.2]}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The study that nothing happens to."""
    return wpo.sweep("bandit", OVER, folder=tmp_path_factory.mktemp("sweep") / "out", **SMALL)


@pytest.mark.slow
def test_killed_at_random_and_resumed_it_is_the_same(study: Study, tmp_path: Path) -> None:
    """The process is killed at random moments, three times in the middle of it, until it ends."""
    random, folder = np.random.default_rng(5), tmp_path / "out"
    command = [*COMMAND, "--checkpoint", "0", "--quiet", "-o", str(folder)]
    begun = time.monotonic()
    assert carried_out(command) == 1  # two points fail
    seconds = time.monotonic() - begun
    shutil.rmtree(folder)
    kills = 0
    while kills < 3:
        status = carried_out(command, random.uniform(0.05, 0.4) * seconds)
        assert status in (-signal.SIGKILL, 1)
        kills += status == -signal.SIGKILL
        if status == 1:
            shutil.rmtree(folder)
    assert carried_out(command) == 1
    assert differences(study, wpo.open_study(folder)) == []
    left = {path.suffix for path in folder.iterdir()} - {".lock"}  # an empty one may stay of a process that was killed
    assert left == {".h5", ".nc", ".json"}


def test_processes_give_the_same_and_one_that_is_lost_costs_nothing_else(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measuring kills the process, of one temperature once, of the other always."""
    monkeypatch.setenv("DEADLY", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    folder = tmp_path / "out"
    how: dict[str, Any] = {**SMALL, "settings": {"until": SMALL["until"]}}
    del how["until"]
    asked = Sweep(problem="bandit", over=TWO, folder=folder, jobs=2, **how)
    found = swept(replace(asked, measures={"deadly": "tests.studies.sweep.studies:deadly"}))
    assert found.status.tolist() == ["failed", "complete"]
    assert found["stop_reason"][0] == "its process was lost twice, as for want of memory"
    assert found["measured"][1] == found["gap"][1].max()
    alone = wpo.sweep("bandit", TWO, folder=tmp_path / "alone", **SMALL)
    np.testing.assert_array_equal(found["gap"][1], alone["gap"][1])


@pytest.mark.slow
def test_a_script_without_its_guard_is_told_so_in_one_line(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import wpoflow as wpo\n"
        "try:\n"
        f"    wpo.sweep('bandit', {TWO}, folder='out', jobs=2, cells={{'a': 8}}, until={{'steps': 2}})\n"
        "except RuntimeError as error:\n"
        "    print(error)\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = set(done.stdout.splitlines())
    assert done.returncode == 0, done.stderr
    assert lines == {engine.GUARD}


def test_a_script_from_standard_input_is_told_that_processes_need_a_file(tmp_path: Path) -> None:
    """A guard would not help it: each process would have to read it again."""
    script = f"""
import wpoflow as wpo
if __name__ == "__main__":
    wpo.sweep("bandit", {TWO!r}, folder={os.fspath(tmp_path / "out")!r}, jobs=2)
"""
    done = subprocess.run([sys.executable, "-"], input=script, cwd=ROOT, text=True, capture_output=True, timeout=60)
    last = done.stderr.splitlines()[-1]
    assert last.partition(": ")[2] == engine.NO_FILE.format("<stdin>")
    assert "Process" not in done.stderr  # none was begun


def started(folder: Path, *more: str) -> subprocess.Popen[str]:
    """The command in a process group of its own, as a terminal starts it."""
    return subprocess.Popen(
        [sys.executable, "-m", "wpoflow", *COMMAND, "--checkpoint", "0", "-o", str(folder), *more],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(what: Callable[[], Any]) -> None:
    end = time.monotonic() + 100.0
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.slow
def test_ctrl_c_and_a_killed_parent_leave_workers_nowhere_and_everything_to_go_on_with(
    study: Study, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    for number, sent in ((1, signal.SIGINT), (2, signal.SIGKILL)):
        process = started(folder, "--jobs", "2")
        try:
            wait_for(partial(enough, folder, number))
            workers = psutil.Process(process.pid).children(recursive=True)
            if sent == signal.SIGINT:
                os.killpg(process.pid, sent)
            else:
                process.kill()
            _, err = process.communicate(timeout=60)
            wait_for(partial(gone, workers))
        finally:
            process.kill()
        if sent == signal.SIGINT and process.returncode != 1:  # else all was done before it
            assert process.returncode == 130, err
            assert len(err.splitlines()) == 1
            assert "points are done; the same command goes on" in err
    process = started(folder)
    process.communicate(timeout=100)
    assert process.returncode == 1
    assert differences(study, wpo.open_study(folder)) == []


def enough(folder: Path, number: int) -> bool:
    return len(list(folder.glob("*.h5"))) >= number


def gone(processes: list[psutil.Process]) -> bool:
    return not any(map(alive, processes))


def alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_threads_are_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_NUM_THREADS", "8")
    assert [threads_each(jobs) for jobs in (1, 2, 3, 16)] == [8, 4, 2, 1]
    monkeypatch.delenv("NUMBA_NUM_THREADS")
    assert threads_each(1000) == 1


class Future:
    """A future of nobody's library: it is carried out when its result is asked for."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.call = call

    def result(self) -> Any:
        return self.call()

    def cancel(self) -> bool:
        return True


class Later:
    """An executor of nobody's library, which loses every second call."""

    def __init__(self) -> None:
        self.count = 0

    def submit(self, fn: Callable[..., Any], /, *arguments: Any) -> Future:
        self.count += fn is carry_out
        number = self.count

        def call() -> Any:
            if fn is carry_out and number == 2:
                raise ConnectionError("the line is dead")
            return fn(*arguments)

        return Future(call)


@pytest.mark.slow
def test_any_executor_will_do(study: Study, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        assert differences(study, wpo.sweep("bandit", OVER, folder=tmp_path / "a", executor=pool, **SMALL)) == []
    found = wpo.sweep("bandit", OVER, folder=tmp_path / "b", executor=Later(), **SMALL)
    assert found.counts == {"complete": 3, "failed": 3}
    assert found["stop_reason"][0, 1] == "the executor lost it: ConnectionError: the line is dead"
    again = wpo.sweep("bandit", OVER, folder=tmp_path / "b", **SMALL)  # what was not its own fault is tried again
    assert differences(study, again) == []


def test_what_is_no_executor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="executor is of type int"):
        wpo.sweep("bandit", OVER, folder=tmp_path, executor=3, **SMALL)  # type: ignore[arg-type]
    with pytest.raises(StudyError, match="jobs: an executor has workers of its own"), ThreadPoolExecutor(1) as pool:
        wpo.sweep("bandit", OVER, folder=tmp_path, executor=pool, jobs=2, **SMALL)
    with pytest.raises(StudyError, match="jobs: 0 is not a positive whole number"):
        wpo.sweep("bandit", OVER, folder=tmp_path, jobs=0, **SMALL)
    assert issubclass(SweepError, RuntimeError)


@pytest.fixture
def quiet_libraries(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Other libraries may warn; their workers find the sources."""
    import warnings

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with warnings.catch_warnings(), np.errstate(all="warn"):
        warnings.simplefilter("ignore")
        yield


@pytest.mark.usefixtures("quiet_libraries")
def test_dask(study: Study, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        found = wpo.sweep("bandit", OVER, folder=tmp_path, executor=client.get_executor(), **SMALL)
    assert differences(study, found) == []


@pytest.mark.usefixtures("quiet_libraries")
def test_executorlib(tmp_path: Path) -> None:
    """The executor of Slurm jobs, whose jobs are processes here: files carry calls and results."""
    api = pytest.importorskip("executorlib.api")
    with api.TestClusterExecutor(cache_directory=str(tmp_path / "cache")) as executor:
        found = wpo.sweep("bandit", TWO, folder=tmp_path / "out", executor=executor, **SMALL)
    assert differences(wpo.sweep("bandit", TWO, folder=tmp_path / "alone", **SMALL), found) == []


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [2, slow(3)])
def test_mpi(study: Study, tmp_path: Path, ranks: int) -> None:
    """Ranks of one job; mpiexec is that of the environment."""
    pytest.importorskip("mpi4py")
    mpiexec = Path(sys.executable).parent / "mpiexec"
    if not mpiexec.exists():
        pytest.skip("there is no mpiexec beside Python")
    done = subprocess.run(
        [
            str(mpiexec),
            "-n",
            str(ranks),
            sys.executable,
            "-m",
            "wpoflow",
            *COMMAND,
            "--engine",
            "mpi",
            "-o",
            str(tmp_path / "a"),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout.count("written to") == 1
    found = wpo.open_study(tmp_path / "a")
    assert differences(study, found) == []
    alone = subprocess.run(
        [sys.executable, "-m", "wpoflow", *COMMAND, "--engine", "mpi", "-o", str(tmp_path / "b")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert alone.returncode == 2
    assert alone.stderr.splitlines() == [
        "wpoflow: --engine mpi: there is one rank, which has nobody to hand points to: mpiexec -n 3 wpoflow sweep ..."
    ]
