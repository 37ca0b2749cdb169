"""Random problems followed by every time scheme, and their certificates held against all later rows.

python -m tests.validation.certificate 10000      that many problems; half an hour of one core
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.solver.random_mdps import random_policy
from wpoflow.grids.axis import edges_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import tabulated_transition
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.evolve import evolve
from wpoflow.validation.certificate.statement import best
from wpoflow.validation.claims import CLAIMS
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Finding, Verdict

SCHEMES = ("euler", "extrapolated", "multistep")
ACCURACY = 1e-5


@dataclass(frozen=True)
class Outcome:
    """What became of one problem: findings with the problem at hand or by the run alone, and how sharp it became."""

    findings: tuple[Finding, ...]
    share: float

    @property
    def violated(self) -> bool:
        """Whether a certificate was broken."""
        return any(finding.verdict is Verdict.FAILS for finding in self.findings)


def random_mdp(generator: np.random.Generator, axes: int = 1) -> GridMDP:
    """One to six states, two to eight cells of random width an axis, a third of the problems terminating."""
    grid = []
    for j in range(axes):
        cells = int(generator.integers(2, 9 if axes == 1 else 4))
        edges = np.concatenate(([0.0], np.cumsum(np.exp(generator.uniform(-1.0, 1.0, cells)))))
        boundary = "periodic" if generator.random() < 0.4 else "no-flux"
        grid.append(edges_axis(f"a{j}", edges * generator.uniform(0.5, 3.0) / edges[-1], boundary))
    actions, states = Grid(tuple(grid)), int(generator.integers(1, 7))
    rows = random_policy(generator, (states * actions.size, states), 2.0)
    if generator.random() < 0.33:
        ends = generator.random((len(rows), 1)) < 0.3
        rows = rows * (1.0 - 0.5 * generator.random((len(rows), 1)) * ends)
    return GridMDP(
        states=Grid((edges_axis("s", np.arange(states + 1.0), "reflect"),)),
        actions=actions,
        discount=float(generator.choice([0.3, 0.9, 0.99])),
        temperature=float(np.exp(generator.uniform(np.log(0.05), np.log(5.0)))),
        cost=generator.standard_normal((states, actions.size)) * 10.0 ** generator.uniform(-1.5, 0.5),
        transition=tabulated_transition(rows.reshape(states, actions.size, states), "remainder"),
        reference_mass=random_policy(generator, (1, actions.size), 1.0)[0],
        rho=random_policy(generator, (1, states), 1.0)[0],
        initial_policy=random_policy(generator, (states, actions.size), float(generator.choice([0.1, 1.0, 4.0]))),
    )


def outcome(seed: int, scheme: str, *, briefly: bool = False) -> Outcome:
    """Follow one problem and judge its certificates.

    Backward Euler takes thirty steps of a fixed size between 1e-3 and 1e3 relaxation times, each of them a row; the
    others are controlled to `ACCURACY` and followed to a gap of 1e-9, or for sixty steps.  Certificates are issued at
    three snapshots, from the first on, and judged with the problem at hand and by the run alone; ``briefly`` after
    sixteen steps, one way or the other.
    """
    generator = np.random.default_rng(seed)
    mdp = random_mdp(generator, 2 if scheme == "extrapolated" and generator.random() < 0.2 else 1)
    if scheme == "euler":
        step, count = 10.0 ** generator.uniform(-3.0, 3.0), 16 if briefly else 30
        until = {"steps": count}
        run = evolve(mdp, until=until, scheme=scheme, step=step, series={"every": step}, snapshots=3)
    else:
        reach = {"gap": 1e-9, "steps": 16 if briefly else 60}
        run = evolve(mdp, until=reach, scheme=scheme, accuracy=ACCURACY, snapshots=3)
    evidence = Evidence(f"seed {seed}, {scheme}", run, mdp)
    alone = Evidence(evidence.name, run)
    chosen = (evidence, alone) if not briefly else (evidence,) if generator.random() < 0.5 else (alone,)
    judge = CLAIMS["sharp_certificate"]
    issued = chosen[0].certificates
    last = best(issued[-1].sup_norm) if issued else None
    sharp = 2.0 * float(chosen[0].spectral_gaps.min())
    share = 0.0 if last is None or not 0.0 < sharp < np.inf else last.rate / sharp
    return Outcome(tuple(judge.finding(case) for case in chosen), share)
