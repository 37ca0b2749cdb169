"""Returns in the real environments, episodes 0 to 999: of optima at a small temperature, and of the flow's last policy.

    python -m benchmarks.rollouts [--episodes N] [--json FILE]

Published mean returns of Pendulum-v1: TD3 -151.9, SAC -157.  The targets stand beside the numbers.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from benchmarks.report import write_json
from wpoflow.problems.environments.build import from_environment
from wpoflow.problems.environments.policy import MODES, GridPolicy
from wpoflow.problems.environments.rollout import rollout
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.runs.evolve import evolve

AXES = {"Pendulum-v1": ("theta", "speed", "torque"), "MountainCarContinuous-v0": ("position", "velocity", "force")}
FLOW_TIME, FLOW_ACCURACY = 100.0, 1e-2


@dataclass(frozen=True)
class Case:
    """A grid problem, whose policy is played, and the mean return wanted of it."""

    environment: str
    cells: tuple[int, int, int]
    discount: float
    temperature: float
    policy: str
    wanted: float


CASES = (
    Case("Pendulum-v1", (101, 101, 21), 0.98, 1e-3, "optimum", -141.0),
    Case("Pendulum-v1", (201, 201, 41), 0.99, 1e-3, "optimum", -138.0),
    Case("Pendulum-v1", (101, 101, 21), 0.98, 0.1, "optimum", -143.0),
    Case("Pendulum-v1", (101, 101, 21), 0.98, 0.1, "flow", -143.0),
    Case("Pendulum-v1", (201, 201, 41), 0.99, 0.1, "flow", -143.0),
    Case("MountainCarContinuous-v0", (101, 101, 21), 0.99, 1e-3, "optimum", 94.0),
)


def measure(case: Case, episodes: int) -> list[dict[str, Any]]:
    """One record for each mode of acting."""
    cells = dict(zip(AXES[case.environment], case.cells, strict=True))
    mdp = from_environment(case.environment, discount=case.discount, temperature=case.temperature, cells=cells)
    started = time.monotonic()
    best = solve_optimum(mdp)
    policy, gap = best.policy, 0.0
    if case.policy == "flow":
        run = evolve(mdp, until=FLOW_TIME, accuracy=FLOW_ACCURACY, optimum=best, snapshots=2)
        policy, gap = run.policy, float(run.series["gap"][-1])
    solved = time.monotonic() - started
    records = []
    for mode in MODES:
        started = time.monotonic()
        done = rollout(GridPolicy(mdp.states, mdp.actions, policy, mode), case.environment, episodes=episodes)
        records.append(
            {
                **vars(case),
                "mode": mode,
                "gap": gap,
                "mean": done.mean,
                "std": done.std,
                "median": done.median,
                "worst": done.worst,
                "best": done.best,
                "failed": done.failed,
                "solve_seconds": solved,
                "rollout_seconds": time.monotonic() - started,
            }
        )
    return records


def main() -> None:
    """Print a row for each case and mode."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=1000)
    parser.add_argument("--json", type=Path, default=Path(__file__).parent / "results" / "rollouts.json")
    options = parser.parse_args()
    names = ("environment", "cells", "gamma", "tau", "policy", "mode", "mean", "wanted", "std", "median", "worst")
    print("{:26s}{:13s}{:>6s}{:>7s} {:8s}{:8s}{:>9s}{:>8s}{:>8s}{:>9s}{:>9s}".format(*names), " failed  seconds")
    records: list[dict[str, Any]] = []
    for case in CASES:
        for r in measure(case, options.episodes):
            records.append(r)
            print(
                f"{r['environment']:26s}{'x'.join(map(str, r['cells'])):13s}{r['discount']:6g}{r['temperature']:7g} "
                f"{r['policy']:8s}{r['mode']:8s}{r['mean']:9.2f}{r['wanted']:8g}{r['std']:8.2f}{r['median']:9.2f}"
                f"{r['worst']:9.2f}{'-' if r['failed'] is None else r['failed']:>8}{r['rollout_seconds']:9.1f}",
                flush=True,
            )
    write_json(options.json, {"machine": machine(), "episodes": options.episodes, "rollouts": records})


if __name__ == "__main__":
    main()
