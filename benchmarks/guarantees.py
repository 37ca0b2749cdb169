"""What is guaranteed of the gallery's problems, from when on: the table of the page of that name.

    python -m benchmarks.guarantees [PROBLEM ...]

Each problem is followed on the grid of level quick to a gap of 1e-10, at an accuracy of 1e-5, with a row and a snapshot
forty times in each decade of time. A line holds the sharp rate; the observed and the guaranteed one of the last row;
what is certified of |V - V*|_sup there, over the sharp rate, with the level of the last snapshot's certificate; what is
certified of gap(rho) there, over the observed rate, with that level and the number of states set apart; the guarantee
for the last policy alone over its actual rate; and the gaps from which on the certified rates exceed half the sharp and
half the observed one in every later row.
"""

from __future__ import annotations

import sys

import numpy as np

from wpoflow.problems.gallery import gallery_names
from wpoflow.problems.load import build_problem
from wpoflow.problems.problem_file import read_problem
from wpoflow.solver.runs.evolve import evolve_to_the_end
from wpoflow.studies.refinement.problem_grids import coarsened, refined_axes, with_cells
from wpoflow.validation.case_numbers import from_when
from wpoflow.validation.certificate.statement import Certificate, best
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.suite import LEVELS

GAP, ACCURACY, STEPS = 1e-10, 1e-5, 3000
TIMES = [0.0, *np.logspace(-1.0, 3.0, 161).tolist()]
HEAD = (
    "problem", "sharp", "observed", "guaranteed", "certified / sharp", "certified_rho / observed", "instant",
    "certified from gap", "certified_rho from gap",
)  # fmt: skip


def line(name: str) -> str:
    """The row of one problem; empty where its flow has no certificates."""
    problem = read_problem(name)
    problem = with_cells(problem, coarsened(refined_axes(problem), LEVELS["quick"].most_pairs))
    mdp = build_problem(problem)
    run = evolve_to_the_end(
        mdp,
        until={"gap": GAP, "steps": STEPS},
        accuracy=min(ACCURACY, problem.flow.accuracy or ACCURACY),
        flow=problem.flow.kind,
        series={"times": TIMES},
        snapshots={"times": TIMES},
    )
    evidence = Evidence(name, run, mdp)
    if not evidence.certificates:
        return ""
    last, sharp = evidence.certificates[-1], evidence.sharp_rate
    observed, guaranteed = (float(rates[-1]) for rates in (run.series["rate_observed"], evidence.guaranteed_rate))
    of_sup, of_gap = evidence.certified.rate, evidence.certified_rho.rate
    sup_norm, along = best(last.sup_norm), best(last.along_rho)
    apart = 0 if along is None else along.set_apart
    entries = (
        name,
        f"{sharp:.4g}",
        f"{observed:.4g}",
        f"{guaranteed:.3g}",
        f"{of_sup[-1] / sharp:.4f} ({_level(sup_norm)})",
        f"{of_gap[-1] / observed:.4f} ({_level(along)}, {apart})",
        f"{last.instantaneous / last.observed:.3f}",
        _gap(from_when(evidence, of_sup, np.full_like(of_sup, sharp))),
        _gap(from_when(evidence, of_gap, run.series["rate_observed"])),
    )
    return f"| {' | '.join(entries)} |"


def _level(certificate: Certificate | None) -> str:
    return "none" if certificate is None else f"{certificate.level:.1g}"


def _gap(value: float) -> str:
    return "never" if np.isnan(value) else f"{value:.2g}"


def main(names: list[str]) -> None:
    """Print the table."""
    print(f"| {' | '.join(HEAD)} |\n|{' --- |' * len(HEAD)}", flush=True)
    with np.errstate(all="ignore"):
        for name in names or gallery_names():
            if found := line(name):
                print(found, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
