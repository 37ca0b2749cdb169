"""Returns of one value executed in several ways, on the same fresh seeds: by its policy, by look-ahead, by short plans.

    python -m benchmarks.executions [CASE ...] [--episodes N] [--seed 20000] [--json FILE]

A case is solved once; then every execution plays the same episodes, those of the seeds seed, seed + 1, ...  Those of
dm_control advance in one batch by the task's vectorised model, which is its ``env.step`` to rounding (tests); those of
Gymnasium are played in the environment.  Beside each mean stand its standard error and, since the starts make most of
the spread, the mean difference to the first execution and the standard error of that, episode by episode.  What is
executed was chosen on other seeds (0 to 199).
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.control_returns import CASES as TASKS
from benchmarks.control_returns import PI, Case, Side, cart_pole, first_states
from benchmarks.machine import machine
from benchmarks.report import write_json
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.grid import Grid
from wpoflow.problems.environments.build import from_environment
from wpoflow.problems.environments.control import control_environment
from wpoflow.problems.environments.control_models import control_step
from wpoflow.problems.environments.cross_entropy import CrossEntropy
from wpoflow.problems.environments.look_ahead import LookAhead
from wpoflow.problems.environments.planning import Plan
from wpoflow.problems.environments.policy import GridPolicy
from wpoflow.problems.environments.refined import refined_ending
from wpoflow.problems.environments.rollout import rollout
from wpoflow.solver.bellman.optimum import solve_optimum

STEPS = 1000  # of an episode of dm_control


@dataclass(frozen=True)
class Execution:
    """How to act: a mode or a plan, and for how many steps an action is kept; at most so many episodes; its ending."""

    label: str
    plan: Plan | None = None
    mode: str = "median"
    hold: int = 1
    most: int = 1000
    refined: bool = False


@dataclass(frozen=True)
class Compared:
    """A grid problem and its executions; the environment is one of Gymnasium where there are no state axes.

    And a finer grid for the value at the end of plans: its axes, its actions, and how long they are held.
    """

    case: Case
    executions: tuple[Execution, ...]
    fine: tuple[Side, ...] = ()
    fine_actions: tuple[Side, ...] = ()
    fine_hold: int = 1


PENDULUM = (
    Execution("median"),
    Execution("mean", mode="mean"),
    Execution("look-ahead 1", LookAhead(1)),
    Execution("look-ahead 2", LookAhead(2)),
    Execution("look-ahead 2, minimum", LookAhead(2, temperature=0.0)),
    Execution("look-ahead 3", LookAhead(3)),
    Execution("CEM 15 x 1 step, 100 x 3", CrossEntropy(horizon=15, samples=100, iterations=3)),
)
CART = (
    Execution("median"),
    Execution("median, held 4", hold=4),
    Execution("mean", mode="mean"),
    Execution("look-ahead 1", LookAhead(1)),
    Execution("look-ahead 2", LookAhead(2), most=200),
    Execution("look-ahead 2, minimum", LookAhead(2, temperature=0.0), most=200),
    Execution("look-ahead 3", LookAhead(3), most=20),
    Execution("CEM 12 x 4 steps, 100 x 3", CrossEntropy(horizon=12, samples=100, iterations=3), hold=4, most=50),
)
CAUGHT = Execution("look-ahead 2, tau 0.02, refined ending", LookAhead(2, temperature=2e-2), refined=True)
PLANNED = CrossEntropy(horizon=24, hold=4, samples=200, iterations=4)
ACROBOT = (
    Execution("median"),
    Execution("look-ahead 1", LookAhead(1)),
    Execution("look-ahead 4", LookAhead(4), hold=4, most=50),
    Execution("CEM 24 x 4 steps, 200 x 4", PLANNED, hold=4, most=50),
    Execution("the same, refined ending", PLANNED, hold=4, most=100, refined=True),
)
COMPARED = {
    "pendulum-coarse": Compared(Case("Pendulum-v1", (), (Side("31 x 31", 2.0, 11),), 0.98, 1e-3, 1, -141.0), PENDULUM),
    "pendulum": Compared(Case("Pendulum-v1", (), (Side("101 x 101", 2.0, 21),), 0.98, 1e-3, 1, -141.0), PENDULUM),
    "cartpole-coarse": Compared(
        Case(
            "cartpole-swingup", cart_pole((11, 31, 13, 21), (6.0, 12.0, 8.0, 10.0)), (Side("u", 1.0, 9),),
            0.99, 1e-3, 4, 880.0,
        ),
        CART,
    ),
    "cartpole": Compared(
        TASKS["cartpole-swingup"], (*CART, CAUGHT),
        cart_pole((15, 25, 15, 25), (6.0, 6.0, 6.0, 6.0), (0.5, 0.4, 1.5, 2.0), "clamp"), (Side("u", 1.0, 9),), 5,
    ),
    "acrobot": Compared(
        Case(
            "acrobot-swingup",
            (Side("theta", PI, 41, 6.0, "periodic"), Side("phi", PI, 41, 6.0, "periodic"), Side("a", 13.0, 41, 6.0),
             Side("b", 13.0, 41, 6.0)),
            (Side("u", 1.0, 3),), 0.997, 1e-3, 8, 600.0,
        ),
        ACROBOT,
        (Side("theta", 0.6, 31, 4.0), Side("phi", 1.2, 31, 4.0), Side("a", 3.0, 31, 4.0), Side("b", 8.0, 31, 4.0)),
        (Side("u", 1.0, 7),), 4,
    ),
}  # fmt: skip


def solved(case: Case) -> GridPolicy:
    """The optimal policy of a case, with what plans need."""
    common: dict[str, Any] = {"discount": case.discount, "temperature": case.temperature, "repeat": case.hold}
    if case.states:
        states, actions = (Grid(tuple(side.axis() for side in sides)) for sides in (case.states, case.actions))
        mdp = from_environment(f"dm_control/{case.task}", states=states, actions=actions, **common)
    else:
        (side,) = case.actions
        theta, speed = (int(n) for n in side.name.split(" x "))
        mdp = from_environment(case.task, cells={"theta": theta, "speed": speed, "torque": side.points}, **common)
    return GridPolicy.from_problem(mdp, solve_optimum(mdp, residual=1e-3), repeat=case.hold)


def refined(policy: GridPolicy, of: Compared) -> GridPolicy:
    """The same with the finer value at the end of plans."""
    states, actions = (Grid(tuple(side.axis() for side in sides)) for sides in (of.fine, of.fine_actions))
    started = time.process_time()
    finer = refined_ending(policy, states, environment=f"dm_control/{of.case.task}", actions=actions, hold=of.fine_hold)
    print(
        f"  finer ending: {states.size * actions.size:,} pairs, {time.process_time() - started:.0f} CPU s", flush=True
    )
    return finer


def played(policy: GridPolicy, case: Case, execution: Execution, seeds: range) -> FloatArray:
    """Returns of the episodes of these seeds."""
    acting = GridPolicy(
        policy.states, policy.actions, policy.probabilities, execution.mode, plan=execution.plan,
        prospect=policy.prospect,
    )  # fmt: skip
    if not case.states:
        done = rollout(acting, case.task, episodes=len(seeds), seed=seeds.start, hold=execution.hold)
        return done.returns
    env = control_environment(f"dm_control/{case.task}")
    step, states, returns = control_step(env.unwrapped), first_states(env, seeds), np.zeros(len(seeds))
    assert step is not None
    episodes = acting.for_environment(f"dm_control/{case.task}").episodes(seeds, execution.hold)
    for k in range(STEPS):
        if k % execution.hold == 0:
            actions = episodes.act(states).reshape(len(seeds), -1)
        found = step(states, actions)
        states, returns = found.state, returns + found.reward
    return returns


def compared(name: str, episodes: int, seed: int, only: str = "") -> dict[str, Any]:
    """One case: a row for each execution, printed as it is known."""
    case, records = COMPARED[name].case, []
    started = time.process_time()
    policy = solved(case)
    print(
        f"{name}: {policy.probabilities.size:,} pairs, solved in {time.process_time() - started:.0f} CPU s", flush=True
    )
    first, finer = np.empty(0), None
    for execution in COMPARED[name].executions:
        if only not in execution.label and first.size:
            continue
        started, count = time.process_time(), min(episodes, execution.most)
        if execution.refined and not finer:
            finer = refined(policy, COMPARED[name])
            started = time.process_time()
        returns = played(finer if execution.refined and finer else policy, case, execution, range(seed, seed + count))
        first = first if first.size else returns
        seconds, off = (time.process_time() - started) / count, returns - first[:count]
        record = {
            "execution": execution.label,
            "plan": None if execution.plan is None else asdict(execution.plan),
            "hold": execution.hold,
            "episodes": count,
            "mean": float(returns.mean()),
            "standard_error": _error(returns),
            "difference": float(off.mean()),
            "difference_error": _error(off),
            "worst": float(returns.min()),
            "best": float(returns.max()),
            "seconds_an_episode": seconds,
            "returns": returns.tolist(),
        }
        records.append(record)
        print(
            f"  {execution.label:28s}{count:6d}{record['mean']:10.2f} +- {record['standard_error']:5.2f}"
            f"{record['difference']:9.2f} +- {record['difference_error']:5.2f}{record['worst']:9.1f}"
            f"{record['best']:9.1f}{seconds:9.3f} s",
            flush=True,
        )
    return {"case": name, **asdict(case), "first_seed": seed, "executions": records}


def _error(values: FloatArray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def main(arguments: list[str] | None = None) -> None:
    """Print a row for each case and execution."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.executions", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"{', '.join(COMPARED)}; all by default")
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=20000, help="of the first episode")
    parser.add_argument("--only", default="", metavar="TEXT", help="executions of this in their name, and the first")
    parser.add_argument("--json", type=Path, default=Path(__file__).parent / "results" / "executions.json")
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.cases) - set(COMPARED))
    if unknown:
        parser.error(f"case {', '.join(unknown)}; choose from {', '.join(COMPARED)}")
    for name in given.cases or COMPARED:
        record = compared(name, given.episodes, given.seed, given.only)
        kept = json.loads(given.json.read_text())["cases"] if given.json.exists() else []
        write_json(given.json, {"machine": machine(), "cases": [*(c for c in kept if c["case"] != name), record]})


if __name__ == "__main__":
    main()
