"""Small runs of every shape a figure may meet, and made-up ones of every way a run may end."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.load import build_problem
from wpoflow.problems.problem_file import parse_problem
from wpoflow.solver.records.run import Optimum, Run, Snapshots
from wpoflow.solver.records.series import SERIES
from wpoflow.solver.runs.evolve import evolve

HARD_TITLE = r"A $\frac{1}{$ of 50% <b>x_1</b> & {y}^2 \alpha \$: " + "a title that is much too long for two lines " * 4

LABELS = ("up", "$ down_1 <b>", "wait")


@dataclass(frozen=True)
class Shape:
    """Cells of the state and of the action axes, and which kinds apply beside those for all."""

    states: tuple[int, ...]
    actions: tuple[int, ...]
    periodic: bool = False
    labels: tuple[str, ...] = ()


SHAPES = {
    "bandit": Shape((), (24,)),
    "bandit of two actions": Shape((), (8, 7)),
    "line": Shape((9,), (12,)),
    "circle": Shape((8,), (10,), periodic=True),
    "plane": Shape((7, 6), (8,)),
    "plane of two actions": Shape((5, 6), (6, 5)),
    "space of three actions": Shape((4, 3, 3), (3, 4, 3)),
    "bandit of labels": Shape((), (3,), labels=LABELS),
    "line of labels": Shape((9,), (3,), labels=LABELS),
    "line of labels and a force": Shape((6,), (3, 5), labels=LABELS),
    "plane of labels": Shape((7, 6), (3,), labels=LABELS),
    "line of many labels": Shape((6,), (30,), labels=tuple(f"a long label, the {k}th" for k in range(30))),
    "one action cell": Shape((7,), (1,)),
    "one point beside a line": Shape((1, 7), (6, 1)),
}


def problem_text(shape: Shape, title: str) -> str:
    """A regulator: every state axis is pushed by an action."""
    lines = ["[problem]", f"title = '''{title}'''", "discount = 0.8", "temperature = 0.4"]
    states = [f"long_state_{k}" for k in range(len(shape.states))]
    actions = [f"push_{k}" for k in range(len(shape.actions))]
    for name, cells in zip(states, shape.states, strict=True):
        boundary = "periodic" if shape.periodic else "clamp"
        lines += [f"[state.{name}]", "bounds = [-1.0, 1.5]", f"cells = {cells}", f'boundary = "{boundary}"']
    for name, cells in zip(actions, shape.actions, strict=True):
        if name == "push_0" and shape.labels:
            lines += [f"[action.{name}]", f"labels = {json.dumps(shape.labels)}"]
            continue
        boundary = "periodic" if shape.periodic else "no-flux"
        lines += [f"[action.{name}]", "bounds = [-2.0, 2.0]", f"cells = {cells}", f'boundary = "{boundary}"']
    if states:
        lines.append("[dynamics]")
        lines += [f'{name} = "0.8*{name} + 0.2*{actions[k % len(actions)]}"' for k, name in enumerate(states)]
        lines.append("[noise]")
        lines += [f"{name} = 0.2" for name in states]
    cost = " + ".join([f"{name}**2" for name in states] + [f"0.3*({name} - 0.4)**2" for name in actions])
    lines += ["[cost]", f'running = "{cost}"', "[initial]", f'policy_density = "exp(-{actions[0]}**2)"']
    lines += ["[flow]", "until = { time = 3.0 }", *(['kind = "fisher-rao"'] if shape.labels else [])]
    return "\n".join(lines)


@cache
def small_run(name: str, title: str = "A small regulator", rewards: bool = False) -> Run:
    """A run of a few steps of the problem of that shape; its cost as minus a reward, if that is said."""
    problem = parse_problem(problem_text(SHAPES[name], title))
    mdp = build_problem(problem)
    mdp = replace(mdp, rewards=True) if rewards else mdp
    return evolve(mdp, until=3.0, accuracy=1e-2, snapshots=6, flow=problem.flow.kind)


def made_up(
    gap: FloatArray | list[float], *, optimum: bool = True, snapshots: int = 1, title: str = "Made up", **more: Any
) -> Run:
    """A run over 3 states and 4 actions with the given gaps at the times 0, 1, 2, ..."""
    gaps = np.asarray(gap, dtype=np.float64)
    states, actions = Grid((uniform_axis("x", -1.0, 1.0, 3, "clamp"),)), Grid((uniform_axis("u", 0.0, 1.0, 4),))
    policy, rho = np.full((3, 4), 0.25), np.full(3, 1.0 / 3.0)
    rows = {name: np.ones(gaps.size) for name in SERIES}
    rows |= {"time": np.arange(float(gaps.size)), "gap": gaps, "gap_sup": gaps, "dissipation": 0.5 * gaps}
    rows["rate_observed"] = np.where(gaps > 0.0, 0.5, np.nan)
    best = Optimum(np.zeros(3), np.zeros((3, 4)), policy, 1e-15, 1e-15, rho, 2)
    times = np.arange(float(snapshots))
    kept = Snapshots(times, np.ones((snapshots, 3)), np.tile(policy, (snapshots, 1, 1))) if snapshots else None
    return Run(
        states=states,
        actions=actions,
        series=rows,
        snapshots=kept,
        optimum=best if optimum else None,
        reference_mass=np.full(4, 0.25),
        rho=rho,
        attributes={"title": title, "problem": "", "status": "failed", "discount": 0.5, "temperature": 1.0, **more},
    )


ENDINGS = {
    "two rows": made_up([2.0, 0.5]),
    "one row": made_up([2.0]),
    "zero gap": made_up([0.0, 0.0, 0.0]),
    "gap down to its floor": made_up([10.0**-k for k in range(16)] + [0.0, 3e-16, 0.0], snapshots=4),
    "not finite at the end": made_up([2.0, 1.0, np.nan, np.inf]),
    "no optimum": made_up([2.0, 1.0], optimum=False),
    "no snapshots": made_up([2.0, 1.0], snapshots=0),
    "optimum alone": made_up([], snapshots=0),
    "nothing at all": made_up([], snapshots=0, optimum=False),
    "a title that is hard to set": made_up([2.0, 0.5], title=HARD_TITLE),
    "a tiny gap": made_up([1e-280, 1e-290, 1e-300, 1e-305]),
    "a gap that hardly falls": made_up([1.0, 1.0 - 1e-12, 1.0 - 2e-12]),
}
