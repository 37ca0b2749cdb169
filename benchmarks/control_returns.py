"""Returns in dm_control's tasks of soft optima on graded grids: mean and standard error, CPU seconds and memory.

    python -m benchmarks.control_returns [TASK ...] [--episodes 1000] [--seed 10000] [--verify 20] [--json FILE]

Each task is stated, solved and played in a process of its own with one thread; kernels are compiled before.  Episodes
of the seeds seed, seed + 1, ... begin where ``suite.load(..., task_kwargs={"random": k})`` begins, last until the
task's time limit, and advance in one batch by its vectorised model; the policy acts by the median and is asked at every
step of the simulator, also where it was solved with held actions.  The first ``--verify`` episodes are played by
``env.step`` besides, and each of its steps is compared with the model's from the same state.  *CPU*: statement and
optimum.  *Peak*: most resident memory of the process until then.  The grids were chosen on the seeds 0 to 199.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.four_axes import peak_bytes
from benchmarks.machine import load, machine
from benchmarks.report import write_json
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis, sinh_axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.environments.build import from_environment
from wpoflow.problems.environments.control import ControlEnvironment, control_environment
from wpoflow.problems.environments.control_models import control_step
from wpoflow.problems.environments.models import Step
from wpoflow.problems.environments.policy import GridPolicy
from wpoflow.solver.bellman.optimum import solve_optimum

PI = float(np.pi)


@dataclass(frozen=True)
class Side:
    """An axis: its ends, points and grading (the widest cell by the narrowest), which are finest at zero."""

    name: str
    end: float
    points: int
    ratio: float = 1.0
    boundary: str = "clamp"

    def axis(self, points: int = 0) -> Axis:
        """The axis, of another number of points if one is given."""
        cells = points or self.points
        if self.ratio == 1.0:
            return uniform_axis(self.name, -self.end, self.end, cells, self.boundary)
        return sinh_axis(self.name, -self.end, self.end, cells, self.boundary, focus=0.0, ratio=self.ratio)


@dataclass(frozen=True)
class Case:
    """A task, its grid, and the mean return wanted of it."""

    task: str
    states: tuple[Side, ...]
    actions: tuple[Side, ...]
    discount: float
    temperature: float
    hold: int
    wanted: float
    mode: str = "median"


def cart_pole(
    points: tuple[int, int, int, int],
    ratios: tuple[float, float, float, float],
    ends: tuple[float, float, float, float] = (1.8, PI, 6.0, 12.0),
    boundary: str = "periodic",
) -> tuple[Side, ...]:
    """x, θ, ẋ and θ̇ of the cart with one pole; θ goes round, or only so far."""
    names = ("x", "theta", "v", "omega")
    return tuple(
        Side(name, end, n, ratio, boundary if name == "theta" else "clamp")
        for name, end, n, ratio in zip(names, ends, points, ratios, strict=True)
    )


CASES = {
    "cartpole-swingup": Case(
        "cartpole-swingup", cart_pole((27, 45, 19, 35), (4.0, 10.0, 5.0, 7.0), (1.3, PI, 4.0, 8.5)),
        (Side("u", 1.0, 9),), 0.995, 1e-3, 5, 881.0,
    ),
    "cartpole-balance": Case(
        "cartpole-balance", cart_pole((15, 25, 15, 25), (6.0, 6.0, 6.0, 6.0), (0.5, 0.4, 1.5, 2.0), "clamp"),
        (Side("u", 1.0, 9),), 0.99, 1e-3, 4, 998.0,
    ),
    "pendulum-swingup": Case(
        "pendulum-swingup", (Side("theta", PI, 401, 1.0, "periodic"), Side("omega", 12.0, 481)),
        (Side("u", 1.0, 9),), 0.995, 1e-3, 2, 834.0,
    ),
    "point_mass-easy": Case(
        "point_mass-easy",
        (Side("x", 0.3, 25, 10.0), Side("y", 0.3, 25, 10.0), Side("vx", 0.2, 21, 4.0), Side("vy", 0.2, 21, 4.0)),
        (Side("u", 1.0, 5), Side("w", 1.0, 5)), 0.995, 1e-3, 3, 900.0,
    ),
    "acrobot-swingup": Case(
        "acrobot-swingup",
        (Side("theta", PI, 41, 6.0, "periodic"), Side("phi", PI, 41, 6.0, "periodic"), Side("a", 13.0, 41, 6.0),
         Side("b", 13.0, 41, 6.0)),
        (Side("u", 1.0, 3),), 0.997, 1e-3, 8, 600.0,
    ),
}  # fmt: skip


def play(
    policy: GridPolicy, step: Step, starts: FloatArray, steps: int, every: int = 1
) -> tuple[FloatArray, FloatArray]:
    """Returns and last states of episodes of so many steps, in one batch; the policy is asked at each ``every``-th."""
    states, returns = starts.copy(), np.zeros(len(starts))
    actions: FloatArray = np.empty((len(starts), 0))
    for k in range(steps):
        if k % every == 0:
            actions = policy.batch(states).reshape(len(states), -1)
        found = step(states, actions)
        states = found.state
        returns += found.reward
    return returns, states


def first_states(env: ControlEnvironment, seeds: range) -> FloatArray:
    """Where episodes begin."""
    return np.stack([env.reset(seed=seed)[0] for seed in seeds])


def verified(policy: GridPolicy, step: Step, env: ControlEnvironment, seeds: range) -> dict[str, float]:
    """Episodes by ``env.step``: the largest differences of one step of the model, and the returns."""
    state_error, reward_error, returns = 0.0, 0.0, []
    for seed in seeds:
        state, total, truncated = env.reset(seed=seed)[0], 0.0, False
        while not truncated:
            action = policy.batch(state[None])[0]
            found = step(state[None], action.reshape(1, -1))
            state, reward, terminated, truncated, _ = env.step(action)
            truncated |= terminated
            state_error = max(state_error, float(np.abs(state - found.state[0]).max()))
            reward_error = max(reward_error, abs(reward - float(found.reward[0])))
            total += reward
        returns.append(total)
    return {"episodes": len(seeds), "state": state_error, "reward": reward_error, "mean": float(np.mean(returns))}


def measured(case: Case, episodes: int, seed: int, verify: int) -> dict[str, Any]:
    """Solve one case and play it, in this process."""
    name = f"dm_control/{case.task}"

    def problem(points: int = 0) -> Any:
        return from_environment(
            name,
            discount=case.discount,
            temperature=case.temperature,
            states=Grid(tuple(side.axis(points) for side in case.states)),
            actions=Grid(tuple(side.axis(min(points, side.points)) for side in case.actions)),
            repeat=case.hold,
        )

    solve_optimum(problem(7), residual=1e-3)  # compiles
    started = time.process_time()
    mdp = problem()
    stated = time.process_time()
    best = solve_optimum(mdp, residual=1e-3)
    solved, peak = time.process_time(), peak_bytes()
    env = control_environment(name)
    step, steps = control_step(env.unwrapped), int(env.control._step_limit)
    assert step is not None
    policy = GridPolicy(mdp.states, mdp.actions, best.policy, case.mode)
    returns, _ = play(policy, step, first_states(env, range(seed, seed + episodes)), steps)
    record = {
        "task": case.task,
        "grid": [[side.name, side.end, side.points, side.ratio] for side in case.states],
        "actions": [side.points for side in case.actions],
        "pairs": mdp.cost.size,
        "discount": case.discount,
        "temperature": case.temperature,
        "hold": case.hold,
        "wanted": case.wanted,
        "mean": float(returns.mean()),
        "standard_error": float(returns.std(ddof=1) / np.sqrt(episodes)) if episodes > 1 else 0.0,
        "std": float(returns.std()),
        "worst": float(returns.min()),
        "best": float(returns.max()),
        "first_seed": seed,
        "episodes": episodes,
        "statement_seconds": stated - started,
        "optimum_seconds": solved - stated,
        "peak_bytes": peak,
        "residual": best.bellman_residual,
    }
    if verify:
        record["verified"] = verified(policy, step, env, range(seed, seed + verify))
    return record


def main(arguments: list[str] | None = None) -> None:
    """Print a row for each task."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.control_returns", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=f"{', '.join(CASES)}; all by default")
    parser.add_argument("--episodes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=10000, help="of the first episode")
    parser.add_argument("--verify", type=int, default=20, help="episodes by env.step besides (20)")
    parser.add_argument("--json", type=Path, default=Path(__file__).parent / "results" / "control_returns.json")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.tasks) - set(CASES))
    if unknown:
        parser.error(f"task {', '.join(unknown)}; choose from {', '.join(CASES)}")
    if given.here:
        print(json.dumps(measured(CASES[given.tasks[0]], given.episodes, given.seed, given.verify)))
        return
    folder = Path(__file__).resolve().parents[1]
    environment = {**os.environ, "NUMBA_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    options = [f"--episodes={given.episodes}", f"--seed={given.seed}", f"--verify={given.verify}"]
    print(f"{'task':18s}{'pairs':>9s}{'hold':>5s}{'gamma':>7s}{'return':>9s}{'s.e.':>6s}{'wanted':>8s}{'worst':>8s}"
          f"{'CPU s':>8s}{'peak MB':>9s}  step error")  # fmt: skip
    records = []
    for task in given.tasks or CASES:
        command = [sys.executable, "-m", "benchmarks.control_returns", task, "--here", *options]
        said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder, env=environment).stdout
        at = json.loads(said.splitlines()[-1])
        records.append({**at, "load": load()})
        checked = at.get("verified", {})
        print(
            f"{task:18s}{at['pairs']:9d}{at['hold']:5d}{at['discount']:7g}{at['mean']:9.2f}{at['standard_error']:6.2f}"
            f"{at['wanted']:8g}{at['worst']:8.1f}{at['statement_seconds'] + at['optimum_seconds']:8.1f}"
            f"{at['peak_bytes'] / 1e6:9.0f}  {checked.get('state', float('nan')):.1e}",
            flush=True,
        )
    kept = json.loads(given.json.read_text())["returns"] if given.json.exists() else []
    records += [record for record in kept if record["task"] not in {r["task"] for r in records}]
    write_json(given.json, {"machine": machine(), "returns": sorted(records, key=lambda r: str(r["task"]))})


if __name__ == "__main__":
    main()
