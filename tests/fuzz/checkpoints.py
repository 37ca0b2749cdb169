"""Damage the files of checkpoints: ``python -m tests.fuzz.checkpoints --seed 0``.

A run is cut short.  Of each kind of file in its folder, truncations, flipped bits and scrambled blocks must be noticed
by the trailer, before the archive is opened.  A sample of the damage is given to the command ``wpoflow resume``, each
in a process of its own: it refuses in one line with exit status 3, or goes on from the checkpoint before and says so.
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.fuzz.problem_judge import BadAnswerError, check_lines
from tests.fuzz.sealed_files import flips, scrambles, truncations
from tests.fuzz.table import Tally
from tests.fuzz.worker import ROOT, Outcome, Worker
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.storage.atomic import checkpoint_folder

KINDS = ("start", "optimum", "snapshot", "state")
COMMAND_SECONDS = 2.0


class _CutShortError(BaseException):
    """Ends a run as a kill would."""


def small_problem() -> GridMDP:
    """The problem of the runs that are cut short."""
    from wpoflow.problems.load import load_problem

    return load_problem("lqr", cells={"x": 4, "u": 5})


def cut_short(path: Path) -> None:
    """Leave the checkpoints of a run that ended in the middle."""
    from wpoflow.solver.runs.evolve import Progress, evolve

    def stop(report: Progress) -> None:
        if report.steps == 9:
            raise _CutShortError

    try:
        evolve(small_problem(), until={"steps": 15}, output=path, checkpoint=0.0, snapshots=4, progress=stop)
    except _CutShortError:
        return
    raise RuntimeError("the run was not cut short")


def newest_of(folder: Path, kind: str) -> Path:
    """The newest file of a kind in a folder of checkpoints."""
    return max(folder.glob(f"{kind}*.npz"))


def prepare(folder: Path) -> Callable[[tuple[str, bytes]], str]:
    """The judge of damage: it must be refused, and the archive must not be opened."""
    import zipfile

    from wpoflow.solver.storage.atomic import RunFileError
    from wpoflow.solver.storage.checkpoints import CheckpointFolder

    cut_short(folder / "run.h5")
    kept = CheckpointFolder(folder / "run.h5")
    places = {kind: newest_of(kept.path, kind) for kind in KINDS}
    for older in kept.states()[:-1]:
        older.unlink()
    number = int(places["snapshot"].stem.partition("-")[2])
    load: dict[str, Callable[[], object]] = {
        "start": kept.start,
        "optimum": kept.optimum,
        "snapshot": lambda: kept.snapshot(number),
        "state": kept.newest,
    }
    for read in load.values():
        if read() is None:
            raise BadAnswerError("a whole file is not read")

    def forbidden(*_: object, **__: object) -> None:
        raise BadAnswerError("a damaged archive was opened")

    zipfile.ZipFile = forbidden  # type: ignore[assignment, misc]

    def judge(case: tuple[str, bytes]) -> str:
        kind, content = case
        places[kind].write_bytes(content)
        try:
            load[kind]()
        except RunFileError as error:
            check_lines([str(error)], str(places[kind]))
            return "refused"
        raise BadAnswerError("damage was not noticed")

    return judge


def cases(whole: bytes, rng: random.Random, count: int) -> Iterator[tuple[str, bytes]]:
    """Damage of all families to one file; twice as many flips as truncations and as many scrambles."""
    for family, made in (
        ("truncated", truncations(whole, rng, count)),
        ("flipped", flips(whole, rng, 2 * count)),
        ("scrambled", scrambles(whole, rng, count)),
    ):
        yield from ((family, case) for case in made if case != whole)


def fuzz(count: int, seed: int, keep: Path | None = None) -> Tally:
    """Judge damaged files of each kind, so many truncations of each."""
    rng, tally = random.Random(seed), Tally(keep)
    with tempfile.TemporaryDirectory() as folder, Worker(prepare) as worker:
        cut_short(Path(folder) / "run.h5")
        for kind in KINDS:
            whole = newest_of(checkpoint_folder(Path(folder) / "run.h5"), kind).read_bytes()
            for family, case in cases(whole, rng, count):
                tally.add(f"{kind}, {family}", case, worker.judge((kind, case)))
    return tally


def command(count: int, seed: int, keep: Path | None = None) -> Tally:
    """Give damage to the command ``wpoflow resume``, so many times for each kind of file and for two damaged states."""
    rng, tally = random.Random(seed), Tally(keep)
    with tempfile.TemporaryDirectory() as folder:
        whole, run = Path(folder) / "whole.h5", Path(folder) / "run.h5"
        cut_short(whole)
        for _ in range(3):  # compiles what resuming needs
            _resumed(whole, run)
        for kind in (*KINDS, "both states"):
            for _ in range(count):
                shutil.rmtree(checkpoint_folder(run), ignore_errors=True)
                run.unlink(missing_ok=True)
                shutil.copytree(checkpoint_folder(whole), checkpoint_folder(run))
                states = sorted(checkpoint_folder(run).glob("state-*.npz"))
                hurt = states if kind == "both states" else [newest_of(checkpoint_folder(run), kind)]
                for path in hurt:
                    path.write_bytes(next(case for _, case in _shuffled(path.read_bytes(), rng)))
                tally.add(f"resume, {kind}", str(hurt[-1]), _judged(run, hurt[-1], falls_back=kind == "state"))
    return tally


def _shuffled(whole: bytes, rng: random.Random) -> list[tuple[str, bytes]]:
    made = list(cases(whole, rng, 2))
    rng.shuffle(made)
    return made


def _resumed(whole: Path, run: Path) -> None:
    shutil.rmtree(checkpoint_folder(run), ignore_errors=True)
    run.unlink(missing_ok=True)
    shutil.copytree(checkpoint_folder(whole), checkpoint_folder(run))
    subprocess.run([sys.executable, "-m", "wpoflow", "resume", str(run), "--quiet"], cwd=ROOT, check=False)


def _judged(run: Path, hurt: Path, falls_back: bool) -> Outcome:
    """What the command says of a damaged file."""
    begun = _used_by_children()
    done = subprocess.run(
        [sys.executable, "-m", "wpoflow", "resume", str(run), "--quiet"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = _used_by_children() - begun  # of its own, as the machine may be busy with others
    lines = [line.removeprefix("wpoflow: ") for line in done.stderr.splitlines()]
    try:
        if done.returncode != (0 if falls_back else 3):
            raise BadAnswerError(f"exit status {done.returncode}: {done.stderr[-300:]}")
        if falls_back and not done.stderr.endswith("going on from the checkpoint before it\n"):
            raise BadAnswerError(f"{lines}")
        check_lines(lines[:1], str(hurt))
        if len(lines) != 1:
            raise BadAnswerError(f"{len(lines)} lines")
        if seconds > COMMAND_SECONDS and not falls_back:
            raise BadAnswerError(f"it took {seconds:.1f} s")
    except BadAnswerError as bad:
        return Outcome("traceback", str(bad), seconds, 0.0)
    return Outcome("went on from the one before" if falls_back else "refused", "", seconds, 0.0)


def _used_by_children() -> float:
    """Processor time, in seconds, of all processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print a table of outcomes; the status is 1 if there are faults."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="of truncations of each kind of file; flips are double")
    parser.add_argument("--commands", type=int, default=12, help="of damage to each kind of file, given to the command")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for inputs that led to a fault")
    options = parser.parse_args()
    faults = 0
    for tally in (fuzz(options.count, options.seed, options.keep), command(options.commands, options.seed)):
        print(f"{tally.text()}\n")
        faults += len(tally.faults)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
