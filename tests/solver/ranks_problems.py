"""Problems of every kind of transition, small, and the same runs of them in one process and in several.

    mpiexec -n 3 python -m tests.solver.ranks_problems FOLDER [CASE ...]

prints a line for each case: its name, and what differs between the file of one process and that of all, bit for bit.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import wpoflow as wpo
from tests.same_run import differences
from wpoflow.core.communicator import MpiCommunicator, world

HEAD = """
[problem]
title = "{title}"
discount = 0.9
temperature = 0.2
[state.x]
bounds = [-2.0, 2.0]
cells = 11
boundary = "{boundary}"
{state}
[action.u]
bounds = [-1.0, 1.0]
cells = 8
[reference]
potential = "0.3*u**2"
[initial]
state_density = "1 + 0.1*x"
policy_density = "exp(-0.5*(u - 0.2*x)**2)"
[flow]
until = {{ steps = 3 }}
"""
Y = '[state.y]\nbounds = [-1.0, 1.0]\ncells = 5\nboundary = "clamp"'
COST = '[cost]\nrunning = "x**2 + 0.1*u**2"\n'
ENDING = 'terminal_set = "x > 1.5"\nterminal_cost = "2 + x"\n'

TEXTS = {
    "no noise": ("clamp", "", '[dynamics]\nx = "0.8*x + 0.5*u"\n' + COST),
    "noise": ("clamp", "", '[dynamics]\nx = "0.8*x + 0.5*u"\n[noise]\nx = 0.3\n' + COST),
    "lopsided": (
        "clamp",
        "",
        '[dynamics]\nx = "0.8*x + 0.5*u"\n[noise]\nx = 0.3\n' + COST.replace("x**2", "300*exp(x)"),
    ),
    "seam": ("periodic", "", '[dynamics]\nx = "x + 0.5*u"\n' + COST.replace("x**2", "cos(pi*x/2)")),
    "reflected": ("reflect", "", '[dynamics]\nx = "x + 0.5*u"\n[noise]\nx = 0.4\n' + COST),
    "ends exactly": ("clamp", "", '[dynamics]\nx = "0.9*x + u"\n' + COST + ENDING),
    "ends in noise": ("clamp", "", '[dynamics]\nx = "0.9*x + u"\n[noise]\nx = 0.3\n' + COST + ENDING),
    "partly noisy": (
        "clamp",
        Y,
        '[dynamics]\nx = "0.9*x + u"\ny = "0.5*y + 0.4*u"\n[noise]\nx = 0.5\n'
        + COST
        + ENDING.replace("x >", "x + y >"),
    ),
    "varying noise": ("clamp", "", '[dynamics]\nx = "0.8*x + 0.5*u"\n[noise]\nx = "0.2 + 0.1*abs(u)"\n' + COST),
    "varying noise that ends": (
        "clamp",
        "",
        '[dynamics]\nx = "0.8*x + 0.5*u"\n[noise]\nx = "0.2 + 0.1*abs(u)"\n' + COST + ENDING,
    ),
    "shared rows": (
        "clamp",
        "",
        '[dynamics]\nx = "0.4*floor(2*u)"\n[noise]\nx = "0.2 + 0.1*where(u > 0, 1, 0)"\n' + COST,
    ),
    "varying noise on a plane": (
        "clamp",
        Y,
        '[dynamics]\nx = "0.8*x + 0.5*u"\ny = "0.5*y"\n[noise]\nx = "0.2 + 0.1*abs(u)"\n' + COST,
    ),
    "outcomes": (
        "clamp",
        "",
        '[[outcome]]\nprobability = "0.7 - 0.2*u"\ndynamics = { x = "x - 0.5" }\n[[outcome]]\n'
        'probability = "0.3 + 0.2*u"\ndynamics = { x = "0.5*x + u" }\nnoise = { x = 0.4 }\n' + COST,
    ),
}
"""By name: boundary of the first state axis, further axes, and the rest of the file."""

Case = tuple[str, dict[str, Any], dict[str, Any]]
"""Name or text of a problem, what is replaced in it, and what is asked of the run."""


def _cells(**cells: int) -> dict[str, Any]:
    return {"cells": cells}


LQR = _cells(x=25, u=12)
MIRRORED = {"problem.reflection": ["theta", "speed", "torque"]}
CASES: dict[str, Case] = {
    **{name: (name, {}, {}) for name in TEXTS},
    **{f"scheme {name}": ("lqr", LQR, {"scheme": name}) for name in ("euler", "extrapolated", "multistep")},
    "fixed euler": ("lqr", LQR, {"scheme": "euler", "step": 0.05}),
    "fixed extrapolated": ("lqr", LQR, {"scheme": "extrapolated", "step": 0.05}),
    "annealed": ("lqr", LQR, {"anneal": {"schedule": "harmonic", "rate": 0.5}}),
    "annealed fisher-rao": ("lqr", LQR, {"flow": "fisher-rao", "anneal": {"schedule": "harmonic", "rate": 0.5}}),
    "fixed fisher-rao": ("lqr", LQR, {"flow": "fisher-rao", "step": 0.1}),
    "exponential": ("lqr", {**LQR, "set": {"dynamics.x": '"0.9*x"'}}, {"scheme": "exponential", "accuracy": 1e-4}),
    **{f"flow {name}": ("lqr", LQR, {"flow": name}) for name in ("fisher-rao", "wasserstein-fisher-rao")},
    **{f"flow {name}": ("lqr", LQR, {"flow": name, "step": 0.1}) for name in ("mirror", "proximal")},
    "flow gaussian": ("lqr", LQR, {"flow": "gaussian"}),
    "flow gaussian, fixed": ("lqr", LQR, {"flow": "gaussian", "scheme": "euler", "step": 0.05}),
    "flow policy-iteration": ("lqr", LQR, {"flow": "policy-iteration", "step": 1.0}),
    "double_integrator": ("double_integrator", {}, {}),
    "grid_world": ("grid_world", {}, {"flow": "mirror", "step": 0.1}),
    "inventory": ("inventory", {}, {}),
    "mountain_car": ("mountain_car", {}, {}),
    "navigation": ("navigation", {}, {}),
    "pendulum": ("pendulum", {}, {}),
    "torus": ("torus", {}, {}),
    "half": ("pendulum", {**_cells(theta=25, speed=15, torque=7), "set": MIRRORED}, {}),
    "half, held": ("pendulum", {**_cells(theta=25, speed=15, torque=7), "set": {**MIRRORED, "problem.hold": 2}}, {}),
}
SPREAD = ("noise", "seam", "ends in noise", "partly noisy", "outcomes", "scheme multistep", "grid_world")
"""Also with rows that are never gathered, and with products over pairs."""


def problem(name: str, folder: Path, communicator: MpiCommunicator | None, replaced: dict[str, Any]) -> wpo.GridMDP:
    """The problem of a case."""
    if name in TEXTS:
        boundary, state, rest = TEXTS[name]
        path = folder / f"{name.replace(' ', '_')}{'' if communicator is None else communicator.rank}.toml"
        path.write_text(HEAD.format(title=name, boundary=boundary, state=state) + rest)
        return wpo.load_problem(path, communicator=communicator)
    return wpo.load_problem(name, communicator=communicator, **replaced)


def compared(name: str, case: Case, folder: Path, ranks: MpiCommunicator) -> str:
    """What differs between the two files of a case."""
    stated, replaced, asked = case
    asked = {"until": {"steps": 3}, "snapshots": 3, "progress": False, **asked}
    one, all_ = (folder / f"{name.replace(' ', '_')}-{which}.h5" for which in ("one", "all"))
    if ranks.rank == 0:
        wpo.evolve(problem(stated, folder, None, replaced), output=one, **asked)
    wpo.evolve(problem(stated, folder, ranks, replaced), output=all_, **asked)
    return ", ".join(differences(one, all_)) if ranks.rank == 0 else ""


def _set(number: int, **names: tuple[str, ...]) -> None:
    """Give thresholds of sizes another number, in the modules that use them."""
    for module, thresholds in names.items():
        for name in thresholds:
            setattr(importlib.import_module(f"wpoflow.grids.transitions.{module}"), name, number)


def main(folder: Path, names: list[str]) -> None:
    """Compare the cases of these names, or all."""
    ranks = world()

    def go(chosen: dict[str, Case], how: str) -> None:
        for name, case in chosen.items():
            found = compared(f"{name}{how}", case, folder, ranks)
            if ranks.rank == 0:
                print(f"{name}{how}: {found or 'same'}", flush=True)

    go({name: case for name, case in CASES.items() if not names or name in names}, "")
    spread = {name: CASES[name] for name in SPREAD if not names or name in names}
    _set(0, policy_rows=("SMALL",), slab_rows=("SMALL", "GATHERED"))
    go(spread, ", never gathered")
    _set(0, interpolated=("MOST_ENTRIES", "ENTRIES_PER_PAIR"))
    go(spread, ", over pairs")
    print(f"rank {ranks.rank} of {ranks.size} is done", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
