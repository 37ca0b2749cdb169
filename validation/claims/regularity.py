"""Regularity monitors stay bounded as the grid is refined.

The theorem assumes a sufficiently regular solution.  On three grids of at most 16 000 pairs, all axes refined
together by the square root of two, the suprema over times T/32, T/16, ..., T (past the boundary layer of an
incompatible start) of

    d pi/d mu, |grad_a ln d pi/d mu|, |grad_a Q|, |grad_a^2 Q|

should tend to limits.  A monitor that grows by more than a tenth from the middle to the finest grid, and by no less
than half of what it grew before, is growing without a bound that one could see: the regularity is not certified for
the problem.  Growth is evidence against a hypothesis and no failure of the theorem.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from wpoflow.solver.records.run import Run
from wpoflow.studies.refinement.study import RefinementError, refine
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Hypothesis, Measurement

MONITORS = ("density_max", "score_max", "q_slope_max", "q_curvature_max")
MOST_PAIRS = 16000.0
LEVELS = 3
GROWTH = 0.1
CONTRACTION = 0.5
EARLIEST = 5  # halvings of the run's length
ACCURACY = 1e-3


@claim(
    "regularity",
    "monitors of regularity stay bounded under refinement",
    "assumption of the main theorem, Šiška & Zhang, arXiv:2605.22622; theory section 6",
    needs_family=True,
)
def judge(evidence: Evidence) -> Judgement:
    """Suprema on three grids."""
    family = evidence.family
    assert family is not None
    end = float(evidence.run.series["time"][-1])
    functions = {name: _supremum(name) for name in MONITORS}
    try:
        study = refine(
            family.make_mdp,
            family.coarsened(MOST_PAIRS),
            LEVELS,
            ("value_rho",),
            times=tuple(end * 2.0**-k for k in range(EARLIEST, -1, -1)),
            directions=("grid",),
            factor=math.sqrt(2.0),
            accuracy=ACCURACY,
            flow=evidence.flow_name,
            parameters=evidence.flow_parameters,
            own_step=evidence.own_step,
            functions=functions,
        )
    except RefinementError as error:
        return (Hypothesis("every run of the study ends", False, str(error)),), (), {}
    hypotheses, measurements, notes = [], [], {}
    for name in MONITORS:
        coarse, middle, fine = study.find("grid", name).values
        growth = fine / middle - 1.0 if middle > 0.0 else 0.0
        before = middle / coarse - 1.0 if coarse > 0.0 else 0.0
        bounded = growth <= max(GROWTH, CONTRACTION * before)
        notes[name] = [coarse, middle, fine]
        hypotheses.append(
            Hypothesis(
                f"{name} does not keep growing", bounded, f"{coarse:.4g}, {middle:.4g}, {fine:.4g} on three grids"
            )
        )
        measurements.append(
            Measurement(f"growth of {name}", growth, max(GROWTH, CONTRACTION * before), "<=", "finest grid")
        )
    return tuple(hypotheses), tuple(measurements), notes


def _supremum(name: str) -> Callable[[Run], float]:
    def supremum(run: Run) -> float:
        return float(run.series[name][run.series["time"] > 0.0].max())

    return supremum
