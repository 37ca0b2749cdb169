"""Runs that are killed at random moments, and gone on with: each must end as if nothing had happened.

    python -m tests.kills --count 200

A run is started in a process of its own, which is killed (SIGKILL) after a random part of the time the run takes; then
it is resumed, often to be killed again, until it ends.  Its file is compared with that of a run that was left alone:
all series, snapshots, optimum and attributes, bit for bit (but for `tests.same_run.MAY_DIFFER`).  Checkpoints are
written after every step, so that most kills fall into the writing of one file or another.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.same_run import differences
from wpoflow.cli import main
from wpoflow.solver.storage.atomic import RunFileError, checkpoint_folder
from wpoflow.solver.storage.writer import open_run

CASES: dict[str, list[str]] = {
    "bandit": ["--cells", "a=48", "--until", "time=3"],
    "bandit exponential": ["--cells", "a=48", "--until", "time=3", "--scheme", "exponential"],
    "acrobot": [
        "--cells",
        "theta=3",
        "--cells",
        "phi=3",
        "--cells",
        "omega=3",
        "--cells",
        "psi=3",
        "--until",
        "time=9",
    ],
    "cartpole_swingup": [
        "--cells",
        "x=3",
        "--cells",
        "theta=5",
        "--cells",
        "v=3",
        "--cells",
        "omega=3",
        "--until",
        "time=9",
    ],
    "double_integrator": ["--cells", "x=9", "--cells", "v=9", "--cells", "u=11", "--until", "time=2"],
    "grid_world": ["--until", "time=20"],
    "inventory": ["--cells", "stock=16", "--cells", "order=12", "--until", "time=2"],
    "lqr": ["--cells", "x=16", "--cells", "u=16", "--until", "gap=1e-6"],
    "lqr euler": ["--cells", "x=16", "--cells", "u=16", "--until", "time=2", "--scheme", "euler", "--step", "0.05"],
    "lqr fisher-rao": ["--cells", "x=16", "--cells", "u=16", "--until", "time=20", "--flow", "fisher-rao"],
    "lqr mirror": ["--cells", "x=16", "--cells", "u=16", "--until", "time=9", "--flow", "mirror", "--step", "0.3"],
    "mixture": ["--cells", "a=48", "--until", "time=2"],
    "mountain_car": ["--cells", "position=12", "--cells", "velocity=11", "--cells", "force=9", "--until", "time=0.5"],
    "navigation": ["--cells", "x=7", "--cells", "y=7", "--cells", "vx=5", "--cells", "vy=5", "--until", "time=0.5"],
    "pendulum": ["--cells", "theta=12", "--cells", "speed=11", "--cells", "torque=9", "--until", "time=2"],
    "torus": ["--cells", "s=12", "--cells", "a=16", "--until", "time=2"],
}
KILLED_AGAIN = 0.5  # probability
MOST_LINKS = 30
MOST_BAD = 10  # ends, after which no more are looked for


def arguments(case: str, path: Path) -> list[str]:
    """Of the command that runs a case into a file, with a checkpoint after every step."""
    return ["run", case.split()[0], *CASES[case], "--checkpoint", "0", "--quiet", "-o", str(path)]


def carried_out(command: list[str], kill_after: float = np.inf) -> int:
    """Status of a command in a process of its own, or minus the number of the signal that killed it."""
    child = os.fork()
    if child == 0:
        status = 70
        try:
            main(command)
        except SystemExit as end:
            status = int(end.code or 0)
        finally:
            os._exit(status)  # nothing of the parent's is to be tidied up by the child
    until = time.monotonic() + kill_after
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(2e-4)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_and_resumed(case: str, path: Path, seconds: float, random: np.random.Generator) -> int:
    """Run a case to its end, killed on the way: the number of kills.

    Raises
    ------
    RuntimeError
        It could not be gone on with.
    """
    kills = 0
    command = arguments(case, path)
    for _ in range(MOST_LINKS):
        spared = kills > 0 and random.random() > KILLED_AGAIN
        status = carried_out(command, np.inf if spared else random.uniform(0.0, 1.1 * seconds))
        if status == 0:
            return kills
        if status != -signal.SIGKILL:
            raise RuntimeError(f"{' '.join(command)}: status {status} after {kills} kills")
        if checkpoint_folder(path).joinpath("start.npz").exists():
            kills += 1
            command = ["resume", str(path), "--checkpoint", "0", "--quiet"]
        else:  # killed before it began, or after all was done
            try:
                open_run(path)
            except RunFileError:
                command = [*arguments(case, path), "--force"]
            else:
                carried_out(["resume", str(path), "--quiet"], np.inf)  # clears away what the kill left
                return kills
    raise RuntimeError(f"{case}: no end after {MOST_LINKS} links")


def prepared(case: str, folder: Path) -> tuple[Path, float]:
    """The file of a run that is left alone, and the seconds it takes; kernels are compiled here, before any fork."""
    path = folder / f"{case.replace(' ', '-')}.h5"
    for _ in range(2):
        begun = time.monotonic()
        try:
            main([*arguments(case, path), "--force"])
        except SystemExit as end:
            if end.code:
                raise RuntimeError(f"{case}: status {end.code}") from None
    return path, time.monotonic() - begun


def kill(count: int, seed: int, cases: list[str]) -> int:
    """Kill ``count`` times or a few more, spread over the cases, and say how it went; the number of bad ends."""
    random, folder, bad = np.random.default_rng(seed), Path(tempfile.mkdtemp(prefix="kills-")), 0
    ready = {case: prepared(case, folder) for case in cases}
    kills = dict.fromkeys(cases, 0)
    ends = 0
    while sum(kills.values()) < count and bad <= MOST_BAD:
        case = min(kills, key=lambda name: kills[name])
        whole, seconds = ready[case]
        path = folder / "killed.h5"
        try:
            kills[case] += killed_and_resumed(case, path, seconds, random)
            found = differences(whole, path)
            left = [other.name for other in folder.iterdir() if other.name.startswith("killed.h5.")]
            found += [f"left over: {name}" for name in left if not name.endswith(".lock")]
        except RuntimeError as error:
            found = [str(error)]
        ends += 1
        if found:
            bad += 1
            print(f"{case}: {'; '.join(found)}", file=sys.stderr)
        path.unlink(missing_ok=True)
        shutil.rmtree(checkpoint_folder(path), ignore_errors=True)
    shutil.rmtree(folder)
    for case, number in kills.items():
        print(f"{case:20} {number:4} kills; left alone it takes {ready[case][1]:.2f} s")
    print(f"{sum(kills.values())} kills in {ends} runs: {ends - bad} ended as if left alone, {bad} did not")
    return bad


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=200, help="kills in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", action="append", choices=list(CASES), help="only this case; may be repeated")
    options = parser.parse_args()
    sys.exit(1 if kill(options.count, options.seed, options.case or list(CASES)) else 0)
